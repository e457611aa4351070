//! The activity a thread belongs to: stop flag, progress, core limit.
//!
//! The foreground (the script or the prompt) is the activity of every thread that never entered another. A background
//! call is an activity of its own. Threads that it starts enter it too, so stopping one never stops the other.
//!
//! - `interrupt`: the stop flag that signals raise and long work polls; `signals`: their handler
//! - `update`: how far a piece of work is
//! - `aside`: work that nothing can stop
//! - `message`: the lines a worker process sends to its parent
//! - `console`: lines for people on standard output and standard error; `sink`: another place for them, a notebook
//! - `progress`: live progress lines; `status`: lines about work elsewhere
//! - `visible`: texts made safe for a terminal; `width`: sentences folded to its columns
//! - `waiting`: who waits for whom, and for what
//! - `read_ahead`: items that threads make while the ones before are used
//! - `panics`: what a panic was and where

pub mod aside;
pub mod console;
pub mod interrupt;
pub mod message;
pub mod panics;
pub mod progress;
pub mod read_ahead;
pub mod signals;
pub mod sink;
pub mod status;
pub mod update;
pub mod visible;
pub mod waiting;
pub mod width;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::update::ProgressUpdate;
use crate::error::{Error, Result};

/// How often a background activity prints its progress.
const PRINT_EVERY: Duration = Duration::from_secs(15);

/// The state shared by all threads of one script, prompt or background call.
pub struct Activity {
    stop: Arc<AtomicBool>,
    background: Option<Background>,
    cores: Option<usize>,
    /// See [`Activity::note_kept`].
    kept: AtomicBool,
    /// See [`Activity::cell`].
    cell: AtomicU64,
}

/// The progress of an activity that runs behind the prompt.
pub struct Background {
    /// The prefix of its lines.
    pub name: String,
    /// The pieces of work under way, by name.
    pieces: Mutex<BTreeMap<String, ProgressUpdate>>,
    printed: Mutex<Instant>,
    /// A waiting caller shows its progress.
    watched: AtomicBool,
    /// Threads that go on when it has ended.
    waiters: Mutex<Vec<waiting::Waiter>>,
}

static FOREGROUND: LazyLock<Arc<Activity>> = LazyLock::new(|| {
    let (kept, cell) = (AtomicBool::new(false), AtomicU64::new(0));
    Arc::new(Activity { stop: Arc::default(), background: None, cores: None, kept, cell })
});

thread_local! {
    static CURRENT: RefCell<Arc<Activity>> = RefCell::new(FOREGROUND.clone());
}

/// The activity of this thread.
pub fn current() -> Arc<Activity> {
    CURRENT.with_borrow(Arc::clone)
}

/// What `work` makes of the activity of this thread, without a count of its owners: for what happens at every operation of a script.
fn with_current<R>(work: impl FnOnce(&Activity) -> R) -> R {
    CURRENT.with_borrow(|activity| work(activity))
}

/// The activity of the script or the prompt, which signals stop.
pub fn foreground() -> &'static Arc<Activity> {
    &FOREGROUND
}

impl Activity {
    /// A new background activity, limited to `cores` cores or to none. Its cell is that of the thread that begins it.
    pub fn background(name: String, cores: Option<usize>) -> Arc<Activity> {
        let background = Background {
            name,
            pieces: Mutex::default(),
            printed: Mutex::new(Instant::now()),
            watched: AtomicBool::new(false),
            waiters: Mutex::default(),
        };
        let cell = AtomicU64::new(current().cell());
        let kept = AtomicBool::new(false);
        Arc::new(Activity { stop: Arc::default(), background: Some(background), cores, kept, cell })
    }

    /// Runs `work` with this as the thread's activity.
    pub fn enter<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        struct Back(Arc<Activity>);
        impl Drop for Back {
            fn drop(&mut self) {
                CURRENT.set(self.0.clone());
            }
        }
        let _back = Back(CURRENT.replace(self.clone()));
        work()
    }

    /// The flag that stops it.
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Asks it to stop at its next safe point.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// `Err(Interrupted)` once it was asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.stopping() { Err(Error::interrupted()) } else { Ok(()) }
    }

    /// Notes that it has begun work from which the same call goes on after an interrupt.
    pub fn note_kept(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// How many cores it may use, where that is limited.
    pub fn cores(&self) -> Option<usize> {
        self.cores
    }

    /// The cell of a notebook in which it shows what it says; 0 for none.
    pub fn cell(&self) -> u64 {
        self.cell.load(Ordering::Relaxed)
    }

    pub fn set_cell(&self, cell: u64) {
        self.cell.store(cell, Ordering::Relaxed);
    }

    /// Its background progress, unless it is the foreground.
    pub fn as_background(&self) -> Option<&Background> {
        self.background.as_ref()
    }
}

impl Background {
    /// Records an update. Returns whether its line is due to be printed.
    pub fn note(&self, update: ProgressUpdate) -> bool {
        let mut pieces = self.pieces.lock();
        if update.finished {
            pieces.remove(&update.what);
            return false;
        }
        pieces.insert(update.what.clone(), update);
        drop(pieces);
        let mut printed = self.printed.lock();
        let due = !self.is_watched() && printed.elapsed() > PRINT_EVERY;
        if due {
            *printed = Instant::now();
        }
        due
    }

    /// Its pieces of work under way.
    pub fn pieces(&self) -> Vec<ProgressUpdate> {
        self.pieces.lock().values().cloned().collect()
    }

    /// Sets whether a waiting caller shows its progress.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn an_activity_is_entered_and_left_and_stops_alone() {
        let job = Activity::background("[1]".into(), Some(1));
        job.enter(|| {
            assert_eq!(current().cores(), Some(1));
            current().stop();
            assert!(interrupt::requested());
        });
        assert!(current().as_background().is_none() && !foreground().stopping());
        assert!(job.check().is_err());
        // A panic leaves it too.
        let _ = catch_unwind(AssertUnwindSafe(|| job.enter(|| panic!("on purpose"))));
        assert!(current().as_background().is_none());
    }
}
