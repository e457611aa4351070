//! A queue of a real Slurm: results, signals, faults, coming back. Every test starts a cluster of its own, one at a time.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod answers;
mod cluster;
mod coming_back;
#[path = "../common/mod.rs"]
mod common;
mod engines;
mod faults;
mod fixture;
mod gpus;
mod refusals;
mod results;
mod script;
mod signals;
mod simulation;
