//! The batches of a store with what their queue says of the tasks, by one call.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use super::batch::{Batch, task_of};
use super::code::Use;
use super::engine::{ALL_OTHERS, Cluster, Engine, JobId, TaskId, TaskState, TaskStatus};
use super::faults::{Held, held};
use super::waiting::Queue;
use crate::error::Result;
use crate::runs::RunStore;

/// A task of a known batch: the batch's position, and the task's.
pub(super) type Place = (usize, usize);

/// The batches of one queue.
#[derive(Default)]
pub(super) struct Known {
    pub batches: Vec<Batch>,
    /// The tasks that the queue knows.
    pub states: BTreeMap<Place, (TaskId, TaskStatus)>,
}

impl Known {
    /// The batches of this store that are of the cluster's queue, whatever resources they asked for. A batch whose submission was cut
    /// short is looked for by its name.
    ///
    /// Errors: those of the queue; Data, if a record cannot be completed; a script that is not trusted.
    pub fn of(store: &RunStore, queue: &dyn Queue, cluster: &Cluster) -> Result<Known> {
        cluster.check_allowed(Use::Ask)?;
        let mut known = Known { batches: Batch::all(store), ..Known::default() };
        known.batches.retain(|batch| batch.record.cluster.engine == cluster.engine);
        for batch in &mut known.batches {
            if !batch.record.unsubmitted().is_empty() {
                find_again(queue, batch)?;
            }
        }
        known.batches.retain(|batch| {
            // Other engines cannot look for names.
            let looked_for = cluster.engine == Engine::Slurm && batch.record.jobs.is_empty();
            let abandoned = looked_for && batch.is_of_ended_process();
            if abandoned {
                batch.remove();
            }
            !abandoned
        });
        known.ask(queue)?;
        Ok(known)
    }

    /// Asks the queue for all tasks. Errors: those of the queue, which leave what it said before.
    pub fn ask(&mut self, queue: &dyn Queue) -> Result<()> {
        let jobs: BTreeSet<JobId> =
            self.batches.iter().flat_map(|batch| &batch.record.jobs).map(|(job, _)| job.clone()).collect();
        let jobs: Vec<JobId> = jobs.into_iter().collect();
        let mut states = BTreeMap::new();
        if !jobs.is_empty() {
            let answer = queue.states(&jobs)?;
            let tasks: HashMap<&JobId, (usize, &[usize])> = (0..)
                .zip(&self.batches)
                .flat_map(|(number, batch)| {
                    batch.record.jobs.iter().map(move |(job, tasks)| (job, (number, tasks.as_slice())))
                })
                .collect();
            let (others, named): (Vec<_>, Vec<_>) = answer.into_iter().partition(|(id, _)| id.index == ALL_OTHERS);
            for (id, status) in named {
                let place = tasks.get(&id.job).and_then(|(batch, tasks)| Some((*batch, task_of(tasks, id.index)?)));
                if let Some(place) = place {
                    states.insert(place, (id, status));
                }
            }
            for (id, status) in others {
                let Some((batch, tasks)) = tasks.get(&id.job) else { continue };
                for &index in *tasks {
                    let id = TaskId { index, ..id.clone() };
                    states.entry((*batch, index)).or_insert_with(|| (id, status.clone()));
                }
            }
        }
        self.states = states;
        Ok(())
    }

    pub fn state(&self, place: Place) -> Option<TaskState> {
        self.states.get(&place).map(|(_, status)| status.state)
    }

    /// Whether a task is waiting or running in the queue.
    pub fn is_live(&self, place: Place) -> bool {
        matches!(self.state(place), Some(TaskState::Queued | TaskState::Running))
    }

    /// All tasks of a batch.
    pub fn places(&self, batch: usize) -> impl Iterator<Item = Place> + use<> {
        (0..self.batches.get(batch).map_or(0, |batch| batch.record.tasks.len())).map(move |task| (batch, task))
    }

    /// Why the queue holds a task, and its word for it.
    pub fn held(&self, place: Place) -> Option<(Held, &str)> {
        let (_, status) = self.states.get(&place).filter(|(_, status)| status.state == TaskState::Queued)?;
        let word = status.reason.as_deref()?;
        held(word).map(|held| (held, word))
    }

    /// Whether any of a batch's tasks is waiting or running, and not just held because it could not be started.
    pub fn batch_goes_on(&self, batch: usize) -> bool {
        let is_unstarted = |place| self.held(place).is_some_and(|(held, _)| held == Held::Unstarted);
        self.places(batch).any(|place| self.is_live(place) && !is_unstarted(place))
    }

    /// The runs of a task.
    pub fn runs(&self, (batch, task): Place) -> &[String] {
        self.batches.get(batch).and_then(|batch| batch.record.tasks.get(task)).map_or(&[], |task| &task.runs)
    }

    /// The task that makes each run now.
    pub fn makers(&self) -> BTreeMap<&str, Place> {
        let live = self.states.keys().copied().filter(|place| self.is_live(*place));
        live.flat_map(|place| self.runs(place).iter().map(move |run| (run.as_str(), place))).collect()
    }

    /// The tasks that were to make some of these runs, and have ended, as the queue says: `4711_3`.
    pub fn ended_makers<'a>(&self, runs: impl Iterator<Item = &'a String>) -> Vec<String> {
        let runs: HashSet<&String> = runs.collect();
        let ended = self.states.iter().filter(|(place, (_, status))| {
            let over = matches!(status.state, TaskState::Failed | TaskState::Cancelled | TaskState::Completed);
            over && self.runs(**place).iter().any(|run| runs.contains(run))
        });
        ended.map(|(_, (id, _))| id.to_string()).collect()
    }

    /// Removes the folders of batches of which nothing is in the queue and all runs are in the store. Tasks that could not be started and
    /// are held, whose runs are there all the same, have nothing left to do: they are taken out of the queue.
    pub fn tidy(&self, store: &RunStore, queue: &dyn Queue) {
        let ended: Vec<usize> = (0..self.batches.len())
            .filter(|&batch| !self.batch_goes_on(batch) && !self.batches[batch].record.jobs.is_empty())
            .collect();
        let wanted: HashSet<&str> = ended.iter().flat_map(|&batch| self.batches[batch].runs()).collect();
        if wanted.is_empty() {
            return;
        }
        let there: HashSet<String> = store.find_all(|id| wanted.contains(id)).into_iter().map(|run| run.id).collect();
        for number in ended {
            let batch = &self.batches[number];
            if !batch.runs().all(|run| there.contains(run)) {
                continue;
            }
            let held = self.places(number).filter(|place| self.is_live(*place));
            let held: BTreeSet<&JobId> = held.filter_map(|place| Some(&self.states.get(&place)?.0.job)).collect();
            // Without an answer both stay, for the next call.
            if held.is_empty() || queue.cancel(&held.into_iter().cloned().collect::<Vec<_>>()).is_ok() {
                batch.remove();
            }
        }
    }
}

/// Removes the folders of batches that make some of these runs, of which nothing is in the queue and all runs are in the store. The queue
/// is asked only where there is such a batch; without its answer the folder stays.
pub(super) fn tidy(store: &RunStore, queue: &dyn Queue, cluster: &Cluster, is_wanted: impl Fn(&str) -> bool) {
    let mut batches = Batch::all(store);
    batches.retain(|batch| {
        let submitted = !batch.record.jobs.is_empty() && batch.record.unsubmitted().is_empty();
        submitted && batch.record.cluster.engine == cluster.engine && batch.runs().any(&is_wanted)
    });
    // A failed training beside those that are there must not cost a question for each call.
    let made: HashSet<&str> = batches.iter().flat_map(Batch::runs).collect();
    let there: HashSet<String> = match made.is_empty() {
        true => return,
        false => store.find_all(|id| made.contains(id)).into_iter().map(|run| run.id).collect(),
    };
    batches.retain(|batch| batch.runs().all(|run| there.contains(run)));
    let mut known = Known { batches, ..Known::default() };
    if !known.batches.is_empty() && known.ask(queue).is_ok() {
        known.tidy(store, queue);
    }
}

/// The jobs of a batch that the queue has and the record does not, with the tasks of each. The record is completed and saved.
///
/// Errors: those of the queue; Data, if it cannot be saved.
pub(super) fn find_again(queue: &dyn Queue, batch: &mut Batch) -> Result<()> {
    let mut found = queue.find(&batch.record.name)?;
    let known: HashSet<&JobId> = batch.record.jobs.iter().map(|(job, _)| job).collect();
    found.retain(|job| !known.contains(job));
    if found.is_empty() {
        return Ok(());
    }
    let mut tasks: BTreeMap<JobId, Vec<usize>> = BTreeMap::new();
    for id in queue.states(&found)?.into_keys() {
        if id.index < batch.record.tasks.len() {
            tasks.entry(id.job).or_default().push(id.index);
        }
    }
    batch.record.jobs.extend(tasks);
    batch.save()
}

/// A batch in the queue.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Its jobs, as `4711` or `4711, 4712`.
    pub job: String,
    /// Its name there.
    pub name: String,
    pub queued: usize,
    pub running: usize,
    /// Their runs are in the store.
    pub done: usize,
    /// Failed, cancelled, or not in the queue any more, and without a run.
    pub failed: usize,
    pub folder: PathBuf,
}

/// The batches of a store that its queue knows, or of which tasks failed and were not done again.
///
/// Errors: a queue that does not answer.
pub(super) fn rows(store: &RunStore, queue: &dyn Queue, cluster: &Cluster) -> Result<Vec<JobRow>> {
    let known = Known::of(store, queue, cluster)?;
    let wanted: HashSet<&str> = known.batches.iter().flat_map(Batch::runs).collect();
    let there: HashSet<String> = store.find_all(|id| wanted.contains(id)).into_iter().map(|run| run.id).collect();
    let mut rows = Vec::new();
    for (number, batch) in known.batches.iter().enumerate() {
        let jobs: Vec<&str> = batch.record.jobs.iter().map(|(job, _)| job.0.as_str()).collect();
        let mut row = JobRow {
            job: jobs.join(", "),
            name: batch.record.name.clone(),
            queued: 0,
            running: 0,
            done: 0,
            failed: 0,
            folder: batch.folder.clone(),
        };
        let (ended, submitted) = (batch.ended(), batch.record.jobs_by_task());
        for place in known.places(number) {
            let done = known.runs(place).iter().all(|run| there.contains(run));
            match known.state(place) {
                Some(TaskState::Queued) => row.queued += 1,
                Some(TaskState::Running) => row.running += 1,
                _ if done => row.done += 1,
                Some(TaskState::Failed | TaskState::Cancelled | TaskState::Completed) => row.failed += 1,
                // One that was cancelled before it began is soon forgotten.
                None if submitted.contains_key(&place.1) || ended.contains(&place.1) => row.failed += 1,
                None => {}
            }
        }
        if row.queued + row.running + row.failed > 0 {
            rows.push(row);
        }
    }
    // By their first job's number; letters of other queues stand before or behind it.
    let number = |row: &JobRow| -> Option<u64> {
        let digits = row.job.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
        digits.parse().ok()
    };
    rows.sort_by_key(number);
    Ok(rows)
}

/// Takes all batches of a store out of the queue. Returns the number of tasks that were waiting or running there.
///
/// Errors: a queue that does not answer.
pub(super) fn stop(store: &RunStore, queue: &dyn Queue, cluster: &Cluster) -> Result<usize> {
    let known = Known::of(store, queue, cluster)?;
    let live: Vec<Place> = known.states.keys().copied().filter(|place| known.is_live(*place)).collect();
    let jobs: BTreeSet<&JobId> =
        live.iter().filter_map(|place| known.states.get(place)).map(|(id, _)| &id.job).collect();
    if !jobs.is_empty() {
        queue.cancel(&jobs.into_iter().cloned().collect::<Vec<_>>())?;
    }
    Ok(live.len())
}
