//! The flag that Ctrl-C and SIGTERM raise, and that long work polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::activity::{self, Activity, signals};
use crate::error::Result;

/// The foreground's flag, for a signal handler.
pub fn flag() -> Arc<AtomicBool> {
    activity::foreground().flag().clone()
}

/// Asks the foreground to stop at its next safe point.
pub fn request() {
    activity::foreground().stop();
}

/// Clears an earlier request to this thread's activity. Called before each script and each line of the prompt.
pub fn clear() {
    let activity = activity::current();
    if activity.as_background().is_none() {
        signals::forget();
    }
    activity.flag().store(false, Ordering::SeqCst);
    activity.kept.store(false, Ordering::SeqCst);
}

/// Whether this thread's activity has begun work, since the last [`clear`], from which the same call goes on.
pub fn keeps_work() -> bool {
    activity::with_current(|activity| activity.kept.load(Ordering::Relaxed))
}

/// Whether this thread's activity was asked to stop.
pub fn requested() -> bool {
    activity::with_current(Activity::stopping)
}

/// `Err(Interrupted)` once this thread's activity was asked to stop. Long loops call this every few milliseconds of
/// work. Threads that a loop starts check the activity of their parent: `let activity = activity::current()` before,
/// `activity.check()?` inside.
pub fn check() -> Result<()> {
    activity::with_current(Activity::check)
}
