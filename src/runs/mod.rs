//! The run store: the results of trainings, one immutable folder per run, found by a hash of everything that decides
//! it.
//!
//! - `key`: the hash of a specification
//! - `store`: finding and beginning runs
//! - `work`: a run that this process makes, and its end
//! - `claim`, `maker`, `lock`: who makes a run, also with several hosts on one store
//!
//! Folders are `<root>/<kind>-<hash>`. Unfinished ones are in a work folder and are renamed when they are complete:
//!
//! | in `<root>/.work` | |
//! |---|---|
//! | `<id>.<token>/` | files of one maker of a run; kept with its checkpoint when the maker stops |
//! | `<id>.claim` | who makes it now; gone when the maker stops |
//! | `<id>.lock` | a lock of the system, where there are any; gone when the maker stops |
//! | `<id>/` | as `<id>.<token>/`, of versions without claims |
//! | `broken-<id>-<token>/` | a folder with the name of a run that had no summary |

mod claim;
mod key;
mod lock;
mod maker;
mod store;
mod work;

pub use key::id_of;
pub use store::{Begun, Run, RunStore};
pub use work::{Published, Work};
