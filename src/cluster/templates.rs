//! A queue by four commands, as a site writes them in `cpsd.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::engine::{JobId, Submission, TaskId, TaskStatus};
use super::options::ClusterOptions;
use crate::error::{Error, Result};

/// `[engine.NAME]` of `cpsd.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Templates {
    pub name: String,
    pub submit: String,
    pub status: String,
    pub cancel: String,
    pub requeue: String,
}

impl Templates {
    pub(super) fn submit(
        &self,
        _options: &ClusterOptions,
        _submission: &Submission,
    ) -> Result<Vec<(JobId, Vec<usize>)>> {
        Err(Error::internal("not written yet"))
    }

    pub(super) fn states(&self, _jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        Err(Error::internal("not written yet"))
    }

    pub(super) fn cancel(&self, _jobs: &[JobId]) -> Result<()> {
        Err(Error::internal("not written yet"))
    }

    pub(super) fn requeue(&self, _task: &TaskId) -> Result<()> {
        Err(Error::internal("not written yet"))
    }
}
