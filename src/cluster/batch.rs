//! A batch: an array of tasks in a folder of the run store, `.work/batches/<name>/`.
//!
//! | in the folder | |
//! |---|---|
//! | `batch.json` | [`Record`]; written before the queue is asked, and again with the jobs that it made |
//! | `job.sh` | the text that the queue runs |
//! | `0.json`, `1.json` … | the job of each task |
//! | `data-<fingerprint>.json` | data sets, each once |
//! | `logs/<index>.log` | standard output and error of a task, of all its starts |
//! | `<index>.end.json` | [`End`](super::task::End): how a task ended, if it could say so |

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{Cluster, JobId};

/// A task to do: what makes one run of the store (or several, of one task).
#[derive(Clone, Debug)]
pub struct Task {
    /// The runs that it makes; it is done when the store has all of them.
    pub runs: Vec<String>,
    /// Its name in progress lines: `teacher 2/3`.
    pub name: String,
    /// The content of its file. Data sets are named by the key of [`Work::data`].
    pub job: Value,
}

/// Work for a queue: stages, of which each needs what the ones before have made. A later stage makes what is missing, so only the last
/// one's failures matter.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub stages: Vec<Vec<Task>>,
    /// Files beside the tasks' by name, as `data-3f29.json`.
    pub data: Vec<(String, Vec<u8>)>,
}

/// `batch.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Also the name of its jobs in the queue, and of its folder.
    pub name: String,
    pub cluster: Cluster,
    pub tasks: Vec<RecordedTask>,
    /// The jobs that the queue made, with the tasks of each; empty until it has answered.
    pub jobs: Vec<(JobId, Vec<usize>)>,
    /// Who put it into the queue: host and process.
    pub from: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedTask {
    pub runs: Vec<String>,
    pub name: String,
    pub stage: usize,
}

/// A batch in its folder.
#[derive(Clone, Debug)]
pub struct Batch {
    pub folder: PathBuf,
    pub record: Record,
}
