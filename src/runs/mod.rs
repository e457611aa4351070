//! The run store: what training makes, one immutable folder a run, found again by a hash of all that decides it.
//!
//! - `key`: the hash of a specification
//! - `store`: finding, beginning and finishing runs
//!
//! Folders are `<root>/<kind>-<hash>`; unfinished ones live under `<root>/.work/` and are renamed when whole.

mod key;
mod store;

pub use key::id_of;
pub use store::{Begun, Run, RunStore, Work};
