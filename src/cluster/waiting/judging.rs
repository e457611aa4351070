//! Whether a task that has ended has failed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use super::super::command::is_away;
use super::super::engine::{TaskId, TaskState, TaskStatus};
use super::super::faults::Ended;
use super::super::known::Place;
use super::super::submission::FIRST_PAUSE;
use super::super::task::{PUT_BACK, STOPPED};
use super::Waiting;
use crate::activity::console;
use crate::error::{Error, ErrorKind};

/// For so long a run may be invisible here after its task has ended.
const LATE: Duration = Duration::from_secs(90);
/// The same where another training of its task has failed.
const LATE_BESIDE: Duration = Duration::from_secs(10);
/// After so long a task that was put back has begun again, or is stopped for good.
const AGAIN: Duration = Duration::from_secs(60);

enum Verdict {
    /// It waits or runs, as far as is known.
    Goes,
    /// It has ended, and its run may still appear.
    Undecided,
    Failed(Error),
}

fn is_exit(status: &TaskStatus, code: u8) -> bool {
    status.exit == Some(i32::from(code))
}

impl Waiting<'_> {
    /// Tasks of earlier calls with these resources, which failed and nobody was told: they are told now, and not tried again yet.
    pub(super) fn failed_meanwhile(&mut self) {
        let open: HashSet<String> =
            self.open().filter(|run| !self.makers.contains_key(*run)).map(String::from).collect();
        let mut found: Vec<(Place, Error)> = Vec::new();
        for number in 0..self.known.batches.len() {
            let batch = &self.known.batches[number];
            if !batch.record.cluster.asks_the_same(self.cluster) {
                continue;
            }
            let mut ended: Option<BTreeSet<usize>> = None;
            for place in self.known.places(number) {
                let (_, task) = place;
                if batch.record.told.contains(&task) || !self.known.runs(place).iter().any(|run| open.contains(run)) {
                    continue;
                }
                let ended = ended.get_or_insert_with(|| batch.ended());
                let end = ended.contains(&task).then(|| batch.end(task)).flatten();
                let exit = end.as_ref().map(|end| end.exit);
                if exit == Some(1) {
                    let error = end.map(|end| self.about(place).of_worker(&end));
                    found.extend(error.map(|error| (place, error)));
                } else if let Some((_, status)) = self.known.states.get(&place)
                    && status.state == TaskState::Failed
                    && exit.is_none()
                    && !is_exit(status, STOPPED)
                    && !is_exit(status, PUT_BACK)
                {
                    found.push((place, self.about(place).failed(status)));
                }
            }
        }
        for (place, error) in found {
            for run in self.known.runs(place).to_vec() {
                if open.contains(&run) {
                    self.makers.insert(run.clone(), place);
                    self.failed.insert(run, error.clone());
                }
            }
        }
    }

    /// Decides about tasks that have ended. Returns whether some have, and their runs may still appear.
    pub(super) fn judge(&mut self) -> bool {
        let mut places: BTreeMap<Place, Vec<&str>> = BTreeMap::new();
        for run in self.open() {
            if let Some(place) = self.makers.get(run) {
                places.entry(*place).or_default().push(run);
            }
        }
        let mut undecided = false;
        for (place, runs) in places {
            match self.verdict(place) {
                Verdict::Goes => drop(self.gone.remove(&place)),
                Verdict::Undecided => undecided = true,
                Verdict::Failed(error) => {
                    runs.iter().for_each(|run| drop(self.failed.insert(run.to_string(), error.clone())));
                }
            }
        }
        undecided
    }

    fn verdict(&mut self, place: Place) -> Verdict {
        let known = self.known.states.get(&place).cloned();
        let end = self.ends.get(&place).cloned();
        let said = end.as_ref().map(|end| end.exit);
        let live = self.known.is_live(place);
        // The worker's own word is final, whatever the queue says or does not say. While the queue calls it running it is about to end.
        if said != Some(1) && (live || self.heard.is_none()) {
            return Verdict::Goes;
        }
        let now = self.now();
        let gone = *self.gone.entry(place).or_insert(now);
        let waited = now.saturating_sub(gone);
        // A run is looked for once more, and for longer where it may be late.
        let late = |limit: Duration| waited < limit || self.looked < gone + limit;
        // What the queue said may be old when it is away.
        let old = |limit: Duration| late(limit) || self.heard.is_none_or(|heard| heard < gone + limit);
        let beside = if self.known.runs(place).len() > 1 { LATE_BESIDE } else { Duration::from_millis(1) };
        if said == Some(1) {
            return match (late(beside), &end) {
                (false, Some(end)) => Verdict::Failed(self.about(place).of_worker(end)),
                _ => Verdict::Undecided,
            };
        }
        match &known {
            Some((_, status)) if status.state == TaskState::Cancelled => match late(beside) {
                true => Verdict::Undecided,
                false => Verdict::Failed(self.about(place).cancelled()),
            },
            Some((id, status)) if status.state == TaskState::Failed => {
                if is_exit(status, STOPPED) || said == Some(STOPPED) {
                    return self.put_back(place, id, status);
                }
                // It is about to be queued again.
                let limit = if is_exit(status, PUT_BACK) || said == Some(PUT_BACK) { LATE } else { beside };
                match if limit == LATE { old(limit) } else { late(limit) } {
                    true => Verdict::Undecided,
                    false => Verdict::Failed(self.about(place).failed(status)),
                }
            }
            // It ended well, or the queue has forgotten how.
            _ if old(LATE) => Verdict::Undecided,
            Some(_) => Verdict::Failed(self.about(place).missing(LATE.as_secs())),
            None if said == Some(0) => Verdict::Failed(self.about(place).missing(LATE.as_secs())),
            None => match self.is_forgotten(place) {
                true => Verdict::Failed(self.about(place).forgotten(end.as_ref())),
                false => Verdict::Undecided,
            },
        }
    }

    /// Whether the queue has really forgotten a task of which its last answers had nothing. Where they had nothing of the whole job, it is
    /// asked in another way: its daemon may just have begun anew.
    fn is_forgotten(&mut self, place: Place) -> bool {
        let job = self.known.batches[place.0].record.jobs_by_task().get(&place.1).map(|job| (*job).clone());
        let Some(job) = job else { return true };
        if self.known.states.values().any(|(id, _)| id.job == job) {
            return true;
        }
        let now = self.now();
        match self.doubted.get(&job) {
            Some((until, forgotten)) if *until > now => return *forgotten,
            _ => {}
        }
        let (forgotten, long) = match self.patient.queue.has_forgotten(&job) {
            Ok(forgotten) => (forgotten, LATE),
            Err(error) if error.kind == ErrorKind::Interrupted || is_away(&error) => (false, FIRST_PAUSE),
            // It cannot say more.
            Err(_) => (true, LATE),
        };
        self.doubted.insert(job, (now + long, forgotten));
        self.hurry |= !forgotten;
        forgotten
    }

    /// A task that was stopped from outside, and not by us, is put back once.
    fn put_back(&mut self, place: Place, id: &TaskId, status: &TaskStatus) -> Verdict {
        let now = self.now();
        if let Some(again) = self.again.get(&place) {
            // A task that has begun again since is not put back a second time.
            let begun = self.gone.get(&place).is_some_and(|gone| *gone > *again);
            return match begun || self.heard.is_some_and(|heard| heard >= *again + AGAIN) {
                true => Verdict::Failed(self.about(place).stopped(status, "twice")),
                false => Verdict::Undecided,
            };
        }
        self.again.insert(place, now);
        let put_back = match self.known.batches[place.0].mark_again(place.1) {
            Ok(true) => self.patient.queue.requeue(id),
            // Another waiter has done so.
            Ok(false) => return Verdict::Undecided,
            Err(error) => Err(error),
        };
        match put_back {
            Ok(()) => {
                self.hurry = true;
                console::log(&format!("{} was stopped from outside; it is put back once", self.about(place).called()));
                Verdict::Undecided
            }
            Err(error) => {
                let why = format!("and cannot be put back: {}", error.message);
                Verdict::Failed(self.about(place).stopped(status, &why))
            }
        }
    }

    pub(super) fn about(&self, place: Place) -> Ended<'_> {
        Ended {
            queue: self.patient.queue.name(),
            batch: &self.known.batches[place.0],
            task: place.1,
            id: self.known.states.get(&place).map(|(id, _)| id),
        }
    }

    /// Later stages make what an earlier one did not, so its failures are no more than said.
    pub(super) fn say_earlier_failures(&mut self) {
        let mut found = Vec::new();
        let batches: BTreeSet<usize> = self.makers.values().map(|place| place.0).collect();
        for batch in batches {
            let Some(last) = self.known.batches[batch].record.tasks.iter().map(|task| task.stage).max() else {
                continue;
            };
            for place in self.known.places(batch) {
                let bad = matches!(self.known.state(place), Some(TaskState::Failed | TaskState::Cancelled));
                if bad && self.known.batches[batch].record.tasks[place.1].stage < last && !self.said.contains(&place) {
                    found.push(place);
                }
            }
        }
        for place in found {
            self.said.insert(place);
            let word = self.known.states.get(&place).map_or("", |(_, status)| status.word.as_str());
            console::log(&format!(
                "{} did not end well ({word}); those that need it make it",
                self.about(place).called()
            ));
        }
    }
}
