//! The subcommands, one file each: the clap arguments and `run`, which returns the exit code. `words` reads the command line before clap,
//! `permissions` has the options of all that run scripts, `exit` the codes.

pub mod check;
pub mod completions;
pub mod config;
pub mod doc;
pub mod eval;
pub mod examples;
pub mod exit;
pub mod gpu_check;
pub mod kernel;
pub mod lsp;
pub mod man;
pub mod new;
pub mod permissions;
pub mod quickstart;
pub mod runs;
pub mod script;
pub mod test;
pub mod version;
pub mod words;
pub mod worker;
