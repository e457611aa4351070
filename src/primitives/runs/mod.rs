//! Words for the run store.

pub mod report;
pub mod runs;
pub mod verify;
