//! Batches put into the queue: what the store lacks and no live batch makes.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::batch::{Batch, Task, Work};
use super::code::Use;
use super::command::is_away;
use super::engine::{Cluster, Engine, JobId, Submission};
use super::known::{Known, find_again};
use super::waiting::{Clock, Queue};
use crate::activity::console;
use crate::error::{Error, ErrorKind, Result};
use crate::runs::RunStore;

/// After a submission without an answer the queue is asked so often, and so long apart, whether it has the job. A controller that
/// was overloaded takes a job later than it answers.
const LOOKS: usize = 2;
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// Submissions without an answer, with a queue that answers other questions, before the error is the caller's.
const ATTEMPTS: usize = 5;
/// Time between two questions to a queue: it doubles from the first to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(2);
pub(super) const LAST_PAUSE: Duration = Duration::from_secs(60);

/// A queue that may not answer for a while. That is said once, and that it is back.
pub(super) struct Patient<'a> {
    pub queue: &'a dyn Queue,
    pub clock: &'a dyn Clock,
    away: Cell<bool>,
}

impl<'a> Patient<'a> {
    pub fn new(queue: &'a dyn Queue, clock: &'a dyn Clock) -> Patient<'a> {
        Patient { queue, clock, away: Cell::new(false) }
    }

    /// An answer, or None of a queue that is away. Errors: all others, as a refusal or Interrupted.
    pub fn heard<T>(&self, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(answer) => {
                if self.away.replace(false) {
                    console::log(&format!("{} answers again", self.queue.name()));
                }
                Ok(Some(answer))
            }
            Err(error) if !is_away(&error) => Err(error),
            Err(error) => {
                if !self.away.replace(true) {
                    let cause = error.message.trim_end().replace('\n', " ");
                    console::log(&format!(
                        "{} does not answer ({cause}); waiting until it does, and what is in the queue goes on meanwhile",
                        self.queue.name()
                    ));
                }
                Ok(None)
            }
        }
    }

    /// Asks until there is an answer. Errors: as [`heard`](Self::heard).
    pub fn ask<T>(&self, mut question: impl FnMut() -> Result<T>) -> Result<T> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(answer) = self.heard(question())? {
                return Ok(answer);
            }
            self.clock.pause(pause)?;
            pause = (2 * pause).min(LAST_PAUSE);
        }
    }
}

/// The tasks of each stage that are to be done: those with a run for which `is_missing` holds. None where the last stage has all.
pub(super) fn missing(work: &Work, cluster: &Cluster, is_missing: impl Fn(&str) -> bool) -> Vec<(usize, Task)> {
    let mut taken = HashSet::new();
    let mut all = Vec::new();
    let mut stages = work.stages.iter().enumerate().rev();
    let mut of_stage = |(stage, tasks): (usize, &Vec<Task>)| -> bool {
        let mut to_do: Vec<Task> = Vec::new();
        for task in tasks {
            if task.runs.iter().any(|run| is_missing(run) && !taken.contains(run)) {
                taken.extend(task.runs.iter().cloned());
                to_do.push(task.clone());
            }
        }
        let is_last = stage + 1 == work.stages.len();
        let at_once = if is_last && work.several.is_some() { cluster.trainings_per_task().max(1) } else { 1 };
        all.extend(to_do.chunks(at_once).rev().map(|group| (stage, together(group, work))));
        !to_do.is_empty()
    };
    if stages.next().is_some_and(&mut of_stage) {
        stages.for_each(|stage| {
            of_stage(stage);
        });
    }
    all.reverse();
    all
}

/// Tasks as one.
fn together(group: &[Task], work: &Work) -> Task {
    match (group, work.several) {
        ([first, .., last], Some(several)) => Task {
            runs: group.iter().flat_map(|task| task.runs.iter().cloned()).collect(),
            name: format!("{} to {}", first.name, last.name),
            job: several(group.iter().map(|task| task.job.clone()).collect()),
        },
        ([task, ..], _) => task.clone(),
        ([], _) => Task { runs: vec![], name: String::new(), job: serde_json::Value::Null },
    }
}

/// Puts tasks into the queue, one array per stage. Each stage begins when those before have ended, and the jobs of other batches that
/// make runs of earlier stages.
///
/// Errors: the queue's refusal, after which nothing of it is in the queue; Io; Interrupted, with the batch if one is left.
pub(super) fn submit(
    store: &RunStore,
    patient: &Patient,
    cluster: &Cluster,
    work: &Work,
    tasks: Vec<(usize, Task)>,
    known: &Known,
) -> std::result::Result<Batch, (Option<Box<Batch>>, Error)> {
    // Before anything is written, and before the queue is asked.
    cluster.check_allowed(Use::Submit).map_err(|error| (None, error))?;
    let texts: Vec<String> = tasks.iter().map(|(_, task)| task.job.to_string()).collect();
    let is_named =
        |name: &str| texts.iter().any(|text| memchr::memmem::find(text.as_bytes(), name.as_bytes()).is_some());
    let data: Vec<(String, Vec<u8>)> = work.data.iter().filter(|(name, _)| is_named(name)).cloned().collect();
    let ended = known.ended_makers(tasks.iter().flat_map(|(_, task)| &task.runs));
    let mut batch = Batch::make(store, cluster, tasks, &data, ended).map_err(|error| (None, error))?;
    let mut after = elsewhere(work, known);
    for stage in 0..work.stages.len() {
        let of_stage = |batch: &Batch| -> Vec<usize> {
            (0..batch.record.tasks.len()).filter(|&task| batch.record.tasks[task].stage == stage).collect()
        };
        let indices = of_stage(&batch);
        if indices.is_empty() {
            continue;
        }
        for at_once in indices.chunks(tasks_at_once(cluster)) {
            let Err(error) = enqueue(patient, &mut batch, at_once, &after) else { continue };
            // Another engine has taken out again what it had put in, and cannot look for it later.
            let left = cluster.engine == Engine::Slurm || !batch.record.jobs.is_empty();
            if error.kind == ErrorKind::Interrupted {
                if left {
                    return Err((Some(Box::new(batch)), error));
                }
                batch.remove();
            } else if let Err(error) = withdraw(patient.queue, &batch) {
                console::warn(&error.message);
            }
            return Err((None, error));
        }
        let is_of_stage = |tasks: &[usize]| tasks.first().is_some_and(|task| indices.binary_search(task).is_ok());
        after.extend(batch.record.jobs.iter().filter(|(_, tasks)| is_of_stage(tasks)).map(|(job, _)| job.clone()));
    }
    Ok(batch)
}

/// So many tasks are submitted before their jobs are saved. Of Slurm they are found by their name; of another engine's jobs, a killed
/// process would leave so many that nobody knows.
fn tasks_at_once(cluster: &Cluster) -> usize {
    match cluster.engine {
        Engine::Slurm => usize::MAX,
        Engine::Commands(_) => 100,
    }
}

/// The jobs of live batches that make runs of the stages before the last.
fn elsewhere(work: &Work, known: &Known) -> BTreeSet<JobId> {
    let makers = known.makers();
    let earlier = work.stages.iter().rev().skip(1).flatten();
    let places = earlier.flat_map(|task| &task.runs).filter_map(|run| makers.get(run.as_str()));
    places.filter_map(|place| known.states.get(place)).map(|(id, _)| id.job.clone()).collect()
}

/// Puts tasks of a batch into the queue, and finds out what became of a submission without an answer before it tries again.
fn enqueue(patient: &Patient, batch: &mut Batch, tasks: &[usize], after: &BTreeSet<JobId>) -> Result<()> {
    let mut left = tasks.to_vec();
    for attempt in 1.. {
        let submission = Submission {
            name: batch.record.name.clone(),
            folder: batch.folder.clone(),
            tasks: left.clone(),
            after: after.iter().cloned().collect(),
        };
        match patient.queue.submit(&submission) {
            Ok(jobs) => {
                patient.heard(Ok(()))?;
                batch.record.jobs.extend(jobs);
                return batch.save();
            }
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => drop(patient.heard::<()>(Err(error))?),
        }
        let mut looks = 0;
        while looks < LOOKS {
            patient.clock.pause(LOOK_AFTER)?;
            let found = find_again(patient.queue, batch);
            if patient.heard(found)?.is_some() {
                let known = batch.record.jobs_by_task();
                left.retain(|task| !known.contains_key(task));
                if left.is_empty() {
                    return Ok(());
                }
                looks += 1;
            }
        }
    }
    Ok(())
}

/// Takes out of the queue what there is of a batch, and removes its folder.
///
/// Errors: a queue that does not say what it has, or refuses. The folder stays, by which a later call finds the jobs.
pub(super) fn withdraw(queue: &dyn Queue, batch: &Batch) -> Result<()> {
    let mut jobs: BTreeSet<JobId> = batch.record.jobs.iter().map(|(job, _)| job.clone()).collect();
    let found = match queue.find(&batch.record.name) {
        // This machine has no such queue, so nothing was put into it.
        Err(error) if error.kind == ErrorKind::Argument && jobs.is_empty() => Ok(vec![]),
        found => found,
    };
    jobs.extend(found.iter().flatten().cloned());
    let jobs: Vec<JobId> = jobs.into_iter().collect();
    let cancelled = if jobs.is_empty() { Ok(()) } else { queue.cancel(&jobs) };
    if let Err(error) = cancelled.and(found) {
        let ids: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
        let which = if ids.is_empty() { format!("named {}", batch.record.name) } else { ids.join(", ") };
        let message = format!("{}: jobs {which} may be in the queue still ({error})", queue.name());
        return Err(Error { message, ..error });
    }
    batch.remove();
    Ok(())
}
