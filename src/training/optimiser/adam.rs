//! Adam and AdamW.

use tch::{Kind, Tensor};

use super::TrainedRun;
use super::flat::Flat;
use super::form::Form;
use super::groups::Groups;
use crate::error::{Error, Result};
use crate::torch::fused::{self, AdamStep};
use crate::torch::one_pass::{self, AdamNumbers, Rounding};
use crate::training::options::Optimiser;

/// Adam (Kingma and Ba 2015), and AdamW (Loshchilov and Hutter 2019), with PyTorch's betas and eps.
pub struct Adam {
    /// Whether the decay shrinks the weights, as in AdamW, or is added to the gradient.
    decoupled: bool,
    groups: Groups,
    pub form: Form,
    /// [n] running mean of the gradient.
    pub mean: Tensor,
    /// [n] running mean of the squared gradient.
    pub square: Tensor,
    /// Updates done so far.
    pub step: u64,
}

/// Update number `step` (from 1) of neighbouring values [n] with their gradients and moments.
fn one_piece(form: Form, all: [Tensor; 4], step: u64, with: AdamStep) -> Result<()> {
    if form == Form::Fused {
        let step = Tensor::f_full([0i64; 0], step as f64, (Kind::Float, all[0].device()))?;
        return fused::adam([&all[..1], &all[1..2], &all[2..3], &all[3..]], &step, with);
    }
    let AdamStep { decoupled, lr, beta1, beta2, eps, weight_decay } = with;
    if let Form::OnePass(rounding) = form.of_kind(all[0].kind()) {
        let numbers = match decoupled && weight_decay > 0.0 {
            true => AdamNumbers { shrink: (1.0 - lr * weight_decay) as f32, ..numbers(step, lr, beta1, 0.0) },
            false => numbers(step, lr, beta1, if decoupled { 0.0 } else { weight_decay }),
        };
        let [values, gradient, mean, square] = &all;
        return one_pass::adam([values, mean, square, gradient], &numbers, rounding);
    }
    let [mut values, mut gradient, mut mean, mut square] = all;
    if weight_decay > 0.0 {
        let _ = match decoupled {
            true => values.f_mul_scalar_(1.0 - lr * weight_decay)?,
            false => gradient.f_add_(&values.f_mul_scalar(weight_decay)?)?,
        };
    }
    let _ = mean.f_lerp_(&gradient, 1.0 - beta1)?;
    let _ = square.f_mul_scalar_(beta2)?;
    let scaled = gradient.f_mul_scalar((1.0 - beta2).sqrt())?;
    let _ = square.f_addcmul_(&scaled, &scaled)?;
    let t = step as f64;
    let (bias1, bias2) = (1.0 - beta1.powf(t), 1.0 - beta2.powf(t));
    let denominator = square.f_sqrt()?.f_mul_scalar(1.0 / bias2.sqrt())?.f_add_scalar(eps)?;
    let _ = values.f_add_(&mean.f_div(&denominator)?.f_mul_scalar(-lr / bias1)?)?;
    Ok(())
}

/// The numbers of update number `step` in one pass, whose decay is added to the gradients.
fn numbers(step: u64, lr: f64, beta1: f64, penalty: f64) -> AdamNumbers {
    let t = step as f64;
    let (bias1, bias2) = (1.0 - beta1.powf(t), 1.0 - BETA2.powf(t));
    AdamNumbers {
        shrink: 1.0,
        penalty: penalty as f32,
        mean_weight: (1.0 - beta1) as f32,
        square_decay: BETA2 as f32,
        square_root: (1.0 - BETA2).sqrt() as f32,
        unbias: (1.0 / bias2.sqrt()) as f32,
        eps: EPS as f32,
        rate: (-lr / bias1) as f32,
        factor: 1.0,
    }
}

/// PyTorch's first beta, for schedules that do not cycle it.
pub const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

impl Adam {
    /// In the form of the device of `flat`. Errors: `kind` is neither Adam nor AdamW; those of [`Form::of`].
    pub fn new(flat: &Flat, kind: Optimiser, groups: Groups) -> Result<Adam> {
        Adam::in_form(flat, kind, groups, Form::of(flat.values.device())?)
    }

    /// The same in another form.
    pub(super) fn in_form(flat: &Flat, kind: Optimiser, groups: Groups, form: Form) -> Result<Adam> {
        let decoupled = match kind {
            Optimiser::Adam => false,
            Optimiser::AdamW => true,
            Optimiser::Sgd => return Err(Error::internal("Adam was made for the options of another optimiser")),
        };
        let (mean, square) = (flat.values.f_zeros_like()?, flat.values.f_zeros_like()?);
        Ok(Adam { decoupled, groups, form, mean, square, step: 0 })
    }

    /// Updates `flat.values` from `flat.gradients` at learning rate `lr`. `beta1` is [`BETA1`] or the schedule's value
    /// for this step.
    pub fn update(&mut self, flat: &mut Flat, lr: f64, beta1: f64) -> Result<()> {
        self.step += 1;
        tch::no_grad(|| match self.form.of_kind(flat.values.kind()) {
            Form::Separate => self.separate(flat, lr, beta1),
            Form::OnePass(rounding) => self.one_pass(flat, lr, beta1, rounding),
            Form::Fused => self.fused(flat, lr, beta1),
        })
    }

    fn separate(&mut self, flat: &mut Flat, lr: f64, beta1: f64) -> Result<()> {
        match self.decoupled {
            false => self.groups.add_to_gradients(flat)?,
            true => self.groups.shrink(flat, lr)?,
        }
        let _ = self.mean.f_lerp_(&flat.gradients, 1.0 - beta1)?;
        let _ = self.square.f_mul_scalar_(BETA2)?;
        let gradient = flat.gradients.f_mul_scalar((1.0 - BETA2).sqrt())?;
        let _ = self.square.f_addcmul_(&gradient, &gradient)?;
        let t = self.step as f64;
        let (bias1, bias2) = (1.0 - beta1.powf(t), 1.0 - BETA2.powf(t));
        let mut denominator = self.square.f_sqrt()?.f_mul_scalar(1.0 / bias2.sqrt())?;
        let _ = denominator.f_add_scalar_(EPS)?;
        let update = self.mean.f_div(&denominator)?.f_mul_scalar_(-lr / bias1)?;
        self.groups.apply(flat, update)
    }

    /// Updates the values of `runs` alone.
    pub fn update_runs(&mut self, flat: &Flat, lr: f64, beta1: f64, runs: &[TrainedRun]) -> Result<()> {
        self.step += 1;
        tch::no_grad(|| {
            for run in runs {
                let step = run.updates + 1;
                for piece in self.groups.pieces(run.first, run.number) {
                    let views = [&flat.values, &flat.gradients, &self.mean, &self.square];
                    let [w, g, mean, square] = views.map(|buffer| piece.of(buffer));
                    let (lr, weight_decay) = (lr * piece.factor, piece.weight_decay);
                    let with = AdamStep { decoupled: self.decoupled, lr, beta1, beta2: BETA2, eps: EPS, weight_decay };
                    one_piece(self.form, [w?, g?, mean?, square?], step, with)?;
                }
            }
            Ok(())
        })
    }

    fn one_pass(&self, flat: &Flat, lr: f64, beta1: f64, rounding: Rounding) -> Result<()> {
        for part in self.groups.parts() {
            let (shrink, penalty) = match self.decoupled {
                true => (self.groups.shrinks(part, lr), 0.0),
                false => (1.0, part.weight_decay),
            };
            let numbers = AdamNumbers { shrink, factor: part.factor as f32, ..numbers(self.step, lr, beta1, penalty) };
            let lists = [&flat.values, &self.mean, &self.square, &flat.gradients].map(|buffer| part.of(buffer));
            let [values, means, squares, gradients] = lists;
            let (values, means, squares, gradients) = (values?, means?, squares?, gradients?);
            for (((values, mean), square), gradient) in values.iter().zip(&means).zip(&squares).zip(&gradients) {
                one_pass::adam([values, mean, square, gradient], &numbers, rounding)?;
            }
        }
        Ok(())
    }

    fn fused(&self, flat: &Flat, lr: f64, beta1: f64) -> Result<()> {
        // CUDA's kernels read it on the device, and filling it there makes nobody wait.
        let step = Tensor::f_full([0i64; 0], self.step as f64, (Kind::Float, flat.values.device()))?;
        for part in self.groups.parts() {
            let [values, gradients] = [part.of(&flat.values)?, part.of(&flat.gradients)?];
            let [means, squares] = [part.of(&self.mean)?, part.of(&self.square)?];
            let (lr, weight_decay) = (lr * part.factor, part.weight_decay);
            let with = AdamStep { decoupled: self.decoupled, lr, beta1, beta2: BETA2, eps: EPS, weight_decay };
            fused::adam([&values, &gradients, &means, &squares], &step, with)?;
        }
        Ok(())
    }
}
