//! What threads make, and who waits for whom meanwhile: so that nobody waits for what cannot be made before he has ended himself.
//!
//! A training's closure that waits for a job keeps the training waiting. If that job asks for the same training, neither ever ends.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Activity, current};

thread_local! {
    /// What this thread makes, the innermost last.
    static MADE: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// Something that this thread makes until this is dropped.
pub struct Making {
    /// It belongs to its thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl Making {
    /// None if this thread makes it already.
    pub fn begin(what: PathBuf) -> Option<Making> {
        let new = MADE.with_borrow(|all| !all.contains(&what));
        new.then(|| {
            MADE.with_borrow_mut(|all| all.push(what));
            Making { _here: std::marker::PhantomData }
        })
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        MADE.with_borrow_mut(Vec::pop);
    }
}

/// A thread that waits for the end of an activity.
pub(super) struct Waiter {
    activity: Arc<Activity>,
    /// What it makes, and does not go on with before.
    made: Vec<PathBuf>,
}

/// This thread waits for the end of every one of some activities, until this is dropped.
pub struct Waiting(Vec<Arc<Activity>>);

impl Waiting {
    pub fn begin(activities: Vec<Arc<Activity>>) -> Waiting {
        for background in activities.iter().filter_map(|activity| activity.as_background()) {
            let made = MADE.with_borrow(Vec::clone);
            background.waiters.lock().push(Waiter { activity: current(), made });
        }
        Waiting(activities)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let own = current();
        for background in self.0.iter().filter_map(|activity| activity.as_background()) {
            // Of one activity one thread waits at a time: that of its script.
            background.waiters.lock().retain(|waiter| !Arc::ptr_eq(&waiter.activity, &own));
        }
    }
}

/// Whether this is made by a thread that waits, itself or through others, for the end of this thread's activity.
pub fn waits_for_us(what: &Path) -> bool {
    let mut seen: Vec<Arc<Activity>> = vec![current()];
    let mut next = 0;
    while let Some(activity) = seen.get(next).cloned() {
        next += 1;
        let Some(background) = activity.as_background() else { continue };
        for waiter in background.waiters.lock().iter() {
            if waiter.made.iter().any(|made| made == what) {
                return true;
            }
            if !seen.iter().any(|known| Arc::ptr_eq(known, &waiter.activity)) {
                seen.push(waiter.activity.clone());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_makes_something_once() {
        let made = Making::begin("a".into());
        assert!(made.is_some() && Making::begin("a".into()).is_none());
        let other = Making::begin("b".into());
        assert!(other.is_some());
        drop((other, made));
        assert!(Making::begin("a".into()).is_some());
    }

    #[test]
    fn what_a_waiting_thread_makes_waits_for_us() {
        let (a, b, c) = (job("a"), job("b"), job("c"));
        let asks = |activity: &Arc<Activity>, what: &str| activity.enter(|| waits_for_us(Path::new(what)));
        let _made = Making::begin("run".into()).unwrap();
        assert!(!asks(&a, "run"));
        let waiting = Waiting::begin(vec![a.clone()]);
        assert!(asks(&a, "run") && !asks(&a, "another run") && !asks(&c, "run"));
        // The job a, whose thread is another, waits for b: so the run waits for b too.
        let of_a = || {
            assert!(!asks(&b, "run"));
            let _waiting = Waiting::begin(vec![b.clone()]);
            assert!(asks(&b, "run"));
        };
        std::thread::scope(|scope| scope.spawn(|| a.enter(of_a)).join()).unwrap();
        assert!(asks(&a, "run") && !asks(&b, "run"));
        drop(waiting);
        assert!(!asks(&a, "run"));
    }

    fn job(name: &str) -> Arc<Activity> {
        Activity::background(name.into(), None)
    }
}
