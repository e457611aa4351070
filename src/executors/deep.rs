//! Threads that run scripts, which need a deep stack.

use std::io;
use std::sync::{Arc, LazyLock};
use std::thread::{Builder, JoinHandle};

use parking_lot::Mutex;

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
        if address_space().is_some_and(|limit| size > limit / 8 && size > SMALLEST) {
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

/// Bytes of the address space, where `ulimit -v` limits it.
pub fn address_space() -> Option<usize> {
    static LIMIT: LazyLock<Option<usize>> = LazyLock::new(|| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `limit` is a valid place for the answer.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
        (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as usize)
    });
    *LIMIT
}
