//! Words for training and distillation.

pub mod closures;
pub mod distill;
pub mod distill_all;
pub mod given;
mod hooks;
pub mod merge;
pub mod mutual_learning;
pub mod noted;
pub mod recipe;
pub mod rules;
pub mod train_all;
pub mod train_teacher;
pub mod train_teachers;
