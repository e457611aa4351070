//! Queues of clusters: Slurm, and others by four commands.
//!
//! - `options`: the options of `slurm(...)`; `settings`: those that `cpsd.toml` has
//! - `engine`: what is asked of a queue; `slurm`, `templates`: the queues; `command`: their programs, run safely
//! - `code`: whose shell it is that comes with a queue, and whether it may run
//! - `executor`: the option by which a call names one
//! - `job_script`: the text that the queue runs
//! - `batch`: an array of tasks in a folder of the run store; `submission`: into the queue; `waiting`: until its runs are there
//! - `known`: batches with what the queue says of them; `faults`: why a task has no result; `epochs`: metrics as they appear;
//!   `display`: what a waiting user sees
//! - `task`: this process as one task of a queue; `task_file`: what its file has, whatever its work
//! - `counting`: co-occurrence as tasks; `check`: what a queue's nodes and their shared folder can do
//!
//! A task makes one or several runs of the store. The store is the truth: a queue's answers only say whether it is worth waiting.

pub mod batch;
pub mod check;
pub mod code;
mod command;
pub mod counting;
mod display;
pub mod engine;
mod epochs;
pub mod executor;
mod faults;
mod job_script;
mod known;
pub mod options;
pub mod settings;
mod slurm;
mod submission;
pub mod task;
pub mod task_file;
mod templates;
pub mod waiting;

pub use command::is_away;
pub use engine::{Cluster, JobId, TaskId, TaskState, TaskStatus};
pub use executor::Executor;
pub use options::ClusterOptions;
pub(crate) use options::OR_NUMBERS;
