//! Whether updates in one pass have the bits of separate operations in this process.

use std::sync::OnceLock;

use tch::{Device, Kind, Tensor};

use super::adam::Adam;
use super::flat::Flat;
use super::form::Form;
use super::groups::Groups;
use super::sgd::Sgd;
use super::{TrainedRun, UpdateRule};
use crate::error::Result;
use crate::torch::one_pass::{self, Rounding};
use crate::training::options::{DecayOn, Optimiser};

/// How libtorch rounds here; None where it is in no known way, or this build has no such updates. Found once, by updates of a few
/// thousand values in both forms (a millisecond).
pub fn rounding() -> Option<Rounding> {
    static FOUND: OnceLock<Option<Rounding>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let equal = |rounding: &Rounding| tch::no_grad(|| are_equal(*rounding)).unwrap_or(false);
        Rounding::all().into_iter().filter(|_| one_pass::AVAILABLE).find(equal)
    })
}

/// More than a block of the kernel, and no multiple of what a register holds: the last ones are computed otherwise.
const VALUES: i64 = 9_013;

/// Numbers of many magnitudes and of either sign.
fn numbers(turn: f64) -> Result<Tensor> {
    let x = Tensor::f_arange(VALUES, (Kind::Float, Device::Cpu))?.f_mul_scalar(0.7)?.f_add_scalar(turn)?;
    Ok(x.f_mul_scalar(3.1)?.f_sin()?.f_mul_scalar(12.0)?.f_exp()?.f_mul(&x.f_cos()?)?)
}

/// Whether some updates of every optimiser give the same bits in both forms.
fn are_equal(rounding: Rounding) -> Result<bool> {
    let steps = [numbers(1.0)?, numbers(2.0)?, numbers(3.0)?];
    for kind in [Optimiser::Adam, Optimiser::AdamW, Optimiser::Sgd] {
        // With rates by part, and with Nesterov's momentum.
        for more in [false, true] {
            let separate = after(&steps, Form::Separate, kind, more)?;
            let one = after(&steps, Form::OnePass(rounding), kind, more)?;
            for (a, b) in separate.iter().zip(&one) {
                // As bits: zeros have signs.
                if !a.f_view_dtype(Kind::Int)?.f_equal(&b.f_view_dtype(Kind::Int)?)? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Values and state after updates with these gradients: of all values, and of a run of them, whose last ones fill no register.
fn after(steps: &[Tensor], form: Form, kind: Optimiser, more: bool) -> Result<Vec<Tensor>> {
    let leaf = numbers(0.0)?.f_view([1, VALUES])?.f_set_requires_grad(true)?;
    let mut flat = tch::with_grad(|| Flat::of(vec![("weight".into(), leaf)], vec![]))?;
    let mut groups = Groups::new(&flat, 0.01, DecayOn::All);
    if more {
        groups.set_factors(&flat, |_| 0.3);
    }
    let mut rule = match kind {
        Optimiser::Sgd => UpdateRule::Sgd(Sgd::in_form(&flat, 0.9, more, groups, form)?),
        kind => UpdateRule::Adam(Adam::in_form(&flat, kind, groups, form)?),
    };
    for (i, gradients) in steps.iter().enumerate() {
        // The mean goes from either end.
        let momentum = Some(if i == 1 { 0.3 } else { 0.9 });
        flat.gradients.f_narrow(0, 0, VALUES)?.f_copy_(gradients)?;
        rule.update(&mut flat, 0.01, momentum)?;
        flat.gradients.f_narrow(0, 0, VALUES)?.f_copy_(gradients)?;
        rule.update_runs(&flat, 0.01, momentum, &[TrainedRun { first: 0, number: VALUES, updates: i as u64 }])?;
    }
    let state = rule.state().into_iter().map(|(_, tensor)| tensor.shallow_clone());
    Ok(std::iter::once(flat.values.shallow_clone()).chain(state).collect())
}
