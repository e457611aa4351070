//! Whole processes: the command line, the prompt in a pseudo-terminal, background jobs, signals, pages in a browser.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod background;
mod claims;
mod closures;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod configuration;
mod damage;
mod environment;
mod gpu_check;
mod libtorch;
mod permissions;
mod pretended_gpu;
mod prompt;
mod queued_worker;
mod reports;
mod robustness;
mod several;
mod shells;
mod signals;
mod stderr;
mod torture;
mod weights;
