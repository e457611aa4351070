//! Whole processes: the command line, the prompt in a pseudo-terminal, background jobs, signals, pages in a browser.

mod background;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod prompt;
mod reports;
mod robustness;
mod signals;
mod weights;
