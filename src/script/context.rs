//! What words need to know of the process: where runs are kept, and the arguments of the script.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use rhai::{Module, Shared};

use super::jobs::Jobs;
use super::session::Sources;
use crate::training::Plan;

/// One value a session, shared by all words.
#[derive(Default)]
pub struct Context {
    /// The run store's folder.
    pub runs: RefCell<PathBuf>,
    /// The script's `key=value` arguments, as typed.
    pub arguments: RefCell<BTreeMap<String, String>>,
    /// Libraries that earlier texts of the session imported, by the names they gave them.
    pub imports: RefCell<BTreeMap<String, Shared<Module>>>,
    /// The texts that errors quote from.
    pub sources: Sources,
    /// What would be trained, while `plan` calls its closure.
    pub plan: RefCell<Option<Plan>>,
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

impl Context {
    /// Runs are kept under `CPSD_RUNS`, or `runs/` in the working folder.
    pub fn new() -> Self {
        let runs = std::env::var_os("CPSD_RUNS").map_or_else(|| PathBuf::from("runs"), PathBuf::from);
        Context { runs: RefCell::new(runs), ..Context::default() }
    }
}
