//! Where trainings run: side by side on this machine's cores.

pub mod pool;
