//! The subcommands, one file each: the clap arguments and `run`, which returns the exit code.

pub mod check;
pub mod doc;
pub mod eval;
pub mod examples;
pub mod exit;
pub mod gpu_check;
pub mod new;
pub mod permissions;
pub mod quickstart;
pub mod runs;
pub mod script;
pub mod test;
pub mod version;
pub mod worker;
