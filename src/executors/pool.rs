//! A few long pieces of work at a time, each on a thread of its own, with results in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::activity::{self, console};
use crate::torch::library;

/// The cores that this process was given; 0 if nothing was said.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// The number of cores that this thread's activity may use.
pub fn cores() -> usize {
    activity::current().cores().unwrap_or_else(|| match GIVEN.load(Ordering::SeqCst) {
        0 => there(),
        given => given.min(there()),
    })
}

/// The cores that the system lets this process use: its affinity and the quota of its control group count.
fn there() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Says it where [`set_cores`] was given more than there are.
pub fn say_if_fewer() {
    if GIVEN.load(Ordering::SeqCst) > there() {
        console::log(&format!("threads: {}", in_words()));
    }
}

/// The cores that this thread's activity may use, and why where they are fewer than were asked for: `2 (4 were asked for, the system lets
/// this process use 2)`.
pub fn in_words() -> String {
    let given = GIVEN.load(Ordering::SeqCst);
    match given > there() {
        true => format!("{} ({given} were asked for, the system lets this process use {})", cores(), there()),
        false => cores().to_string(),
    }
}

/// The first number of OMP_NUM_THREADS, which bounds the threads of other programs on libtorch too.
pub fn of_openmp() -> Option<usize> {
    first_number(&std::env::var("OMP_NUM_THREADS").ok()?)
}

/// Of a list, as `4,2`, the one of the outermost level.
fn first_number(text: &str) -> Option<usize> {
    text.split(',').next()?.trim().parse().ok().filter(|&n| n > 0)
}

/// Uses so many cores from now on, and no more than there are: what the queue of a cluster gave this process. Called before anything
/// is computed: the threads that share loops among them are made then, and a later call does not change them.
pub fn set_cores(given: usize) {
    GIVEN.store(given, Ordering::SeqCst);
    library::use_threads(cores());
    // Made already, they stay: the system bounds them then, if anything does.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(cores()).build_global();
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
        let threads = (0..at_once.clamp(1, items.len().max(1))).map(|_| scope.spawn(|| activity.enter(each)));
        let panics = threads.collect::<Vec<_>>().into_iter().filter_map(|thread| thread.join().err());
        // With its own message, which the end of the scope would not have.
        if let Some(panic) = panics.collect::<Vec<_>>().into_iter().next() {
            std::panic::resume_unwind(panic);
        }
    });
    results.into_iter().filter_map(Mutex::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_level_of_openmp_counts() {
        assert_eq!(["4", " 3,2", "0", "", "many"].map(first_number), [Some(4), Some(3), None, None, None]);
    }

    #[test]
    fn results_come_in_order_and_failures_do_not_stop_the_others() {
        let results = map(3, &[1, 2, 3, 4, 5], |&n| if n == 2 { Err("two") } else { Ok(n * 10) });
        assert_eq!(results, vec![Ok(10), Err("two"), Ok(30), Ok(40), Ok(50)]);
    }

    #[test]
    fn a_panic_is_passed_on_with_its_message() {
        let work = |&n: &i32| if n == 2 { panic!("on purpose, {n}") } else { Ok::<_, ()>(n) };
        let panic = std::panic::catch_unwind(|| map(2, &[1, 2, 3], work)).unwrap_err();
        assert!(crate::activity::panics::fault(&*panic).message.contains("on purpose, 2"));
    }
}
