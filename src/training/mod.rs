//! Training and distillation: from a data set and options to a model in the run store.
//!
//! - `options`: what a training can be told, with its defaults
//! - `job`: one training as data: what decides its result, and so its name in the run store
//! - `hooks`: what a script hangs into a training; `job_file`: a job on its way to a worker process
//! - `run`: a job through the run store: found, resumed or trained
//! - `engine`: the loop over epochs and steps
//! - `schedule`, `optimiser`: one-cycle; Adam and EMA on flat buffers
//! - `inputs`: batches, from pictures or from the kept features of a frozen backbone
//! - `partial`: which labels are known; `teachers`: what all teachers of a student say of a batch
//! - `features`, `outputs`: what frozen stages and teachers gave, kept in the run store
//! - `checkpoint`: the state between two steps, as one file
//! - `ensemble`: teachers merged back into label order
//! - `plan`: what would be trained, named and timed without training it
//! - `recipes`: how the paper's rows are trained, in three readings
//! - `predict`: scores of a model or an ensemble on a data set, and their metrics

pub mod checkpoint;
pub mod engine;
pub mod ensemble;
pub mod features;
pub mod hooks;
pub mod inputs;
pub mod job;
pub mod job_file;
pub mod optimiser;
pub mod options;
pub mod outputs;
pub mod partial;
pub mod plan;
pub mod predict;
pub mod recipes;
pub mod run;
pub mod schedule;
pub mod teachers;
pub mod tensorboard;
pub mod trained;

pub use ensemble::Ensemble;
pub use hooks::Hooks;
pub use job::{Distillation, Job};
pub use options::{DistillOptions, TrainOptions};
pub use plan::Plan;
pub use predict::{Predictions, Predictor, evaluate, predict};
pub use run::{run, run_all, run_with};
pub use trained::Trained;
