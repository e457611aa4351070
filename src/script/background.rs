//! Background calls: closures of a session that run while the prompt or the script goes on. Users know them as jobs.
//!
//! A call has a thread and an engine of its own. It shares the session's values and run store, and takes turns with the
//! session's other threads through the script lock. Its trainings run beside other work of the session; its script code
//! runs while the session trains, waits or reads a line.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
#[allow(deprecated)] // Rhai marks it as volatile, not as deprecated; its version is pinned by Cargo.lock.
use rhai::NativeCallContextStore;
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext};

use super::constants;
use super::errors::{Failure, Fallible, Raised, raise};
use super::host::{Asking, Host};
use super::script_lock::ScriptLock;
use super::session::{self, Sources};
use crate::activity::console;
use crate::activity::progress::Relayed;
use crate::activity::update::ProgressUpdate;
use crate::activity::waiting::Waiting;
use crate::activity::{self, Activity, panics};
use crate::error::{Error, ErrorKind, Result};
use crate::executors::{deep, device_pool};

/// So many calls may run at once. Each has a thread and an engine of its own.
pub const AT_ONCE: usize = 100;

/// How often a waiting thread looks: soon at first, for what takes a moment, and less and less often.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A value of a session that moves to another of its threads.
pub(super) struct Parcel<T>(pub(super) T);

// SAFETY: values of scripts are counted without locks. The contents of a parcel are used and dropped only by the thread
// that holds the session's script lock, which orders the accesses of one thread before those of the next.
unsafe impl<T> Send for Parcel<T> {}

/// The state of a background call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    Running,
    Done,
    Failed,
    Stopped,
}

impl CallState {
    pub fn name(self) -> &'static str {
        match self {
            CallState::Running => "running",
            CallState::Done => "done",
            CallState::Failed => "failed",
            CallState::Stopped => "stopped",
        }
    }
}

type Outcome = Fallible<Dynamic>;

/// The result of a call, left by its thread, and the time it took.
type Ended = Mutex<Option<(Parcel<Outcome>, Duration)>>;

/// A closure that runs in the background.
pub struct BackgroundCall {
    pub id: usize,
    pub name: String,
    activity: Arc<Activity>,
    ended: Arc<Ended>,
    started: Instant,
    /// The text that spawned it.
    source: String,
    thread: RefCell<Option<std::thread::JoinHandle<Option<()>>>>,
    /// A caller received its result.
    collected: Cell<bool>,
}

/// All background calls of a session, oldest first.
#[derive(Default)]
pub struct BackgroundCalls {
    pub lock: Arc<ScriptLock>,
    all: RefCell<Vec<Rc<BackgroundCall>>>,
    /// How many run.
    under_way: Arc<AtomicUsize>,
    /// Those whose threads were not let go yet.
    threads: RefCell<Vec<Rc<BackgroundCall>>>,
}

impl Drop for BackgroundCalls {
    fn drop(&mut self) {
        // A result may be a job, whose result may be a job: dropped inside each other they need stack for each.
        let results: Vec<_> = self.all.get_mut().iter().filter_map(|job| job.ended().take()).collect();
        drop(results);
    }
}

/// The input of a call's thread.
struct Work {
    closure: FnPtr,
    #[allow(deprecated)]
    call: NativeCallContextStore,
    host: Rc<Host>,
    asking: Asking,
}

impl BackgroundCall {
    pub fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    pub fn state(&self) -> CallState {
        match self.ended().as_ref() {
            None => CallState::Running,
            Some((Parcel(Ok(_)), _)) => CallState::Done,
            Some((Parcel(Err(error)), _)) if was_stopped(error) => CallState::Stopped,
            Some(_) => CallState::Failed,
        }
    }

    fn ended(&self) -> MutexGuard<'_, Option<(Parcel<Outcome>, Duration)>> {
        self.ended.lock()
    }

    pub fn seconds(&self) -> f64 {
        match self.ended().as_ref() {
            Some((_, took)) => took.as_secs_f64(),
            None => self.started.elapsed().as_secs_f64(),
        }
    }

    /// The progress of its pieces of work, in a line.
    pub fn progress(&self) -> String {
        let pieces = self.activity.as_background().map(|b| b.pieces()).unwrap_or_default();
        let piece =
            |s: ProgressUpdate| format!("{} {:.0}% {}", s.what, 100.0 * s.done as f64 / s.total.max(1) as f64, s.note);
        pieces.into_iter().map(|s| piece(s).trim_end().to_string()).collect::<Vec<_>>().join("; ")
    }

    /// Asks it to stop at its next safe point: between two batches of a training, which keeps a checkpoint, or two operations.
    pub fn stop(&self) {
        self.activity.stop();
    }

    /// The result of its closure. Errors: the closure's, at its place; that it was stopped.
    fn outcome(&self) -> Outcome {
        self.collected.set(true);
        if self.state() == CallState::Stopped {
            return Err(Error::argument(format!("job {} was stopped", self.id))
                .with_help("the same call again goes on where its training stopped")
                .into());
        }
        match self.ended().as_ref() {
            Some((Parcel(Ok(value)), _)) => Ok(value.clone()),
            Some((Parcel(Err(error)), _)) => {
                let (name, source) = (format!("job {}", self.id), self.source.clone());
                Err(EvalAltResult::ErrorInFunctionCall(name, source, again(error), rhai::Position::NONE).into())
            }
            None => Err(Error::internal(format!("job {} is not finished", self.id)).into()),
        }
    }

    /// Lets its thread go, once it has ended.
    fn join(&self) {
        if let Some(thread) = self.thread.borrow_mut().take() {
            let _ = thread.join();
        }
    }
}

/// Whether a call was asked to stop or left by `exit`, and did not exceed a bound.
fn was_stopped(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorTerminated(value, _) => {
            value.read_lock::<Raised>().is_none_or(|raised| raised.0.kind == ErrorKind::Interrupted)
        }
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            was_stopped(inner)
        }
        _ => false,
    }
}

/// The error once more: a job can be waited for twice.
fn again(error: &EvalAltResult) -> Box<EvalAltResult> {
    use EvalAltResult::*;
    Box::new(match error {
        ErrorRuntime(value, at) => ErrorRuntime(value.clone(), *at),
        ErrorTerminated(value, at) => ErrorTerminated(value.clone(), *at),
        ErrorVariableNotFound(name, at) => ErrorVariableNotFound(name.clone(), *at),
        ErrorFunctionNotFound(name, at) => ErrorFunctionNotFound(name.clone(), *at),
        ErrorInFunctionCall(name, source, inner, at) => {
            ErrorInFunctionCall(name.clone(), source.clone(), again(inner), *at)
        }
        ErrorInModule(name, inner, at) => ErrorInModule(name.clone(), again(inner), *at),
        ErrorDataTooLarge(what, at) => ErrorDataTooLarge(what.clone(), *at),
        other => {
            ErrorRuntime(Dynamic::from(super::errors::Raised(Error::argument(other.to_string()))), other.position())
        }
    })
}

impl BackgroundCalls {
    /// Starts `closure`, which takes no arguments, in the background, on at most `cores` cores or on all. It works on
    /// copies of the variables that it names, as they are now.
    ///
    /// Errors: as many run as may; a thread that cannot be made.
    pub fn spawn(
        &self,
        host: &Rc<Host>,
        call: &NativeCallContext,
        mut closure: FnPtr,
        name: Option<String>,
        cores: Option<usize>,
    ) -> Result<Rc<BackgroundCall>> {
        let most = host.bounds.get().map_or(AT_ONCE, |bounds| bounds.jobs);
        if self.under_way.load(Ordering::SeqCst) >= most {
            let jobs = if most == 1 { "job runs" } else { "jobs run" };
            return Err(Error::argument(format!("{most} {jobs} already, as many as may at once"))
                .with_help("wait(jobs) waits for them; sweep(grid, closure, #{jobs: n}) keeps n running"));
        }
        self.let_threads_go();
        let id = self.all.borrow().len() + 1;
        for captured in closure.iter_curry_mut() {
            *captured = captured.flatten_clone();
        }
        let activity = Activity::background(format!("[{id}]"), cores);
        let ended = Arc::<Ended>::default();
        #[allow(deprecated)]
        let stored = {
            let mut stored = call.store_data();
            constants::fix(&mut stored.global);
            stored
        };
        let work = Parcel(Work { closure, call: stored, host: host.clone(), asking: host.asking() });
        let (on, to, lock) = (activity.clone(), ended.clone(), self.lock.clone());
        let started = Instant::now();
        let under_way = UnderWay::new(&self.under_way);
        let body = move || on.enter(|| lock.held(|| run(work, &to, started, under_way)));
        let thread = deep::spawn(&format!("job {id}"), body);
        let thread = thread.map_err(|e| {
            Error::internal(format!("a thread for job {id} cannot be made: {e}"))
                .with_help("wait(jobs) waits for the jobs that run; a system has a limit of threads and of memory")
        })?;
        let source = call.call_source().unwrap_or_default().to_string();
        let name = name.unwrap_or_else(|| format!("job {id}"));
        let job = Rc::new(BackgroundCall {
            id,
            name,
            activity,
            ended,
            started,
            source,
            thread: RefCell::new(Some(thread)),
            collected: Cell::new(false),
        });
        self.all.borrow_mut().push(job.clone());
        self.threads.borrow_mut().push(job.clone());
        Ok(job)
    }

    /// Lets the threads of calls that have ended go: each keeps its stack until then.
    fn let_threads_go(&self) {
        self.threads.borrow_mut().retain(|job| {
            let over = job.thread.borrow().as_ref().is_none_or(|thread| thread.is_finished());
            if over {
                job.join();
            }
            !over
        });
    }

    pub fn all(&self) -> Vec<Rc<BackgroundCall>> {
        self.all.borrow().clone()
    }

    pub fn running(&self) -> Vec<Rc<BackgroundCall>> {
        self.all().into_iter().filter(|job| job.is_running()).collect()
    }

    /// Waits until `job` ends, shows its progress meanwhile, and gives the result of its closure. An interrupt ends the
    /// waiting, not the job.
    ///
    /// Errors: the closure's; Interrupted.
    pub fn wait(&self, job: &BackgroundCall) -> Outcome {
        self.until_ended(std::slice::from_ref(&job))?;
        job.outcome()
    }

    /// Waits until one of `jobs` has ended, and shows the progress of all meanwhile.
    pub fn until_one_ended(&self, jobs: &[&BackgroundCall]) -> Result<()> {
        // Of several, none must end.
        let all = if jobs.len() == 1 { activities(jobs) } else { vec![] };
        self.watch(jobs, all, || jobs.is_empty() || jobs.iter().any(|job| !job.is_running()))
    }

    /// Waits until each of `jobs` has ended, and shows their progress meanwhile.
    pub fn until_ended(&self, jobs: &[&BackgroundCall]) -> Result<()> {
        self.watch(jobs, activities(jobs), || jobs.iter().all(|job| !job.is_running()))?;
        jobs.iter().for_each(|job| job.join());
        Ok(())
    }

    /// Waits for `ended`, which is not before every one of `all` has ended.
    fn watch(&self, jobs: &[&BackgroundCall], all: Vec<Arc<Activity>>, ended: impl Fn() -> bool) -> Result<()> {
        let waiter = activity::current();
        if jobs.iter().any(|job| Arc::ptr_eq(&job.activity, &waiter)) {
            return Err(Error::argument("a job cannot wait for itself"));
        }
        let watched = |yes: bool| jobs.iter().filter_map(|job| job.activity.as_background()).for_each(|b| b.watch(yes));
        watched(true);
        let waiting = Waiting::begin(all);
        let mut shown: Vec<Relayed> = jobs.iter().map(|_| Relayed::default()).collect();
        let activities = activities(jobs);
        // Those who are waited for may need the GPU of the training whose closure waits.
        let wait = || {
            let mut pause = LOOK_FIRST;
            while !ended() {
                waiter.check()?;
                for (activity, shown) in activities.iter().zip(&mut shown) {
                    shown.show_all(activity.as_background().map(|b| b.pieces()).unwrap_or_default());
                }
                std::thread::sleep(pause);
                pause = (2 * pause).min(LOOK_EVERY);
            }
            Ok(())
        };
        let outcome = self.lock.released(|| device_pool::lent(wait));
        drop(waiting);
        watched(false);
        outcome
    }

    /// Waits for all calls, as a script does at its end. Gives the first failure of a call that nobody waited for.
    pub fn finish(&self) -> Fallible<()> {
        let all = self.all();
        self.until_ended(&all.iter().map(|job| &**job).collect::<Vec<_>>())?;
        match all.into_iter().find(|job| job.state() == CallState::Failed && !job.collected.get()) {
            Some(job) => job.outcome().map(|_| ()),
            None => Ok(()),
        }
    }

    /// Stops all calls and waits until they have ended.
    pub fn stop_all(&self) {
        let jobs = self.all();
        jobs.iter().for_each(|job| job.stop());
        let threads: Vec<_> = jobs.iter().filter_map(|job| job.thread.borrow_mut().take()).collect();
        if threads.is_empty() {
            return;
        }
        self.lock.released(|| {
            for thread in threads {
                let _ = thread.join();
            }
        });
    }
}

fn activities(jobs: &[&BackgroundCall]) -> Vec<Arc<Activity>> {
    jobs.iter().map(|job| job.activity.clone()).collect()
}

/// Counts a call among those under way while it lives.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        let _ = count.fetch_add(1, Ordering::SeqCst);
        UnderWay(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The body of a call's thread, which holds the script lock.
fn run(Parcel(work): Parcel<Work>, ended: &Ended, started: Instant, under_way: UnderWay) {
    let engine = session::engine(&work.host);
    #[allow(deprecated)]
    let call = NativeCallContext::from_stored_data(&engine, &work.call);
    // A panic below is a fault of ours: it ends the job, not the session.
    let asking = work.asking.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        work.host.asked(asking, || work.closure.call_within_context::<Dynamic>(&call, ()))
    }));
    let outcome = outcome.unwrap_or_else(|panic| Err(raise(panics::fault(&*panic))));
    let took = started.elapsed();
    tell(&outcome, took, &work.host.sources);
    // Who waits for this call may begin another as soon as it has ended.
    drop(under_way);
    *ended.lock() = Some((Parcel(outcome), took));
}

/// Logs how a call ended that nobody waits for.
fn tell(outcome: &Outcome, took: Duration, sources: &Sources) {
    if activity::current().as_background().is_none_or(|b| b.is_watched()) {
        return;
    }
    console::log(&match outcome {
        Ok(value) if value.is_unit() => format!("done in {:.1} s", took.as_secs_f64()),
        Ok(value) => format!("done in {:.1} s: {}", took.as_secs_f64(), super::show::short(value, 80)),
        Err(error) if was_stopped(error) => "stopped".into(),
        Err(error) => {
            format!("failed: {}; wait(job) shows where", Failure::from_rhai(*again(error), "", sources, &[]).message)
        }
    });
}
