//! The epochs of runs in a queue, as they appear in the store.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::batch::Task;
use crate::error::Result;
use crate::files::own;
use crate::json;
use crate::runs::{RunStore, kind_of};

/// The kind of runs that have epochs.
const TRAINING: &str = "train";

/// Passes each epoch of each run on, once and in order, with its task's name.
#[derive(Default)]
pub(super) struct Epochs {
    runs: HashMap<String, Passed>,
}

#[derive(Default)]
struct Passed {
    /// Names of the tasks that want it.
    names: Vec<String>,
    /// The last epoch that was passed on.
    epoch: u64,
    last: Option<Value>,
}

impl Epochs {
    /// Of the trainings among these tasks' runs.
    pub fn of(tasks: &[Task]) -> Epochs {
        let mut runs: HashMap<String, Passed> = HashMap::new();
        for task in tasks {
            for run in task.runs.iter().filter(|run| kind_of(run) == Some(TRAINING)) {
                runs.entry(run.clone()).or_default().names.push(task.name.clone());
            }
        }
        Epochs { runs }
    }

    /// Passes on what runs in the making have written since. Errors: those of `epoch`.
    pub fn follow(
        &mut self,
        store: &RunStore,
        is_wanted: impl Fn(&str) -> bool,
        epoch: &mut dyn FnMut(&Value) -> Result<()>,
    ) -> Result<()> {
        for (id, path) in store.metrics_in_the_making(|id| self.runs.contains_key(id) && is_wanted(id)) {
            // Its maker may have finished or gone meanwhile.
            let Ok(bytes) = own::read(&path) else { continue };
            let whole = &bytes[..memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1)];
            let lines = whole.split(|&b| b == b'\n').filter(|line| !line.is_empty());
            // A line that is no JSON is one that another host sees half of.
            let lines: Vec<Value> = lines.map_while(|line| json::parse(line).ok()).collect();
            self.pass(&id, &lines, epoch)?;
        }
        Ok(())
    }

    /// Whether a run has epochs that a task wants.
    pub fn wants(&self, run: &str) -> bool {
        self.runs.contains_key(run)
    }

    /// Passes on those of a run's lines that were not passed before. Errors: those of `epoch`.
    pub fn pass(&mut self, id: &str, lines: &[Value], epoch: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
        let Some(passed) = self.runs.get_mut(id) else { return Ok(()) };
        for line in lines {
            let number = line["epoch"].as_u64().unwrap_or(0);
            if number <= passed.epoch {
                continue;
            }
            passed.epoch = number;
            passed.last = Some(line.clone());
            for name in &passed.names {
                let mut line = line.clone();
                line["name"] = json!(name);
                epoch(&line)?;
            }
        }
        Ok(())
    }

    /// The last line of a run's metrics that was passed on.
    pub fn last(&self, run: &str) -> Option<&Value> {
        self.runs.get(run)?.last.as_ref()
    }
}
