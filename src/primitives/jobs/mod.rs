//! Words for background calls and sweeps.

pub mod jobs;
pub mod plan;
mod rounds;
pub mod slurm;
pub mod spawn;
pub mod stop;
pub mod sweep;
pub mod wait;
