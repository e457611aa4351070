//! For whom a thread works: what stops it, where its progress goes, how many cores it may use.
//!
//! The foreground (the script or the prompt) is the task of every thread that never entered another. A background job is
//! a task of its own; threads that it starts enter it too, so that stopping the one never stops the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::progress::State;

/// How often a background task says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(15);

/// What threads that work for the same thing share.
pub struct Task {
    stop: Arc<AtomicBool>,
    background: Option<Background>,
    cores: Option<usize>,
}

/// What is known of work that nobody is waiting for.
pub struct Background {
    /// What stands before its lines.
    pub name: String,
    /// Its pieces of work under way, by what they are called.
    pieces: Mutex<BTreeMap<String, State>>,
    said: Mutex<Instant>,
    /// Somebody waits for it and shows its progress.
    watched: AtomicBool,
}

static FOREGROUND: LazyLock<Arc<Task>> =
    LazyLock::new(|| Arc::new(Task { stop: Arc::default(), background: None, cores: None }));

thread_local! {
    static CURRENT: RefCell<Arc<Task>> = RefCell::new(FOREGROUND.clone());
}

/// The task of this thread.
pub fn current() -> Arc<Task> {
    CURRENT.with_borrow(Arc::clone)
}

/// The task of the script or the prompt, which signals stop.
pub fn foreground() -> &'static Arc<Task> {
    &FOREGROUND
}

impl Task {
    /// A background task; of `cores` cores, or of all.
    pub fn background(name: String, cores: Option<usize>) -> Arc<Task> {
        let background = Background {
            name,
            pieces: Mutex::default(),
            said: Mutex::new(Instant::now()),
            watched: AtomicBool::new(false),
        };
        Arc::new(Task { stop: Arc::default(), background: Some(background), cores })
    }

    /// Does `work` with this as the thread's task.
    pub fn enter<R>(self: &Arc<Self>, work: impl FnOnce() -> R) -> R {
        struct Back(Arc<Task>);
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

    /// How many cores it may use, where that is limited.
    pub fn cores(&self) -> Option<usize> {
        self.cores
    }

    /// What is known of it, if it is not the foreground.
    pub fn as_background(&self) -> Option<&Background> {
        self.background.as_ref()
    }
}

impl Background {
    /// Takes note of how far a piece of work is; whether the line should be said now.
    pub fn note(&self, state: State) -> bool {
        let mut pieces = self.pieces.lock().unwrap_or_else(|e| e.into_inner());
        if state.finished {
            pieces.remove(&state.what);
            return false;
        }
        pieces.insert(state.what.clone(), state);
        drop(pieces);
        let mut said = self.said.lock().unwrap_or_else(|e| e.into_inner());
        let now = !self.is_watched() && said.elapsed() > SAY_EVERY;
        if now {
            *said = Instant::now();
        }
        now
    }

    /// Its pieces of work under way.
    pub fn pieces(&self) -> Vec<State> {
        self.pieces.lock().unwrap_or_else(|e| e.into_inner()).values().cloned().collect()
    }

    /// Says that somebody shows its progress, or no longer does.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_entered_and_left_and_stops_alone() {
        let job = Task::background("[1]".into(), Some(1));
        job.enter(|| {
            assert_eq!(current().cores(), Some(1));
            current().stop();
            assert!(crate::interrupt::requested());
        });
        assert!(current().as_background().is_none() && !foreground().stopping());
        assert!(job.check().is_err());
        // A panic leaves it too.
        let _ = std::panic::catch_unwind(|| job.enter(|| panic!("on purpose")));
        assert!(current().as_background().is_none());
    }
}
