//! How far a piece of work is, as one thread or process tells another.

use serde::{Deserialize, Serialize};

/// The position of one piece of work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProgressUpdate {
    /// The name of the piece of work.
    pub what: String,
    /// The unit that `done` and `total` count.
    pub unit: String,
    pub done: u64,
    pub total: u64,
    /// The text behind the numbers.
    pub note: String,
    /// No further update follows.
    pub finished: bool,
    /// It is known that the work ended before all of it was done.
    #[serde(default)]
    pub stopped: bool,
}
