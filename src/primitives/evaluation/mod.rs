//! Words for prediction and evaluation.

pub mod adjust_p;
pub mod evaluate;
pub mod metrics;
pub mod paired_bootstrap;
pub mod paired_permutation;
pub mod paper_table;
pub mod power_t_test;
pub mod predict;
pub mod predictions;
pub mod standard_error;
