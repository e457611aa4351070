//! cpsd: complementary parallel self-distillation for multi-label image classification.
//!
//! The folders that `script` is built on are a library of their own without the language: see docs/architecture.md.
//! `script` is the language, `primitives` its words, `repl` the prompt, `kernel` that of notebooks, `lsp` the language server.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))] // tests touch files and print as they like

pub mod activity;
pub mod allocator;
pub mod cluster;
pub mod configuration;
pub mod cuda;
pub mod devices;
pub mod distributed;
pub mod environment;
pub mod error;
pub mod executors;
pub mod files;
pub mod gpu_check;
pub mod graph;
pub mod images;
pub mod json;
pub mod kernel;
pub mod labels;
pub mod losses;
pub mod lsp;
pub mod memory;
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
