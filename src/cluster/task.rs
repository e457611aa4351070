//! This process as one task of a queue.

use serde::{Deserialize, Serialize};

use crate::error::{About, ErrorKind};

/// `<index>.end.json`: how a task ended. A task that was killed wrote none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The exit code: 0, 1, 75 (it was put back into the queue), 130 (it was stopped from outside).
    pub exit: u8,
    /// Why it failed.
    pub error: Option<Failed>,
    /// Where.
    pub node: String,
    /// How often the queue had started it before.
    pub restarts: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    pub about: Option<About>,
}
