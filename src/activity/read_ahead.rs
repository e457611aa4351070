//! Items that threads make while the ones before are used.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use super::{current, panics};
use crate::error::{Error, Result};

/// An iterator whose items threads make. It ends after the first error; a panic is one. Dropping it stops the threads after the items
/// that they are making.
pub struct ReadAhead<T> {
    /// Item i comes from maker i modulo their number.
    makers: Vec<Maker<T>>,
    next: usize,
    stop: Arc<AtomicBool>,
}

struct Maker<T> {
    ready: Receiver<Result<T>>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static> ReadAhead<T> {
    /// One thread makes the items, at most `ahead` of them before they are asked for. Errors: a thread cannot be started.
    pub fn new(ahead: usize, items: impl Iterator<Item = Result<T>> + Send + 'static) -> Result<ReadAhead<T>> {
        ReadAhead::by(vec![items], ahead.saturating_sub(1), Arc::default())
    }

    /// Each thread makes the items of one of `makers`, which come in turns: the first of each, then the second of each. `ready` items of
    /// each wait besides the one in the making. `stop` is set when no item is asked for any more, so that what takes long can end early.
    ///
    /// Errors: a thread cannot be started.
    pub fn by<I>(makers: Vec<I>, ready: usize, stop: Arc<AtomicBool>) -> Result<ReadAhead<T>>
    where
        I: Iterator<Item = Result<T>> + Send + 'static,
    {
        // From here on an error stops those that have begun.
        let mut all = ReadAhead { makers: vec![], next: 0, stop };
        for (number, mut items) in makers.into_iter().enumerate() {
            let (send, ready) = sync_channel(ready);
            let activity = current();
            let make = move || {
                loop {
                    // A panic must not look like the end.
                    let made = catch_unwind(AssertUnwindSafe(|| items.next()));
                    let Some(made) = made.unwrap_or_else(|panic| Some(Err(panics::fault(&*panic)))) else { return };
                    let failed = made.is_err();
                    if send.send(made).is_err() || failed {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("read ahead {number}"));
            let thread = thread.spawn(move || activity.enter(make));
            let thread = thread.map_err(|e| Error::internal(format!("a thread cannot be started: {e}")))?;
            all.makers.push(Maker { ready, thread });
        }
        Ok(all)
    }
}

impl<T> ReadAhead<T> {
    /// Stops the makers and waits for them.
    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A maker may wait to send; without a receiver, sending fails.
        let threads: Vec<JoinHandle<()>> = self.makers.drain(..).map(|maker| maker.thread).collect();
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl<T> Iterator for ReadAhead<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let maker = self.makers.get(self.next.checked_rem(self.makers.len())?)?;
        let item = maker.ready.recv().ok()?;
        self.next += 1;
        if item.is_err() {
            self.end();
        }
        Some(item)
    }
}

impl<T> Drop for ReadAhead<T> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    use super::*;

    fn counted(made: &Arc<AtomicUsize>, n: usize) -> impl Iterator<Item = Result<usize>> + Send + use<> {
        let made = made.clone();
        (0..n).map(move |i| {
            made.fetch_add(1, Ordering::SeqCst);
            Ok(i)
        })
    }

    #[test]
    fn items_come_in_order_and_few_are_made_before_they_are_asked_for() {
        let made = Arc::default();
        let mut items = ReadAhead::new(2, counted(&made, 100)).unwrap();
        let patience = Instant::now();
        while made.load(Ordering::SeqCst) < 2 && patience.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(made.load(Ordering::SeqCst), 2);
        assert_eq!(items.by_ref().take(3).map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2]);
        drop(items);
        assert!(made.load(Ordering::SeqCst) <= 6);
        let all = ReadAhead::new(2, counted(&Arc::default(), 10)).unwrap();
        assert!(all.map(Result::unwrap).eq(0..10));
    }

    #[test]
    fn makers_take_turns_and_are_told_to_stop() {
        let stop = Arc::new(AtomicBool::new(false));
        let maker = |first: usize| (first..10).step_by(3).map(Ok);
        let items = ReadAhead::by((0..3).map(maker).collect(), 1, stop.clone()).unwrap();
        assert!(items.map(Result::unwrap).eq(0..10));
        assert!(stop.load(Ordering::Relaxed));
        let none: Vec<std::vec::IntoIter<Result<i32>>> = vec![];
        assert!(ReadAhead::by(none, 1, Arc::default()).unwrap().next().is_none());
    }

    #[test]
    fn an_error_and_a_panic_are_its_last_item() {
        let items = (0..5).map(|i| if i == 1 { Err(Error::data("no row")) } else { Ok(i) });
        let came: Vec<Result<i32>> = ReadAhead::new(2, items).unwrap().collect();
        assert!(came.len() == 2 && came[1].as_ref().is_err_and(|e| e.message == "no row"));
        let items = (0..5).map(|i| if i == 1 { panic!("on purpose") } else { Ok(i) });
        let came: Vec<Result<i32>> = ReadAhead::new(2, items).unwrap().collect();
        assert!(came.len() == 2 && came[1].as_ref().is_err_and(|e| e.message.contains("on purpose")));
    }
}
