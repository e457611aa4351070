//! Stochastic gradient descent with momentum.

use tch::Tensor;

use super::flat::Flat;
use super::groups::Groups;
use crate::error::Result;

/// Gradient descent with momentum, like `torch.optim.SGD` without dampening:
/// g ← g + decay · w; v ← momentum · v + g; w ← w - lr · v, or with Nesterov's momentum w ← w - lr · (g + momentum · v).
///
/// Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, in PyTorch's
/// form, where the rate multiplies the velocity.
pub struct Sgd {
    groups: Groups,
    momentum: f64,
    nesterov: bool,
    /// [n] the velocity v.
    pub velocity: Tensor,
}

impl Sgd {
    pub fn new(flat: &Flat, momentum: f64, nesterov: bool, groups: Groups) -> Result<Sgd> {
        Ok(Sgd { groups, momentum, nesterov, velocity: flat.values.f_zeros_like()? })
    }

    /// Updates `flat.values` from `flat.gradients` at learning rate `lr`. `momentum` is the schedule's value for this step;
    /// none is the optimiser's own.
    pub fn update(&mut self, flat: &mut Flat, lr: f64, momentum: Option<f64>) -> Result<()> {
        let momentum = momentum.unwrap_or(self.momentum);
        tch::no_grad(|| {
            self.groups.add_to_gradients(flat)?;
            let _ = self.velocity.f_mul_scalar_(momentum)?;
            let _ = self.velocity.f_add_(&flat.gradients)?;
            let update = match self.nesterov {
                false => self.velocity.f_mul_scalar(-lr)?,
                true => self.velocity.f_mul_scalar(momentum)?.f_add_(&flat.gradients)?.f_mul_scalar_(-lr)?,
            };
            self.groups.apply(flat, update)
        })
    }
}
