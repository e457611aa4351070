//! The one-cycle learning rate and momentum.

use super::cosine;

/// One-cycle with cosine annealing, like PyTorch's `OneCycleLR` with two phases.
///
/// Source: Smith and Topin 2018; the parameters are PyTorch's. Steps count from 0.
#[derive(Clone, Copy, Debug)]
pub struct OneCycle {
    pub max_lr: f64,
    pub total_steps: u64,
    /// Share of the steps in which the rate rises.
    pub pct_start: f64,
    /// The first rate is `max_lr / div_factor`.
    pub div_factor: f64,
    /// The last rate is the first one divided by this.
    pub final_div_factor: f64,
}

impl OneCycle {
    /// The learning rate of step `step`.
    pub fn lr(&self, step: u64) -> f64 {
        let initial = self.max_lr / self.div_factor;
        self.along(step, initial, self.max_lr, initial / self.final_div_factor)
    }

    /// The cycling momentum (Adam's first beta) of step `step`: from 0.95 to 0.85 at the peak of the rate and back.
    pub fn momentum(&self, step: u64) -> f64 {
        self.along(step, MAX_MOMENTUM, BASE_MOMENTUM, MAX_MOMENTUM)
    }

    /// From `first` to `peak` in the first phase, to `last` in the second.
    fn along(&self, step: u64, first: f64, peak: f64, last: f64) -> f64 {
        let end_of_rise = self.pct_start * self.total_steps as f64 - 1.0;
        let end = self.total_steps as f64 - 1.0;
        let step = step as f64;
        if step <= end_of_rise {
            cosine::half(first, peak, step / end_of_rise.max(f64::MIN_POSITIVE))
        } else {
            cosine::half(peak, last, ((step - end_of_rise) / (end - end_of_rise).max(f64::MIN_POSITIVE)).min(1.0))
        }
    }
}

/// PyTorch's defaults.
const BASE_MOMENTUM: f64 = 0.85;
const MAX_MOMENTUM: f64 = 0.95;
