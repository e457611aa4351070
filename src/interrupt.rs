//! The flag that Ctrl-C and SIGTERM raise, and that long work polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::task;

/// The foreground's flag, for a signal handler.
pub fn flag() -> Arc<AtomicBool> {
    task::foreground().flag().clone()
}

/// Asks whatever runs now in the foreground to stop at its next safe point.
pub fn request() {
    task::foreground().stop();
}

/// Forgets an earlier request to this thread's task: called before each new script or REPL line.
pub fn clear() {
    task::current().flag().store(false, Ordering::SeqCst);
}

/// Whether this thread's task was asked to stop.
pub fn requested() -> bool {
    task::current().stopping()
}

/// `Err(Interrupted)` once a stop has been asked for. Long loops call this every few milliseconds of work; those on
/// other threads ask the task of the thread that began them: `let task = task::current()` before, `task.check()?` inside.
pub fn check() -> Result<()> {
    task::current().check()
}
