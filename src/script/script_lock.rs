//! The lock that lets several threads run scripts of one session, one at a time.
//!
//! Values of scripts are counted without locks and must never be touched by two threads at once. So the thread that runs
//! a script holds the session's lock. It releases the lock while it trains, waits or reads a line, and between two
//! operations when another thread waits. Like CPython's global lock, but fair: first come, first served.

use parking_lot::RawFairMutex;
use parking_lot::lock_api::{RawMutex, RawMutexFair};

/// One per session. The thread that makes it holds it.
pub struct ScriptLock(RawFairMutex);

impl Default for ScriptLock {
    fn default() -> Self {
        let lock = RawFairMutex::INIT;
        lock.lock();
        ScriptLock(lock)
    }
}

impl ScriptLock {
    /// Runs `work` with the lock, on a thread that does not hold it.
    pub fn held<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Unlock<'a>(&'a RawFairMutex);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                // SAFETY: this thread locked it in `held`.
                unsafe { self.0.unlock_fair() }
            }
        }
        self.0.lock();
        let _unlock = Unlock(&self.0);
        work()
    }

    /// Runs `work` without the lock, on the thread that holds it. `work` must not touch a value of a script, except
    /// inside `held`.
    pub fn released<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Lock<'a>(&'a RawFairMutex);
        impl Drop for Lock<'_> {
            fn drop(&mut self) {
                self.0.lock();
            }
        }
        // SAFETY: this thread holds it.
        unsafe { self.0.unlock_fair() }
        let _lock = Lock(&self.0);
        work()
    }

    /// Lets a thread that waits for the lock have its turn, on the thread that holds it.
    pub fn pass(&self) {
        // SAFETY: this thread holds it.
        unsafe { self.0.bump() }
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
}
