//! Words for tensors, losses and tables.

pub mod asl;
pub mod bce;
pub mod focal;
pub mod kl;
pub mod load_tensors;
pub mod mse;
pub mod save_tensors;
pub mod tensor;
