//! A job with its data, its model at the initial weights and the id of its run: all that is known before training.

use serde_json::{Value, json};
use tch::Device;

use super::job::Job;
use crate::error::Result;
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
        let model = Model::new(&job.options.model, &job.labels, job.options.seed, Device::Cpu)?;
        let mut spec = job.spec(&train, &val, &model.initial_fingerprint()?);
        let id = id_of("train", &spec);
        // Noted after the name is made: the same weights from another place make the same run.
        if let Some(origin) = model.weights_from() {
            spec["weights_from"] = json!(origin);
        }
        Ok(NamedJob { job, model, train, val, spec, id })
    }
}
