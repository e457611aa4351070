//! Items that a thread makes while the ones before are used.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::activity::{self, panics};
use crate::error::{Error, Result};

/// An iterator whose items a thread makes, at most `ahead` of them before they are asked for. It ends after the first error.
/// Dropping it stops the thread after the item that it is making.
pub struct ReadAhead<T> {
    ready: Option<Receiver<Result<T>>>,
    maker: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> ReadAhead<T> {
    /// Errors: a thread cannot be started.
    pub fn new(ahead: usize, items: impl Iterator<Item = Result<T>> + Send + 'static) -> Result<ReadAhead<T>> {
        // One is in the making besides those that wait in the channel.
        let (send, ready) = sync_channel(ahead.saturating_sub(1));
        let (activity, mut items) = (activity::current(), items);
        let make = move || {
            loop {
                // A panic must not look like the end.
                let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| items.next()))
                    .unwrap_or_else(|panic| Some(Err(panics::fault(&*panic))));
                let Some(made) = made else { return };
                let failed = made.is_err();
                if send.send(made).is_err() || failed {
                    return;
                }
            }
        };
        let maker = std::thread::Builder::new()
            .name("read ahead".into())
            .spawn(move || activity.enter(make))
            .map_err(|e| Error::internal(format!("a thread cannot be started: {e}")))?;
        Ok(ReadAhead { ready: Some(ready), maker: Some(maker) })
    }
}

impl<T> Iterator for ReadAhead<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.ready.as_ref()?.recv().ok()
    }
}

impl<T> Drop for ReadAhead<T> {
    fn drop(&mut self) {
        // The thread may wait to send; without a receiver, sending fails.
        self.ready = None;
        if let Some(maker) = self.maker.take() {
            let _ = maker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
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
    fn an_error_and_a_panic_are_its_last_item() {
        let items = (0..5).map(|i| if i == 1 { Err(Error::data("no row")) } else { Ok(i) });
        let came: Vec<Result<i32>> = ReadAhead::new(2, items).unwrap().collect();
        assert!(came.len() == 2 && came[1].as_ref().is_err_and(|e| e.message == "no row"));
        let items = (0..5).map(|i| if i == 1 { panic!("on purpose") } else { Ok(i) });
        let came: Vec<Result<i32>> = ReadAhead::new(2, items).unwrap().collect();
        assert!(came.len() == 2 && came[1].as_ref().is_err_and(|e| e.message.contains("on purpose")));
    }
}
