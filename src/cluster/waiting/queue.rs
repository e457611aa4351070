//! What waiting asks of a queue and of time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::engine::{Cluster, JobId, Submission, TaskId, TaskStatus};
use crate::activity::interrupt;
use crate::error::Result;

/// What waiting asks of a queue: [`Cluster`]'s, by the same contracts.
pub(in crate::cluster) trait Queue {
    fn name(&self) -> &str;
    fn submit(&self, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>>;
    fn find(&self, name: &str) -> Result<Vec<JobId>>;
    fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>>;
    fn cancel(&self, jobs: &[JobId]) -> Result<()>;
    fn requeue(&self, task: &TaskId) -> Result<()>;
    fn release(&self, tasks: &[TaskId]) -> Result<()>;
    fn has_forgotten(&self, job: &JobId) -> Result<bool>;
}

impl Queue for Cluster {
    fn name(&self) -> &str {
        Cluster::name(self)
    }
    fn submit(&self, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        Cluster::submit(self, submission)
    }
    fn find(&self, name: &str) -> Result<Vec<JobId>> {
        Cluster::find(self, name)
    }
    fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        Cluster::states(self, jobs)
    }
    fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        Cluster::cancel(self, jobs)
    }
    fn requeue(&self, task: &TaskId) -> Result<()> {
        Cluster::requeue(self, task)
    }
    fn release(&self, tasks: &[TaskId]) -> Result<()> {
        Cluster::release(self, tasks)
    }
    fn has_forgotten(&self, job: &JobId) -> Result<bool> {
        Cluster::has_forgotten(self, job)
    }
}

/// Time as waiting sees it.
pub(in crate::cluster) trait Clock {
    fn now(&self) -> Duration;
    /// Errors: Interrupted, within a fifth of a second.
    fn pause(&self, time: Duration) -> Result<()>;
}

pub(super) struct Monotonic(pub Instant);

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn pause(&self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            interrupt::check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}
