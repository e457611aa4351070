//! What a script hangs into a training.

use serde_json::{Value, json};

use crate::error::Result;
use crate::losses::Function;

/// Told of an epoch: its line of metrics.jsonl with the training's `name`. An error stops the training like an interrupt.
pub type OnEpoch<'a> = &'a mut dyn FnMut(&Value) -> Result<()>;

/// Functions that a training calls. They run on the thread that trains.
#[derive(Default)]
pub struct Hooks<'a> {
    pub epoch: Option<OnEpoch<'a>>,
    /// The loss on the labels, where the options say that it is a script's.
    pub loss: Option<Function<'a>>,
    /// The loss between a student and its teachers, likewise.
    pub distillation: Option<Function<'a>>,
}

impl Hooks<'_> {
    /// Whether the training must stay on the script's thread.
    pub fn has_losses(&self) -> bool {
        self.loss.is_some() || self.distillation.is_some()
    }

    pub(super) fn tell(&mut self, line: &Value, name: &str) -> Result<()> {
        let Some(epoch) = &mut self.epoch else { return Ok(()) };
        let mut line = line.clone();
        line["name"] = json!(name);
        epoch(&line)
    }
}
