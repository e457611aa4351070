//! Threads that run scripts, which need a deep stack.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use parking_lot::Mutex;

use crate::memory;

/// Bytes of a stack, the largest first that the system grants. Only what is used of it is ever touched.
const SIZES: [usize; 3] = [1 << 30, 256 << 20, SMALLEST];
const SMALLEST: usize = 64 << 20;

/// Begins a thread with a deep stack. Its result is always there. Errors: the system grants no thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<Option<T>>> {
    // A thread that cannot be made drops what it was to run.
    let work = Arc::new(Mutex::new(Some(work)));
    let mut failed = io::Error::other("no size was tried");
    for size in SIZES {
        // Of an address space that is limited, most is for values.
        if memory::address_space().is_some_and(|limit| size as u64 > limit / 8 && size > SMALLEST) {
            continue;
        }
        let work = work.clone();
        let body = move || {
            let work = work.lock().take();
            work.map(|work| work())
        };
        match Builder::new().name(name.into()).stack_size(size).spawn(body) {
            Ok(thread) => return Ok(thread),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
