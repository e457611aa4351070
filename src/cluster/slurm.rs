//! Slurm, by its command line programs.

use std::collections::BTreeMap;

use super::engine::{JobId, Submission, TaskId, TaskStatus};
use super::options::ClusterOptions;
use crate::error::{Error, Result};

/// Slurm with the resources of a task.
pub(super) struct Slurm<'a>(pub &'a ClusterOptions);

impl Slurm<'_> {
    pub fn submit(&self, _submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        Err(Error::internal("not written yet"))
    }

    pub fn find(&self, _name: &str) -> Result<Vec<JobId>> {
        Err(Error::internal("not written yet"))
    }

    pub fn states(&self, _jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        Err(Error::internal("not written yet"))
    }

    pub fn cancel(&self, _jobs: &[JobId]) -> Result<()> {
        Err(Error::internal("not written yet"))
    }

    pub fn requeue(&self, _task: &TaskId) -> Result<()> {
        Err(Error::internal("not written yet"))
    }

    pub fn facts(&self) -> Result<Vec<(String, String)>> {
        Err(Error::internal("not written yet"))
    }
}
