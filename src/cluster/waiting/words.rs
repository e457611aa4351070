//! What a waiting user sees, and reads at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::display::{Running, Seen, jobs_in_words};
use super::super::engine::{JobId, TaskState};
use super::super::options::OnInterrupt;
use super::super::submission::withdraw;
use super::Waiting;
use crate::activity::Activity;
use crate::error::{Error, ErrorKind, counted};
use crate::runs::kind_of;

impl Waiting<'_> {
    pub(super) fn seen(&self) -> Seen<'_> {
        let mut seen =
            Seen { total: self.wanted.len(), done: self.there.len(), failed: self.failed.len(), ..Seen::default() };
        for task in self.tasks {
            for run in &task.runs {
                if self.there.contains(run) || self.failed.contains_key(run) {
                    continue;
                }
                let maker = self.makers.get(run);
                let status = maker.and_then(|place| self.known.states.get(place)).map(|(_, status)| status);
                match status {
                    Some(status) if status.state == TaskState::Queued => seen.count_queued(status),
                    None if !maker.is_some_and(|place| self.gone.contains_key(place)) => seen.queued += 1,
                    // One that has ended, whose run may still appear, is not waiting for its turn.
                    status => seen.running.push(Running {
                        name: &task.name,
                        node: status.and_then(|status| status.node.as_deref()),
                        last: self.epochs.last(run),
                        epochs: task.job.pointer("/options/epochs").and_then(Value::as_u64),
                    }),
                }
            }
        }
        let ours: BTreeSet<usize> = self.makers.values().map(|place| place.0).collect();
        for (place, (_, status)) in &self.known.states {
            let (batch, task) = *place;
            let wanted = self.known.runs(*place).iter().any(|run| self.wanted.contains_key(run.as_str()));
            if ours.contains(&batch) && !wanted && status.state == TaskState::Running {
                let name = &self.known.batches[batch].record.tasks[task].name;
                let on = status.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
                seen.earlier.push(format!("{name}: running{on}"));
            }
        }
        seen
    }

    /// `12 trainings`.
    pub(super) fn count(&self, n: usize) -> String {
        let trainings = self.wanted.keys().all(|run| kind_of(run) == Some("train"));
        let what = if trainings { "training" } else { "task" };
        counted(n, what)
    }

    /// The jobs that make open runs, in words.
    pub(super) fn jobs(&self) -> String {
        jobs_in_words(self.patient.queue.name(), &self.job_ids())
    }

    pub(super) fn job_ids(&self) -> BTreeSet<&JobId> {
        let jobs: Vec<BTreeMap<usize, &JobId>> =
            self.known.batches.iter().map(|batch| batch.record.jobs_by_task()).collect();
        let places = self.open().filter_map(|run| self.makers.get(run));
        places.filter_map(|(batch, task)| jobs.get(*batch)?.get(task).copied()).collect()
    }

    /// What becomes of the work when nobody waits any more.
    pub(super) fn leave(&self) -> String {
        let n = self.open().filter(|run| self.makers.contains_key(*run)).count();
        let go = if n == 1 { "goes on" } else { "go on" };
        format!(
            "{} {go} as {}; the same call waits for {} again; cluster.stop() ends {}",
            self.count(n),
            self.jobs(),
            if n == 1 { "it" } else { "them" },
            if n == 1 { "it" } else { "them" }
        )
    }

    /// The end of a call that does not wait.
    pub(super) fn queued(&self) -> Error {
        let n = self.open().count();
        let are = if n == 1 { "is" } else { "are" };
        let failed = match self.failed.len() {
            0 => String::new(),
            n => format!(", and {n} failed, which the last call says"),
        };
        let it = if n == 1 { "it" } else { "them" };
        Error::new(
            ErrorKind::Queued,
            format!(
                "{} {are} in the queue as {}{failed}; the same call takes the results when they are there",
                self.count(n),
                self.jobs()
            ),
        )
        .with_help(format!("cluster.jobs shows {it}, cluster.stop() ends {it}; wait: true waits for {it}"))
    }

    /// The error of a user who stops waiting.
    pub(super) fn interrupted(&self, error: Error) -> Error {
        let made = self.made.and_then(|number| self.known.batches.get(number));
        let cut_short = made.filter(|batch| !batch.record.unsubmitted().is_empty());
        let n = self.open().count();
        let message = match self.cluster.options.on_interrupt {
            OnInterrupt::Leave if self.makers.is_empty() => return error,
            OnInterrupt::Leave if cut_short.is_some() => format!(
                "{} were being put into the queue of {}, which may have them; the same call looks, and waits for them",
                self.count(n),
                self.patient.queue.name()
            ),
            OnInterrupt::Leave => self.leave(),
            OnInterrupt::Cancel => {
                // Also those of earlier stages.
                let of_made = made.into_iter().flat_map(|batch| &batch.record.jobs).map(|(job, _)| job);
                let jobs: BTreeSet<&JobId> = self.job_ids().into_iter().chain(of_made).collect();
                let left = match self.beside(&jobs) {
                    left if left.is_empty() => String::new(),
                    left => format!(
                        "; what an earlier call has put in beside them goes on as {}",
                        jobs_in_words(self.patient.queue.name(), &left)
                    ),
                };
                // The stop is this activity's; the queue is asked by another one.
                let cancelled = Activity::background("stop".into(), None).enter(|| {
                    let withdrawn = cut_short.map_or(Ok(()), |batch| withdraw(self.patient.queue, batch));
                    let jobs: Vec<JobId> = jobs.into_iter().cloned().collect();
                    if jobs.is_empty() { withdrawn } else { self.patient.queue.cancel(&jobs).and(withdrawn) }
                });
                match cancelled {
                    Ok(()) => {
                        format!("{} cancelled; the same call goes on from their checkpoints{left}", self.count(n))
                    }
                    Err(error) => format!("{}, which cannot be cancelled now ({error})", self.leave()),
                }
            }
        };
        Error { message, ..error }
    }

    /// Other jobs than these that wait or run, of the batches that make runs of this call.
    fn beside(&self, jobs: &BTreeSet<&JobId>) -> BTreeSet<&JobId> {
        let ours: BTreeSet<usize> = self.makers.values().map(|place| place.0).collect();
        let live = self.known.states.iter().filter(|(place, _)| ours.contains(&place.0) && self.known.is_live(**place));
        live.map(|(_, (id, _))| &id.job).filter(|job| !jobs.contains(job)).collect()
    }
}
