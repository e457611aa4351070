//! Waiting until a batch's runs are in the store.
//!
//! The store is listed often, the queue is asked seldom. A run is there when the store has it, whatever the queue says; a task has
//! failed when its worker or the queue says so, and never because the queue did not answer.

mod holding;
mod judging;
mod queue;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::queue::Monotonic;
pub(super) use self::queue::{Clock, Queue};
use super::batch::{Batch, Task, Work};
use super::engine::{Cluster, JobId};
use super::epochs::Epochs;
use super::known::{self, Known, Place};
use super::submission::{FIRST_PAUSE, LAST_PAUSE, Patient, missing, submit};
use super::task::End;
use crate::activity::status::Status;
use crate::activity::{console, interrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::runs::RunStore;

pub use super::known::JobRow;

/// Has the queue do the work and waits until its runs are in the store. Tasks whose runs are there are dropped before, and those that
/// a batch in the queue makes already are waited for, so the same call after a stop goes on where it was. `epoch` receives each
/// line of each run's `metrics.jsonl` as it appears, with the task's name; its error stops the waiting.
///
/// Returns one outcome per task of the last stage. A failure while nobody waited is an outcome too, once; the next call does the task
/// again.
///
/// Errors: a queue that refuses; an error of `epoch`; `wait: false`, once all is in the queue (kind Queued); Interrupted, which says
/// what becomes of the tasks.
pub fn run(
    store: &RunStore,
    cluster: &Cluster,
    work: Work,
    epoch: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<Vec<Result<()>>> {
    run_in(store, cluster, &Monotonic(Instant::now()), cluster, &work, epoch)
}

/// The batches of this store in the cluster's queue: those that it knows, and those with failures.
///
/// Errors: a queue that does not answer.
pub fn jobs(store: &RunStore, cluster: &Cluster) -> Result<Vec<JobRow>> {
    known::rows(store, cluster, cluster)
}

/// Takes all batches of this store out of the cluster's queue. Returns the number of tasks that were waiting or running.
///
/// Errors: a queue that does not answer.
pub fn stop(store: &RunStore, cluster: &Cluster) -> Result<usize> {
    known::stop(store, cluster, cluster)
}

/// The store is listed as often as things change in it, between these.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_LAST: Duration = Duration::from_secs(10);
/// The store rests so many times as long as a look took.
const LOOK_SHARE: u32 = 20;

/// [`run`] with any queue and clock.
pub(super) fn run_in(
    store: &RunStore,
    queue: &dyn Queue,
    clock: &dyn Clock,
    cluster: &Cluster,
    work: &Work,
    epoch: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<Vec<Result<()>>> {
    let Some(tasks) = work.stages.last().filter(|tasks| !tasks.is_empty()) else { return Ok(vec![]) };
    let mut waiting = Waiting::new(store, queue, clock, cluster, tasks);
    waiting.look(epoch)?;
    if waiting.open().next().is_some() {
        let outcome = waiting.begin(work).and_then(|()| waiting.wait(epoch));
        match outcome {
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(waiting.interrupted(error)),
            Err(error) if error.kind != ErrorKind::Queued => {
                if !waiting.job_ids().is_empty() {
                    console::log(&waiting.leave());
                }
                return Err(error);
            }
            outcome => outcome?,
        }
        waiting.conclude();
    } else {
        known::tidy(store, queue, cluster, |run| waiting.wanted.contains_key(run));
    }
    Ok(waiting.outcomes())
}

struct Waiting<'a> {
    store: &'a RunStore,
    patient: Patient<'a>,
    cluster: &'a Cluster,
    /// Those of the last stage.
    tasks: &'a [Task],
    /// Their runs, in order.
    wanted: BTreeMap<&'a str, usize>,
    there: HashSet<String>,
    failed: HashMap<String, Error>,
    known: Known,
    /// The batch that this call made.
    made: Option<usize>,
    /// When the queue last answered since the tasks were put into it.
    heard: Option<Duration>,
    /// The queue is to be asked soon: something was put back.
    hurry: bool,
    /// Who makes each run.
    makers: HashMap<String, Place>,
    /// The last words of tasks whose runs are not there.
    ends: HashMap<Place, End>,
    /// When a task was first seen to have ended.
    gone: HashMap<Place, Duration>,
    /// When a task was first seen to have been put back by a waiter.
    again: HashMap<Place, Duration>,
    /// Jobs of which the queue's answers had nothing, whether it has really forgotten them, and for how long that holds.
    doubted: HashMap<JobId, (Duration, bool)>,
    /// When the last look at the store began.
    looked: Duration,
    /// When a run appeared last.
    changed: Duration,
    epochs: Epochs,
    /// Failures of earlier stages that were said.
    said: HashSet<Place>,
    /// When a task that the queue holds was released.
    released: HashMap<Place, Duration>,
    /// Reasons for which tasks wait until somebody does something, as far as they were said.
    obstacles: HashSet<String>,
}

impl<'a> Waiting<'a> {
    fn new(
        store: &'a RunStore,
        queue: &'a dyn Queue,
        clock: &'a dyn Clock,
        cluster: &'a Cluster,
        tasks: &'a [Task],
    ) -> Waiting<'a> {
        Waiting {
            store,
            patient: Patient::new(queue, clock),
            cluster,
            tasks,
            wanted: (0..).zip(tasks.iter().flat_map(|task| &task.runs)).map(|(n, run)| (run.as_str(), n)).collect(),
            there: HashSet::new(),
            failed: HashMap::new(),
            known: Known::default(),
            made: None,
            heard: None,
            hurry: false,
            makers: HashMap::new(),
            ends: HashMap::new(),
            gone: HashMap::new(),
            again: HashMap::new(),
            doubted: HashMap::new(),
            looked: Duration::ZERO,
            changed: clock.now(),
            epochs: Epochs::of(tasks),
            said: HashSet::new(),
            released: HashMap::new(),
            obstacles: HashSet::new(),
        }
    }

    /// Runs that are neither there nor failed.
    fn open(&self) -> impl Iterator<Item = &'a str> {
        let all = self.wanted.keys().copied();
        all.filter(|run| !self.there.contains(*run) && !self.failed.contains_key(*run))
    }

    fn now(&self) -> Duration {
        self.patient.clock.now()
    }

    /// Lists the store, and passes epochs on.
    fn look(&mut self, epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
        // A look at many runs takes long, and one that appears meanwhile is not seen.
        let begun = self.now();
        let open: HashSet<&str> = self.open().collect();
        let mut found = self.store.find_all(|id| open.contains(id));
        found.sort_by_key(|run| self.wanted.get(run.id.as_str()).copied());
        for run in found {
            self.changed = self.now();
            if self.epochs.wants(&run.id) {
                match run.metrics() {
                    Ok(lines) => self.epochs.pass(&run.id, &lines, epoch)?,
                    Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                    Err(error) => {
                        self.failed.insert(run.id, error);
                        continue;
                    }
                }
            }
            self.there.insert(run.id);
        }
        let open: HashSet<&str> = self.open().filter(|run| self.makers.contains_key(*run)).collect();
        if !open.is_empty() {
            self.epochs.follow(self.store, |id| open.contains(id), epoch)?;
        }
        for batch in 0..self.known.batches.len() {
            let places: BTreeSet<Place> =
                self.open().filter_map(|run| self.makers.get(run).copied()).filter(|place| place.0 == batch).collect();
            if places.is_empty() {
                continue;
            }
            let ended = self.known.batches[batch].ended();
            for place in places {
                let end = ended.contains(&place.1).then(|| self.known.batches[batch].end(place.1)).flatten();
                match end {
                    Some(end) => drop(self.ends.insert(place, end)),
                    // It was started again.
                    None => drop(self.ends.remove(&place)),
                }
            }
        }
        self.looked = begun;
        Ok(())
    }

    /// Finds out who makes the open runs, and puts the others into the queue.
    fn begin(&mut self, work: &Work) -> Result<()> {
        let queue = self.patient.queue;
        self.known = self.patient.ask(|| Known::of(self.store, queue, self.cluster))?;
        self.heard = Some(self.now());
        self.adopt();
        self.failed_meanwhile();
        self.known.tidy(self.store, queue);
        let earlier: HashSet<String> = match work.stages.len() > 1 {
            false => HashSet::new(),
            true => {
                let runs = work.stages.iter().rev().skip(1).flatten().flat_map(|task| &task.runs);
                let runs: HashSet<&str> = runs.map(String::as_str).collect();
                self.store.find_all(|id| runs.contains(id)).into_iter().map(|run| run.id).collect()
            }
        };
        let made = self.known.makers();
        let is_missing = |run: &str| {
            !self.there.contains(run)
                && !self.failed.contains_key(run)
                && !earlier.contains(run)
                && !made.contains_key(run)
        };
        let tasks = missing(work, self.cluster, is_missing);
        let adopted = self.open().filter(|run| self.makers.contains_key(*run)).count();
        if adopted > 0 {
            let (go, it) = if adopted == 1 { ("goes", "it") } else { ("go", "them") };
            let waits = if self.cluster.options.wait { format!("; waiting for {it}") } else { String::new() };
            console::log(&format!("{} {go} on as {} since an earlier call{waits}", self.count(adopted), self.jobs()));
        }
        if tasks.is_empty() {
            return Ok(());
        }
        match submit(self.store, &self.patient, self.cluster, work, tasks, &self.known) {
            Ok(batch) => self.own(batch),
            Err((Some(batch), error)) => {
                self.own(*batch);
                return Err(error);
            }
            Err((None, error)) => return Err(error),
        }
        self.heard = None;
        Ok(())
    }

    /// The open runs that tasks in the queue make.
    fn adopt(&mut self) {
        let makers = self.known.makers();
        let adopted: HashMap<String, Place> =
            self.open().filter_map(|run| makers.get(run).map(|place| (run.to_string(), *place))).collect();
        self.makers.extend(adopted);
    }

    /// A new batch makes its tasks' runs.
    fn own(&mut self, batch: Batch) {
        let number = self.known.batches.len();
        for (index, task) in batch.record.tasks.iter().enumerate() {
            for run in task.runs.iter().filter(|run| self.wanted.contains_key(run.as_str())) {
                self.makers.entry(run.clone()).or_insert((number, index));
            }
        }
        self.known.batches.push(batch);
        self.made = Some(number);
    }

    fn wait(&mut self, epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
        let status = Status::new(self.jobs());
        // Just put in: it need not be asked at once.
        let mut pause = FIRST_PAUSE;
        let mut next_ask = self.now() + if self.cluster.options.wait { pause } else { Duration::ZERO };
        let mut next_look = self.now();
        loop {
            interrupt::check()?;
            if self.now() >= next_look {
                let started = self.now();
                self.look(epoch)?;
                let took = self.now().saturating_sub(started);
                let quiet = self.now().saturating_sub(self.changed) / 10;
                next_look = self.now() + quiet.clamp(LOOK_FIRST, LOOK_LAST).max(LOOK_SHARE * took);
            }
            if self.now() >= next_ask {
                let answer = self.known.ask(self.patient.queue);
                if self.patient.heard(answer)?.is_some() {
                    self.heard = Some(self.now());
                    let lines = [self.free_held()?, self.about_obstacles()].concat();
                    lines.iter().for_each(|line| console::log(line));
                }
                self.say_earlier_failures();
                pause = (2 * pause).min(LAST_PAUSE);
                next_ask = self.now() + pause;
            }
            // Who has ended without its run needs a look of its own.
            if self.judge() {
                next_look = next_look.min(self.now() + LOOK_FIRST);
            }
            if std::mem::take(&mut self.hurry) {
                (pause, next_ask) = (FIRST_PAUSE, self.now() + FIRST_PAUSE);
            }
            self.seen().show(&status);
            if self.open().next().is_none() {
                return Ok(());
            }
            if !self.cluster.options.wait {
                return Err(self.queued());
            }
            self.patient.clock.pause(next_look.min(next_ask).saturating_sub(self.now()))?;
        }
    }

    /// Notes the failures that the caller is told, and removes what is done.
    fn conclude(&mut self) {
        let told: BTreeSet<Place> = self.failed.keys().filter_map(|run| self.makers.get(run).copied()).collect();
        for (batch, task) in told {
            if let Some(batch) = self.known.batches.get_mut(batch) {
                batch.record.told.insert(task);
                // At worst it is told again.
                let _ = batch.save();
            }
        }
        // A task ends a moment after its run is there. What is still running then is left to the next call.
        let queue = self.patient.queue;
        for pause in [0, 1, 2] {
            if self.patient.clock.pause(Duration::from_secs(pause)).is_err() || self.known.ask(queue).is_err() {
                return;
            }
            let ours: BTreeSet<usize> = self.makers.values().map(|place| place.0).collect();
            if !ours.into_iter().any(|batch| self.known.batch_goes_on(batch)) {
                break;
            }
        }
        self.known.tidy(self.store, queue);
    }

    fn outcomes(&self) -> Vec<Result<()>> {
        let of = |task: &Task| match task.runs.iter().find_map(|run| self.failed.get(run)) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        };
        self.tasks.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests;
