//! What a waiting user sees, and reads at the end.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::batch::Batch;
use super::super::display::{Running, Seen, jobs_in_words};
use super::super::engine::{JobId, TaskState};
use super::super::options::OnInterrupt;
use super::super::submission::withdraw;
use super::Waiting;
use crate::activity::Activity;
use crate::error::{Error, ErrorKind};
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
                match self.makers.get(run).and_then(|place| self.known.states.get(place)).map(|(_, status)| status) {
                    Some(status) if status.state == TaskState::Running => seen.running.push(Running {
                        name: &task.name,
                        node: status.node.as_deref(),
                        last: self.epochs.last(run),
                        epochs: task.job.pointer("/options/epochs").and_then(Value::as_u64),
                    }),
                    Some(status) => seen.count_queued(status),
                    None => seen.queued += 1,
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
        format!("{n} {what}{}", if n == 1 { "" } else { "s" })
    }

    /// The jobs that make open runs, in words.
    pub(super) fn jobs(&self) -> String {
        jobs_in_words(self.patient.queue.name(), &self.job_ids())
    }

    pub(super) fn job_ids(&self) -> BTreeSet<&JobId> {
        self.open()
            .filter_map(|run| self.makers.get(run))
            .filter_map(|place| self.known.batches.get(place.0)?.record.job(place.1))
            .collect()
    }

    /// What becomes of the work when nobody waits any more.
    pub(super) fn leave(&self) -> String {
        let n = self.open().count();
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
        let submitting: Vec<&Batch> =
            self.known.batches.iter().filter(|batch| batch.record.jobs.is_empty() && self.is_ours(batch)).collect();
        let n = self.open().count();
        let message = match self.cluster.options.on_interrupt {
            OnInterrupt::Leave if self.makers.is_empty() => return error,
            OnInterrupt::Leave if !submitting.is_empty() => format!(
                "{} were being put into the queue of {}, which may have them; the same call looks, and waits for them",
                self.count(n),
                self.patient.queue.name()
            ),
            OnInterrupt::Leave => self.leave(),
            OnInterrupt::Cancel => {
                // The stop is this activity's; the queue is asked by another one.
                let cancelled = Activity::background("stop".into(), None).enter(|| {
                    submitting.iter().for_each(|batch| withdraw(self.patient.queue, batch));
                    let jobs: Vec<JobId> = self.job_ids().into_iter().cloned().collect();
                    if jobs.is_empty() { Ok(()) } else { self.patient.queue.cancel(&jobs) }
                });
                match cancelled {
                    Ok(()) => format!("{} cancelled; the same call goes on from their checkpoints", self.count(n)),
                    Err(error) => format!("{}, which cannot be cancelled now ({error})", self.leave()),
                }
            }
        };
        Error { message, ..error }
    }

    fn is_ours(&self, batch: &Batch) -> bool {
        self.makers
            .values()
            .any(|place| self.known.batches.get(place.0).is_some_and(|ours| ours.folder == batch.folder))
    }
}
