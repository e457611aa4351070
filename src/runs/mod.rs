//! The run store: the results of trainings, one immutable folder per run, found by a hash of everything that decides
//! it.
//!
//! - `key`: the hash of a specification
//! - `store`: finding and beginning runs
//! - `work`: a run that this process makes, and its end
//! - `growing`: a file of rows that outlives a stop of its maker
//! - `claim`, `maker`, `lock`: who makes a run, also with several hosts on one store
//! - `run`: reading the files of a finished run, checked
//! - `node_copy`: copies of large files on a node's own disk
//! - `digests`: what the files were when they were written
//! - `notes`: what is known of a run only after it was made, beside it
//! - `damaged`: folders that hold no finished run
//! - `job_files`: the jobs of worker processes
//! - `prune`: what nothing needs any more
//!
//! Folders are `<root>/<kind>-<hash>`. Unfinished ones are in a work folder and are renamed when they are complete:
//!
//! Notes about runs are in `<root>/.notes`.
//!
//! | in `<root>/.work` | |
//! |---|---|
//! | `<id>.<token>/` | files of one maker of a run; kept with its checkpoint, or its rows, when the maker stops |
//! | `<id>.claim` | who makes it now; gone when the maker stops |
//! | `<id>.lock` | a lock of the system, where there are any; gone when the maker stops |
//! | `<id>/` | as `<id>.<token>/`, of versions without claims |
//! | `broken-<id>-<token>/` | a folder with the name of a run that had no whole summary |
//! | `job-<host>-<process>-*.json` | the job of a worker process |
//! | `batches/<name>/` | tasks of a cluster's queue |

mod claim;
mod damaged;
mod digests;
mod growing;
mod job_files;
mod key;
mod lock;
mod maker;
pub mod node_copy;
mod notes;
mod prune;
mod run;
mod store;
mod work;

pub use damaged::{Damaged, Listing};
pub use digests::Digest;
pub use growing::Growing;
pub use key::{id_of, is_id, kind_of};
pub use maker::jobs_have_ended;
pub use notes::{Named, Notes, Score, Script, local, names, now};
pub use prune::Leftover;
pub use run::StoredFile;
pub use store::{Begun, Run, RunStore};
pub use work::{Published, Work};
