//! The loss of one step: forward, on the labels, to teachers and to other students.

use tch::{Kind, Tensor};

use super::TrainingLoop;
use super::step::Step;
use crate::error::{Error, Result};
use crate::models::heads::{LabelLoss, Truth};
use crate::models::{Pass, StageMaps};
use crate::training::distillation_loss;
use crate::training::job::Distillation;
use crate::training::model_inputs::Batch;
use crate::training::options::DistillScale;
use crate::training::peers::{Part, weighted};

/// What the forward pass of a step gives.
pub(super) struct Computed {
    /// One number, with a gradient.
    pub loss: Tensor,
    /// `[n, m]`.
    pub logits: Tensor,
    pub targets: Tensor,
}

impl TrainingLoop<'_, '_> {
    /// The loss of step `step` of the current epoch. None when another student has ended.
    pub(super) fn computed(&self, batch: &Batch, step: u64, pass: Pass, part: &Part) -> Result<Option<Computed>> {
        let (model, options) = (self.model, &self.job.options);
        let Step { x, targets, rows, known } = self.step(batch, self.state.position.epoch, step)?;
        let truth = Truth { targets: &targets, known: known.as_ref() };
        let functions = self.callbacks.of_distillation();
        let mut maps = StageMaps::new();
        let seen = functions.features.is_some().then_some(&mut maps);
        let answer = self.inputs.answer_seen(model, &x, pass, Some(truth), seen)?;
        let logits = answer.logits.shallow_clone();
        let label_loss = LabelLoss { spec: &options.loss, function: self.callbacks.loss, known: known.as_ref() };
        let mut loss = weighted(answer.loss(label_loss, &targets)?, part.of_labels(options.loss.reduction()))?;
        if let Some(distillation) = &self.job.distillation
            && distillation.label_weight != 1.0
        {
            loss = loss.f_mul_scalar(distillation.label_weight)?;
        }
        if let Some(distillation) = &self.distillation {
            let step = distillation_loss::Step { logits: &logits, maps: &maps, rows: &rows, x: &x, pass };
            loss = match self.job.distillation.as_ref().map(|d| (d.scale, d.weights.iter().sum())) {
                Some((DistillScale::Gradient, weight)) => {
                    let term = distillation.add_to(loss.f_zeros_like()?, functions, &step, part)?;
                    loss.f_add(&scaled(term, &loss, &logits, weight)?)?
                }
                _ => distillation.add_to(loss, functions, &step, part)?,
            };
        }
        if let (Some(seat), Some(distillation)) = (self.callbacks.seat, &self.job.distillation)
            && let Some(mutual) = &distillation.mutual
        {
            let Distillation { loss: distance, .. } = distillation;
            match seat.add_to(loss, mutual, distance, functions.distance, &logits)? {
                Some(sum) => loss = sum,
                None => return Ok(None),
            }
        }
        if let Some(more) = model.auxiliary()? {
            loss = loss.f_add(&weighted(more, part.of_all)?)?;
        }
        Ok(Some(Computed { loss, logits, targets }))
    }
}

/// So much may a term be enlarged: where a student agrees with its teachers, little is left to be scaled.
const LARGEST_FACTOR: f64 = 1e12;

/// The term by the factor that makes its gradient at the logits `weight` times as long as that of `loss`. The factor has no gradient, and is
/// computed on the device.
///
/// Errors: a loss that does not depend on the logits, as that of a head with its own.
fn scaled(term: Tensor, loss: &Tensor, logits: &Tensor, weight: f64) -> Result<Tensor> {
    let length = |of: &Tensor| -> Result<Tensor> {
        let gradient = Tensor::f_run_backward(&[of], &[logits], true, false)
            .map_err(|_| own_loss())
            .map(|mut all| all.swap_remove(0))?;
        if !gradient.defined() {
            return Err(own_loss());
        }
        // Squares of f32 overflow where a loss is large.
        Ok(gradient.f_to_kind(Kind::Double)?.f_norm()?.f_detach()?)
    };
    let factor = length(loss)?.f_div(&length(&term)?.f_clamp_min(1e-300)?)?;
    let factor = factor.f_clamp_max(LARGEST_FACTOR)?.f_to_kind(term.kind())?;
    Ok(term.f_mul(&factor)?.f_mul_scalar(weight)?)
}

fn own_loss() -> Error {
    Error::argument("distill_scale \"gradient\" needs losses on the logits; this head's loss is not on them")
        .about_option("distill_scale")
        .with_help("distill_scale: \"none\"")
}
