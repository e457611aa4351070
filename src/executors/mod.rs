//! Runs trainings side by side on this machine's cores and GPUs, in threads or in processes.

pub mod deep;
pub mod device_pool;
pub mod pool;
pub mod ranks;
pub mod worker;
