//! The one flag that Ctrl-C and SIGTERM raise and long work polls.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

static FLAG: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// The flag itself, for a signal handler.
pub fn flag() -> Arc<AtomicBool> {
    FLAG.clone()
}

/// Asks whatever runs now to stop at its next safe point.
pub fn request() {
    FLAG.store(true, Ordering::SeqCst);
}

/// Forgets an earlier request: called before each new script or REPL line.
pub fn clear() {
    FLAG.store(false, Ordering::SeqCst);
}

pub fn requested() -> bool {
    FLAG.load(Ordering::Relaxed)
}

/// `Err(Interrupted)` once a stop has been asked for. Long loops call this every few milliseconds of work.
pub fn check() -> Result<()> {
    if requested() { Err(Error::interrupted()) } else { Ok(()) }
}
