//! What a queue has of a store's tasks: to look at, and to cancel.

use std::collections::BTreeSet;

use super::engine::{Cluster, JobId, TaskId, TaskState, TaskStatus};
use super::known::Known;
use crate::error::Result;
use crate::runs::RunStore;

/// A task that the queue knows.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: TaskId,
    /// As in progress lines: `teacher 2/3`.
    pub name: String,
    /// The batch's name, which its jobs have in the queue.
    pub batch: String,
    pub status: TaskStatus,
}

/// The tasks of this store that the queue knows, whatever resources they asked for; those that ended long ago it has forgotten.
///
/// Errors: a queue that does not answer; Interrupted.
pub fn tasks(store: &RunStore, cluster: &Cluster) -> Result<Vec<Listed>> {
    let known = Known::of(store, cluster, cluster)?;
    let listed = known.states.iter().filter_map(|((batch, task), (id, status))| {
        let record = &known.batches.get(*batch)?.record;
        let name = record.tasks.get(*task)?.name.clone();
        Some(Listed { id: id.clone(), name, batch: record.name.clone(), status: status.clone() })
    });
    Ok(listed.collect())
}

/// Cancels all tasks of this store that wait or run in the queue, and returns how many they were. A running training keeps its last
/// checkpoint, from which the same call goes on.
///
/// Errors: a queue that does not answer; Interrupted.
pub fn stop(store: &RunStore, cluster: &Cluster) -> Result<usize> {
    let live = |task: &Listed| matches!(task.status.state, TaskState::Queued | TaskState::Running);
    let live: Vec<Listed> = tasks(store, cluster)?.into_iter().filter(live).collect();
    let jobs: BTreeSet<&JobId> = live.iter().map(|task| &task.id.job).collect();
    if !jobs.is_empty() {
        cluster.cancel(&jobs.into_iter().cloned().collect::<Vec<_>>())?;
    }
    Ok(live.len())
}
