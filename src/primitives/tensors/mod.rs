//! Words for tensors, losses and tables.

pub mod load_tensors;
pub mod losses;
pub mod save_tensors;
pub mod tensor;
