//! The distillation loss: the distance of a student's logits to its teachers' on one batch.

use tch::{Kind, Tensor};

use super::ensemble::Ensemble;
use super::job::{Distillation, Job};
use super::options::TeacherWeights;
use super::peers::Part;
use super::predict::{Predictor, predict};
use super::teacher_outputs::TeacherTargets;
use super::views::Views;
use crate::error::Result;
use crate::images::Dataset;
use crate::losses::Function;
use crate::metrics::average_precision;
use crate::models::{Model, Pass};
use crate::runs::RunStore;

/// The distillation loss of one training.
pub struct DistillationLoss<'a> {
    distillation: &'a Distillation,
    ensembles: Vec<TeacherTargets>,
    /// `[ensembles, m]`: each ensemble's share in the target of a label, when shares differ between labels.
    shares: Option<Tensor>,
}

impl<'a> DistillationLoss<'a> {
    pub fn new(
        store: &RunStore,
        job: &'a Job,
        distillation: &'a Distillation,
        train: &Dataset,
        val: &Dataset,
        views: &Views,
        student: &Model,
    ) -> Result<Self> {
        let targets = |ensemble: &Ensemble| {
            TeacherTargets::new(store, ensemble, &job.labels, train, views, student, distillation.teacher_mode)
        };
        let ensembles = distillation.ensembles.iter().map(targets).collect::<Result<_>>()?;
        let shares = match distillation.teacher_weights {
            TeacherWeights::Even => None,
            TeacherWeights::ValAp => {
                let aps = distillation
                    .ensembles
                    .iter()
                    .map(|e| label_aps(store, e, &job.labels, val))
                    .collect::<Result<Vec<_>>>()?;
                let shares = shares(&distillation.weights, &aps);
                let size = [aps.len() as i64, job.labels.len() as i64];
                Some(Tensor::f_from_slice(&shares)?.f_view(size)?.f_to_kind(Kind::Float)?.f_to_device(student.device)?)
            }
        };
        Ok(DistillationLoss { distillation, ensembles, shares })
    }

    /// Adds to `loss` the weighted distillation loss of the student's `logits` `[n, m]` for one batch of pictures or
    /// rows, whose positions are on the student's device, times the factor of this process's part. Teachers teach every label, also where
    /// the truth is unknown. `function` computes it when it is a script's own; `pass` is the student's.
    #[allow(clippy::too_many_arguments)] // the loss, what it is of, and whose part
    pub fn add_to(
        &self,
        mut loss: Tensor,
        function: Option<Function>,
        logits: &Tensor,
        rows: &Tensor,
        x: &Tensor,
        pass: Pass,
        part: &Part,
    ) -> Result<Tensor> {
        let Distillation { loss: distance, weights, .. } = self.distillation;
        let share = part.of_teachers(distance.reduction());
        let Some(shares) = &self.shares else {
            for (weight, ensemble) in weights.iter().zip(&self.ensembles) {
                loss = loss.f_add(
                    &distance.by(function, logits, &ensemble.of(rows, x, pass)?)?.f_mul_scalar(*weight * share)?,
                )?;
            }
            return Ok(loss);
        };
        let targets = self.ensembles.iter().map(|e| e.of(rows, x, pass)).collect::<Result<Vec<_>>>()?;
        let mixed =
            Tensor::f_stack(&targets, 1)?.f_mul(shares)?.f_sum_dim_intlist(Some(&[1i64][..]), false, None::<Kind>)?;
        Ok(loss.f_add(&distance.by(function, logits, &mixed)?.f_mul_scalar(weights.iter().sum::<f64>() * share)?)?)
    }
}

/// The AP of an ensemble per label on the validation split, over the pictures where the label is known. None for a label
/// without positives there.
fn label_aps(store: &RunStore, ensemble: &Ensemble, labels: &[String], val: &Dataset) -> Result<Vec<Option<f64>>> {
    let predictions = predict(store, &Predictor::Ensemble(ensemble.clone()), val)?;
    let (n, m) = (predictions.images.len(), predictions.labels.len());
    let targets = val.labels.take_labels(labels)?.targets()?;
    let column =
        |values: &[f32], width: usize, j: usize| -> Vec<f32> { (0..n).map(|i| values[i * width + j]).collect() };
    Ok(labels
        .iter()
        .enumerate()
        .map(|(j, label)| {
            let theirs = predictions.labels.iter().position(|l| l == label)?;
            average_precision(&column(&predictions.scores, m, theirs), &column(&targets, labels.len(), j))
        })
        .collect())
}

/// `[ensembles, m]`: weight times AP, normalised per label. The weights alone if an AP of the label is not known.
fn shares(weights: &[f64], aps: &[Vec<Option<f64>>]) -> Vec<f64> {
    let m = aps.first().map_or(0, Vec::len);
    let mut shares = vec![0.0; weights.len() * m];
    for j in 0..m {
        let known = aps.iter().all(|of| of[j].is_some());
        let raw: Vec<f64> =
            weights.iter().zip(aps).map(|(w, of)| if known { w * of[j].unwrap_or(1.0) } else { *w }).collect();
        let sum: f64 = raw.iter().sum();
        for (e, share) in raw.iter().enumerate() {
            shares[e * m + j] = if sum > 0.0 { share / sum } else { 1.0 / weights.len() as f64 };
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_teacher_of_a_label_has_the_larger_share() {
        let aps = vec![vec![Some(0.9), None, Some(0.0)], vec![Some(0.3), Some(0.5), Some(0.0)]];
        assert_eq!(shares(&[0.5, 0.5], &aps), [0.75, 0.5, 0.5, 0.25, 0.5, 0.5]);
        let uneven = shares(&[0.1, 0.3], &aps);
        assert!((uneven[0] - 0.5).abs() < 1e-12 && (uneven[1] - 0.25).abs() < 1e-12);
    }
}
