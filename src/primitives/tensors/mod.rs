//! Words for tensors and losses.

pub mod combining;
pub mod creation;
pub mod draws;
pub mod grad;
pub mod load_tensors;
pub mod losses;
pub mod save_tensors;
mod shape;
pub mod tensor;
