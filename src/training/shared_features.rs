//! The frozen features that all jobs of one call read, computed before the first of them.

use tch::Device;

use super::frozen_features::{frozen_features, is_stored, run_of};
use super::job::Job;
use super::options::Images;
use super::run::flags_of;
use super::views::Views;
use crate::error::Result;
use crate::executors::{device_pool, pool};
use crate::images::Dataset;
use crate::models::Model;
use crate::runs::RunStore;
use crate::torch::flags;

/// The features that a job shares with others and that the store lacks: the model, on the CPU, and the views of each split. None where it
/// reads pictures, or features of other images than the others, and where the store has them all.
type Missing = Option<(Model, Vec<(Dataset, Views<'static>)>)>;

fn missing(store: &RunStore, job: &Job) -> Result<Missing> {
    let options = &job.options;
    if !shares(job) {
        return Ok(None);
    }
    let (train, val) = job.splits()?;
    let train = job.features_of(&train)?.whole;
    let model = options.initial_model(&job.labels, options.seed, Device::Cpu)?;
    let mut missing = Vec::new();
    for (dataset, views) in views_of(job, train, val) {
        if !is_stored(store, &model, &dataset, &views)? {
            missing.push((dataset, views));
        }
    }
    Ok((!missing.is_empty()).then_some((model, missing)))
}

/// Students that leave images out have features of their own images.
fn shares(job: &Job) -> bool {
    job.options.model.fixed_stages() > 0 && (job.options.images == Images::All || job.reads_features_of_all())
}

fn views_of(job: &Job, train: Dataset, val: Dataset) -> Vec<(Dataset, Views<'static>)> {
    let mut splits = vec![(train, Views::of_training(&job.options)), (val, Views::of_evaluation(&job.options))];
    // New views each epoch are kept nowhere.
    splits.retain(|(dataset, views)| !dataset.is_empty() && views.count > 0);
    splits
}

/// The runs of the features that a job shares with others; `model` is the job's, on its splits.
pub fn runs_of(job: &Job, model: &Model, train: &Dataset, val: &Dataset) -> Result<Vec<String>> {
    if !shares(job) {
        return Ok(vec![]);
    }
    let splits = views_of(job, job.features_of(train)?.whole, val.clone());
    splits.iter().map(|(dataset, views)| run_of(model, dataset, views)).collect()
}

/// Whether the store lacks features that the job shares with others. Touches no GPU.
pub fn are_missing(store: &RunStore, job: &Job) -> Result<bool> {
    Ok(missing(store, job)?.is_some())
}

/// Computes the features that the job shares with others, where the store does not have them, with all cores or on a GPU of the pool.
pub fn compute_features(store: &RunStore, job: &Job) -> Result<()> {
    tch::set_num_threads(pool::cores() as i32);
    let Some((model, missing)) = missing(store, job)? else { return Ok(()) };
    let place = device_pool::take("features", job.options.per_gpu)?;
    let _held = flags::hold(flags_of(job, missing.iter().map(|(dataset, _)| dataset.len()).sum()), place.device())?;
    let model = model.moved_to(place.device())?;
    missing.iter().try_for_each(|(dataset, views)| frozen_features(store, &model, dataset, views).map(drop))
}

/// The same with the job's model, where it is.
pub(super) fn compute_features_on(store: &RunStore, job: &Job, model: &Model) -> Result<()> {
    let Some((_, missing)) = missing(store, job)? else { return Ok(()) };
    missing.iter().try_for_each(|(dataset, views)| frozen_features(store, model, dataset, views).map(drop))
}
