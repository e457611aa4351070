//! With a queue and a clock that are played.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::json;

use super::super::engine::{ALL_OTHERS, Engine, JobId, Submission, TaskId, TaskState, TaskStatus};
use super::super::options::OnInterrupt;
use super::super::task::Failed;
use super::super::templates::Templates;
use super::*;
use crate::activity::Activity;
use crate::cluster::ClusterOptions;
use crate::runs::{Begun, id_of};

type Event<'a> = Box<dyn FnOnce(&Played) + 'a>;

/// A queue, its clock, and what will happen.
struct Played<'a> {
    store: RunStore,
    now: Cell<Duration>,
    events: RefCell<Vec<(Duration, Event<'a>)>>,
    states: RefCell<BTreeMap<TaskId, TaskStatus>>,
    names: RefCell<BTreeMap<JobId, String>>,
    submissions: RefCell<Vec<Submission>>,
    requeued: RefCell<Vec<TaskId>>,
    /// Tasks that were released, and when.
    released: RefCell<Vec<(u64, TaskId)>>,
    releases: Cell<Releases>,
    cancelled: RefCell<Vec<JobId>>,
    asked: Cell<usize>,
    away: Cell<bool>,
    /// Questions are refused.
    refuses: Cell<bool>,
    /// No task is put back.
    keeps: Cell<bool>,
    /// Asked in another way, it knows its jobs.
    remembers: Cell<bool>,
    /// How often it was asked so.
    doubts: Cell<usize>,
    submits: Cell<Submits>,
}

#[derive(Clone, Copy, PartialEq)]
enum Submits {
    Well,
    /// The next one does its work and does not answer.
    WithoutAnswer,
    /// The next one does nothing and does not answer.
    Lost,
    Refuses,
    /// Ctrl-C comes in the middle, and nothing is put in.
    Stopped,
}

#[derive(Clone, Copy, PartialEq)]
enum Releases {
    Well,
    /// What is released cannot be started again.
    InVain,
    /// The next one has no answer.
    WithoutAnswer,
    Refuses,
}

/// As squeue says it of a task that could not be started.
const UNSTARTED: &str = "launch failed requeued held";

fn refused() -> Error {
    Error::argument("Slurm refuses, by squeue: unrecognized option")
}

fn silent() -> Error {
    Error::new(ErrorKind::Io, "squeue: Unable to contact slurm controller")
}

fn status(state: TaskState, word: &str, exit: Option<i32>) -> TaskStatus {
    TaskStatus { state, word: word.into(), reason: None, node: Some("n1".into()), exit }
}

impl Queue for Played<'_> {
    fn name(&self) -> &str {
        "Slurm"
    }

    fn submit(&self, submission: &Submission) -> Result<Vec<(JobId, Vec<usize>)>> {
        assert!(submission.folder.join("batch.json").exists() && submission.folder.join("logs").exists());
        let how = self.submits.replace(Submits::Well);
        if how == Submits::Lost {
            return Err(silent());
        }
        if how == Submits::Stopped {
            return Err(Error::interrupted());
        }
        if how == Submits::Refuses {
            return Err(Error::new(ErrorKind::Cluster, "sbatch: error: invalid partition specified: x"));
        }
        self.submissions.borrow_mut().push(submission.clone());
        let job = JobId((4710 + self.submissions.borrow().len()).to_string());
        self.names.borrow_mut().insert(job.clone(), submission.name.clone());
        for &index in &submission.tasks {
            self.set(&job.0, index, TaskState::Queued, "PENDING", None);
        }
        if how == Submits::WithoutAnswer {
            return Err(silent());
        }
        Ok(vec![(job, submission.tasks.clone())])
    }

    fn find(&self, name: &str) -> Result<Vec<JobId>> {
        if self.away.get() {
            return Err(silent());
        }
        if self.refuses.get() {
            return Err(refused());
        }
        Ok(self.names.borrow().iter().filter(|(_, known)| *known == name).map(|(job, _)| job.clone()).collect())
    }

    fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<TaskId, TaskStatus>> {
        self.asked.set(self.asked.get() + 1);
        if self.away.get() {
            return Err(silent());
        }
        if self.refuses.get() {
            return Err(refused());
        }
        let all = self.states.borrow();
        Ok(all
            .iter()
            .filter(|(id, _)| jobs.contains(&id.job))
            .map(|(id, status)| (id.clone(), status.clone()))
            .collect())
    }

    fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        self.cancelled.borrow_mut().extend(jobs.iter().cloned());
        for (id, known) in self.states.borrow_mut().iter_mut() {
            if jobs.contains(&id.job) && matches!(known.state, TaskState::Queued | TaskState::Running) {
                *known = status(TaskState::Cancelled, "CANCELLED", None);
            }
        }
        Ok(())
    }

    fn has_forgotten(&self, _: &JobId) -> Result<bool> {
        self.doubts.set(self.doubts.get() + 1);
        if self.away.get() { Err(silent()) } else { Ok(!self.remembers.get()) }
    }

    fn requeue(&self, task: &TaskId) -> Result<()> {
        if self.keeps.get() {
            return Err(silent());
        }
        self.requeued.borrow_mut().push(task.clone());
        self.set(&task.job.0, task.index, TaskState::Queued, "PENDING", None);
        Ok(())
    }

    fn release(&self, tasks: &[TaskId]) -> Result<()> {
        match self.releases.get() {
            Releases::WithoutAnswer => {
                self.releases.set(Releases::Well);
                return Err(silent());
            }
            Releases::Refuses => return Err(Error::argument("Slurm refuses, by scontrol: Access/permission denied")),
            Releases::Well | Releases::InVain => {}
        }
        for task in tasks {
            self.released.borrow_mut().push((self.now().as_secs(), task.clone()));
            match self.releases.get() {
                Releases::InVain => self.holds(&task.job.0, task.index, UNSTARTED),
                _ => self.set(&task.job.0, task.index, TaskState::Queued, "PENDING", None),
            }
        }
        Ok(())
    }
}

impl Clock for Played<'_> {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn pause(&self, time: Duration) -> Result<()> {
        let until = self.now.get() + time;
        assert!(until < Duration::from_secs(100_000), "it waits for ever");
        loop {
            interrupt::check()?;
            let due =
                self.events.borrow().iter().enumerate().min_by_key(|(_, event)| event.0).map(|(i, event)| (i, event.0));
            let Some((first, at)) = due.filter(|(_, at)| *at <= until) else { break };
            self.now.set(self.now.get().max(at));
            let (_, event) = self.events.borrow_mut().remove(first);
            event(self);
        }
        self.now.set(self.now.get().max(until));
        interrupt::check()
    }
}

impl<'a> Played<'a> {
    fn new(root: &tempfile::TempDir) -> Played<'a> {
        console::set_quiet(true);
        Played {
            store: RunStore::new(root.path()),
            now: Cell::default(),
            events: RefCell::default(),
            states: RefCell::default(),
            names: RefCell::default(),
            submissions: RefCell::default(),
            requeued: RefCell::default(),
            released: RefCell::default(),
            releases: Cell::new(Releases::Well),
            cancelled: RefCell::default(),
            asked: Cell::default(),
            away: Cell::default(),
            refuses: Cell::default(),
            keeps: Cell::default(),
            remembers: Cell::default(),
            doubts: Cell::default(),
            submits: Cell::new(Submits::Well),
        }
    }

    /// After so many seconds from now.
    fn at(&self, seconds: u64, event: impl FnOnce(&Played) + 'a) {
        self.events.borrow_mut().push((self.now.get() + Duration::from_secs(seconds), Box::new(event)));
    }

    fn set(&self, job: &str, index: usize, state: TaskState, word: &str, exit: Option<i32>) {
        let id = TaskId { job: JobId(job.into()), index };
        self.states.borrow_mut().insert(id, status(state, word, exit));
    }

    /// The queue holds a task, for this reason.
    fn holds(&self, job: &str, index: usize, reason: &str) {
        let id = TaskId { job: JobId(job.into()), index };
        let held = status(TaskState::Queued, "PENDING", None);
        self.states.borrow_mut().insert(id, TaskStatus { reason: Some(reason.into()), node: None, ..held });
    }

    fn completes(&self, job: &str, index: usize) {
        self.set(job, index, TaskState::Completed, "COMPLETED", Some(0));
    }

    /// The task with this number makes its run, with two epochs.
    fn makes(&self, n: u64) {
        let (id, spec) = named(n);
        let Begun::Work(work) = self.store.begin(&id, &spec).unwrap() else { panic!("{id} is there") };
        work.write("metrics.jsonl", b"{\"epoch\":1,\"seconds\":2.0}\n{\"epoch\":2,\"seconds\":4.0}\n").unwrap();
        work.finish(&json!({})).unwrap();
    }

    fn ends(&self, index: usize, exit: u8, error: Option<&str>) {
        let failed = |message: &str| Failed { kind: ErrorKind::Data, message: message.into(), help: None, about: None };
        let end = End { exit, error: error.map(failed), node: "n1".into(), restarts: 0 };
        let folder = self.submissions.borrow().last().unwrap().folder.clone();
        std::fs::write(folder.join(format!("{index}.end.json")), serde_json::to_vec(&end).unwrap()).unwrap();
    }

    fn run(&self, work: &Work) -> Result<Vec<Result<()>>> {
        self.run_with(work, ClusterOptions::default())
    }

    fn run_with(&self, work: &Work, options: ClusterOptions) -> Result<Vec<Result<()>>> {
        self.run_to(work, options, &mut |_| Ok(()))
    }

    /// In an activity of its own, which an event may stop.
    fn run_to(
        &self,
        work: &Work,
        options: ClusterOptions,
        epoch: &mut dyn FnMut(&Value) -> Result<()>,
    ) -> Result<Vec<Result<()>>> {
        self.run_on(&Cluster::slurm(options), work, epoch)
    }

    fn run_on(
        &self,
        cluster: &Cluster,
        work: &Work,
        epoch: &mut dyn FnMut(&Value) -> Result<()>,
    ) -> Result<Vec<Result<()>>> {
        Activity::background("test".into(), None).enter(|| run_in(&self.store, self, self, cluster, work, epoch))
    }

    fn batches(&self) -> usize {
        Batch::all(&self.store).len()
    }
}

fn named(n: u64) -> (String, Value) {
    let spec = json!({ "n": n });
    (id_of("train", &spec), spec)
}

/// Trainings 1 to n.
fn work(n: u64) -> Work {
    let task = |n| Task {
        runs: vec![named(n).0],
        name: format!("teacher {n}"),
        job: json!({"task": "train", "options": {"epochs": 2}}),
    };
    Work { stages: vec![(1..=n).map(task).collect()], ..Work::default() }
}

/// The same behind features, which are an earlier stage.
fn staged(n: u64) -> Work {
    let features = Task {
        runs: vec![id_of("features", &json!({"n": 1}))],
        name: "features".into(),
        job: json!({"task": "features", "train": "data-1.json"}),
    };
    Work { stages: vec![vec![features], work(n).stages.remove(0)], ..Work::default() }
}

/// A queue of four commands.
fn pbs(options: ClusterOptions) -> Cluster {
    Cluster { engine: Engine::Commands(Templates { name: "pbs".into(), ..Templates::default() }), options }
}

/// The only outcome, which is a failure.
fn failure(outcome: Result<Vec<Result<()>>>) -> Error {
    outcome.unwrap().remove(0).unwrap_err()
}

#[test]
fn trainings_are_put_in_waited_for_and_their_epochs_passed_once() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    for task in 0..2 {
        played.at(5, move |p| p.set("4711", task, TaskState::Running, "RUNNING", None));
    }
    played.at(10, |p| {
        let folder = p.store.batches_folder().with_file_name(format!("{}.token", named(1).0));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("metrics.jsonl"), "{\"epoch\":1,\"seconds\":2.0}\n{\"epoch\":2,\"sec").unwrap();
    });
    played.at(60, |p| p.makes(1));
    played.at(61, |p| p.completes("4711", 0));
    played.at(400, |p| p.makes(2));
    played.at(401, |p| p.completes("4711", 1));
    let mut lines = Vec::new();
    let outcome = played.run_to(&work(2), ClusterOptions::default(), &mut |line| {
        lines.push((
            played.now().as_secs(),
            line["name"].as_str().unwrap().to_string(),
            line["epoch"].as_u64().unwrap(),
        ));
        Ok(())
    });
    assert!(outcome.unwrap().iter().all(Result::is_ok));
    let order: Vec<(&str, u64)> = lines.iter().map(|(_, name, epoch)| (name.as_str(), *epoch)).collect();
    assert_eq!(order, [("teacher 1", 1), ("teacher 1", 2), ("teacher 2", 1), ("teacher 2", 2)]);
    assert!((10..22).contains(&lines[0].0) && lines[1].0 >= 60 && lines[2].0 >= 400, "{lines:?}");
    let submissions = played.submissions.borrow();
    assert_eq!((submissions.len(), submissions[0].tasks.as_slice()), (1, [0, 1].as_slice()));
    // 2, 4, 8 … 60 s, and at the end.
    assert!(played.asked.get() < 16, "{}", played.asked.get());
    assert_eq!(played.batches(), 0);
    // From the store alone.
    let mut again = 0;
    played
        .run_to(&work(2), ClusterOptions::default(), &mut |_| {
            again += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!((again, submissions.len()), (4, 1));
}

#[test]
fn the_same_call_after_a_stop_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(10, |_| crate::activity::current().stop());
    let error = played.run(&work(3)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert_eq!(
        error.message,
        "3 trainings go on as Slurm job 4711; the same call waits for them again; cluster.stop() ends them"
    );
    assert_eq!(played.now().as_secs(), 10);
    played.at(20, |p| {
        for n in 1..=4 {
            p.makes(n);
        }
        for task in 0..3 {
            p.completes("4711", task);
        }
        p.completes("4712", 0);
    });
    // One more: only that is put in.
    assert_eq!(played.run(&work(4)).unwrap().len(), 4);
    let tasks: Vec<Vec<usize>> = played.submissions.borrow().iter().map(|s| s.tasks.clone()).collect();
    assert_eq!(tasks, [vec![0, 1, 2], vec![0]]);
    assert_eq!(played.batches(), 0);
}

#[test]
fn an_error_of_the_callback_leaves_the_tasks() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(10, |p| p.makes(1));
    let outcome = played.run_to(&work(2), ClusterOptions::default(), &mut |_| Err(Error::data("enough")));
    assert_eq!(outcome.unwrap_err().message, "enough");
    assert!(played.cancelled.borrow().is_empty());
}

#[test]
fn ctrl_c_cancels_where_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(10, |_| crate::activity::current().stop());
    let options = ClusterOptions { on_interrupt: OnInterrupt::Cancel, ..ClusterOptions::default() };
    let error = played.run_with(&work(2), options).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert_eq!(error.message, "2 trainings cancelled; the same call goes on from their checkpoints");
    assert_eq!(*played.cancelled.borrow(), [JobId("4711".into())]);
}

#[test]
fn ctrl_c_cancels_the_earlier_stages_of_this_call_and_leaves_those_of_others() {
    let cancel = || ClusterOptions { on_interrupt: OnInterrupt::Cancel, ..ClusterOptions::default() };
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(10, |_| crate::activity::current().stop());
    let error = played.run_with(&staged(2), cancel()).unwrap_err();
    assert_eq!(error.message, "2 trainings cancelled; the same call goes on from their checkpoints");
    assert_eq!(*played.cancelled.borrow(), [JobId("4711".into()), JobId("4712".into())]);
    // Taken up from an earlier call.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    for options in [ClusterOptions::default(), cancel()] {
        played.at(10, |_| crate::activity::current().stop());
        let error = played.run_with(&staged(2), options).unwrap_err();
        if !played.cancelled.borrow().is_empty() {
            assert!(
                error.message.ends_with("an earlier call has put in beside them goes on as Slurm job 4711"),
                "{error}"
            );
        }
    }
    assert_eq!(*played.cancelled.borrow(), [JobId("4712".into())]);
}

#[test]
fn a_refused_question_ends_the_waiting() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.refuses.set(true));
    assert_eq!(played.run(&work(1)).unwrap_err().message, refused().message);
}

#[test]
fn one_that_has_ended_is_not_shown_as_queued() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let (work, cluster) = (work(3), Cluster::slurm(ClusterOptions::default()));
    let mut waiting = Waiting::new(&played.store, &played, &played, &cluster, &work.stages[0]);
    waiting.begin(&work).unwrap();
    let seen = |waiting: &Waiting| (waiting.seen().running.len(), waiting.seen().queued);
    assert_eq!(seen(&waiting), (0, 3));
    played.completes("4711", 0);
    played.states.borrow_mut().remove(&TaskId { job: JobId("4711".into()), index: 1 });
    waiting.known.ask(&played).unwrap();
    waiting.heard = Some(waiting.now());
    assert!(waiting.judge());
    assert_eq!(seen(&waiting), (2, 1));
}

#[test]
fn jobs_of_other_engines_are_noted_by_hundreds_and_a_stop_leaves_no_batch_without_jobs() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let cluster = pbs(ClusterOptions { wait: false, ..ClusterOptions::default() });
    played.submits.set(Submits::Stopped);
    let error = played.run_on(&cluster, &work(250), &mut |_| Ok(())).unwrap_err();
    assert_eq!((error.kind, played.batches()), (ErrorKind::Interrupted, 0));
    let error = played.run_on(&cluster, &work(250), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Queued);
    let submissions = played.submissions.borrow();
    assert_eq!(submissions.iter().map(|s| s.tasks.len()).collect::<Vec<_>>(), [100, 100, 50]);
    let record = &Batch::all(&played.store)[0].record;
    assert_eq!((record.jobs.len(), record.unsubmitted().len()), (3, 0));
}

#[test]
fn a_submission_without_an_answer_is_looked_for() {
    for (how, submissions) in [(Submits::WithoutAnswer, 1), (Submits::Lost, 1)] {
        let root = tempfile::tempdir().unwrap();
        let played = Played::new(&root);
        played.submits.set(how);
        played.at(100, |p| p.makes(1));
        played.at(100, |p| p.completes("4711", 0));
        assert!(played.run(&work(1)).unwrap()[0].is_ok());
        assert_eq!(played.submissions.borrow().len(), submissions);
    }
    // The queue is away for long meanwhile.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.submits.set(Submits::WithoutAnswer);
    played.at(1, |p| p.away.set(true));
    played.at(1000, |p| p.away.set(false));
    played.at(1100, |p| p.makes(1));
    played.at(1100, |p| p.completes("4711", 0));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    assert_eq!(played.submissions.borrow().len(), 1);
}

#[test]
fn a_batch_whose_call_was_killed_is_found_by_its_name() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.submits.set(Submits::WithoutAnswer);
    played.at(3, |_| crate::activity::current().stop());
    let error = played.run(&work(2)).unwrap_err();
    assert!(error.message.contains("were being put into the queue of Slurm"), "{error}");
    played.at(10, |p| {
        p.makes(1);
        p.makes(2);
        p.completes("4711", 0);
        p.completes("4711", 1);
    });
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    assert_eq!(played.submissions.borrow().len(), 1);
}

#[test]
fn a_refusal_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.submits.set(Submits::Refuses);
    assert!(played.run(&work(1)).unwrap_err().message.contains("invalid partition"));
    assert_eq!(played.batches(), 0);
    // Nor where there are no programs of a queue.
    played.submits.set(Submits::Refuses);
    played.refuses.set(true);
    played.run(&work(1)).unwrap_err();
    assert_eq!(played.batches(), 0);
    // Nobody knows, so the folder stays.
    played.submits.set(Submits::Refuses);
    played.away.set(true);
    assert!(played.run(&work(1)).unwrap_err().message.contains("invalid partition"));
    assert_eq!(played.batches(), 1);
}

#[test]
fn a_queue_that_is_away_says_nothing_about_tasks() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.set("4711", 0, TaskState::Running, "RUNNING", None));
    played.at(20, |p| p.away.set(true));
    played.at(3000, |p| p.makes(1));
    played.at(5000, |p| p.away.set(false));
    played.at(6000, |p| p.makes(2));
    for task in 0..2 {
        played.at(6000, move |p| p.completes("4711", task));
    }
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    assert_eq!(played.submissions.borrow().len(), 1);
}

#[test]
fn a_worker_that_failed_says_why_also_without_the_queue() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.away.set(true));
    played.at(30, |p| p.ends(0, 1, Some("cat.png: not a picture")));
    let error = failure(played.run(&work(1)));
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Data, "cat.png: not a picture"));
    assert!(played.now().as_secs() < 60);
    // Its log is needed.
    assert_eq!(played.batches(), 1);
}

#[test]
fn each_fault_is_decided() {
    let of = |state: TaskState, word: &'static str, exit| {
        let root = tempfile::tempdir().unwrap();
        let played = Played::new(&root);
        played.at(5, move |p| p.set("4711", 0, state, word, exit));
        let error = failure(played.run(&work(1)));
        (error, played.now().as_secs())
    };
    let (memory, at) = of(TaskState::Failed, "OUT_OF_MEMORY", None);
    assert!(memory.kind == ErrorKind::Memory && at < 30, "{memory} {at}");
    let (time, _) = of(TaskState::Failed, "TIMEOUT", None);
    assert!(time.message.contains("reached its time limit and was not put back"), "{time}");
    let (code, _) = of(TaskState::Failed, "FAILED", Some(2));
    assert!(code.message.contains("failed with exit code 2 (FAILED)"), "{code}");
    let (cancelled, _) = of(TaskState::Cancelled, "CANCELLED", None);
    assert_eq!(cancelled.message, "teacher 1 (Slurm task 4711_0) was cancelled");
    let (missing, at) = of(TaskState::Completed, "COMPLETED", Some(0));
    assert!(missing.message.contains("90 s later its run train-") && (90..300).contains(&at), "{missing} {at}");
}

#[test]
fn an_empty_answer_is_no_verdict_while_the_queue_knows_the_job_in_another_way() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| {
        p.states.borrow_mut().clear();
        p.remembers.set(true);
    });
    // It was only that its daemon began anew.
    played.at(300, |p| {
        p.set("4711", 0, TaskState::Running, "RUNNING", None);
        p.set("4711", 1, TaskState::Running, "RUNNING", None);
    });
    played.at(400, |p| {
        (1..=2).for_each(|n| p.makes(n));
        (0..2).for_each(|task| p.completes("4711", task));
    });
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    // Once for all tasks of a job, and not at every look.
    assert!((1..5).contains(&played.doubts.get()), "{}", played.doubts.get());
}

#[test]
fn a_task_that_the_queue_has_forgotten_is_decided_by_the_store_and_its_end() {
    let forgets = |p: &Played| p.states.borrow_mut().clear();
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, forgets);
    let error = failure(played.run(&work(1)));
    assert!(error.message.contains("is not in the queue any more and left no word"), "{error}");
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, forgets);
    played.at(6, |p| p.ends(0, 0, None));
    played.at(80, |p| p.makes(1));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
}

#[test]
fn a_node_that_failed_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.set("4711", 0, TaskState::Running, "RUNNING", None));
    played.at(50, |p| p.set("4711", 0, TaskState::Queued, "NODE_FAIL", None));
    played.at(500, |p| p.makes(1));
    played.at(500, |p| p.completes("4711", 0));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    assert!(played.requeued.borrow().is_empty());
}

#[test]
fn a_task_that_was_stopped_from_outside_is_put_back_once() {
    let stopped = |p: &Played| p.set("4711", 0, TaskState::Failed, "FAILED", Some(130));
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(50, stopped);
    played.at(300, |p| p.makes(1));
    played.at(300, |p| p.completes("4711", 0));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    assert_eq!(*played.requeued.borrow(), [TaskId { job: JobId("4711".into()), index: 0 }]);
    // A second time it is final.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(50, stopped);
    played.at(300, stopped);
    let error = failure(played.run(&work(1)));
    assert!(error.message.contains("was stopped from outside twice"), "{error}");
    assert_eq!(played.requeued.borrow().len(), 1);
    // Nor where it cannot be put back.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.keeps.set(true);
    played.at(50, stopped);
    let error = failure(played.run(&work(1)));
    let why = format!("was stopped from outside and cannot be put back: {}", silent().message);
    assert!(error.message.contains(&why), "{error}");
}

#[test]
fn tasks_that_could_not_be_started_are_released() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| (0..2).for_each(|task| p.holds("4711", task, UNSTARTED)));
    played.at(200, |p| {
        (1..=2).for_each(|n| p.makes(n));
        (0..2).for_each(|task| p.completes("4711", task));
    });
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    let released: Vec<(u64, String)> = played.released.borrow().iter().map(|(at, id)| (*at, id.to_string())).collect();
    assert_eq!(released, [(6, "4711_0".into()), (6, "4711_1".into())]);
    assert_eq!((played.submissions.borrow().len(), played.batches()), (1, 0));
    // So are those whose end a later stage waits for.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.holds("4711", 0, UNSTARTED));
    played.at(5, |p| p.holds("4712", 1, "Dependency"));
    played.at(200, |p| p.makes(1));
    played.at(200, |p| p.completes("4712", 1));
    assert!(played.run(&staged(1)).unwrap()[0].is_ok());
    assert_eq!(played.released.borrow().iter().map(|(_, id)| id.to_string()).collect::<Vec<_>>(), ["4711_0"]);
}

#[test]
fn a_task_is_released_so_often_as_requeues_allows_and_waited_for_then() {
    for (requeues, releases, expected) in [
        (3, Releases::InVain, 3),
        (0, Releases::InVain, 0),
        // A release without an answer is none.
        (1, Releases::WithoutAnswer, 1),
        (3, Releases::Refuses, 0),
    ] {
        let root = tempfile::tempdir().unwrap();
        let played = Played::new(&root);
        played.releases.set(releases);
        played.at(5, |p| p.holds("4711", 0, UNSTARTED));
        played.at(5000, |p| p.makes(1));
        played.at(5000, |p| p.completes("4711", 0));
        let options = ClusterOptions { requeues, ..ClusterOptions::default() };
        assert!(played.run_with(&work(1), options).unwrap()[0].is_ok());
        let at: Vec<u64> = played.released.borrow().iter().map(|(at, _)| *at).collect();
        assert_eq!(at.len(), expected, "{at:?}");
        // What is in the way may pass.
        assert!(at.windows(2).all(|pair| pair[1] >= pair[0] + 60), "{at:?}");
    }
    // Another call does not begin anew.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.releases.set(Releases::InVain);
    played.at(5, |p| p.holds("4711", 0, UNSTARTED));
    let options = || ClusterOptions { requeues: 2, ..ClusterOptions::default() };
    for _ in 0..2 {
        played.at(1000, |_| crate::activity::current().stop());
        assert_eq!(played.run_with(&work(1), options()).unwrap_err().kind, ErrorKind::Interrupted);
    }
    assert_eq!(played.released.borrow().len(), 2);
}

#[test]
fn a_task_that_a_person_holds_stays_held() {
    for word in ["JobHeldUser", "JobHeldAdmin", "job requeued in held state"] {
        let root = tempfile::tempdir().unwrap();
        let played = Played::new(&root);
        played.at(5, |p| p.holds("4711", 0, word));
        played.at(5000, |p| p.makes(1));
        played.at(5000, |p| p.completes("4711", 0));
        assert!(played.run(&work(1)).unwrap()[0].is_ok());
        assert!(played.released.borrow().is_empty() && played.now().as_secs() >= 5000, "{word}");
    }
}

#[test]
fn a_held_task_whose_run_is_there_is_taken_out_of_the_queue() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    // The process that the queue knows nothing of has gone on.
    played.at(5, |p| p.makes(1));
    played.at(5, |p| p.holds("4711", 0, UNSTARTED));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    assert_eq!((played.cancelled.borrow().len(), played.batches(), played.released.borrow().len()), (1, 0, 0));
    // Also by a later call, where the queue did not say so in time; not while it does not answer.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.makes(1));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    played.holds("4711", 0, UNSTARTED);
    for (away, batches) in [(true, 1), (false, 0)] {
        played.away.set(away);
        assert!(played.run(&work(1)).unwrap()[0].is_ok());
        assert_eq!((played.cancelled.borrow().len(), played.batches()), (1 - batches, batches));
    }
    // What a person holds stays, and so does what others of its batch still need.
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.makes(1));
    played.at(5, |p| p.holds("4711", 0, "JobHeldUser"));
    assert!(played.run(&work(1)).unwrap()[0].is_ok());
    assert_eq!((played.cancelled.borrow().len(), played.batches()), (0, 1));
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| p.makes(1));
    played.at(5, |p| p.holds("4711", 0, UNSTARTED));
    played.at(5, |p| p.set("4711", 1, TaskState::Running, "RUNNING", None));
    played.at(500, |p| assert!(p.cancelled.borrow().is_empty() && p.released.borrow().is_empty()));
    played.at(500, |p| p.makes(2));
    played.at(500, |p| p.completes("4711", 1));
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    assert_eq!((played.cancelled.borrow().len(), played.batches()), (1, 0));
}

#[test]
fn it_is_said_once_what_tasks_wait_for() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let options = ClusterOptions { requeues: 1, ..ClusterOptions::default() };
    let (work, cluster) = (work(5), Cluster::slurm(options));
    let mut waiting = Waiting::new(&played.store, &played, &played, &cluster, &work.stages[0]);
    waiting.begin(&work).unwrap();
    let mut said = |seconds: u64| {
        played.now.set(Duration::from_secs(seconds));
        waiting.known.ask(&played).unwrap();
        [waiting.free_held().unwrap(), waiting.about_obstacles()].concat()
    };
    assert!(said(0).is_empty());
    played.releases.set(Releases::InVain);
    (0..2).for_each(|task| played.holds("4711", task, UNSTARTED));
    played.holds("4711", 2, "JobHeldAdmin");
    let nodes = "ReqNodeNotAvail, UnavailableNodes:n[1-2]";
    played.holds("4711", 3, nodes);
    assert_eq!(
        said(10),
        [
            "teacher 1 (Slurm task 4711_0) and 1 more could not be started, and Slurm holds them (launch failed requeued held); \
             released, 1 of 1 times",
            "teacher 3 (Slurm task 4711_2) is held by an administrator (JobHeldAdmin); it waits until somebody releases the job: \
             scontrol release 4711",
            "teacher 4 (Slurm task 4711_3): the nodes that it could run on are down, drained or reserved (ReqNodeNotAvail, \
             UnavailableNodes:n[1-2]); it begins when they are back; sinfo -R says why they are not; cluster.stop() takes it out of \
             the queue",
        ]
    );
    // Names of nodes change.
    played.holds("4711", 3, "ReqNodeNotAvail, UnavailableNodes:n1");
    assert!(said(20).is_empty());
    assert_eq!(
        said(100),
        [
            "teacher 1 (Slurm task 4711_0) and 1 more could not be started, and Slurm holds them (launch failed requeued held); \
             requeues (1) allows no further release; they wait until somebody releases the job: scontrol release 4711"
        ]
    );
    played.holds("4711", 4, "JobHeldUser");
    assert_eq!(
        said(200),
        [
            "teacher 5 (Slurm task 4711_4) is held by the job's user (JobHeldUser); it waits until somebody releases the job: \
             scontrol release 4711"
        ]
    );
    assert!(said(300).is_empty());
}

#[test]
fn a_call_that_does_not_wait_says_where_the_work_is() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let options = || ClusterOptions { wait: false, ..ClusterOptions::default() };
    for _ in 0..2 {
        let error = played.run_with(&work(1), options()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Queued);
        assert_eq!(
            error.message,
            "1 training is in the queue as Slurm job 4711; the same call takes the results when they are there"
        );
    }
    assert_eq!((played.submissions.borrow().len(), played.now()), (1, Duration::ZERO));
    played.makes(1);
    played.completes("4711", 0);
    // A queue that does not say what it has leaves the batch.
    played.away.set(true);
    assert!(played.run_with(&work(1), options()).unwrap()[0].is_ok());
    assert_eq!(played.batches(), 1);
    played.away.set(false);
    assert!(played.run_with(&work(1), options()).unwrap()[0].is_ok());
    assert_eq!(played.batches(), 0);
    let asked = played.asked.get();
    assert!(played.run_with(&work(1), options()).unwrap()[0].is_ok());
    assert_eq!(played.asked.get(), asked);
}

#[test]
fn tasks_that_were_cancelled_while_they_waited_are_seen_by_one_answer_for_all() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(5, |p| {
        p.makes(3);
        p.completes("4711", 2);
        p.states.borrow_mut().retain(|id, _| id.index == 2);
        p.set("4711", ALL_OTHERS, TaskState::Cancelled, "CANCELLED", None);
    });
    let outcomes = played.run(&work(3)).unwrap();
    let said = |n: usize| outcomes[n].as_ref().unwrap_err().message.clone();
    assert_eq!(said(0), "teacher 1 (Slurm task 4711_0) was cancelled");
    assert_eq!(said(1), "teacher 2 (Slurm task 4711_1) was cancelled");
    assert!(outcomes[2].is_ok() && played.now().as_secs() < 30);
    let row = &known::rows(&played.store, &played, &Cluster::slurm(ClusterOptions::default())).unwrap()[0];
    assert_eq!((row.queued, row.running, row.done, row.failed), (0, 0, 1, 2));
}

#[test]
fn two_waiters_both_get_the_results() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let (first, second) = (work(2), Rc::new(Cell::new(0)));
    let of_second = second.clone();
    played.at(5, move |p| {
        of_second.set(p.run(&work(2)).unwrap().iter().filter(|outcome| outcome.is_ok()).count());
    });
    played.at(100, |p| {
        for n in 1..=2 {
            p.makes(n);
            p.completes("4711", n as usize - 1);
        }
    });
    assert!(played.run(&first).unwrap().iter().all(Result::is_ok));
    assert_eq!((second.get(), played.submissions.borrow().len(), played.batches()), (2, 1, 0));
}

#[test]
fn a_failure_while_nobody_waited_is_told_once() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    played.at(10, |_| crate::activity::current().stop());
    played.run(&work(2)).unwrap_err();
    played.makes(1);
    played.completes("4711", 0);
    played.ends(1, 1, Some("no space"));
    played.set("4711", 1, TaskState::Failed, "FAILED", Some(1));
    // Neither does it matter how one waits.
    let options = ClusterOptions { on_interrupt: OnInterrupt::Cancel, ..ClusterOptions::default() };
    let outcomes = played.run_with(&work(2), options).unwrap();
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().message, "no space");
    assert_eq!(played.submissions.borrow().len(), 1);
    // Then it is tried again, and nothing is left of either batch.
    played.at(20, |p| p.makes(2));
    played.at(20, |p| p.completes("4712", 0));
    assert!(played.run(&work(2)).unwrap().iter().all(Result::is_ok));
    assert_eq!((played.submissions.borrow().len(), played.batches()), (2, 0));
}

#[test]
fn stages_follow_each_other_and_trainings_share_tasks() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let mut both = staged(3);
    both.data = vec![("data-1.json".into(), b"1".to_vec()), ("data-2.json".into(), b"2".to_vec())];
    both.several = Some(|jobs| json!({"task": "several", "jobs": jobs}));
    // The features fail: trainings make them.
    played.at(10, |p| p.set("4711", 0, TaskState::Failed, "FAILED", Some(1)));
    played.at(50, |p| (1..=3).for_each(|n| p.makes(n)));
    played.at(60, |p| (1..=2).for_each(|task| p.completes("4712", task)));
    let options = ClusterOptions { gres: Some("gpu:2".into()), ..ClusterOptions::default() };
    assert!(played.run_with(&both, options).unwrap().iter().all(Result::is_ok));
    let submissions = played.submissions.borrow();
    let seen: Vec<(&[usize], Vec<&str>)> =
        submissions.iter().map(|s| (s.tasks.as_slice(), s.after.iter().map(|job| job.0.as_str()).collect())).collect();
    assert_eq!(seen, [(&[0][..], vec![]), (&[1, 2][..], vec!["4711"])]);
    let folder = &submissions[0].folder;
    assert!(folder.join("data-1.json").exists() && !folder.join("data-2.json").exists());
    let first: Value = serde_json::from_slice(&std::fs::read(folder.join("1.json")).unwrap()).unwrap();
    assert_eq!((first["task"].as_str(), first["jobs"].as_array().unwrap().len()), (Some("several"), 2));
    let last: Value = serde_json::from_slice(&std::fs::read(folder.join("2.json")).unwrap()).unwrap();
    assert_eq!(last["task"], "train");
}

#[test]
fn batches_are_listed_and_stopped() {
    let root = tempfile::tempdir().unwrap();
    let played = Played::new(&root);
    let cluster = Cluster::slurm(ClusterOptions::default());
    played.at(10, |_| crate::activity::current().stop());
    played.run(&work(4)).unwrap_err();
    played.set("4711", 0, TaskState::Running, "RUNNING", None);
    played.makes(2);
    played.completes("4711", 1);
    played.set("4711", 2, TaskState::Failed, "FAILED", Some(1));
    let rows = known::rows(&played.store, &played, &cluster).unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.job.as_str(), row.queued, row.running, row.done, row.failed), ("4711", 1, 1, 1, 1));
    assert_eq!(known::stop(&played.store, &played, &cluster).unwrap(), 2);
    assert_eq!(known::stop(&played.store, &played, &cluster).unwrap(), 0);
    assert_eq!(known::rows(&played.store, &played, &cluster).unwrap()[0].failed, 3);
    // One that ended without its run, and one of which nothing is known any more.
    played.completes("4711", 0);
    played.states.borrow_mut().remove(&TaskId { job: JobId("4711".into()), index: 3 });
    let row = &known::rows(&played.store, &played, &cluster).unwrap()[0];
    assert_eq!((row.done, row.failed), (1, 3));
}
