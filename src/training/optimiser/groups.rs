//! Groups of parameters: which of them decay, and how their rates differ. PyTorch's parameter groups, on flat buffers.

use tch::Tensor;

use super::flat::{Flat, room};
use crate::error::Result;
use crate::training::options::DecayOn;

/// The weight decay and the rate of every parameter.
pub struct Groups {
    weight_decay: f64,
    /// The number of leading values that decay.
    decaying: i64,
    /// [n] factors on the learning rate. None if all are 1.
    factors: Option<Tensor>,
}

impl Groups {
    pub fn new(flat: &Flat, weight_decay: f64, on: DecayOn) -> Groups {
        let decaying = match on {
            DecayOn::Weights => flat.weights,
            // The elements between two parameters are 0 and stay 0.
            DecayOn::All => flat.values.numel() as i64,
        };
        Groups { weight_decay, decaying, factors: None }
    }

    /// Multiplies the learning rate of each leaf by `factor` of its name (discriminative learning rates).
    pub fn set_factors(&mut self, flat: &Flat, factor: impl Fn(&str) -> f64) -> Result<()> {
        let parts: Vec<Tensor> = (flat.names.iter().zip(&flat.leaves))
            .map(|(name, leaf)| Tensor::f_full([room(leaf)], factor(name), (flat.values.kind(), flat.values.device())))
            .collect::<Result<_, _>>()?;
        self.factors = Some(Tensor::f_cat(&parts, 0)?);
        Ok(())
    }

    fn decays(&self) -> bool {
        self.weight_decay > 0.0 && self.decaying > 0
    }

    /// Decay as an L2 penalty: added to the gradients.
    pub(super) fn add_to_gradients(&self, flat: &mut Flat) -> Result<()> {
        if self.decays() {
            let weights = flat.values.f_narrow(0, 0, self.decaying)?;
            let mut gradients = flat.gradients.f_narrow(0, 0, self.decaying)?;
            // addcmul would need a tensor of ones.
            let _ = gradients.f_add_(&weights.f_mul_scalar(self.weight_decay)?)?;
        }
        Ok(())
    }

    /// Decoupled decay: the values shrink by their rate times the decay.
    pub(super) fn shrink(&self, flat: &mut Flat, lr: f64) -> Result<()> {
        if self.decays() {
            let mut weights = flat.values.f_narrow(0, 0, self.decaying)?;
            let decayed = lr * self.weight_decay;
            let _ = match &self.factors {
                None => weights.f_mul_scalar_(1.0 - decayed)?,
                Some(factors) => {
                    let factors = factors.f_narrow(0, 0, self.decaying)?;
                    weights.f_mul_(&factors.f_mul_scalar(-decayed)?.f_add_scalar_(1.0)?)?
                }
            };
        }
        Ok(())
    }

    /// Adds `update` [n], times the factors, to the values.
    pub(super) fn apply(&self, flat: &mut Flat, mut update: Tensor) -> Result<()> {
        if let Some(factors) = &self.factors {
            update = update.f_mul_(factors)?;
        }
        let _ = flat.values.f_add_(&update)?;
        Ok(())
    }
}
