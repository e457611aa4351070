//! cpsd: complementary parallel self-distillation for multi-label image classification.
//!
//! The core folders (`labels graph images models losses training metrics runs executors plots`) are a library of their
//! own; `primitives` turns them into words of a scripting language, `script` runs it, `repl` prompts for it.

pub mod error;
pub mod executors;
pub mod files;
pub mod graph;
pub mod interrupt;
pub mod losses;
pub mod metrics;
pub mod models;
pub mod progress;
pub mod runs;
pub mod torch;
