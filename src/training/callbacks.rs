//! Callbacks that a script attaches to a training run.

use serde_json::{Value, json};

use super::schedule::ScheduleFunction;
use crate::error::Result;
use crate::losses::Function;

/// Receives an epoch's line of `metrics.jsonl` with the training's `name`. An error stops the training.
pub type OnEpoch<'a> = &'a mut dyn FnMut(&Value) -> Result<()>;

/// Functions that a training calls, on the thread that trains.
#[derive(Default)]
pub struct Callbacks<'a> {
    pub epoch: Option<OnEpoch<'a>>,
    /// The loss on the labels, when the options name a script's own.
    pub loss: Option<Function<'a>>,
    /// The loss between a student and its teachers, when the options name a script's own.
    pub distillation: Option<Function<'a>>,
    /// The schedule of the learning rate, when the options name a script's own.
    pub schedule: Option<ScheduleFunction<'a>>,
}

impl Callbacks<'_> {
    /// Whether the training must stay on the script's thread.
    pub fn has_functions(&self) -> bool {
        self.loss.is_some() || self.distillation.is_some() || self.schedule.is_some()
    }

    pub(super) fn epoch_done(&mut self, line: &Value, name: &str) -> Result<()> {
        let Some(epoch) = &mut self.epoch else { return Ok(()) };
        let mut line = line.clone();
        line["name"] = json!(name);
        epoch(&line)
    }
}
