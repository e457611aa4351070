//! Words for scripts themselves.

pub mod arg;
pub mod assert;
pub mod sleep;
