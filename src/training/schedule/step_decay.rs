//! Step decay.

/// A factor that is multiplied by `gamma` at the beginning of some epochs, like PyTorch's `MultiStepLR` and `StepLR` with one
/// `step()` per epoch.
#[derive(Clone, Debug)]
pub struct StepDecay {
    /// After so many epochs each. One that is given twice counts twice, as in PyTorch.
    pub milestones: Vec<u64>,
    /// Also every so many epochs; 0 never.
    pub every: u64,
    pub gamma: f64,
}

impl StepDecay {
    /// The factor in epoch `epoch`, from 0.
    pub fn factor(&self, epoch: u64) -> f64 {
        let passed = self.milestones.iter().filter(|&&milestone| milestone <= epoch).count() as f64;
        self.gamma.powf(passed + epoch.checked_div(self.every).unwrap_or(0) as f64)
    }
}
