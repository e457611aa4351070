//! Work that nothing can stop, on a thread that is left to itself when a stop is asked for.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::activity;
use crate::error::{Error, Result};

/// Between two looks whether a stop was asked for.
const LOOK: Duration = Duration::from_millis(20);

/// Does `work` on a thread of its own and waits for it. When this thread's activity is asked to stop, the wait ends at once and that
/// thread is left to itself: its result is dropped. For work of other crates that cannot hear, in bounded time and memory.
///
/// Errors: Interrupted; Internal, if `work` panicked or no thread can be made.
pub fn aside<R: Send + 'static>(name: &str, work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    let activity = activity::current();
    let (send, receive) = channel();
    let of_work = activity.clone();
    let body = move || {
        // Nobody may be waiting any more.
        let _ = send.send(of_work.enter(work));
    };
    let thread = std::thread::Builder::new().name(name.into()).spawn(body);
    thread.map_err(|e| Error::internal(format!("a thread cannot be made: {e}")))?;
    loop {
        match receive.recv_timeout(LOOK) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => activity.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal(format!("the thread {name} panicked"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::{Activity, current};
    use crate::error::ErrorKind;

    #[test]
    fn its_result_comes_back_and_a_stop_leaves_it_behind() {
        let activity = Activity::background("test".into(), None);
        let here = activity.clone();
        activity.enter(|| {
            assert!(std::sync::Arc::ptr_eq(&aside("x", current).unwrap(), &here));
            let (go, wait) = channel::<()>();
            here.stop();
            let left = aside("x", move || wait.recv()).map(|_| ()).unwrap_err();
            assert_eq!(left.kind, ErrorKind::Interrupted);
            drop(go);
        });
    }
}
