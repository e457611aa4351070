//! Waiting until a batch's runs are in the store.

use serde_json::Value;

use super::batch::Work;
use super::engine::Cluster;
use crate::error::{Error, Result};
use crate::runs::RunStore;

/// Has the queue do the work and waits until its runs are in the store. Tasks whose runs are there are dropped before, and those that
/// a batch in the queue makes already are waited for, so the same call after a stop goes on where it was. `epoch` receives each
/// line of each run's `metrics.jsonl` as it appears, with the task's name; its error stops the waiting.
///
/// Returns one outcome per task of the last stage.
///
/// Errors: a queue that refuses; an error of `epoch`; `wait: false`, once all is in the queue; Interrupted, which says what becomes of
/// the tasks.
pub fn run(
    _store: &RunStore,
    _cluster: &Cluster,
    _work: Work,
    _epoch: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<Vec<Result<()>>> {
    Err(Error::internal("not written yet"))
}
