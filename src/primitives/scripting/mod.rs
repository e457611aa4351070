//! Words for scripts themselves.

pub mod arg;
pub mod assert;
pub mod sleep;
pub mod temporary_folder;
