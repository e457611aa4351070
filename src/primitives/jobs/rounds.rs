//! The trainings of a sweep in a queue, in rounds.
//!
//! A round calls the closure at every point as `plan` does, and puts all trainings that can begin into the queue at once. The next one
//! finds their runs in the store and asks for the students; and so on until nothing is to do. Then the sweep calls the closure for real.

use std::collections::HashSet;

use rhai::{EvalAltResult, FnPtr, Map};

use crate::activity::{console, interrupt};
use crate::cluster::{Cluster, Executor};
use crate::error::{Error, Result};
use crate::models::draws;
use crate::primitives::values::cluster::in_words;
use crate::script::call::Call;
use crate::script::errors::{Failure, Fallible};
use crate::training::{Callbacks, Job, Plan, on_cluster};

/// More rounds than any chain of teachers and students has that was made by hand.
const MOST: usize = 100;

/// Has the queue make all trainings that the closure asks for at the points. With `keep`, those that can be made.
///
/// Errors: a training that cannot leave this process; a queue that refuses; with `keep` false, a training that fails; a closure that asks
/// for other trainings each time; Interrupted. An error of the closure itself is left to its real call.
pub fn make(call: &Call, cluster: &Cluster, points: &[Map], closure: &FnPtr, keep: bool) -> Fallible<()> {
    let store = call.store();
    let mut rounds = Rounds::default();
    loop {
        let (mut plan, early) = planned(call, points, closure)?;
        let to_do: Vec<String> = plan.to_do_ahead().map(|t| t.id.clone()).collect();
        let mut ready = plan.jobs_to_do();
        ready.retain(|(id, _)| !rounds.failed.contains(id));
        let next = rounds.next(&to_do, ready.len(), early.is_some())?;
        if let Some(early) = early.filter(|_| next == Next::Done) {
            console::log(&format!(
                "the planning of a point ended early ({early}); trainings behind that go into the queue when their point is reached"
            ));
        }
        if next == Next::Done {
            return Ok(());
        }
        let later = match to_do.iter().filter(|id| !rounds.failed.contains(*id)).count() - ready.len() {
            0 => String::new(),
            n => format!(", {n} after them"),
        };
        let one = if ready.len() == 1 { "training" } else { "trainings" };
        console::log(&format!("{} {one} for {}{later}", ready.len(), in_words(cluster)));
        let (ids, mut jobs): (Vec<String>, Vec<Job>) = ready.into_iter().unzip();
        jobs.iter_mut().for_each(|job| job.options.executor = Executor::Here);
        let made = call.unlocked(|| on_cluster::make_all(&store, cluster, jobs, Callbacks::default()))?;
        for (id, made) in ids.into_iter().zip(made) {
            match made {
                Ok(_) => {}
                // It is tried once more at its point, whose row then has the error.
                Err(_) if keep => drop(rounds.failed.insert(id)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The trainings that all points ask for, and the first error of a closure, which may be one of planning alone.
fn planned(call: &Call, points: &[Map], closure: &FnPtr) -> Fallible<(Plan, Option<String>)> {
    let _keeping = draws::keep();
    let mut plan = Plan::collecting();
    let mut early = None;
    for point in points {
        interrupt::check()?;
        let round = || console::muted(|| call.closure(closure, (point.clone(),)));
        let (outcome, after) = call.host.planned(plan, round);
        plan = after;
        match outcome {
            Ok(_) => {}
            Err(error) if plan.refused().is_some() || matches!(*error, EvalAltResult::ErrorTerminated(..)) => {
                return Err(error);
            }
            Err(error) => {
                early.get_or_insert_with(|| Failure::from_rhai(*error, "", &call.host.sources, &[]).message);
            }
        }
    }
    // A script may have caught it.
    match plan.refused() {
        Some(error) => Err(error.clone().into()),
        None => Ok((plan, early)),
    }
}

/// What was to do in the rounds so far.
#[derive(Default)]
struct Rounds {
    count: usize,
    before: HashSet<String>,
    /// A closure ended early in the round before, so that a later one may ask for more.
    early: bool,
    /// Trainings that failed, and are not tried again.
    failed: HashSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Submit,
    Done,
}

impl Rounds {
    /// The next step, with these trainings to do, of which so many can begin.
    ///
    /// Errors: a closure that asks for other trainings each time; a round that would be the same as the one before.
    fn next(&mut self, to_do: &[String], ready: usize, early: bool) -> Result<Next> {
        let now: HashSet<String> = to_do.iter().filter(|id| !self.failed.contains(*id)).cloned().collect();
        // The students of one that failed cannot be made: their points say so.
        if now.is_empty() || ready == 0 && !self.failed.is_empty() {
            return Ok(Next::Done);
        }
        let help = "its trainings must follow from the point alone: no clock, no random numbers without a seed, no files that it changes itself";
        let new = to_do.iter().find(|id| now.contains(*id) && !self.before.contains(*id));
        if self.count > 0 && !self.early && new.is_some() || self.count == MOST {
            let id = new.unwrap_or(&to_do[0]);
            let text = format!(
                "the closure asks for other trainings each time it is called: {id} is new in round {}",
                self.count + 1
            );
            return Err(Error::argument(text).with_help(help));
        }
        let same = self.count > 0 && now.len() == self.before.len() && new.is_none();
        if ready == 0 || same {
            let text = format!("{} trainings are to do, and none of them can begin: {} is one", to_do.len(), to_do[0]);
            return Err(Error::argument(text)
                .with_help("a teacher must be trained at the same point, or be in the run store before; executor: \"here\" trains on this machine"));
        }
        self.count += 1;
        self.before = now;
        self.early = early;
        Ok(Next::Submit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn rounds_end_when_nothing_is_to_do() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.next(&ids(&["a", "b", "s"]), 2, false).unwrap(), Next::Submit);
        assert_eq!(rounds.next(&ids(&["s"]), 1, false).unwrap(), Next::Submit);
        assert_eq!(rounds.next(&[], 0, false).unwrap(), Next::Done);
    }

    #[test]
    fn rounds_without_progress_are_errors() {
        let mut rounds = Rounds::default();
        assert!(rounds.next(&ids(&["s"]), 0, false).unwrap_err().message.contains("none of them can begin"));
        rounds.next(&ids(&["a"]), 1, false).unwrap();
        assert!(rounds.next(&ids(&["a"]), 1, false).unwrap_err().message.contains("none of them can begin"));
        let error = rounds.next(&ids(&["b"]), 1, false).unwrap_err();
        assert!(
            error.message.ends_with("b is new in round 2") && error.help.unwrap().contains("no clock"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_closure_that_ended_early_may_ask_for_more_but_not_for_ever() {
        let mut rounds = Rounds::default();
        let step = |rounds: &mut Rounds, i: usize| rounds.next(&ids(&[&format!("t{i}")]), 1, true);
        assert!((0..MOST).all(|i| step(&mut rounds, i).unwrap() == Next::Submit));
        assert!(step(&mut rounds, MOST).unwrap_err().message.contains("other trainings each time"));
    }

    #[test]
    fn what_failed_is_not_tried_again_and_its_students_end_the_rounds() {
        let mut rounds = Rounds::default();
        rounds.next(&ids(&["a", "b", "s", "t"]), 2, false).unwrap();
        rounds.failed.insert("b".into());
        assert_eq!(rounds.next(&ids(&["b", "s", "t"]), 1, false).unwrap(), Next::Submit);
        assert_eq!(rounds.next(&ids(&["b", "t"]), 0, false).unwrap(), Next::Done);
    }
}
