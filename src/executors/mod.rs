//! Runs trainings side by side on this machine's cores, in threads or in processes.

pub mod deep;
pub mod pool;
pub mod ranks;
pub mod worker;
