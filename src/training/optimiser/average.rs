//! The moving average of a training's weights.

use tch::Tensor;

use super::flat::{CopyOf, Flat};
use crate::error::{Error, Result};

/// The exponential moving average of all state, batch-norm statistics included.
pub struct Average {
    pub values: Tensor,
    pub statistics: Tensor,
    decay: f64,
    warmup: bool,
}

impl Average {
    /// Starts from the initial weights.
    pub fn new(flat: &Flat, decay: f64, warmup: bool) -> Result<Average> {
        Ok(Average { values: flat.values.f_copy_of()?, statistics: flat.statistics.f_copy_of()?, decay, warmup })
    }

    /// Starts from the values of another model of the same architecture instead.
    ///
    /// Errors: another number of values.
    pub fn start_from(&mut self, other: &Flat) -> Result<()> {
        if (other.values.size(), other.statistics.size()) != (self.values.size(), self.statistics.size()) {
            return Err(Error::internal("an average would start from a model of another architecture"));
        }
        self.values = other.values.f_copy_of()?;
        self.statistics = other.statistics.f_copy_of()?;
        Ok(())
    }

    /// Follows the state after update number `step` (from 1).
    pub fn update(&mut self, flat: &Flat, step: u64) -> Result<()> {
        let t = step as f64;
        let decay = if self.warmup { self.decay.min((1.0 + t) / (10.0 + t)) } else { self.decay };
        tch::no_grad(|| {
            let _ = self.values.f_lerp_(&flat.values, 1.0 - decay)?;
            let _ = self.statistics.f_lerp_(&flat.statistics, 1.0 - decay)?;
            Ok(())
        })
    }
}
