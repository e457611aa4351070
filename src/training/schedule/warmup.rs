//! The linear rise of the rate in the first updates.

/// A factor that rises linearly from `start` to 1, like PyTorch's `LinearLR` with one `step()` per update.
#[derive(Clone, Copy, Debug)]
pub struct Warmup {
    /// The update from which on the factor is 1.
    pub updates: u64,
    /// The factor of the first update.
    pub start: f64,
}

impl Warmup {
    /// The factor of update `update`, from 0.
    pub fn factor(self, update: u64) -> f64 {
        match update < self.updates {
            true => self.start + (1.0 - self.start) * update as f64 / self.updates as f64,
            false => 1.0,
        }
    }
}
