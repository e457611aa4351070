//! A job through the run store: found, resumed or trained; several side by side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::engine::Engine;
use super::hooks::{Hooks, OnEpoch};
use super::job::Job;
use super::job_file;
use super::options::{Select, SelectOn, Workers};
use super::trained::Trained;
use crate::activity;
use crate::activity::console;
use crate::error::{Error, Result};
use crate::executors::{pool, worker, worker::WorkerCommand};
use crate::images::Dataset;
use crate::models::Model;
use crate::runs::{Begun, Run, RunStore, id_of};

const MODEL: &str = "model.safetensors";

/// Answers from the store when this training was done before; otherwise trains, and keeps it.
///
/// Errors: those of the options, the data and the model; Interrupted with a checkpoint that the next call resumes.
pub fn run(store: &RunStore, job: &Job) -> Result<Trained> {
    run_with(store, job, Hooks::default())
}

/// As [`run`], and tells the hooks of every epoch, also when the store answers.
pub fn run_with(store: &RunStore, job: &Job, mut hooks: Hooks) -> Result<Trained> {
    let threads = if job.options.threads > 0 { job.options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let Named { job, model, train, val, spec, id } = Named::new(job)?;
    let (job, device) = (&job, model.device);
    let work = match store.begin(&id, &spec)? {
        Begun::Finished(run) => {
            run.metrics()?.iter().try_for_each(|line| hooks.tell(line, &job.name))?;
            return load(run);
        }
        Begun::Work(work) => work,
    };
    let engine = Engine::new(store, job, &model, &train, &val, &work, hooks)?;
    let outcome = engine.train(&work)?;
    let vocabulary = job.train.labels.labels().to_vec();
    let mut trained = Trained::new(model, work.id.clone(), None, vocabulary);
    trained.selected_on_test = job.options.select_on == SelectOn::Test && job.options.select == Select::Best;
    trained.save(&work.path(MODEL))?;
    let _ = std::fs::remove_file(work.path("checkpoint.safetensors"));
    let best = outcome.best.as_ref();
    let summary = json!({
        "name": job.name,
        "labels": job.labels.len(),
        "epochs": job.options.epochs,
        "updates": outcome.updates,
        "seconds": outcome.seconds,
        "loss": outcome.final_loss,
        "val_mAP": best.map(|b| b.map),
        "best_epoch": best.map(|b| b.epoch),
        "averaged": best.map(|b| b.averaged),
        "selected_on_test": trained.selected_on_test,
        "threads": threads,
        "device": format!("{device:?}"),
        "cpsd": env!("CARGO_PKG_VERSION"),
    });
    let run = work.finish(&summary)?;
    console::log(&format!(
        "{}: {} epochs in {:.1} s{} ({})",
        job.name,
        job.options.epochs,
        outcome.seconds,
        best.map_or(String::new(), |b| format!(
            ", mAP {:.1} on val at epoch {}{}",
            b.map,
            b.epoch,
            if b.averaged { " (averaged weights)" } else { "" }
        )),
        run.id
    ));
    trained.run = Some(run);
    Ok(trained)
}

/// A job with its model at the initial weights, and the run that it makes: all that is known before training.
pub(super) struct Named {
    /// With its model's specification resolved.
    pub job: Job,
    pub model: Model,
    pub train: Dataset,
    pub val: Dataset,
    pub spec: Value,
    pub id: String,
}

impl Named {
    /// Errors: those of the options, the data and the weights.
    pub fn new(job: &Job) -> Result<Named> {
        job.options.loss.validate()?;
        let (train, val) = job.splits()?;
        let mut job = job.clone();
        job.options.model = job.options.model.resolved()?;
        let model = Model::new(&job.options.model, &job.labels, job.options.seed, crate::devices::first())?;
        let spec = job.spec(&train, &val, &model.initial_fingerprint()?);
        let id = id_of("train", &spec);
        Ok(Named { job, model, train, val, spec, id })
    }
}

/// The model of a finished training.
pub fn load(run: Run) -> Result<Trained> {
    Trained::load(&run.path(MODEL), Some(run.clone()))
}

/// Several jobs side by side, the cores or GPUs shared out among them. All that can be finished are, then the first
/// error is given back. Jobs with losses of a script's run one after the other, on its thread.
///
/// Results do not depend on how many run at once, beyond what the number of threads of each changes in rounding.
pub fn run_all(store: &RunStore, jobs: Vec<Job>, mut hooks: Hooks) -> Result<Vec<Trained>> {
    let Some(first) = jobs.first() else {
        return Err(Error::argument("there is nothing to train: the partition has no tasks"));
    };
    if hooks.has_losses() {
        let (loss, distillation) = (hooks.loss, hooks.distillation);
        let mut each = |job: &Job| {
            let epoch: Option<OnEpoch> = match &mut hooks.epoch {
                Some(epoch) => Some(&mut **epoch),
                None => None,
            };
            run_with(store, job, Hooks { epoch, loss, distillation })
        };
        return jobs.iter().map(&mut each).collect();
    }
    // The frozen features are one piece of work for all of them: made first, with all cores.
    prepare(store, first)?;
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
    watched(&mut hooks, |tell| {
        pool::map(side_by_side, &jobs, |(i, job)| match processes {
            false => run_with(store, job, Hooks { epoch: Some(&mut |line| tell(line)), ..Hooks::default() }),
            true => in_process(store, job, gpus.get(i % gpus.len().max(1)).copied(), tell),
        })
    })
}

/// Does `work`, which may tell of epochs from any thread, and hands these to the hooks on this one. An error of theirs
/// is what `tell` gives from then on, and the first error given back.
fn watched<R: Send>(
    hooks: &mut Hooks,
    work: impl FnOnce(&(dyn Fn(&Value) -> Result<()> + Sync)) -> Vec<Result<R>> + Send,
) -> Result<Vec<R>> {
    let (send, lines) = mpsc::channel::<Value>();
    let stop = AtomicBool::new(false);
    let mut failure = None;
    let results = std::thread::scope(|scope| {
        let (stop, task) = (&stop, activity::current());
        let tell = move |line: &Value| {
            // The other side listens until this side is done.
            let _ = send.send(line.clone());
            if stop.load(Ordering::Relaxed) { Err(Error::interrupted()) } else { Ok(()) }
        };
        let made = scope.spawn(move || {
            // Owned here: the other side listens until it is dropped.
            let tell = tell;
            task.enter(|| work(&tell))
        });
        for line in lines {
            if failure.is_none()
                && let Some(epoch) = &mut hooks.epoch
                && let Err(error) = epoch(&line)
            {
                failure = Some(error);
                stop.store(true, Ordering::Relaxed);
            }
        }
        made.join()
    });
    let results = results.map_err(|_| Error::internal("a training failed in a way that was not foreseen"))?;
    match failure {
        Some(error) => Err(error),
        None => results.into_iter().collect(),
    }
}

/// One job in a process of its own, with one of the GPUs where there are any.
fn in_process(store: &RunStore, job: &Job, gpu: Option<usize>, tell: &dyn Fn(&Value) -> Result<()>) -> Result<Trained> {
    let folder = store.root().join(".work");
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    let file = tempfile::Builder::new()
        .prefix("job-")
        .suffix(".json")
        .tempfile_in(&folder)
        .map_err(|e| Error::io(&folder, e))?;
    job_file::write(store, job, file.path())?;
    let mut environment = vec![("RAYON_NUM_THREADS", job.options.threads.to_string())];
    environment.extend(crate::devices::for_worker(gpu));
    let task = WorkerCommand { name: &job.name, file: file.path(), environment: &environment };
    let done = worker::run(&task, &mut |line| tell(line))?;
    let run = done.as_str().and_then(|id| store.find(id));
    load(run.ok_or_else(|| Error::internal(format!("{}: its worker named a run that is not there", job.name)))?)
}

/// Computes the features that all jobs of one `run_all` share.
fn prepare(store: &RunStore, job: &Job) -> Result<()> {
    use super::features::features;
    use super::inputs::Views;
    if job.options.model.freeze == 0 || job.options.images == super::options::Images::Containing {
        return Ok(());
    }
    tch::set_num_threads(pool::cores() as i32);
    let (train, val) = job.splits()?;
    let model = Model::new(&job.options.model.resolved()?, &job.labels, job.options.seed, crate::devices::first())?;
    let options = &job.options;
    let views = Views { count: options.views, augment: Some(options.augment.clone()), seed: options.seed_of_views() };
    features(store, &model, &train, &views)?;
    features(store, &model, &val, &Views::centre())?;
    Ok(())
}
