//! Words for training and distillation.

pub mod closures;
pub mod distill;
pub mod distill_all;
mod hooks;
pub mod merge;
pub mod noted;
pub mod recipe;
pub mod train_teacher;
pub mod train_teachers;
