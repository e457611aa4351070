//! The loss of one step: forward, on the labels, to teachers and to other students.

use tch::Tensor;

use super::TrainingLoop;
use super::step::Step;
use crate::error::Result;
use crate::models::heads::{LabelLoss, Truth};
use crate::models::{Pass, StageMaps};
use crate::training::distillation_loss;
use crate::training::job::Distillation;
use crate::training::model_inputs::Batch;
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
            loss = distillation.add_to(loss, functions, &step, part)?;
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
