//! cpsd: complementary parallel self-distillation for multi-label image classification.
//!
//! The core folders (`labels graph images models losses training metrics runs executors plots reports`) are a library of their
//! own; `primitives` turns them into words of a scripting language, `script` runs it, `repl` prompts for it.

pub mod activity;
pub mod devices;
pub mod error;
pub mod executors;
pub mod files;
pub mod graph;
pub mod images;
pub mod labels;
pub mod losses;
pub mod metrics;
pub mod models;
pub mod options;
pub mod paper;
pub mod plots;
pub mod primitives;
pub mod random;
pub mod repl;
pub mod reports;
pub mod runs;
pub mod script;
pub mod tables;
pub mod torch;
pub mod training;
