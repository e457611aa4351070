//! Several jobs side by side, in threads or in worker processes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use serde_json::Value;

use super::callbacks::{Callbacks, OnEpoch};
use super::frozen_features::frozen_features;
use super::job::Job;
use super::job_file;
use super::options::{Images, Workers};
use super::run::{load, run_with};
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::{self, panics};
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::executors::worker::{self, WorkerCommand};
use crate::models::Model;
use crate::runs::RunStore;

/// Runs jobs side by side and shares the cores or GPUs among them. Every job that can be finished is; then the first
/// error is returned. Jobs whose losses or schedule are a script's run one after the other, on its thread.
///
/// Results do not depend on the number of jobs at once, except for the rounding that depends on the threads of each.
pub fn run_all(store: &RunStore, jobs: Vec<Job>, mut callbacks: Callbacks) -> Result<Vec<Trained>> {
    let Some(first) = jobs.first() else {
        return Err(Error::argument("there is nothing to train: the partition has no tasks"));
    };
    // Downloaded once, and here, where a question can be asked.
    jobs.iter().try_for_each(|job| job.options.model.find_weights().map(drop))?;
    // Several processes for each: one training after the other has them all.
    if callbacks.has_functions() || first.options.nproc > 1 {
        let (loss, distillation, schedule) = (callbacks.loss, callbacks.distillation, callbacks.schedule);
        let mut each = |job: &Job| {
            let epoch: Option<OnEpoch> = match &mut callbacks.epoch {
                Some(epoch) => Some(&mut **epoch),
                None => None,
            };
            run_with(store, job, Callbacks { epoch, loss, distillation, schedule })
        };
        return jobs.iter().map(&mut each).collect();
    }
    // All jobs share the frozen features: computed first, with all cores.
    compute_features(store, first)?;
    let gpus = crate::devices::all_gpus();
    let processes = match first.options.workers {
        Workers::Auto => gpus.len() > 1,
        workers => workers == Workers::Processes,
    };
    let side_by_side = jobs.len().min(if !gpus.is_empty() && processes { gpus.len() } else { pool::cores() });
    let threads = (pool::cores() / side_by_side).max(1);
    let jobs: Vec<(usize, Job)> = jobs
        .into_iter()
        .map(|mut job| {
            if job.options.threads == 0 {
                job.options.threads = threads;
            }
            job
        })
        .enumerate()
        .collect();
    with_epochs_here(&mut callbacks, |epoch| {
        pool::map(side_by_side, &jobs, |(i, job)| match processes {
            false => run_with(store, job, Callbacks { epoch: Some(&mut |line| epoch(line)), ..Callbacks::default() }),
            true => in_process(store, job, gpus.get(i % gpus.len().max(1)).copied(), epoch),
        })
    })
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

/// Runs one job in a worker process, on one of the GPUs if there are any.
fn in_process(
    store: &RunStore,
    job: &Job,
    gpu: Option<usize>,
    epoch: &dyn Fn(&Value) -> Result<()>,
) -> Result<Trained> {
    let file = store.temporary_job_file()?;
    job_file::write(store, job, file.path())?;
    let mut environment = vec![("RAYON_NUM_THREADS", job.options.threads.to_string())];
    environment.extend(crate::devices::for_worker(gpu));
    let command = WorkerCommand { name: &job.name, file: file.path(), environment: &environment };
    let done = worker::run(&command, &mut |line| epoch(line))?;
    let run = done.as_str().and_then(|id| store.find(id));
    load(run.ok_or_else(|| Error::internal(format!("{}: its worker named a run that is not there", job.name)))?)
}

/// Computes the frozen features that all jobs of one [`run_all`] share.
fn compute_features(store: &RunStore, job: &Job) -> Result<()> {
    let options = &job.options;
    if options.model.freeze == 0 || options.images == Images::Containing {
        return Ok(());
    }
    tch::set_num_threads(pool::cores() as i32);
    let (train, val) = job.splits()?;
    let model = Model::new(&options.model.resolved()?, &job.labels, options.seed, crate::devices::first())?;
    frozen_features(store, &model, &train, &Views::of_training(options))?;
    if !val.is_empty() {
        frozen_features(store, &model, &val, &Views::centre())?;
    }
    Ok(())
}
