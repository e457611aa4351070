//! A job with its data, its model at the initial weights and the id of its run: all that is known before training.

use serde_json::{Value, json};
use tch::Device;

use super::job::Job;
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
        let model = Model::new(&job.options.model, &job.labels, job.own_seed(), Device::Cpu)?;
        let mut spec = job.spec(&train, &val, &model.initial_fingerprint()?);
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

/// Errors: options of a training in several processes of which one is a closure.
pub(super) fn check_closures(job: &Job) -> Result<()> {
    if job.closure().is_none() {
        return Ok(());
    }
    let nproc = job.options.nproc;
    Err(Error::argument(format!(
        "a loss or schedule that is a closure belongs to this process, and a loss is of whole batches; nproc: {nproc} trains in several, each with a part"
    ))
    .about_option("nproc")
    .with_help("nproc: 1 trains here; named losses (asl, bce, focal, mse, kl) and schedules train in several processes"))
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
