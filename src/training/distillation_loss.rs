//! The distillation loss: the distance of a student's logits to its teachers' on one batch.

use std::cell::RefCell;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::ensemble::Ensemble;
use super::job::{Distillation, Job};
use super::merge_rule::RuleFunction;
use super::options::TeacherWeights;
use super::peers::Part;
use super::predict::{Predictor, predict_with};
use super::teacher_targets::{Asking, TeacherTargets};
use super::views::Views;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::losses::{Function, Script};
use crate::metrics::average_precision;
use crate::models::functions::{DRY_RUN, Facts, Layers, Parameters, Purpose};
use crate::models::params::{FirstValues, Param, Params, Role, Scope};
use crate::models::{Model, Pass, StageMaps};
use crate::random::mixed;
use crate::runs::RunStore;

/// The functions of a script that a distillation loss calls.
#[derive(Clone, Copy, Default)]
pub struct Functions<'a> {
    /// The distance between logits.
    pub distance: Option<Function<'a>>,
    /// The distance that sees features too.
    pub features: Option<FeatureFunction<'a>>,
    /// Whether it has layers.
    pub has_layers: bool,
    /// The rules of ensembles.
    pub rule: Option<RuleFunction<'a>>,
}

/// A distance that sees features: the student's logits and the merged ones of its teachers `[N, m]`, and the features of both, to a scalar
/// with a gradient.
pub type FeatureFunction<'a> = &'a dyn Fn(&Tensor, &Tensor, &Features) -> Result<Tensor>;

/// Feature maps of one batch.
pub struct Features<'a> {
    pub student: &'a StageMaps,
    /// Those of each teacher of the ensemble, without a gradient.
    pub teachers: &'a [StageMaps],
    /// The layers of a distance that has parameters of its own.
    pub layers: Option<&'a Rc<Layers>>,
}

/// The student's side of one step.
pub struct Step<'a> {
    /// `[n, m]`.
    pub logits: &'a Tensor,
    /// Its feature maps; empty where no function sees them.
    pub maps: &'a StageMaps,
    /// `[n]`: the positions of the rows, on the student's device.
    pub rows: &'a Tensor,
    /// Pictures or rows.
    pub x: &'a Tensor,
    pub pass: Pass,
}

/// The distillation loss of one training.
pub struct DistillationLoss<'a> {
    distillation: &'a Distillation,
    ensembles: Vec<TeacherTargets>,
    /// `[ensembles, m]`: each ensemble's share in the target of a label, when shares differ between labels.
    shares: Option<Tensor>,
    /// The layers of the function for each ensemble; empty where it has none.
    layers: Vec<Parameters>,
    /// Their tensors.
    params: Vec<Param>,
}

/// Makes the dropouts of the layers for an ensemble others than those for another, and than a head's.
const OF_DISTANCE: u64 = 0x6469_7374_616e_6365;

impl<'a> DistillationLoss<'a> {
    /// `functions` are those of a script. One that has layers is called once per ensemble, with what a picture of ones gives.
    ///
    /// Errors: those of [`TeacherTargets::new`] and of the functions; options that exclude each other.
    #[allow(clippy::too_many_arguments)] // a training, and its parts that are there already
    pub fn new(
        store: &RunStore,
        job: &'a Job,
        distillation: &'a Distillation,
        train: &Dataset,
        val: &Dataset,
        views: &Views,
        student: &Model,
        functions: Functions,
    ) -> Result<Self> {
        let rule = functions.rule;
        let asking = Asking { mode: distillation.teacher_mode, features: distillation.features };
        let targets = |ensemble: &Ensemble| {
            TeacherTargets::new(store, ensemble, &job.labels, train, views, student, asking, rule)
        };
        let ensembles = distillation.ensembles.iter().map(targets).collect::<Result<Vec<_>>>()?;
        let (layers, params) = match functions.features.filter(|_| functions.has_layers) {
            Some(function) => layers_of(function, functions.rule, job, student, &ensembles)?,
            None => (vec![], vec![]),
        };
        let shares = match distillation.teacher_weights {
            TeacherWeights::Even => None,
            TeacherWeights::ValAp => {
                distillation.check_val_ap()?;
                let aps = distillation
                    .ensembles
                    .iter()
                    .map(|e| label_aps(store, e, &job.labels, val, rule))
                    .collect::<Result<Vec<_>>>()?;
                let shares = shares(&distillation.weights, &aps);
                let size = [aps.len() as i64, job.labels.len() as i64];
                Some(Tensor::f_from_slice(&shares)?.f_view(size)?.f_to_kind(Kind::Float)?.f_to_device(student.device)?)
            }
        };
        Ok(DistillationLoss { distillation, ensembles, shares, layers, params })
    }

    /// The trained parameters of its layers by name, and their batch statistics. They are no part of the student.
    pub fn parameters(&self) -> (Vec<(String, Tensor)>, Vec<Tensor>) {
        let of = |role: Role| self.params.iter().filter(move |param| param.role == role);
        let named = |param: &Param| (param.name.clone(), param.tensor.shallow_clone());
        let statistics = of(Role::Statistic).map(|param| param.tensor.shallow_clone());
        (of(Role::Weight).map(named).collect(), statistics.collect())
    }

    /// Adds to `loss` the weighted distillation loss of the student's logits for one batch of pictures or rows, times the factor of this
    /// process's part. Teachers teach every label, also where the truth is unknown. `functions` are those of a script.
    pub fn add_to(&self, mut loss: Tensor, functions: Functions, step: &Step, part: &Part) -> Result<Tensor> {
        let Distillation { loss: distance, weights, .. } = self.distillation;
        let share = part.of_teachers(distance.reduction());
        let Step { logits, maps, rows, x, pass } = *step;
        let Some(shares) = &self.shares else {
            for (i, (weight, ensemble)) in weights.iter().zip(&self.ensembles).enumerate() {
                let term = match functions.features {
                    None => distance.distance(
                        functions.distance,
                        logits,
                        &ensemble.of(rows, x, pass, functions.rule, None)?,
                    )?,
                    Some(function) => {
                        let mut teachers = Vec::new();
                        let merged = ensemble.of(rows, x, pass, functions.rule, Some(&mut teachers))?;
                        let distance = |layers: Option<&Rc<Layers>>| {
                            function(logits, &merged, &Features { student: maps, teachers: &teachers, layers })
                        };
                        let distance = match self.layers.get(i) {
                            None => distance(None)?,
                            Some(parameters) => {
                                let pass = Pass { key: mixed(pass.key ^ mixed(OF_DISTANCE ^ i as u64)), ..pass };
                                let purpose = Purpose { pass, earlier: &[], tokens: &[], wants: &[] };
                                parameters.during(purpose, |layers| distance(Some(layers)))?
                            }
                        };
                        Script::checked(distance, logits)?
                    }
                };
                loss = loss.f_add(&term.f_mul_scalar(*weight * share)?)?;
            }
            return Ok(loss);
        };
        let of = |e: &TeacherTargets| e.of(rows, x, pass, functions.rule, None);
        let targets = self.ensembles.iter().map(of).collect::<Result<Vec<_>>>()?;
        let mixed =
            Tensor::f_stack(&targets, 1)?.f_mul(shares)?.f_sum_dim_intlist(Some(&[1i64][..]), false, None::<Kind>)?;
        let distance = distance.distance(functions.distance, logits, &mixed)?;
        Ok(loss.f_add(&distance.f_mul_scalar(weights.iter().sum::<f64>() * share)?)?)
    }
}

/// The layers of a function for each ensemble, and their tensors. First values follow from the seed, the ensemble's number and the name.
fn layers_of(
    function: FeatureFunction,
    rule: Option<RuleFunction>,
    job: &Job,
    student: &Model,
    ensembles: &[TeacherTargets],
) -> Result<(Vec<Parameters>, Vec<Param>)> {
    let side = student.image_size();
    let x = Tensor::f_ones([DRY_RUN, 3, side, side], (Kind::Float, student.device))?;
    let rows = Tensor::f_zeros([DRY_RUN], (Kind::Int64, student.device))?;
    let params = RefCell::new(Params::new(FirstValues::Drawn));
    let root = Scope::root(&params, job.own_seed(), student.device);
    let mut maps = StageMaps::new();
    let logits = tch::no_grad(|| student.answer_to_images(&x, Pass::EVAL, None, Some(&mut maps)))?.logits;
    let mut layers = Vec::new();
    for (i, ensemble) in ensembles.iter().enumerate() {
        let mut teachers = Vec::new();
        let merged = ensemble.of(&rows, &x, Pass::EVAL, rule, Some(&mut teachers))?;
        let facts = Facts::of_labels(&job.labels);
        layers.push(Parameters::new(&root.at(i + 1), "distillation", facts, &[], |layers| {
            let features = Features { student: &maps, teachers: &teachers, layers: Some(layers) };
            function(&logits, &merged, &features).map(drop)
        })?);
    }
    Ok((layers, params.into_inner().list))
}

impl Distillation {
    /// Errors: something beside teacher_weights "val_AP" that it cannot weigh.
    pub fn check_val_ap(&self) -> Result<()> {
        let refused = |what: &str| {
            let message = format!("teacher_weights \"val_AP\" mixes ensembles by their outputs on val, which {what}");
            Err(Error::argument(message).about_option("teacher_weights").with_help("teacher_weights: \"even\""))
        };
        match self.teacher_weights {
            TeacherWeights::Even => Ok(()),
            TeacherWeights::ValAp if self.ensembles.iter().any(|e| e.given.is_some()) => {
                refused("a Tensor does not have")
            }
            TeacherWeights::ValAp if self.features => refused("a loss that sees each ensemble's features does not mix"),
            TeacherWeights::ValAp => Ok(()),
        }
    }
}

/// The AP of an ensemble per label on the validation split, over the pictures where the label is known. None for a label
/// without positives there.
fn label_aps(
    store: &RunStore,
    ensemble: &Ensemble,
    labels: &[String],
    val: &Dataset,
    rule: Option<RuleFunction>,
) -> Result<Vec<Option<f64>>> {
    let predictions = predict_with(store, &Predictor::Ensemble(ensemble.clone()), val, rule)?;
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
