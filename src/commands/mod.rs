//! The subcommands, one file each: the clap arguments and `run`, which returns the exit code.

pub mod check;
pub mod config;
pub mod doc;
pub mod eval;
pub mod exit;
pub mod gpu_check;
pub mod permissions;
pub mod runs;
pub mod script;
pub mod test;
pub mod version;
pub mod worker;
