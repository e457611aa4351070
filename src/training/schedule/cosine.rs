//! Cosine annealing.

/// Half a cosine from the highest rate to the lowest, like PyTorch's `CosineAnnealingLR`.
///
/// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
#[derive(Clone, Copy, Debug)]
pub struct Cosine {
    pub max_lr: f64,
    pub min_lr: f64,
}

impl Cosine {
    /// The rate after a share of the time, from 0 to 1.
    pub fn lr(self, share: f64) -> f64 {
        half(self.max_lr, self.min_lr, share.clamp(0.0, 1.0))
    }
}

/// Half a cosine: `from` at share 0, `to` at share 1.
pub(super) fn half(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos())
}
