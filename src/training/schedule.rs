//! The one-cycle learning rate.

/// One-cycle with cosine annealing, as PyTorch's `OneCycleLR` with two phases.
///
/// Source: Smith and Topin 2018; the parameters are PyTorch's. All rates are of one step, steps count from 0.
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
        let last = initial / self.final_div_factor;
        let end_of_rise = self.pct_start * self.total_steps as f64 - 1.0;
        let end = self.total_steps as f64 - 1.0;
        let step = step as f64;
        if step <= end_of_rise {
            cosine(initial, self.max_lr, step / end_of_rise.max(f64::MIN_POSITIVE))
        } else {
            cosine(self.max_lr, last, ((step - end_of_rise) / (end - end_of_rise).max(f64::MIN_POSITIVE)).min(1.0))
        }
    }
}

fn cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
}
