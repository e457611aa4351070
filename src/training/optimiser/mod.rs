//! Optimisers and the moving average on flat buffers: a handful of kernels per step, whatever the number of parameters; in one pass over
//! the values on CPUs, and fused ones on GPUs.

mod adam;
mod average;
mod flat;
mod form;
mod groups;
mod one_pass;
mod sgd;

use tch::Tensor;

pub use adam::{Adam, BETA1};
pub use average::Average;
pub use flat::{CopyOf, Flat};
pub use form::Form;
pub use groups::Groups;
pub use one_pass::rounding;
pub use sgd::Sgd;

use super::options::{Optimiser, TrainOptions};
use crate::error::Result;

/// The update rule of a training, with its state.
pub enum UpdateRule {
    Adam(Adam),
    Sgd(Sgd),
}

/// Neighbouring values that an update changes, where others are frozen for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainedRun {
    pub first: i64,
    pub number: i64,
    /// How often they were updated before.
    pub updates: u64,
}

impl UpdateRule {
    /// The optimiser of `options`, for parameters in the given groups, in the form of their device. Errors: those of [`Form::of`].
    pub fn new(flat: &Flat, options: &TrainOptions, groups: Groups) -> Result<UpdateRule> {
        Ok(match options.optimiser {
            kind @ (Optimiser::Adam | Optimiser::AdamW) => UpdateRule::Adam(Adam::new(flat, kind, groups)?),
            Optimiser::Sgd => UpdateRule::Sgd(Sgd::new(flat, options.momentum, options.nesterov, groups)?),
        })
    }

    /// Computes in this form from now on.
    pub fn with_form(mut self, form: Form) -> UpdateRule {
        match &mut self {
            UpdateRule::Adam(adam) => adam.form = form,
            UpdateRule::Sgd(sgd) => sgd.form = form,
        }
        self
    }

    pub fn form(&self) -> Form {
        match self {
            UpdateRule::Adam(adam) => adam.form,
            UpdateRule::Sgd(sgd) => sgd.form,
        }
    }

    /// Updates `flat.values` from `flat.gradients`, which it may change, at learning rate `lr`. `momentum` is the schedule's
    /// momentum or first beta; none is the optimiser's own.
    pub fn update(&mut self, flat: &mut Flat, lr: f64, momentum: Option<f64>) -> Result<()> {
        match self {
            UpdateRule::Adam(adam) => adam.update(flat, lr, momentum.unwrap_or(BETA1)),
            UpdateRule::Sgd(sgd) => sgd.update(flat, lr, momentum),
        }
    }

    /// The same for the values of `runs` alone: those between them, and their moments, stay as they are, as those of parameters without a
    /// gradient in PyTorch. Adam's bias correction counts the updates of each run.
    pub fn update_runs(&mut self, flat: &Flat, lr: f64, momentum: Option<f64>, runs: &[TrainedRun]) -> Result<()> {
        match self {
            UpdateRule::Adam(adam) => adam.update_runs(flat, lr, momentum.unwrap_or(BETA1), runs),
            UpdateRule::Sgd(sgd) => sgd.update_runs(flat, lr, momentum, runs),
        }
    }

    /// Its tensors in a checkpoint, each of as many elements as the values.
    pub fn state(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            UpdateRule::Adam(adam) => vec![("adam.mean", &adam.mean), ("adam.square", &adam.square)],
            UpdateRule::Sgd(sgd) => vec![("sgd.velocity", &sgd.velocity)],
        }
    }

    /// Goes on after so many updates, once the tensors were read from a checkpoint.
    pub fn resume(&mut self, updates: u64) {
        match self {
            UpdateRule::Adam(adam) => adam.step = updates,
            UpdateRule::Sgd(_) => {}
        }
    }
}

impl Optimiser {
    /// The number of tensors in its state.
    pub fn state_tensors(self) -> u64 {
        match self {
            Optimiser::Adam | Optimiser::AdamW => 2,
            Optimiser::Sgd => 1,
        }
    }
}
