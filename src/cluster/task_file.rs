//! What every file of a task has, whatever its work.

use serde_json::{Value, json};

use super::task;
use crate::configuration;
use crate::error::{Error, Result};
use crate::files::policy;
use crate::runs::RunStore;

/// The work of a task, a map with the key `task`, with the keys that a worker of a queue looks for: `build`, `runs` (the store, absolute),
/// `folder` (from which relative paths lead), `policy` (what the script may do with files), and `settings` where weights have places of their own.
///
/// Errors: Io for a store without an absolute path.
pub fn complete(store: &RunStore, mut work: Value) -> Result<Value> {
    work["build"] = json!(task::build());
    work["runs"] = json!(std::path::absolute(store.root()).map_err(|e| Error::io(store.root(), e))?);
    work["folder"] = json!(std::env::current_dir().ok());
    work["policy"] = serde_json::to_value(policy::current())
        .map_err(|e| Error::internal(format!("a policy cannot be written: {e}")))?;
    let settings = configuration::kept();
    if !settings.is_null() {
        work["settings"] = settings;
    }
    Ok(work)
}
