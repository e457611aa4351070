//! Stochastic gradient descent with momentum.

use tch::Tensor;

use super::TrainedRun;
use super::flat::Flat;
use super::form::Form;
use super::groups::Groups;
use crate::error::Result;
use crate::torch::fused::{self, SgdStep};
use crate::torch::one_pass::{self, SgdNumbers};

/// Gradient descent with momentum, like `torch.optim.SGD` without dampening:
/// g ← g + decay · w; v ← momentum · v + g; w ← w - lr · v, or with Nesterov's momentum w ← w - lr · (g + momentum · v).
///
/// Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, in PyTorch's
/// form, where the rate multiplies the velocity.
pub struct Sgd {
    groups: Groups,
    pub form: Form,
    momentum: f64,
    nesterov: bool,
    /// [n] the velocity v. The fused form does not keep it while the momentum is 0.
    pub velocity: Tensor,
}

impl Sgd {
    /// In the form of the device of `flat`. Errors: those of [`Form::of`].
    pub fn new(flat: &Flat, momentum: f64, nesterov: bool, groups: Groups) -> Result<Sgd> {
        Sgd::in_form(flat, momentum, nesterov, groups, Form::of(flat.values.device())?)
    }

    /// The same in another form.
    pub(super) fn in_form(flat: &Flat, momentum: f64, nesterov: bool, groups: Groups, form: Form) -> Result<Sgd> {
        Ok(Sgd { groups, form, momentum, nesterov, velocity: flat.values.f_zeros_like()? })
    }

    /// Updates `flat.values` from `flat.gradients` at learning rate `lr`. `momentum` is the schedule's value for this step;
    /// none is the optimiser's own.
    pub fn update(&mut self, flat: &mut Flat, lr: f64, momentum: Option<f64>) -> Result<()> {
        let momentum = momentum.unwrap_or(self.momentum);
        tch::no_grad(|| match self.form.of_kind(flat.values.kind()) {
            Form::Separate => self.separate(flat, lr, momentum),
            Form::OnePass(_) => self.one_pass(flat, lr, momentum),
            Form::Fused => self.fused(flat, lr, momentum),
        })
    }

    fn separate(&mut self, flat: &mut Flat, lr: f64, momentum: f64) -> Result<()> {
        self.groups.add_to_gradients(flat)?;
        let _ = self.velocity.f_mul_scalar_(momentum)?;
        let _ = self.velocity.f_add_(&flat.gradients)?;
        let update = match self.nesterov {
            false => self.velocity.f_mul_scalar(-lr)?,
            true => self.velocity.f_mul_scalar(momentum)?.f_add_(&flat.gradients)?.f_mul_scalar_(-lr)?,
        };
        self.groups.apply(flat, update)
    }

    /// Updates the values of `runs` alone.
    pub fn update_runs(&mut self, flat: &Flat, lr: f64, momentum: Option<f64>, runs: &[TrainedRun]) -> Result<()> {
        let momentum = momentum.unwrap_or(self.momentum);
        tch::no_grad(|| {
            for piece in runs.iter().flat_map(|run| self.groups.pieces(run.first, run.number)) {
                let [w, g, v] = [&flat.values, &flat.gradients, &self.velocity].map(|buffer| piece.of(buffer));
                let (lr, weight_decay) = (lr * piece.factor, piece.weight_decay);
                let with = SgdStep { lr, momentum, nesterov: self.nesterov, weight_decay };
                one_piece(self.form, [w?, g?, v?], with)?;
            }
            Ok(())
        })
    }

    fn one_pass(&self, flat: &Flat, lr: f64, momentum: f64) -> Result<()> {
        for part in self.groups.parts() {
            let numbers = SgdNumbers {
                factor: part.factor as f32,
                ..numbers(SgdStep { lr, momentum, nesterov: self.nesterov, weight_decay: part.weight_decay })
            };
            let lists = [part.of(&flat.values)?, part.of(&self.velocity)?, part.of(&flat.gradients)?];
            let [values, velocities, gradients] = &lists;
            for ((values, velocity), gradient) in values.iter().zip(velocities).zip(gradients) {
                one_pass::sgd([values, velocity, gradient], &numbers)?;
            }
        }
        Ok(())
    }

    fn fused(&self, flat: &Flat, lr: f64, momentum: f64) -> Result<()> {
        for part in self.groups.parts() {
            let lists = [part.of(&flat.values)?, part.of(&flat.gradients)?, part.of(&self.velocity)?];
            let [values, gradients, velocities] = &lists;
            let (lr, weight_decay) = (lr * part.factor, part.weight_decay);
            let with = SgdStep { lr, momentum, nesterov: self.nesterov, weight_decay };
            fused::sgd([values, gradients, velocities], with)?;
        }
        Ok(())
    }
}

/// An update of neighbouring values [n] with their gradients and velocities.
fn one_piece(form: Form, all: [Tensor; 3], with: SgdStep) -> Result<()> {
    if form == Form::Fused {
        return fused::sgd([&all[..1], &all[1..2], &all[2..]], with);
    }
    if let Form::OnePass(_) = form.of_kind(all[0].kind()) {
        let [values, gradient, velocity] = &all;
        return one_pass::sgd([values, velocity, gradient], &numbers(with));
    }
    let [mut values, mut gradient, mut velocity] = all;
    let SgdStep { lr, momentum, nesterov, weight_decay } = with;
    if weight_decay > 0.0 {
        let _ = gradient.f_add_(&values.f_mul_scalar(weight_decay)?)?;
    }
    let _ = velocity.f_mul_scalar_(momentum)?;
    let _ = velocity.f_add_(&gradient)?;
    let update = match nesterov {
        false => velocity.f_mul_scalar(-lr)?,
        true => velocity.f_mul_scalar(momentum)?.f_add_(&gradient)?.f_mul_scalar_(-lr)?,
    };
    let _ = values.f_add_(&update)?;
    Ok(())
}

/// The numbers of an update in one pass.
fn numbers(with: SgdStep) -> SgdNumbers {
    let SgdStep { lr, momentum, nesterov, weight_decay } = with;
    SgdNumbers {
        penalty: weight_decay as f32,
        momentum: momentum as f32,
        rate: -lr as f32,
        factor: 1.0,
        nesterov: nesterov.into(),
    }
}
