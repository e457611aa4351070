//! A job through the run store: found, resumed or trained; several side by side.

use serde_json::{Value, json};

use super::engine::Engine;
use super::job::Job;
use super::options::{Select, SelectOn};
use super::trained::Trained;
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::models::Model;
use crate::progress;
use crate::runs::{Begun, Run, RunStore, id_of};

const MODEL: &str = "model.safetensors";

/// Answers from the store when this training was done before; otherwise trains, and keeps it.
///
/// Errors: those of the options, the data and the model; Interrupted with a checkpoint that the next call resumes.
pub fn run(store: &RunStore, job: &Job) -> Result<Trained> {
    run_watched(store, job, &mut |_| Ok(()))
}

/// As [`run`], and tells `watch` of every epoch: its line of metrics.jsonl, also when the store answers. An error of
/// `watch` stops the training like an interrupt.
pub fn run_watched(store: &RunStore, job: &Job, watch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<Trained> {
    job.options.loss.validate()?;
    let (train, val) = job.splits()?;
    let device = crate::torch::device();
    let threads = if job.options.threads > 0 { job.options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let mut options = job.options.clone();
    options.model = options.model.resolved()?;
    let job = &Job { options, ..job.clone() };
    let model = Model::new(&job.options.model, &job.labels, job.options.seed, device)?;
    let spec = job.spec(&train, &val, &model.initial_fingerprint()?);
    let work = match store.begin(&id_of("train", &spec), &spec)? {
        Begun::Finished(run) => {
            run.metrics()?.iter().try_for_each(watch)?;
            return load(run);
        }
        Begun::Work(work) => work,
    };
    let engine = Engine::new(store, job, &model, &train, &val, &work)?;
    let outcome = engine.train(&work, watch)?;
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
    progress::log(&format!(
        "{}: {} epochs in {:.1} s{} ({})",
        job.name, job.options.epochs, outcome.seconds,
        best.map_or(String::new(), |b| format!(
            ", mAP {:.1} on val at epoch {}{}", b.map, b.epoch, if b.averaged { " (averaged weights)" } else { "" }
        )),
        run.id
    ));
    trained.run = Some(run);
    Ok(trained)
}

/// The model of a finished training.
pub fn load(run: Run) -> Result<Trained> {
    Trained::load(&run.path(MODEL), Some(run.clone()))
}

/// Several jobs side by side, the cores shared out among them. All that can be finished are, then the first error
/// is given back.
///
/// Results do not depend on how many run at once, beyond what the number of threads of each changes in rounding.
pub fn run_all(store: &RunStore, jobs: Vec<Job>) -> Result<Vec<Trained>> {
    if jobs.is_empty() {
        return Err(Error::argument("there is nothing to train: the partition has no tasks"));
    }
    // The frozen features are one piece of work for all of them: made first, with all cores.
    prepare(store, &jobs[0])?;
    let side_by_side = jobs.len().min(pool::cores());
    let threads = (pool::cores() / side_by_side).max(1);
    let jobs: Vec<Job> = jobs
        .into_iter()
        .map(|mut job| {
            if job.options.threads == 0 {
                job.options.threads = threads;
            }
            job
        })
        .collect();
    pool::map(side_by_side, &jobs, |job| run(store, job)).into_iter().collect()
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
    let model = Model::new(&job.options.model.resolved()?, &job.labels, job.options.seed, crate::torch::device())?;
    let options = &job.options;
    let views = Views { count: options.views, augment: Some(options.augment.clone()), seed: options.seed_of_views() };
    features(store, &model, &train, &views)?;
    features(store, &model, &val, &Views::centre())?;
    Ok(())
}
