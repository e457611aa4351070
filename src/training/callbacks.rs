//! Callbacks that a script attaches to a training run.

use std::cell::Cell;

use serde_json::{Value, json};

use super::distillation_loss::{FeatureFunction, Functions};
use super::hooks::OnBatch;
use super::merge_rule::RuleFunction;
use super::mutual::Seat;
use super::sampler::SamplerFunction;
use super::schedule::ScheduleFunction;
use crate::error::Result;
use crate::images::ViewFunction;
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
    /// The loss between a student and its teachers that sees features too, when the options name a script's own.
    pub features: Option<FeatureFunction<'a>>,
    /// Whether that loss has layers with parameters of its own.
    pub has_layers: bool,
    /// The closures that are rules of ensembles.
    pub rule: Option<RuleFunction<'a>>,
    /// The place of a student among those that it learns with.
    pub seat: Option<&'a Seat<'a>>,
    /// The schedule of the learning rate, when the options name a script's own.
    pub schedule: Option<ScheduleFunction<'a>>,
    /// Makes the views of training pictures, when the options name a script's own.
    pub augment: Option<ViewFunction<'a>>,
    /// The images of every epoch, when the options name a script's own.
    pub sampler: Option<SamplerFunction<'a>>,
    /// Receives the numbers of updates.
    pub batch: Option<OnBatch<'a>>,
    /// Set by `epoch` or `batch` to end the training after the call: a finished run that says so.
    pub stop: Option<&'a Cell<bool>>,
}

impl<'a> Callbacks<'a> {
    /// Whether the training must stay on the script's thread.
    pub fn has_functions(&self) -> bool {
        let losses =
            self.loss.is_some() || self.distillation.is_some() || self.features.is_some() || self.rule.is_some();
        losses || self.schedule.is_some() || self.augment.is_some() || self.sampler.is_some() || self.batch.is_some()
    }

    /// The functions of a distillation loss.
    pub fn of_distillation(&self) -> Functions<'_> {
        Functions { distance: self.distillation, features: self.features, has_layers: self.has_layers, rule: self.rule }
    }

    /// The same functions with another callback for epochs.
    pub fn with_epoch<'b>(&self, epoch: Option<OnEpoch<'b>>) -> Callbacks<'b>
    where
        'a: 'b,
    {
        let Callbacks { epoch: _, loss, distillation, features, has_layers, rule, seat, .. } = *self;
        let Callbacks { schedule, augment, sampler, batch, stop, .. } = *self;
        Callbacks {
            epoch,
            loss,
            distillation,
            features,
            has_layers,
            rule,
            seat,
            schedule,
            augment,
            sampler,
            batch,
            stop,
        }
    }

    /// Whether a call has asked for the end of the training since this was asked last.
    pub(super) fn asked_to_stop(&self) -> bool {
        self.stop.is_some_and(|stop| stop.replace(false))
    }

    pub(super) fn epoch_done(&mut self, line: &Value, name: &str) -> Result<()> {
        let Some(epoch) = &mut self.epoch else { return Ok(()) };
        let mut line = line.clone();
        line["name"] = json!(name);
        epoch(&line)
    }
}
