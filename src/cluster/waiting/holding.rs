//! Tasks that wait until somebody does something: those that the queue holds, and those that no node can take.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::command::is_away;
use super::super::engine::{JobId, TaskId, TaskState};
use super::super::faults::{Held, hopeless, no_node};
use super::super::known::Place;
use super::Waiting;
use crate::error::{ErrorKind, Result};

/// A task that could not be started is released again after so long at the earliest: what was in its way may pass.
const APART: Duration = Duration::from_secs(60);

/// A task that the queue holds.
struct HeldTask {
    place: Place,
    id: TaskId,
    held: Held,
    /// The queue's word for why.
    word: String,
}

impl Waiting<'_> {
    /// Releases the tasks that the queue holds because it could not start them, so often as `requeues` allows. Tasks of earlier stages are
    /// among them, since later ones wait for their end. Returns lines about it, and, once for each job and reason, about those that stay
    /// held.
    ///
    /// Errors: Interrupted.
    pub(super) fn free_held(&mut self) -> Result<Vec<String>> {
        let now = self.now();
        let mut lines = Vec::new();
        let mut release: BTreeMap<u32, Vec<HeldTask>> = BTreeMap::new();
        let mut stay: Vec<(HeldTask, String)> = Vec::new();
        for task in self.held() {
            if task.held == Held::OnPurpose {
                stay.push((task, String::new()));
                continue;
            }
            // The answer may be older than the release.
            if self.released.get(&task.place).is_some_and(|at| now < *at + APART) {
                continue;
            }
            let most = self.requeues(task.place);
            match self.known.batches[task.place.0].mark_release(task.place.1, most) {
                Ok(Some(number)) => release.entry(number).or_default().push(task),
                Ok(None) => stay.push((task, format!("requeues ({most}) allows no further release; "))),
                Err(error) => stay.push((task, format!("it is not released, since that cannot be noted ({error}); "))),
            }
        }
        for (number, tasks) in release {
            self.released.extend(tasks.iter().map(|task| (task.place, now)));
            let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
            match self.patient.queue.release(&ids) {
                Ok(()) => {
                    self.hurry = true;
                    let most = self.requeues(tasks[0].place);
                    lines.push(format!("{}; released, {number} of {most} times", self.not_begun(&tasks)));
                }
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                Err(error) if is_away(&error) => {
                    for task in tasks {
                        self.known.batches[task.place.0].unmark_release(task.place.1, number);
                        self.released.remove(&task.place);
                    }
                }
                Err(error) => stay.extend(tasks.into_iter().map(|task| (task, format!("{}; ", error.message)))),
            }
        }
        lines.extend(self.about_held(stay));
        Ok(lines)
    }

    /// The tasks that the queue holds, of the batches that make runs of this call. One whose runs are there need not begin any more.
    fn held(&self) -> Vec<HeldTask> {
        let ours: BTreeSet<usize> = self.makers.values().map(|place| place.0).collect();
        let is_wanted = |place: Place| !self.known.runs(place).iter().all(|run| self.there.contains(run));
        let states = self.known.states.iter().filter(|(place, _)| ours.contains(&place.0) && is_wanted(**place));
        states
            .filter_map(|(&place, (id, _))| {
                let (held, word) = self.known.held(place)?;
                Some(HeldTask { place, id: id.clone(), held, word: word.to_string() })
            })
            .collect()
    }

    fn requeues(&self, place: Place) -> u32 {
        self.known.batches[place.0].record.cluster.options.requeues
    }

    /// Once of each job and reason: that its tasks wait for a release, and how one releases them.
    fn about_held(&mut self, tasks: Vec<(HeldTask, String)>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut groups: BTreeMap<(JobId, String), (Vec<HeldTask>, String)> = BTreeMap::new();
        for (task, why) in tasks {
            let group = groups.entry((task.id.job.clone(), task.word.clone())).or_insert_with(|| (vec![], why));
            group.0.push(task);
        }
        for ((job, word), (tasks, why)) in groups {
            if !self.obstacles.insert(format!("{} {word}", job.0)) {
                continue;
            }
            let held = match word.as_str() {
                _ if tasks[0].held == Held::Unstarted => self.not_begun(&tasks),
                "JobHeldUser" => format!("{} held by the job's user ({word})", self.named_are(&tasks)),
                "JobHeldAdmin" => format!("{} held by an administrator ({word})", self.named_are(&tasks)),
                _ => format!("{} held ({word})", self.named_are(&tasks)),
            };
            let waits = if tasks.len() == 1 { "it waits" } else { "they wait" };
            lines.push(format!("{held}; {why}{waits} until somebody releases the job: scontrol release {}", job.0));
        }
        lines
    }

    /// `teacher 1 (Slurm task 4711_0) and 2 more could not be started, and Slurm holds them (launch failed requeued held)`.
    fn not_begun(&self, tasks: &[HeldTask]) -> String {
        let them = if tasks.len() == 1 { "it" } else { "them" };
        let (queue, word) = (self.patient.queue.name(), &tasks[0].word);
        format!("{} could not be started, and {queue} holds {them} ({word})", self.named(tasks))
    }

    fn named_are(&self, tasks: &[HeldTask]) -> String {
        format!("{} {}", self.named(tasks), if tasks.len() == 1 { "is" } else { "are" })
    }

    fn named(&self, tasks: &[HeldTask]) -> String {
        let first = self.about(tasks[0].place).called();
        if tasks.len() == 1 { first } else { format!("{first} and {} more", tasks.len() - 1) }
    }

    /// A line, once, about each reason by which tasks may never begin, or not before nodes are back.
    pub(super) fn about_obstacles(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let places: BTreeSet<Place> = self.open().filter_map(|run| self.makers.get(run).copied()).collect();
        for place in places {
            let Some((_, status)) = self.known.states.get(&place) else { continue };
            let word = status.reason.as_deref().filter(|_| status.state == TaskState::Queued).unwrap_or_default();
            let (key, said) = match (hopeless(word), no_node(word)) {
                (Some(why), _) => (word, format!("{why} ({word}); this request may never begin")),
                // The word has names of nodes, which change.
                (None, Some(why)) => {
                    (why, format!("{why} ({word}); it begins when they are back; sinfo -R says why they are not"))
                }
                (None, None) => continue,
            };
            if self.obstacles.insert(key.to_string()) {
                let called = self.about(place).called();
                lines.push(format!("{called}: {said}; cluster.stop() takes it out of the queue"));
            }
        }
        lines
    }
}
