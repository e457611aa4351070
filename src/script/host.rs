//! The services of a session that words use: run store, script arguments, background calls.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rhai::{Module, Shared};

use super::background::BackgroundCalls;
use super::carried::Callers;
use super::constants::Constants;
use super::limits::{Bounds, LIMITS, Limits};
use super::session::Sources;
use crate::activity::{self, Activity, console};
use crate::cluster::Cluster;
use crate::configuration;
use crate::error::{Error, Result};
use crate::training::Plan;

/// The services of one session, shared by all its words.
#[derive(Default)]
pub struct Host {
    /// The run store's folder.
    pub runs: RefCell<PathBuf>,
    /// The script's `key=value` arguments, as typed.
    pub arguments: RefCell<BTreeMap<String, String>>,
    /// The names of those that the script has asked for.
    pub asked: RefCell<BTreeSet<String>>,
    /// Libraries that earlier texts of the session imported, by the names they gave them.
    pub imports: RefCell<BTreeMap<String, Shared<Module>>>,
    /// The constants of earlier texts of the session.
    pub constants: Constants,
    /// The names of the texts of those libraries.
    pub libraries: RefCell<BTreeMap<String, String>>,
    /// The texts that errors quote from.
    pub sources: Sources,
    /// The trainings noted while `plan` calls its closure: one plan per activity, so that background calls train meanwhile.
    plans: Meanwhile<Plan>,
    /// Queues in which trainings run that name no place.
    queues: Meanwhile<Cluster>,
    /// The inputs of the prompt that worked so far, as a script; empty elsewhere.
    pub earlier: RefCell<Arc<str>>,
    /// On whose behalf trainings run.
    asking: Meanwhile<Asking>,
    /// Closures that run in the background.
    pub background: BackgroundCalls,
    /// The engine of the session's closures that the library calls.
    pub callers: RefCell<Option<Callers>>,
    /// The bounds of scripts that are not trusted.
    pub bounds: Cell<Option<Bounds>>,
    /// The operations that bounded scripts and their jobs have run.
    operations: Cell<u64>,
}

/// On whose behalf a training runs: what is noted beside its run.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// The name of the text that was given to the session: a script's path, `line 12` of the prompt.
    pub text: String,
    /// The inputs of the prompt before that one, as a script: they define what it names. Empty elsewhere.
    pub earlier: Arc<str>,
    /// The name of a sweep around it, which begins those of its trainings; empty for none.
    pub name: String,
    /// The tags of sweeps around it.
    pub tags: Vec<String>,
    /// The lines that the text has said and says once.
    pub said: Arc<Mutex<BTreeSet<String>>>,
}

impl Asking {
    /// Logs a line, once for this text however often it comes, as at every seed and point of a sweep.
    pub fn log_once(&self, line: &str) {
        if console::is_heard() && self.said.lock().insert(line.to_string()) {
            console::log(line);
        }
    }
}

/// Values that hold for an activity while it does some work.
struct Meanwhile<T>(RefCell<Vec<(Arc<Activity>, T)>>);

impl<T> Default for Meanwhile<T> {
    fn default() -> Self {
        Meanwhile(RefCell::default())
    }
}

impl<T> Meanwhile<T> {
    /// Runs `work`, during which this activity has the value, and gives it back.
    fn during<R>(&self, value: T, work: impl FnOnce() -> R) -> (R, T) {
        let activity = activity::current();
        self.0.borrow_mut().push((activity.clone(), value));
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut all = self.0.borrow_mut();
        // The last one: a call inside another ends before it.
        let at = all.iter().rposition(|(of, _)| Arc::ptr_eq(of, &activity)).expect("nobody else takes it away");
        let (_, value) = all.remove(at);
        drop(all);
        (result.unwrap_or_else(|panic| resume_unwind(panic)), value)
    }

    /// The value that this thread's activity has now, the innermost one.
    fn now(&self) -> Option<RefMut<'_, T>> {
        let activity = activity::current();
        RefMut::filter_map(self.0.borrow_mut(), |all| {
            all.iter_mut().rev().find(|(of, _)| Arc::ptr_eq(of, &activity)).map(|(_, value)| value)
        })
        .ok()
    }
}

/// One `arg(name, default, help)` of a script.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub default: String,
    pub help: String,
}

impl Host {
    /// Runs are kept in the [configured store](Self::configured_store).
    pub fn new() -> Self {
        Host { runs: RefCell::new(Self::configured_store()), ..Host::default() }
    }

    /// The folder of the setting `runs`, or `runs/` in the working folder.
    pub fn configured_store() -> PathBuf {
        configuration::path("runs").unwrap_or_else(|| PathBuf::from("runs"))
    }

    /// The limits of values in the session's engines.
    pub fn limits(&self) -> Limits {
        self.bounds.get().map_or(LIMITS, |bounds| bounds.limits())
    }

    /// Counts one operation of a script. Errors: more than the session may run.
    pub fn count_operation(&self) -> Result<()> {
        let Some(bounds) = self.bounds.get() else { return Ok(()) };
        self.operations.set(self.operations.get() + 1);
        if self.operations.get() <= bounds.operations {
            return Ok(());
        }
        let most = bounds.operations;
        Err(Error::argument(format!(
            "a script that is not trusted may run {most} operations, and this one has run them"
        )))
    }

    /// Runs `work` with this thread's trainings noted in `plan`, which is given back.
    pub fn planned<R>(&self, plan: Plan, work: impl FnOnce() -> R) -> (R, Plan) {
        debug_assert!(self.plan().is_none(), "plan in plan");
        self.plans.during(plan, work)
    }

    /// Runs `work`; trainings of this thread that would run here run in the queue meanwhile.
    pub fn queued<R>(&self, cluster: &Cluster, work: impl FnOnce() -> R) -> R {
        self.queues.during(cluster.clone(), work).0
    }

    /// The queue in which this thread's trainings run that name no place.
    pub fn queue(&self) -> Option<Cluster> {
        self.queues.now().map(|cluster| cluster.clone())
    }

    /// Runs `work` on behalf of `asking`.
    pub fn asked<R>(&self, asking: Asking, work: impl FnOnce() -> R) -> R {
        self.asking.during(asking, work).0
    }

    /// On whose behalf this thread runs.
    pub fn asking(&self) -> Asking {
        self.asking.now().map(|asking| asking.clone()).unwrap_or_default()
    }

    /// The plan in which this thread's trainings are noted instead of run, if there is one.
    pub fn plan(&self) -> Option<RefMut<'_, Plan>> {
        self.plans.now()
    }
}
