//! The language: words, tables, trainings in scripts, errors, the checker, everything that we ship as a script.

#[path = "../common/mod.rs"]
mod common;
mod experiments;
mod hostile_scripts;
mod scripts;
mod tables;
mod training;
mod words;
