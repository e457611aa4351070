//! What lets several threads run scripts of one session, one at a time.
//!
//! Values of scripts are counted without locks and must never be touched by two threads at once. So the thread that
//! runs a script holds the session's baton; it gives it away while it trains, waits or reads a line, and now and then
//! between two operations when somebody waits for it. As CPython's global lock, and as fair: first come, first served.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

/// One a session. Made held, by the thread that makes the session.
pub struct ScriptLock {
    turns: Mutex<Turns>,
    passed: Condvar,
    waiting: AtomicUsize,
}

struct Turns {
    /// The number that the next one to ask is given.
    next: u64,
    /// The number whose turn it is.
    now: u64,
}

impl Default for ScriptLock {
    fn default() -> Self {
        ScriptLock {
            turns: Mutex::new(Turns { next: 1, now: 0 }),
            passed: Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl ScriptLock {
    /// Does `work` holding it: on a thread that does not.
    pub fn held<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Give<'a>(&'a ScriptLock);
        impl Drop for Give<'_> {
            fn drop(&mut self) {
                self.0.give();
            }
        }
        self.take();
        let _give = Give(self);
        work()
    }

    /// Does `work` without it: on the thread that holds it. `work` must touch no value of a script, but inside `held`.
    pub fn released<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Take<'a>(&'a ScriptLock);
        impl Drop for Take<'_> {
            fn drop(&mut self) {
                self.0.take();
            }
        }
        self.give();
        let _take = Take(self);
        work()
    }

    /// Lets those that wait for it have their turns.
    pub fn pass(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.released(|| ());
        }
    }

    fn take(&self) {
        let mut turns = self.turns.lock().unwrap_or_else(|e| e.into_inner());
        let mine = turns.next;
        turns.next += 1;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        while turns.now != mine {
            turns = self.passed.wait(turns).unwrap_or_else(|e| e.into_inner());
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn give(&self) {
        self.turns.lock().unwrap_or_else(|e| e.into_inner()).now += 1;
        self.passed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
