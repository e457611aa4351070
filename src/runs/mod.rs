//! The run store: the results of trainings, one immutable folder per run, found by a hash of everything that decides
//! it.
//!
//! - `key`: the hash of a specification
//! - `store`: finding, beginning and finishing runs
//!
//! Folders are `<root>/<kind>-<hash>`. Unfinished ones are in a work folder and are renamed when they are complete.

mod key;
mod store;

pub use key::id_of;
pub use store::{Begun, Run, RunStore, Work};
