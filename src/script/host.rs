//! The services of a session that words use: run store, script arguments, background calls.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rhai::{Module, Shared};

use super::background::BackgroundCalls;
use super::limits::{Bounds, LIMITS, Limits};
use super::session::Sources;
use crate::activity::{self, Activity};
use crate::cluster::Cluster;
use crate::environment;
use crate::error::{Error, Result};
use crate::training::Plan;

/// The services of one session, shared by all its words.
#[derive(Default)]
pub struct Host {
    /// The run store's folder.
    pub runs: RefCell<PathBuf>,
    /// The script's `key=value` arguments, as typed.
    pub arguments: RefCell<BTreeMap<String, String>>,
    /// Libraries that earlier texts of the session imported, by the names they gave them.
    pub imports: RefCell<BTreeMap<String, Shared<Module>>>,
    /// The texts that errors quote from.
    pub sources: Sources,
    /// The trainings noted while `plan` calls its closure: one plan per activity, so that background calls train meanwhile.
    plans: RefCell<Vec<(Arc<Activity>, Plan)>>,
    /// Queues in which trainings run that name no place, per activity as plans.
    queues: RefCell<Vec<(Arc<Activity>, Cluster)>>,
    /// Closures that run in the background.
    pub background: BackgroundCalls,
    /// The bounds of scripts that are not trusted.
    pub bounds: Cell<Option<Bounds>>,
    /// The operations that bounded scripts and their jobs have run.
    operations: Cell<u64>,
}

/// One `arg(name, default, help)` of a script.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub default: String,
    pub help: String,
}

impl Host {
    /// Runs are kept under `CPSD_RUNS`, or `runs/` in the working folder.
    pub fn new() -> Self {
        Host { runs: RefCell::new(Self::store_of_environment()), ..Host::default() }
    }

    /// The folder that `CPSD_RUNS` names, or `runs`.
    pub fn store_of_environment() -> PathBuf {
        environment::path("CPSD_RUNS").unwrap_or_else(|| PathBuf::from("runs"))
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
        let activity = activity::current();
        let mine = |plans: &[(Arc<Activity>, Plan)]| plans.iter().position(|(of, _)| Arc::ptr_eq(of, &activity));
        debug_assert!(mine(&self.plans.borrow()).is_none(), "plan in plan");
        self.plans.borrow_mut().push((activity.clone(), plan));
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut plans = self.plans.borrow_mut();
        let at = mine(&plans).expect("nobody else takes it away");
        let plan = plans.swap_remove(at).1;
        drop(plans);
        (result.unwrap_or_else(|panic| resume_unwind(panic)), plan)
    }

    /// Runs `work`; trainings of this thread that would run here run in the queue meanwhile.
    pub fn queued<R>(&self, cluster: &Cluster, work: impl FnOnce() -> R) -> R {
        let activity = activity::current();
        self.queues.borrow_mut().push((activity.clone(), cluster.clone()));
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut queues = self.queues.borrow_mut();
        // The last one: a call inside another ends before it.
        if let Some(at) = queues.iter().rposition(|(of, _)| Arc::ptr_eq(of, &activity)) {
            queues.remove(at);
        }
        drop(queues);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// The queue in which this thread's trainings run that name no place.
    pub fn queue(&self) -> Option<Cluster> {
        let activity = activity::current();
        let queues = self.queues.borrow();
        queues.iter().rev().find(|(of, _)| Arc::ptr_eq(of, &activity)).map(|(_, cluster)| cluster.clone())
    }

    /// The plan in which this thread's trainings are noted instead of run, if there is one.
    pub fn plan(&self) -> Option<RefMut<'_, Plan>> {
        let activity = activity::current();
        RefMut::filter_map(self.plans.borrow_mut(), |plans| {
            plans.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &activity)).map(|(_, plan)| plan)
        })
        .ok()
    }
}
