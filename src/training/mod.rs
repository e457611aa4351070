//! Training and distillation: from a data set and options to a model in the run store.
//!
//! - `options`: the options of a training and their defaults; `options_together`: those that exclude each other
//! - `job`: one training as data; `naming`: a job with its initial model and the id of its run
//! - `run`: one job through the run store; `side_by_side`: several jobs; `on_cluster`: as tasks of a queue; `job_file`: a job for a worker process;
//!   `shared_features`, `shared_outputs`: the features and teachers' outputs that several jobs read
//! - `peers`: the processes that train one model, and what each has of a batch; `several`: starts them
//! - `training_loop`: epochs, steps, evaluation, checkpoints; `callbacks`: callbacks of a script
//! - `schedule`: the rate of every update; `optimiser`: update rules and EMA on flat buffers; `rate_factors`: rates by part
//! - `checkpoint`: the state between two steps, as one file; `checkpoint_writer`: when and how it is written; `metrics_file`, `tensorboard`: the epochs as lines and as an event file
//! - `views`, `model_inputs`: batches, from pictures or from the kept features of a frozen backbone; `part`: some images of those that are kept
//! - `sampler`: the images of an epoch; `mixing`: MixUp and CutMix; `freezing`: stages that are frozen for some epochs
//! - `made_with`: on what a run was made, and whether that is another machine; `overfitting`: whether the epochs of a training show it
//! - `hooks`: callbacks that may end a training; `start`: a model whose weights it starts from
//! - `gathered`: rows that wait on their device
//! - `fitting`: how many pictures are evaluated at once, and what helps where memory ends
//! - `known_labels`: which labels are known; `distillation_loss`: the distance of a student to its teachers, `teacher_targets`: what they say to a batch
//! - `mutual`: students that hear each other at every step; `together`: trains a group of them
//! - `stored_rows`: matrices in the run store: `frozen_features`, `teacher_outputs`
//! - `trained_model`: a model with its run; `ensemble`: teachers merged into label order; `merge_rule`: one output of several teachers
//! - `image_rows`: numbers that were given for images: targets, outputs
//! - `predict`: scores of a model or an ensemble on a data set, and their evaluation
//! - `features`: features and gradients of a model on a data set, as tensors
//! - `plan`: the trainings that a script would run, found without training; `cost`: their seconds and bytes
//! - `verify`: whether a run is what was written; `overview`: the runs of a store in one pass, with filters; `scores`: what is noted of evaluations
//! - `recipes`: how the rows of the paper are trained, in three readings

pub mod callbacks;
pub mod checkpoint;
pub mod checkpoint_writer;
mod cost;
pub mod distillation_loss;
pub mod ensemble;
pub mod features;
mod fitting;
pub mod freezing;
pub mod frozen_features;
mod gathered;
pub mod hooks;
pub mod image_rows;
pub mod job;
pub mod job_file;
pub mod known_labels;
pub mod made_with;
pub mod merge_rule;
mod metrics_file;
pub mod mixing;
pub mod model_inputs;
pub mod mutual;
mod naming;
pub mod on_cluster;
pub mod optimiser;
pub mod options;
mod options_together;
pub mod overfitting;
pub mod overview;
pub mod part;
mod peers;
pub mod plan;
pub mod predict;
mod rate_factors;
pub mod recipes;
pub mod run;
pub mod sampler;
pub mod schedule;
pub mod scores;
mod several;
mod shared_features;
mod shared_outputs;
pub mod side_by_side;
mod start;
pub mod stored_rows;
pub mod teacher_outputs;
pub mod teacher_targets;
pub mod tensorboard;
pub mod together;
pub mod trained_model;
pub mod training_loop;
pub mod verify;
pub mod views;

pub use callbacks::Callbacks;
pub use ensemble::Ensemble;
pub use job::{Distillation, Job};
pub use options::{DistillOptions, TrainOptions};
pub use peers::leave;
pub use plan::Plan;
pub use predict::{Predictions, Predictor, evaluate, predict, predict_with};
pub use run::{run, run_with};
pub use side_by_side::run_all;
pub use together::run_together;
pub use trained_model::Trained;
