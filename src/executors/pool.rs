//! A few long pieces of work at a time, each on a thread of its own, with results in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::activity;

/// The number of cores that this thread's activity may use.
pub fn cores() -> usize {
    activity::current().cores().unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Calls `work` on every item, at most `at_once` at a time. A failure does not stop the others; a panic is passed on.
pub fn map<T: Sync, R: Send, E: Send>(
    at_once: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Vec<Result<R, E>> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<R, E>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let activity = activity::current();
    let each = || {
        loop {
            let i = next.fetch_add(1, Ordering::SeqCst);
            let Some(item) = items.get(i) else { break };
            let result = work(item);
            *results[i].lock() = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(|| activity.enter(each));
        }
    });
    results.into_iter().filter_map(Mutex::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_failures_do_not_stop_the_others() {
        let results = map(3, &[1, 2, 3, 4, 5], |&n| if n == 2 { Err("two") } else { Ok(n * 10) });
        assert_eq!(results, vec![Ok(10), Err("two"), Ok(30), Ok(40), Ok(50)]);
    }
}
