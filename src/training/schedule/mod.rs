//! The learning rate of every update: a warm-up, and one of the schedules, each in a file of its own.

mod cosine;
mod kind;
mod one_cycle;
mod step_decay;
mod warmup;

use serde_json::{Value, json};

pub use cosine::Cosine;
pub use kind::ScheduleKind;
pub use one_cycle::OneCycle;
pub use step_decay::StepDecay;
pub use warmup::Warmup;

use super::options::{AnnealPer, TrainOptions};
use crate::error::{Error, Result};

/// A script's schedule: from a map of [`Schedule::progress`] to a factor on `lr`, or to the rate itself.
pub type ScheduleFunction<'a> = &'a dyn Fn(&Value) -> Result<f64>;

/// The rates of one training. Updates count from 0 over all epochs.
#[derive(Clone, Debug)]
pub struct Schedule {
    lr: f64,
    epochs: u64,
    updates_per_epoch: u64,
    warmup: Warmup,
    cycle_momentum: bool,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    OneCycle(OneCycle),
    Step(StepDecay),
    /// With the epochs before it begins.
    Cosine(Cosine, AnnealPer, f64),
    Constant,
    Script,
    Rate,
}

impl Schedule {
    /// The schedule of `options` for epochs of so many updates, at least 1.
    pub fn new(options: &TrainOptions, updates_per_epoch: u64) -> Schedule {
        let o = options;
        let shape = match o.schedule {
            ScheduleKind::OneCycle => Shape::OneCycle(OneCycle {
                max_lr: o.lr,
                total_steps: updates_per_epoch * o.epochs,
                pct_start: o.pct_start,
                div_factor: o.div_factor,
                final_div_factor: o.final_div_factor,
            }),
            ScheduleKind::Step => {
                Shape::Step(StepDecay { milestones: o.milestones.clone(), every: o.step_every, gamma: o.gamma })
            }
            ScheduleKind::Cosine => Shape::Cosine(Cosine { max_lr: o.lr, min_lr: o.min_lr }, o.anneal_per, o.warmup),
            ScheduleKind::Constant => Shape::Constant,
            ScheduleKind::Script(_) => Shape::Script,
            ScheduleKind::Rate(_) => Shape::Rate,
        };
        let warmup = Warmup { updates: (o.warmup * updates_per_epoch as f64).round() as u64, start: o.warmup_start };
        Schedule { lr: o.lr, epochs: o.epochs, updates_per_epoch, warmup, cycle_momentum: o.cycle_momentum, shape }
    }

    /// The learning rate of update `update`. `function` is the script's, where the schedule is.
    ///
    /// Errors: those of the function; a factor that is negative or no number; no function.
    pub fn lr(&self, update: u64, function: Option<ScheduleFunction>) -> Result<f64> {
        let epoch = update / self.updates_per_epoch;
        let lr = match &self.shape {
            Shape::OneCycle(cycle) => return Ok(cycle.lr(update)),
            Shape::Step(decay) => self.lr * decay.factor(epoch),
            // As PyTorch's SequentialLR: the cosine begins after the warm-up.
            Shape::Cosine(cosine, AnnealPer::Update, _) => {
                let all = (self.updates_per_epoch * self.epochs).saturating_sub(self.warmup.updates).max(1);
                cosine.lr(update.saturating_sub(self.warmup.updates) as f64 / all as f64)
            }
            Shape::Cosine(cosine, AnnealPer::Epoch, begins) => {
                let all = (self.epochs as f64 - begins).max(f64::MIN_POSITIVE);
                cosine.lr((epoch as f64 - begins).max(0.0) / all)
            }
            Shape::Constant => self.lr,
            Shape::Script => self.lr * self.asked(update, function, "a factor on lr")?,
            // A closure that gives the rate itself has its own warm-up.
            Shape::Rate => return self.asked(update, function, "the learning rate"),
        };
        Ok(lr * self.warmup.factor(update))
    }

    /// The number that a script's schedule gives: `what`.
    fn asked(&self, update: u64, function: Option<ScheduleFunction>, what: &str) -> Result<f64> {
        let Some(function) = function else {
            return Err(Error::argument(
                "a schedule that is a closure works in a training of the script that wrote it, and nowhere else",
            )
            .about_option("schedule"));
        };
        let number = function(&self.progress(update))?;
        match number.is_finite() && number >= 0.0 {
            true => Ok(number),
            false => Err(Error::argument(format!(
                "option \"schedule\": the closure must give {what}, 0 or above; it gave {number} for update {update}"
            ))
            .about_option("schedule")),
        }
    }

    /// The momentum of update `update`, or Adam's first beta, where it cycles.
    pub fn momentum(&self, update: u64) -> Option<f64> {
        match &self.shape {
            Shape::OneCycle(cycle) if self.cycle_momentum => Some(cycle.momentum(update)),
            _ => None,
        }
    }

    /// The map that a script's schedule gets for update `update`: `progress` from 0 to below 1, `epoch` with its fraction,
    /// `epochs`, `update`, `updates`.
    fn progress(&self, update: u64) -> Value {
        let updates = self.updates_per_epoch * self.epochs;
        json!({
            "progress": update as f64 / updates.max(1) as f64,
            "epoch": update as f64 / self.updates_per_epoch as f64,
            "epochs": self.epochs,
            "update": update,
            "updates": updates,
        })
    }
}
