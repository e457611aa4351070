//! Co-occurrence counted by shards.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::runs::RunStore;

/// Counts one shard, as a task of a queue.
pub fn work(_store: &RunStore, _file: &Value) -> Result<String> {
    Err(Error::internal("not written yet"))
}
