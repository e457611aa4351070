//! The subcommands, one file each: the clap arguments and `run`, which returns the exit code. `words` reads the command line before clap,
//! `permissions` has the options of all that run scripts, `exit` the codes; `before_libraries` comes before all of it, and
//! has calls that only print something answered by `without_libtorch`.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod before_libraries;
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
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod without_libtorch;
pub mod words;
pub mod worker;
