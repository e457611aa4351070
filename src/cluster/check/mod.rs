//! `cluster.check()`: what the nodes of a queue and the folder that they share can do.
//!
//! A task goes into the queue, and when it runs a second one that excludes its node. The two measure what neither can alone: whether a
//! lock of the one is seen by the other, and how late a renamed file is (`task`). `findings` says what that means for trainings.

mod findings;
mod task;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

pub use self::findings::Finding;
pub use self::task::work;
use self::task::{CheckTask, FIRST, First, HERE, Node, Role, SECOND, Second};
use super::batch::{Batch, Task};
use super::code::Use;
use super::command::is_away;
use super::engine::{Cluster, Engine, JobId, Submission, TaskState};
use super::submission::withdraw;
use super::task_file;
use crate::activity::{Activity, console, interrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;
use crate::runs::{RunStore, id_of};

/// Seconds for which each task, and the caller for the second one, waits; in tests less.
const PATIENCE: f64 = 600.0;
const PATIENCE_NAME: &str = "CPSD_CHECK_PATIENCE";
/// A time limit that lets a short task begin where a long one would wait.
const TIME: &str = "0:20:00";
/// At most so many seconds before it a task may be asked to end.
const SIGNAL_BEFORE: u64 = 120;
/// Between two questions to the queue.
const ASK: Duration = Duration::from_secs(2);
/// A task that the queue does not know any more, and that has left nothing, is given up after so long.
const UNKNOWN: Duration = Duration::from_secs(30);
/// A task that is not needed any more ends within this time.
const END: Duration = Duration::from_secs(10);

/// Submits the two tasks, waits for them, and says what they found and how the site is set up.
///
/// Errors: a queue that refuses or does not answer; a first task that fails, with the end of its log; Interrupted, after which nothing
/// is left in the queue.
pub fn run(store: &RunStore, cluster: &Cluster) -> Result<Vec<Finding>> {
    let patience = std::env::var(PATIENCE_NAME).ok().and_then(|text| text.parse().ok()).unwrap_or(PATIENCE);
    cluster.check_allowed(Use::Submit)?;
    let facts = cluster.facts()?;
    let meeting = Meeting::new(store)?;
    let cluster = short(cluster);
    let task = |role: Role, patience: f64| CheckTask { role, meeting: meeting.0.clone(), patience };
    // The first one waits for as long as the second one is waited for, and a little more.
    let first = Placed::new(store, &cluster, &task(Role::First, 60.0 + patience))?;
    console::log("check: the first of two tasks is in the queue");
    let here: Node = first
        .until(Duration::MAX, || task::read(&meeting.0, HERE))?
        .ok_or_else(|| Error::internal("a wait without an end ended"))?;
    console::log(&format!("check: it runs on {}; the second one is to run on another node", here.name));
    let mut elsewhere = cluster.clone();
    // Another queue's submit command may have no place for it; whether both ran on one node is said.
    if cluster.engine == Engine::Slurm {
        let excluded: Vec<&str> =
            elsewhere.options.exclude.as_deref().into_iter().chain([here.name.as_str()]).collect();
        elsewhere.options.exclude = Some(excluded.join(","));
    }
    // Held to the end: the first one may not have seen the answer yet.
    let placed = Placed::new(store, &elsewhere, &task(Role::Second, patience));
    let second = placed.as_ref().map_err(Error::clone).and_then(|placed| {
        placed.until(Duration::from_secs_f64(patience), || task::read::<Second>(&meeting.0, SECOND))
    });
    let second = match second {
        Ok(Some(second)) => Ok(second),
        Ok(None) => Err(format!("no second node was free in {patience:.0} s")),
        Err(error) if error.kind == ErrorKind::Interrupted || is_away(&error) => return Err(error),
        Err(error) => Err(error.message),
    };
    let round_trip = match &second {
        Ok(_) => first.until(2 * task::BOUND, || task::read::<First>(&meeting.0, FIRST))?,
        Err(_) => None,
    };
    Ok(findings::of(&cluster, &here, second.as_ref().map_err(String::as_str), round_trip.as_ref(), &facts))
}

/// The queue for tasks that are short.
fn short(cluster: &Cluster) -> Cluster {
    let mut cluster = cluster.clone();
    if cluster.engine == Engine::Slurm {
        cluster.options.time = Some(TIME.into());
        cluster.options.signal_before = cluster.options.signal_before.min(SIGNAL_BEFORE);
    }
    cluster
}

/// The folder where the tasks meet. Removed when it is dropped.
struct Meeting(PathBuf);

impl Meeting {
    fn new(store: &RunStore) -> Result<Meeting> {
        let name = format!("check-{}-{}", own::host(), std::process::id());
        let folder = store.batches_folder().join(format!(".{name}"));
        let folder = std::path::absolute(&folder).map_err(|e| Error::io(&folder, e))?;
        let _ = own::remove_folder(&folder);
        own::create_folders(&folder)?;
        Ok(Meeting(folder))
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        let _ = own::remove_folder(&self.0);
    }
}

/// A task in the queue. Cancelled, and its folder removed, when it is dropped: nobody takes up a check again.
struct Placed<'a> {
    cluster: &'a Cluster,
    batch: Batch,
    meeting: PathBuf,
}

impl<'a> Placed<'a> {
    fn new(store: &RunStore, cluster: &'a Cluster, task: &CheckTask) -> Result<Placed<'a>> {
        let meeting = task.meeting.clone();
        let mut job = serde_json::to_value(task).map_err(|e| Error::internal(format!("a check as JSON: {e}")))?;
        job["task"] = json!("check");
        let job = task_file::complete(store, job)?;
        // The id of no run, so that nobody takes the batch for a finished one.
        let runs = vec![id_of("check", &job)];
        let task = Task { runs, name: "check".into(), job };
        let batch = Batch::make(store, cluster, vec![(0, task)], &[], vec![])?;
        let mut placed = Placed { cluster, batch, meeting };
        let Batch { folder, record } = &placed.batch;
        let submission =
            Submission { name: record.name.clone(), folder: folder.clone(), tasks: vec![0], after: vec![] };
        placed.batch.record.jobs = cluster.submit(&submission)?;
        placed.batch.save()?;
        Ok(placed)
    }

    fn jobs(&self) -> Vec<JobId> {
        self.batch.record.jobs.iter().map(|(job, _)| job.clone()).collect()
    }

    /// What `found` finds. None if it has found nothing in `bound`.
    ///
    /// Errors: the task ended, with the end of its log; a queue that does not answer; Interrupted.
    fn until<T>(&self, bound: Duration, mut found: impl FnMut() -> Option<T>) -> Result<Option<T>> {
        let (started, mut asked, mut unknown, mut said) =
            (Instant::now(), None::<Instant>, None::<Instant>, String::new());
        loop {
            interrupt::check()?;
            if let Some(found) = found() {
                return Ok(Some(found));
            }
            if started.elapsed() > bound {
                return Ok(None);
            }
            if asked.is_none_or(|asked| asked.elapsed() > ASK) {
                asked = Some(Instant::now());
                let states = self.cluster.states(&self.jobs())?;
                let status = states.into_values().next();
                let state = status.as_ref().map(|status| status.state);
                match state {
                    Some(TaskState::Queued | TaskState::Running) => unknown = None,
                    // What it wrote may be seen late.
                    _ if unknown.get_or_insert_with(Instant::now).elapsed() < UNKNOWN => {}
                    _ => return Err(self.ended()),
                }
                let waits = status.and_then(|status| status.reason).filter(|_| state == Some(TaskState::Queued));
                if let Some(reason) = waits.filter(|reason| *reason != said) {
                    console::log(&format!("check: the queue says {reason}"));
                    said = reason;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn ended(&self) -> Error {
        let said = self.batch.end(0).and_then(|end| end.error);
        let lines = self.batch.last_lines(0, 5);
        let message = match (said, lines.last()) {
            (Some(error), _) => format!("a task of the check failed: {}", error.message),
            (None, Some(last)) => format!("a task of the check ended early; its log ends with: {last}"),
            (None, None) => "a task of the check ended early and left no log".to_string(),
        };
        Error::data(message)
            .with_help("the store must be on a file system that this machine and the nodes share, under the same path")
    }
}

impl Drop for Placed<'_> {
    fn drop(&mut self) {
        // Also after a stop, which is this activity's.
        Activity::background("check".into(), None).enter(|| {
            // One that runs writes its end into the folder, which would be there again if it were removed before.
            if !own::is_absent(&self.batch.log(0)) && own::write(&self.meeting.join(task::OVER), b"").is_ok() {
                let _ = task::until(END, || self.batch.ended().contains(&0));
            }
            if let Err(error) = withdraw(self.cluster, &self.batch) {
                console::warn(&error.message);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    #[test]
    fn the_tasks_of_a_check_are_short_whatever_trainings_ask_for() {
        let options = ClusterOptions { time: Some("2-0".into()), signal_before: 7200, ..ClusterOptions::default() };
        let cluster = short(&Cluster::slurm(options));
        cluster.check("slurm").unwrap();
        assert_eq!(cluster.options.time.as_deref(), Some("0:20:00"));
    }
}
