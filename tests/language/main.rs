//! The language: words, tables, trainings in scripts, errors, the checker, everything that we ship as a script.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod experiments;
mod figures;
mod ground;
mod hooks;
mod hostile_scripts;
mod language_page;
mod own_adapters;
mod own_heads;
mod runs_told_apart;
mod scripts;
mod tables;
mod teaching;
mod tensors;
mod tensors_and_devices;
mod training;
mod words;
