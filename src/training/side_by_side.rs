//! Several jobs side by side, in threads or in worker processes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use serde_json::Value;

use super::callbacks::{Callbacks, OnEpoch};
use super::job::Job;
use super::job_file::{self, Task};
use super::on_cluster;
use super::options::Workers;
use super::run::{load, run_with, stored};
use super::shared_features::{are_missing, compute_features};
use super::shared_outputs::compute_before;
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::{self, panics};
use crate::error::{Error, ErrorKind, Result};
use crate::executors::worker::{self, WorkerCommand};
use crate::executors::{device_pool, pool};
use crate::runs::RunStore;

/// Runs jobs side by side and shares the cores or GPUs among them. Every job that can be finished is; then the first
/// error is returned. Jobs that call functions of a script run one after the other, on its thread.
///
/// Errors: those of the jobs; worker processes for a job with a function of a script.
///
/// Results do not depend on the number of jobs at once, except for the rounding that depends on the threads of each.
pub fn run_all(store: &RunStore, jobs: Vec<Job>, mut callbacks: Callbacks) -> Result<Vec<Trained>> {
    let Some(first) = jobs.first() else {
        return Err(Error::argument("there is nothing to train: the partition has no tasks"));
    };
    if let Some(cluster) = first.options.executor.cluster()? {
        return on_cluster::run_all(store, &cluster, jobs, callbacks);
    }
    check_workers(&jobs)?;
    // Downloaded once, and here, where a question can be asked.
    jobs.iter().try_for_each(|job| job.options.model.find_weights().map(drop))?;
    // Several processes for each: one training after the other has them all.
    if callbacks.has_functions() || jobs.iter().any(|job| job.closure().is_some()) || first.options.nproc > 1 {
        let mut on_epoch = callbacks.epoch.take();
        let mut each = |job: &Job| {
            let epoch: Option<OnEpoch> = match &mut on_epoch {
                Some(epoch) => Some(&mut **epoch),
                None => None,
            };
            run_with(store, job, callbacks.with_epoch(epoch))
        };
        return jobs.iter().map(&mut each).collect();
    }
    let cores = pool::cores();
    let gpus = crate::devices::all_gpus().len();
    let at_once = at_once(jobs.len(), gpus, first.options.per_gpu, cores);
    let processes = match first.options.workers {
        Workers::Auto => gpus > 0 && at_once > 1 && worker::is_possible() && jobs.iter().all(job_file::is_possible),
        workers => workers == Workers::Processes,
    };
    // The frozen features that jobs share are computed first, with all cores. A parent that only manages workers has nothing on a GPU.
    for job in one_of_each(&jobs) {
        let computed = match gpus > 0 && processes {
            false => compute_features(store, job),
            true => are_missing(store, job).and_then(|missing| {
                let job = Job { name: "features".into(), ..job.clone() };
                if missing { in_process(store, &job, Task::Features, cores, &mut |_| Ok(())).map(drop) } else { Ok(()) }
            }),
        };
        // A failure is left to the jobs that meet it: others may be finished.
        computed.or_else(|error| if error.kind == ErrorKind::Interrupted { Err(error) } else { Ok(()) })?;
    }
    if gpus == 0 && !processes && at_once > 1 {
        compute_before(store, &jobs)?;
    }
    let threads = (cores / at_once).max(1);
    // This thread waits for the others, which may need its GPU.
    device_pool::lent(|| {
        with_epochs_here(&mut callbacks, |epoch| {
            pool::map(at_once, &jobs, |job| {
                let mut epoch = |line: &Value| epoch(line);
                let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
                find_or_begin(store, job, threads, processes, callbacks)
            })
        })
    })
}

/// Errors: a job that is to be trained by a worker process and has a closure of the script, which lives in this one.
pub fn check_workers(jobs: &[Job]) -> Result<()> {
    let in_others = |job: &&Job| job.options.workers == Workers::Processes;
    jobs.iter().filter(in_others).try_for_each(job_file::check_closures)
}

/// The first of the jobs, and each that may read other features than all before it: of another model, views or pictures.
fn one_of_each(jobs: &[Job]) -> Vec<&Job> {
    let mut seen = Vec::new();
    let mut first = Vec::new();
    for job in jobs {
        let options = &job.options;
        let held_out_by = job.val.is_none().then_some(options.seed);
        let labelled = (job.distillation.is_none(), options.labelled, options.images);
        let kind = (&options.model, Views::of_training(options).fingerprint(), held_out_by, labelled);
        if !seen.contains(&kind) {
            seen.push(kind);
            first.push(job);
        }
    }
    first
}

/// How many of `jobs` run at once: as many as the GPUs take, or without one as there are cores.
fn at_once(jobs: usize, gpus: usize, per_gpu: usize, cores: usize) -> usize {
    jobs.min(if gpus > 0 { gpus * per_gpu.max(1) } else { cores }).max(1)
}

/// Runs `work`, which sends epochs from any thread through its argument, and calls the callback for epochs on this thread.
/// Once the callback has failed, sending fails with Interrupted, and the callback's error is returned.
fn with_epochs_here<R: Send>(
    callbacks: &mut Callbacks,
    work: impl FnOnce(&(dyn Fn(&Value) -> Result<()> + Sync)) -> Vec<Result<R>> + Send,
) -> Result<Vec<R>> {
    let (sender, lines) = mpsc::channel::<Value>();
    let stop = AtomicBool::new(false);
    let mut failure = None;
    let results = std::thread::scope(|scope| {
        let (stop, activity) = (&stop, activity::current());
        let send = move |line: &Value| {
            // The receiver lives until all senders are dropped.
            let _ = sender.send(line.clone());
            if stop.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
        };
        let made = scope.spawn(move || {
            // Moved here, so that the sender is dropped when the work is done.
            let send = send;
            activity.enter(|| work(&send))
        });
        for line in lines {
            if failure.is_none()
                && let Some(epoch) = &mut callbacks.epoch
                && let Err(error) = epoch(&line)
            {
                failure = Some(error);
                stop.store(true, Ordering::Relaxed);
            }
        }
        made.join()
    });
    let results = results.map_err(|panic| panics::fault(&*panic))?;
    match failure {
        Some(error) => Err(error),
        None => results.into_iter().collect(),
    }
}

/// The stored run of a job, or else its training, with its share of the threads where no number was asked for: here, or by a worker process.
fn find_or_begin(
    store: &RunStore,
    job: &Job,
    threads: usize,
    in_worker: bool,
    mut callbacks: Callbacks,
) -> Result<Trained> {
    // What is done already needs no process and no GPU. It is looked for as it was asked for: nobody asked for this share of the threads.
    if let Some(trained) = stored(store, job, &mut callbacks)? {
        return Ok(trained);
    }
    let mut job = job.clone();
    if job.options.threads == 0 {
        job.options.threads = threads;
    }
    if !in_worker {
        return run_with(store, &job, callbacks);
    }
    let mut epoch = |line: &Value| callbacks.epoch.as_mut().map_or(Ok(()), |epoch| epoch(line));
    let done = in_process(store, &job, Task::Train, job.options.threads, &mut epoch)?;
    let run = done.as_str().and_then(|id| store.find(id));
    load(run.ok_or_else(|| Error::internal(format!("{}: its worker named a run that is not there", job.name)))?)
}

/// Does the work of one job in a worker process with so many threads, on one of the GPUs if there are any. Returns the worker's
/// answer.
fn in_process(store: &RunStore, job: &Job, task: Task, threads: usize, epoch: OnEpoch) -> Result<Value> {
    // Kept when a worker that died is started again.
    let place = device_pool::take(&job.name, job.options.per_gpu)?;
    let file = store.temporary_job_file()?;
    job_file::write(store, job, task, file.path())?;
    let mut environment = vec![("RAYON_NUM_THREADS", threads.to_string())];
    environment.extend(crate::devices::for_worker(place.gpu()));
    let command = WorkerCommand { name: &job.name, file: file.path(), environment: &environment };
    worker::run(&command, epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_training_per_gpu_unless_more_are_asked_for() {
        let of = |jobs, gpus, per_gpu| at_once(jobs, gpus, per_gpu, 16);
        assert_eq!([of(10, 0, 1), of(40, 0, 1), of(40, 0, 3)], [10, 16, 16]);
        assert_eq!([of(10, 1, 1), of(10, 8, 1), of(3, 8, 1), of(10, 2, 3), of(40, 8, 3)], [1, 8, 3, 6, 24]);
    }
}
