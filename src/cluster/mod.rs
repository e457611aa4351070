//! Queues of clusters: Slurm, and others by four commands.
//!
//! - `options`: the options of `slurm(...)`; `settings`: those that `cpsd.toml` has
//! - `engine`: what is asked of a queue; `slurm`, `templates`: the queues; `command`: their programs, run safely
//! - `executor`: the option by which a call names one
//! - `job_script`: the text that the queue runs
//! - `batch`: an array of tasks in a folder of the run store; `submission`: into the queue; `waiting`: until its runs are there
//! - `task`: this process as one task of a queue
//!
//! A task makes one or several runs of the store. The store is the truth: a queue's answers only say whether it is worth waiting.

pub mod batch;
mod command;
pub mod engine;
pub mod executor;
mod job_script;
pub mod options;
pub mod settings;
mod slurm;
mod submission;
pub mod task;
mod templates;
pub mod waiting;

pub use command::is_away;
pub use engine::{Cluster, JobId, TaskId, TaskState, TaskStatus};
pub use executor::Executor;
pub use options::ClusterOptions;
