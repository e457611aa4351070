//! The language: words, tables, trainings in scripts, errors, the checker, everything that we ship as a script.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod experiments;
mod ground;
mod hostile_scripts;
mod own_adapters;
mod own_heads;
mod scripts;
mod tables;
mod tensors_and_devices;
mod training;
mod words;
