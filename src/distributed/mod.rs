//! Processes that compute one thing together, by PyTorch's process groups (c10d): Gloo on CPUs, NCCL on GPUs.
//!
//! - `place`: which process of how many this one is, as torchrun or Slurm say it in the environment
//! - `store`: small values that all processes read, by name (c10d's TCPStore)
//! - `group`: sums, copies and waits of all processes
//! - `native`: the C functions of `shim.cpp`, which is compiled against the libtorch that is there

mod group;
mod native;
mod place;
mod store;

pub use group::{Engine, Group};
pub use place::Place;
pub use store::Store;

use crate::error::Error;

/// What the message of an error says when the other processes cannot be reached: most often one of them has ended, and its own
/// error is the one to read.
const LOST: &str = "lost the other processes";

/// Whether an error is only a consequence of another process's end.
pub fn is_lost(error: &Error) -> bool {
    error.message.contains(LOST)
}
