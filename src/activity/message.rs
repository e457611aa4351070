//! The messages of a worker process to its parent.

use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::update::ProgressUpdate;
use crate::error::{About, ErrorKind};

/// A message of a worker process to its parent: one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// The position of one piece of work.
    Progress(ProgressUpdate),
    /// A line for people.
    Log(String),
    /// An epoch's line of metrics.
    Epoch(Value),
    /// The last message of one that succeeded.
    Done(Value),
    /// The last message of one that failed.
    Failed { kind: ErrorKind, message: String, help: Option<String>, about: Option<About> },
}

impl Message {
    /// Writes it to standard output. A parent that is gone is no error.
    pub fn send(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}
