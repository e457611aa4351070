//! A job with its data, its model at the initial weights and the id of its run: all that is known before training.

use serde_json::{Value, json};
use tch::Device;

use super::job::{Closure, Job};
use super::model_inputs::last_batch;
use super::options::TrainOptions;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::models::Model;
use crate::runs::id_of;

/// A job and the run that it makes.
pub(super) struct NamedJob {
    /// The job, with its model's specification resolved.
    pub job: Job,
    /// On the CPU, so that naming needs no GPU.
    pub model: Model,
    pub train: Dataset,
    pub val: Dataset,
    pub spec: Value,
    pub id: String,
}

impl NamedJob {
    /// Errors: those of the options, the data and the weights.
    pub fn new(job: &Job) -> Result<NamedJob> {
        job.options.loss.validate()?;
        let (train, val) = job.splits()?;
        let mut job = job.clone();
        job.options.model = job.options.model.resolved()?;
        let mut model = Model::new(&job.options.model, &job.labels, job.own_seed(), Device::Cpu)?;
        check_hooks(&job, &model, &train)?;
        // Without a start, which is named by its id: a plan knows that before the start is trained.
        let mut spec = job.spec(&train, &val, &model.initial_fingerprint()?);
        // A path does not tell its content.
        if let Some(words) = model.words_fingerprint()? {
            spec["word_vectors"] = json!(words);
        }
        job.options.apply_start(&mut model)?;
        let TrainOptions { nproc, sync_batchnorm, .. } = job.options;
        if nproc > 1 {
            check_parts(&job, &model, &train)?;
            // Each process's batch norms then see other batches than one process's would. All else is equal to rounding.
            if model.trains_batch_norms() && !sync_batchnorm {
                spec["options"]["nproc"] = json!(nproc);
            }
        }
        let id = id_of("train", &spec);
        // Noted after the name is made: the same weights from another place make the same run.
        if let Some(origin) = model.weights_from() {
            spec["weights_from"] = json!(origin);
        }
        Ok(NamedJob { job, model, train, val, spec, id })
    }
}

/// Errors: options that the model, the data or the teachers cannot do with.
fn check_hooks(job: &Job, model: &Model, train: &Dataset) -> Result<()> {
    let options = &job.options;
    let whole = job.train.len();
    // A missing validation split is held out of the training split.
    options.sampler.check_images(whole, train.len())?;
    for (_, stages) in &options.freeze.0 {
        model.check_hold(*stages)?;
    }
    let Some(key) = options.mixes() else { return Ok(()) };
    if let Some(distillation) = &job.distillation {
        options.check_mixed_teachers(distillation.teacher_mode)?;
    }
    if !model.takes_soft_targets() {
        return Err(Error::argument(format!(
            "head \"{}\" needs targets of 0 or 1, and the option \"{key}\" mixes them",
            options.model.head
        ))
        .about_option(key));
    }
    if options.nproc > 1 && options.known_labels().mask(train).is_some() {
        return Err(Error::argument(format!(
            "option \"{key}\" with labels that are not known trains in one process, since each would count other entries; got nproc: {}",
            options.nproc
        ))
        .about_option("nproc"));
    }
    Ok(())
}

/// Errors: options of a training in several processes of which one is a closure.
pub(super) fn check_closures(job: &Job) -> Result<()> {
    let Some(Closure { key, what }) = job.closure() else { return Ok(()) };
    let nproc = job.options.nproc;
    Err(Error::argument(format!(
        "option \"{key}\": {what} of the script's own belongs to this process; nproc: {nproc} trains in several, each with a part of every batch"
    ))
    .about_option("nproc")
    .with_help("nproc: 1 trains here; named losses (asl, bce, focal, mse, kl), schedules and heads train in several processes"))
}

/// Errors: a training that several processes cannot do in parts.
fn check_parts(job: &Job, model: &Model, train: &Dataset) -> Result<()> {
    let TrainOptions { nproc, batch, drop_last, ref loss, .. } = job.options;
    check_closures(job)?;
    if !model.loss_is_by_image(loss.reduction()) {
        return Err(Error::argument(format!(
            "head \"{}\" has a loss that compares the images of a batch, so nproc must be 1; got {nproc}",
            job.options.model.head
        ))
        .about_option("nproc")
        .with_help("heads \"c_tran\" and \"cadm\" train in several processes with a loss of reduction \"sum\""));
    }
    let last = last_batch(train.len(), batch, drop_last);
    if last < nproc {
        return Err(Error::argument(format!(
            "the last batch of an epoch has {last} image{}, fewer than nproc, {nproc}",
            if last == 1 { "" } else { "s" }
        ))
        .about_option("nproc")
        .with_help("drop_last: true leaves out a smaller last batch where there are others"));
    }
    Ok(())
}
