//! One training as data: everything that decides its result, and so its id in the run store.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ensemble::Ensemble;
use super::options::{Images, ScheduleKind, Select, SelectOn, TeacherMode, TeacherWeights, TrainOptions};
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::losses::LossSpec;
use crate::models::Precision;
use crate::options::defaults;

/// A training to run.
#[derive(Clone)]
pub struct Job {
    /// Its name in progress lines: `teacher 2 of 3`.
    pub name: String,
    pub train: Dataset,
    /// The validation split that selects the weights. None takes one from `train`; one without images selects nothing.
    pub val: Option<Dataset>,
    /// The labels to learn, in the order of the model's outputs.
    pub labels: Vec<String>,
    pub options: TrainOptions,
    pub distillation: Option<Distillation>,
}

/// The teachers of a student, and how they are weighted.
#[derive(Clone, Serialize, Deserialize)]
pub struct Distillation<E = Ensemble> {
    pub ensembles: Vec<E>,
    /// One weight per ensemble, the common factor included.
    pub weights: Vec<f64>,
    pub loss: LossSpec,
    /// Factor of the loss on the labels.
    pub label_weight: f64,
    pub teacher_mode: TeacherMode,
    pub teacher_weights: TeacherWeights,
}

/// Options that did not exist when the first runs were named.
const LATER_OPTIONS: [&str; 16] = [
    "tf32",
    "drop_last",
    "lr_factors",
    "layer_decay",
    "schedule",
    "warmup",
    "warmup_start",
    "milestones",
    "step_every",
    "gamma",
    "min_lr",
    "anneal_per",
    "momentum",
    "nesterov",
    "decay_on",
    "ema_start",
];

/// Share of the training split held out when no validation split is given.
const HELD_OUT: f64 = 0.1;

/// An option of a job that is a closure of the script, which lives in this process.
pub(super) struct Closure {
    /// The option's key.
    pub key: &'static str,
    /// `loss`, `schedule`, `head` or `token adapter`.
    pub what: &'static str,
}

impl Job {
    /// The first of its losses, its schedule and its models' parts that is a closure.
    pub(super) fn closure(&self) -> Option<Closure> {
        let is_script = |loss: &LossSpec| matches!(loss, LossSpec::Script(_));
        let all = [
            ("loss", "loss", is_script(&self.options.loss)),
            ("distillation", "loss", self.distillation.as_ref().is_some_and(|d| is_script(&d.loss))),
            ("schedule", "schedule", matches!(self.options.schedule, ScheduleKind::Script(_))),
        ];
        let what = |option| if option == "adapter" { "token adapter" } else { option };
        let parts = self.options.model.functions().map(|(option, _)| (option, what(option), true));
        let teachers = ("teachers", "head or adapter of a teacher", self.has_scripted_teachers());
        let mut all = all.into_iter().chain(parts).chain([teachers]);
        all.find(|(.., is_closure)| *is_closure).map(|(key, what, _)| Closure { key, what })
    }

    fn has_scripted_teachers(&self) -> bool {
        let ensembles = self.distillation.iter().flat_map(|d| &d.ensembles);
        ensembles.flat_map(|ensemble| &ensemble.teachers).any(|t| t.model().spec.functions().next().is_some())
    }

    /// The splits that it trains on and selects on, with its labels only.
    ///
    /// The second has no images where the options do without: the last epoch's weights are taken.
    ///
    /// Errors: a label that is not in the data set, a split without images that is needed.
    pub fn splits(&self) -> Result<(Dataset, Dataset)> {
        let (train, val) = match &self.val {
            Some(val) => (self.train.clone(), val.clone()),
            None => self.train.split(HELD_OUT, self.options.seed)?,
        };
        let (mut train, val) = (train.take_labels(&self.labels)?, val.take_labels(&self.labels)?);
        if self.options.images == Images::Containing {
            let kept: Vec<usize> = (0..train.len()).filter(|&i| !train.labels.row(i).is_empty()).collect();
            train = train.take(kept)?;
        }
        let (whole, containing) = (self.train.len(), train.len());
        let known = self.options.known_labels();
        if self.distillation.is_none() && known.labelled < 1.0 {
            let kept: Vec<usize> = (0..train.len()).filter(|&i| known.has_labels(&train.labels.images()[i])).collect();
            train = train.take(kept)?;
        }
        if val.is_empty() {
            self.check_without_validation()?;
        }
        if train.is_empty() {
            return Err(match whole {
                0 => Error::argument("the training split has no images"),
                n if containing == 0 => Error::argument(format!(
                    "none of the {n} images of the training split has one of the labels {}",
                    self.labels.join(", ")
                )),
                _ => Error::argument(format!(
                    "option \"labelled\" of {} leaves none of the {containing} images of the training split",
                    known.labelled
                ))
                .about_option("labelled"),
            });
        }
        Ok((train, val))
    }

    /// Errors: an option that needs a validation split with images.
    fn check_without_validation(&self) -> Result<()> {
        let split = if self.options.select_on == SelectOn::Test { "test" } else { "validation" };
        let by_ap = self.distillation.as_ref().is_some_and(|d| d.teacher_weights != TeacherWeights::Even);
        let needs = match self.options.select {
            Select::Best => "select: \"best\" selects among epochs",
            Select::Last if self.options.patience > 0 => "patience stops a training",
            Select::Last if by_ap => "teacher_weights: \"val_AP\" weighs teachers",
            Select::Last => return Ok(()),
        };
        Err(Error::argument(format!("the {split} split has no images, by which {needs}")).with_help(
            "to train on all images without one: select: \"last\", patience: 0, teacher_weights: \"even\"; \
             to hold images out: the option val of dataset, above 0",
        ))
    }

    /// Everything that decides the result, as JSON. `initial` is a fingerprint of the initial weights.
    pub fn spec(&self, train: &Dataset, val: &Dataset, initial: &str) -> Value {
        let mut options = serde_json::to_value(&self.options).unwrap_or(Value::Null);
        if let Some(map) = options.as_object_mut() {
            // These do not change the result.
            map.shift_remove("threads");
            map.shift_remove("workers");
            map.shift_remove("executor");
            map.shift_remove("per_gpu");
            map.shift_remove("deterministic");
            // Those that do are put back in where the model is known.
            map.shift_remove("nproc");
            map.shift_remove("sync_batchnorm");
            map.insert("loss".into(), self.options.loss.to_spec());
            if self.options.precision == Precision::Float32 {
                map.shift_remove("precision");
            }
            if !self.options.cycle_momentum {
                map.shift_remove("cycle_momentum");
            }
            // Left out at their defaults, since earlier runs were named before these options existed.
            for share in ["labelled", "known"] {
                if map[share] == 1.0 {
                    map.shift_remove(share);
                }
            }
            let defaults = defaults::<TrainOptions>();
            for key in LATER_OPTIONS {
                if map.get(key) == defaults.get(key) {
                    map.shift_remove(key);
                }
            }
        }
        let mut spec = json!({
            "format": 1,
            "data": { "train": train.fingerprint(), "val": val.fingerprint(), "name": train.name },
            "labels": self.labels,
            "initial_weights": initial,
            "options": options,
            "distillation": self.distillation.as_ref().map(Distillation::spec),
        });
        // Runs of an earlier meaning, where heads were float32, have other names.
        if self.options.precision == Precision::BFloat16 {
            spec["bfloat16"] = json!("backbone and head");
        }
        spec
    }
}

impl<E> Distillation<E> {
    /// The same with other ensembles.
    pub(super) fn map<F>(self, ensemble: impl FnMut(E) -> Result<F>) -> Result<Distillation<F>> {
        let Distillation { ensembles, weights, loss, label_weight, teacher_mode, teacher_weights } = self;
        let ensembles = ensembles.into_iter().map(ensemble).collect::<Result<_>>()?;
        Ok(Distillation { ensembles, weights, loss, label_weight, teacher_mode, teacher_weights })
    }
}

impl Distillation {
    fn spec(&self) -> Value {
        let mut spec = json!({
            "ensembles": self.ensembles.iter().map(Ensemble::run_ids).collect::<Vec<_>>(),
            "weights": self.weights,
            "loss": self.loss.to_spec(),
            "label_weight": self.label_weight,
            "teacher_mode": self.teacher_mode,
        });
        if self.teacher_weights != TeacherWeights::Even {
            spec["teacher_weights"] = json!(self.teacher_weights);
        }
        spec
    }
}
