//! The run store: the results of trainings, one immutable folder per run, found by a hash of everything that decides
//! it.
//!
//! - `key`: the hash of a specification
//! - `store`: finding, beginning and finishing runs
//! - `run`: reading the files of a finished run, checked
//! - `digests`: what the files were when they were written
//! - `damaged`: folders that hold no finished run
//! - `job_files`: the jobs of worker processes
//! - `prune`: what nothing needs any more
//!
//! Folders are `<root>/<kind>-<hash>`. Unfinished ones are in a work folder and are renamed when they are complete.

mod damaged;
mod digests;
mod job_files;
mod key;
mod prune;
mod run;
mod store;

pub use damaged::Damaged;
pub use digests::Digest;
pub use key::{id_of, is_id, kind_of};
pub use prune::Leftover;
pub use run::StoredFile;
pub use store::{Begun, Run, RunStore, Work};
