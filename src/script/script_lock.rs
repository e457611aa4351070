//! The lock that lets several threads run scripts of one session, one at a time.
//!
//! Values of scripts are counted without locks and must never be touched by two threads at once. So the thread that runs
//! a script holds the session's lock. It releases the lock while it trains, waits or reads a line, and between two
//! operations when another thread waits. Like CPython's global lock, but fair: first come, first served.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RawFairMutex;
use parking_lot::lock_api::{RawMutex, RawMutexFair, RawMutexTimed};

use crate::error::Result;

thread_local! {
    /// The locks that this thread holds.
    static HELD: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// How often a thread that waits for the lock looks whether it should go on waiting.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One per session. The thread that makes it holds it.
pub struct ScriptLock {
    lock: RawFairMutex,
    /// Tells it from other sessions' locks.
    id: u64,
    /// The session has ended, and the lock is held for ever.
    closed: AtomicBool,
}

impl Default for ScriptLock {
    fn default() -> Self {
        static LOCKS: AtomicU64 = AtomicU64::new(0);
        let lock = ScriptLock {
            lock: RawFairMutex::INIT,
            id: LOCKS.fetch_add(1, Ordering::Relaxed),
            closed: AtomicBool::new(false),
        };
        lock.lock.lock();
        lock.note(true);
        lock
    }
}

impl ScriptLock {
    /// Notes whether this thread holds it.
    fn note(&self, held: bool) {
        // A thread that ends has no list any more, and asks for none.
        let _ = HELD.try_with(|all| match held {
            true => all.borrow_mut().push(self.id),
            false => all.borrow_mut().retain(|id| *id != self.id),
        });
    }

    /// Whether this thread holds it.
    pub fn is_held(&self) -> bool {
        HELD.try_with(|all| all.borrow().contains(&self.id)).unwrap_or(false)
    }

    /// Runs `work` with the lock. A thread that holds it keeps it.
    pub fn held<R>(&self, work: impl FnOnce() -> R) -> R {
        if self.is_held() {
            return work();
        }
        self.lock.lock();
        self.taken(work)
    }

    /// The same, as long as `wait` finds nothing against waiting.
    ///
    /// Errors: those of `wait`.
    pub fn held_unless<R>(&self, wait: impl Fn() -> Result<()>, work: impl FnOnce() -> R) -> Result<R> {
        if self.is_held() {
            return Ok(work());
        }
        while !self.lock.try_lock_for(LOOK_EVERY) {
            wait()?;
        }
        Ok(self.taken(work))
    }

    /// Runs `work` with the lock that this thread has just taken, and gives it back.
    fn taken<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Unlock<'a>(&'a ScriptLock);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                self.0.note(false);
                // SAFETY: this thread has locked it.
                unsafe { self.0.lock.unlock_fair() }
            }
        }
        self.note(true);
        let _unlock = Unlock(self);
        work()
    }

    /// Runs `work` without the lock, on the thread that holds it. `work` must not touch a value of a script, except
    /// inside `held`.
    pub fn released<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Lock<'a>(&'a ScriptLock);
        impl Drop for Lock<'_> {
            fn drop(&mut self) {
                self.0.lock.lock();
                self.0.note(true);
            }
        }
        self.note(false);
        // SAFETY: this thread holds it.
        unsafe { self.lock.unlock_fair() }
        let _lock = Lock(self);
        work()
    }

    /// Lets a thread that waits for the lock have its turn, on the thread that holds it.
    pub fn pass(&self) {
        // SAFETY: this thread holds it.
        unsafe { self.lock.bump() }
    }

    /// Notes that the session has ended.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_at_a_time_and_everybody_in_turn() {
        let lock = Arc::new(ScriptLock::default());
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (lock, inside) = (lock.clone(), inside.clone());
                std::thread::spawn(move || {
                    for _ in 0..200 {
                        lock.held(|| {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            lock.pass();
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                })
            })
            .collect();
        lock.released(|| threads.into_iter().for_each(|t| t.join().unwrap()));
    }

    #[test]
    fn the_thread_that_holds_it_keeps_it() {
        let lock = ScriptLock::default();
        assert!(lock.is_held());
        lock.held(|| assert!(lock.is_held()));
        lock.released(|| {
            assert!(!lock.is_held());
            lock.held(|| lock.held(|| lock.released(|| assert!(!lock.is_held()))));
        });
        assert!(lock.is_held());
        // Another thread waits as long as it wants to.
        std::thread::scope(|scope| {
            let waited = scope.spawn(|| lock.held_unless(|| Err(crate::error::Error::interrupted()), || ()));
            assert!(waited.join().unwrap().is_err());
        });
    }
}
