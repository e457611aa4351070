//! Trainings as tasks of a queue.

use super::callbacks::Callbacks;
use super::job::Job;
use super::trained_model::Trained;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::runs::RunStore;

/// Has a queue make the runs of the jobs, waits for them and reads them. Every epoch of every job is passed to the callback as it appears.
///
/// Stages are the frozen features that jobs share, the outputs of teachers that they read, and the trainings. Results are those of
/// this machine's own trainings, under the same ids.
///
/// Errors: a loss or schedule of a script's own, which lives in this process; a teacher that is in no run store; those of
/// [`waiting::run`](crate::cluster::waiting::run); the first failure among the trainings, when all have ended.
pub(super) fn run_all(
    _store: &RunStore,
    _cluster: &Cluster,
    _jobs: Vec<Job>,
    _callbacks: Callbacks,
) -> Result<Vec<Trained>> {
    Err(Error::internal("not written yet"))
}
