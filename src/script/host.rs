//! What words need to know of the process: where runs are kept, and the arguments of the script.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rhai::{Module, Shared};

use super::background::Jobs;
use super::session::Sources;
use crate::activity::{self, Task};
use crate::training::Plan;

/// One value a session, shared by all words.
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
    /// What would be trained, while `plan` calls its closure: one a task, so that background jobs train meanwhile.
    plans: RefCell<Vec<(Arc<Task>, Plan)>>,
    /// What runs in the background.
    pub jobs: Jobs,
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
        let runs = std::env::var_os("CPSD_RUNS").map_or_else(|| PathBuf::from("runs"), PathBuf::from);
        Host { runs: RefCell::new(runs), ..Context::default() }
    }

    /// Does `work` with this thread's trainings put down in `plan`, which is given back.
    pub fn planned<R>(&self, plan: Plan, work: impl FnOnce() -> R) -> (R, Plan) {
        let task = activity::current();
        let mine = |plans: &[(Arc<Task>, Plan)]| plans.iter().position(|(of, _)| Arc::ptr_eq(of, &task));
        debug_assert!(mine(&self.plans.borrow()).is_none(), "plan in plan");
        self.plans.borrow_mut().push((task.clone(), plan));
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut plans = self.plans.borrow_mut();
        let at = mine(&plans).expect("nobody else takes it away");
        let plan = plans.swap_remove(at).1;
        drop(plans);
        (result.unwrap_or_else(|panic| resume_unwind(panic)), plan)
    }

    /// The plan in which this thread's trainings are put down instead of run, if there is one.
    pub fn plan(&self) -> Option<RefMut<'_, Plan>> {
        let task = activity::current();
        RefMut::filter_map(self.plans.borrow_mut(), |plans| {
            plans.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &task)).map(|(_, plan)| plan)
        })
        .ok()
    }
}
