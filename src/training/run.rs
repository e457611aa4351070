//! One job through the run store: found, resumed or trained.

use serde_json::{Value, json};
use tch::Device;

use super::callbacks::Callbacks;
use super::job::Job;
use super::metrics_file;
use super::naming::NamedJob;
use super::options::{Select, SelectOn};
use super::trained_model::Trained;
use super::training_loop::TrainingLoop;
use crate::activity::console;
use crate::error::Result;
use crate::executors::{device_pool, pool};
use crate::images::augment_tensors::are_applied_on;
use crate::runs::{Begun, Published, Run, RunStore};
use crate::torch::flags::{self, Flags};

/// Returns the model from the store when this training was done before. Otherwise trains it and keeps it there.
///
/// Errors: those of the options, the data and the model; Interrupted, with a checkpoint that the next call resumes.
pub fn run(store: &RunStore, job: &Job) -> Result<Trained> {
    run_with(store, job, Callbacks::default())
}

/// As [`run`], with callbacks. Every epoch is passed to them, also when the model comes from the store.
pub fn run_with(store: &RunStore, job: &Job, mut callbacks: Callbacks) -> Result<Trained> {
    // Epochs that the callback knows, also after a run that was lost to another maker.
    let mut passed = 0;
    loop {
        let mut pass = |line: &Value| -> Result<()> {
            let epoch = line["epoch"].as_u64().unwrap_or(u64::MAX);
            match &mut callbacks.epoch {
                Some(known) if epoch > passed => {
                    passed = epoch;
                    known(line)
                }
                _ => Ok(()),
            }
        };
        let (loss, distillation, schedule) = (callbacks.loss, callbacks.distillation, callbacks.schedule);
        if let Some(trained) =
            find_or_train(store, job, Callbacks { epoch: Some(&mut pass), loss, distillation, schedule })?
        {
            return Ok(trained);
        }
    }
}

/// None if another maker took the run over while this one was paused.
fn find_or_train(store: &RunStore, job: &Job, mut callbacks: Callbacks) -> Result<Option<Trained>> {
    let threads = if job.options.threads > 0 { job.options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let NamedJob { job, model, train, val, spec, id } = NamedJob::new(job)?;
    let job = &job;
    // Its maker may need the GPU that this thread has.
    let work = match device_pool::lent(|| store.begin(&id, &spec))? {
        Begun::Finished(run) => return finished(run, job, &mut callbacks).map(Some),
        Begun::Work(work) => work,
    };
    let place = device_pool::take(&job.name, job.options.per_gpu)?;
    let device = place.device();
    let flags = Flags { tf32: job.options.tf32, deterministic: job.options.deterministic };
    let trained = (|| {
        let _held = flags::hold(flags, device)?;
        let model = model.moved_to(device)?;
        let outcome = TrainingLoop::new(store, job, &model, &train, &val, &work, callbacks)?.train(&work)?;
        // Nothing of it stays on a GPU that is given back.
        let model = model.moved_to(Device::Cpu)?;
        let vocabulary = job.train.labels.labels().to_vec();
        let mut trained = Trained::new(model, work.id.clone(), None, vocabulary);
        trained.selected_on_test = job.options.select_on == SelectOn::Test && job.options.select == Select::Best;
        trained.save_in(&work)?;
        work.write(metrics_file::NAME, outcome.metrics.as_bytes())?;
        Ok((outcome, trained))
    })();
    let (outcome, mut trained) = match trained {
        Err(error) if work.falls_back(&error) => return Ok(None),
        trained => trained?,
    };
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
        // Without effect on the CPU.
        "tf32": device.is_cuda().then_some(flags.tf32),
        "deterministic": device.is_cuda().then_some(flags.deterministic),
        "augmented_on": if are_applied_on(device) { "cuda" } else { "cpu" },
        "cpsd": env!("CARGO_PKG_VERSION"),
    });
    let run = match work.publish(&summary)? {
        Published::Own(run) => run,
        // Its bits may be of another number of threads.
        Published::Other(run) => return load(run).map(Some),
        Published::Lost => return Ok(None),
    };
    console::log(&format!(
        "{}: {} epochs in {:.1} s{} ({})",
        job.name,
        job.options.epochs,
        outcome.seconds,
        best.map_or(String::new(), |b| format!(
            ", mAP {:.1} on {} at epoch {}{}",
            b.map,
            if job.options.select_on == SelectOn::Test { "test" } else { "val" },
            b.epoch,
            if b.averaged { " (averaged weights)" } else { "" }
        )),
        run.id
    ));
    trained.run = Some(run);
    Ok(Some(trained))
}

/// The model of a training that was done before, or none. Every epoch is passed to the callback.
///
/// Errors: those of the options, the data and the model.
pub(super) fn stored(store: &RunStore, job: &Job, callbacks: &mut Callbacks) -> Result<Option<Trained>> {
    let NamedJob { job, id, .. } = NamedJob::new(job)?;
    store.find(&id).map(|run| finished(run, &job, callbacks)).transpose()
}

fn finished(run: Run, job: &Job, callbacks: &mut Callbacks) -> Result<Trained> {
    run.metrics()?.iter().try_for_each(|line| callbacks.epoch_done(line, &job.name))?;
    load(run)
}

/// The model of a finished training.
pub fn load(run: Run) -> Result<Trained> {
    Trained::of_run(run)
}
