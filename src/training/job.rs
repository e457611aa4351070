//! One training as data: everything that decides its result, and so its id in the run store.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ensemble::Ensemble;
use super::hooks::Hook;
use super::mutual::Mutual;
use super::options::{DistillScale, Images, ScheduleKind, Select, SelectOn, TeacherMode, TeacherWeights, TrainOptions};
use super::part::Part;
use super::sampler::Sampler;
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
    #[serde(default)]
    pub scale: DistillScale,
    /// Whether the loss is a closure that sees features too, for which teachers are asked at every step.
    #[serde(default)]
    pub features: bool,
    /// The group of a student that learns from other students. Such jobs are for
    /// [`run_together`](super::mutual::run_together).
    #[serde(default)]
    pub mutual: Option<Mutual>,
}

/// Options that did not exist when the first runs were named.
const LATER_OPTIONS: [&str; 24] = [
    "targets",
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
    "mixup",
    "cutmix",
    "sampler",
    "freeze",
    "start",
    "on_epoch",
    "on_batch",
];

/// The usual name of the teacher of task `task` (from 1) of a partition: `co teacher 1/3`. `branch` may be empty.
pub fn teacher_name(branch: &str, task: usize, k: usize) -> String {
    let branch = if branch.is_empty() { String::new() } else { format!("{branch} ") };
    format!("{branch}teacher {task}/{k}")
}

/// The size of the partition, from the name of a teacher that [`teacher_name`] ends.
pub fn partition_size(name: &str) -> Option<i64> {
    let (before, last) = name.rsplit_once(' ')?;
    let (task, k) = last.split_once('/')?;
    let (task, k): (i64, i64) = (task.parse().ok()?, k.parse().ok()?);
    let is_teacher = before == "teacher" || before.ends_with(" teacher");
    (is_teacher && 1 <= task && task <= k).then_some(k)
}

/// Share of the training split held out when no validation split is given.
const HELD_OUT: f64 = 0.1;

/// An option of a job that is a closure of the script, which lives in this process.
pub(super) struct Closure {
    /// The option's key.
    pub key: &'static str,
    /// In a sentence: `a loss`, `a schedule`, `a head`.
    pub what: &'static str,
}

/// The option of a model's part, in a sentence.
fn a_part(option: &str) -> &'static str {
    match option {
        "head" => "a head",
        _ => "a token adapter",
    }
}

impl Job {
    /// The first of its options, its model's parts and its teachers' parts that is a closure which a training calls. Where `on_epoch` only looks
    /// on, it is none: its lines can be sent.
    pub(super) fn closure(&self) -> Option<Closure> {
        let is_script = |loss: &LossSpec| matches!(loss, LossSpec::Script(_));
        let rule = |ensemble: &Ensemble| ensemble.rule.as_ref().is_some_and(|rule| rule.script().is_some());
        let by_rule = self.distillation.as_ref().is_some_and(|d| d.ensembles.iter().any(rule));
        let all = [
            ("rule", "a rule of merge", by_rule),
            ("loss", "a loss", is_script(&self.options.loss)),
            ("distillation", "a loss", self.distillation.as_ref().is_some_and(|d| is_script(&d.loss))),
            (
                "schedule",
                "a schedule",
                matches!(self.options.schedule, ScheduleKind::Script(_) | ScheduleKind::Rate(_)),
            ),
            ("augment", "an augmentation", self.options.own_views().is_some()),
            ("sampler", "a sampler", matches!(self.options.sampler, Sampler::Script(_))),
            ("on_epoch", "a stopping callback", self.options.on_epoch.may_stop()),
            ("on_batch", "a callback per batch", !self.options.on_batch.is_none()),
        ];
        let parts = self.options.model.functions().map(|(option, _)| (option, a_part(option), true));
        let teachers = ("teachers", "a head or adapter of a teacher", self.has_scripted_teachers());
        let mut all = all.into_iter().chain(parts).chain([teachers]);
        all.find(|(.., is_closure)| *is_closure).map(|(key, what, _)| Closure { key, what })
    }

    fn has_scripted_teachers(&self) -> bool {
        let ensembles = self.distillation.iter().flat_map(|d| &d.ensembles);
        ensembles.flat_map(|ensemble| &ensemble.teachers).any(|t| t.model().spec.functions().next().is_some())
    }

    /// The group in which it learns, for a student of mutual learning.
    pub(super) fn mutual(&self) -> Option<&Mutual> {
        self.distillation.as_ref()?.mutual.as_ref()
    }

    /// The seed of what students of one group have each for itself: initial weights and dropout. Otherwise that of the options.
    pub(super) fn own_seed(&self) -> u64 {
        let index = self.mutual().map_or(0, |mutual| mutual.index as u64);
        self.options.seed.wrapping_add(index)
    }

    /// The splits that it trains on and selects on, with its labels only.
    ///
    /// The second has no images where the options do without: the last epoch's weights are taken.
    ///
    /// Errors: a label that is not in the data set, a split without images that is needed.
    pub fn splits(&self) -> Result<(Dataset, Dataset)> {
        let (train, val) = self.given_splits()?;
        let (mut train, val) = (train.take_labels(&self.labels)?, val.take_labels(&self.labels)?);
        if self.options.images == Images::Containing {
            train = train.take(containing(&train))?;
        }
        let (whole, containing) = (self.train.len(), train.len());
        train = self.labelled(train)?;
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
                    self.options.labelled
                ))
                .about_option("labelled"),
            });
        }
        Ok((train, val))
    }

    /// The training split and the validation split, with all images and labels.
    fn given_splits(&self) -> Result<(Dataset, Dataset)> {
        match &self.val {
            Some(val) => Ok((self.train.clone(), val.clone())),
            None => self.train.split(HELD_OUT, self.options.seed),
        }
    }

    /// The images that have labels, by the option `labelled`. A student hears of the others from its teachers.
    fn labelled(&self, train: Dataset) -> Result<Dataset> {
        let known = self.options.known_labels();
        if self.distillation.is_some() || known.labelled >= 1.0 {
            return Ok(train);
        }
        let kept = (0..train.len()).filter(|&i| known.has_labels(&train.labels.images()[i])).collect();
        train.take(kept)
    }

    /// Whether the kept features that it reads are those of more images than it trains on: the ones that it would read with images "all",
    /// so that teachers of other labels read the same. The views of its images are then those of all images. A student's teachers
    /// see the views of the student's own images.
    pub(super) fn reads_features_of_all(&self) -> bool {
        let o = &self.options;
        o.images == Images::Containing && o.model.fixed_stages() > 0 && o.views > 0 && self.distillation.is_none()
    }

    /// The images whose kept features it reads, and where among them those of `train` are, its training split by [`splits`](Self::splits).
    pub(super) fn features_of(&self, train: &Dataset) -> Result<Part> {
        if !self.reads_features_of_all() {
            return Ok(Part::all(train.clone()));
        }
        let whole = self.labelled(self.given_splits()?.0)?;
        let positions = containing(&whole.take_labels(&self.labels)?);
        Ok(Part::new(whole, positions))
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
        // Targets are many numbers, of which only the fingerprint is part of a name.
        let named = TrainOptions { targets: None, ..self.options.clone() };
        let mut options = serde_json::to_value(&named).unwrap_or(Value::Null);
        if let Some(map) = options.as_object_mut() {
            // These do not change the result.
            map.shift_remove("name");
            map.shift_remove("tags");
            map.shift_remove("threads");
            map.shift_remove("workers");
            map.shift_remove("executor");
            map.shift_remove("per_gpu");
            map.shift_remove("deterministic");
            map.shift_remove("on_batch_every");
            map.shift_remove("on_batch_outputs");
            // A callback that ends the training decides more by how often it is called.
            if self.options.on_batch.may_stop() && self.options.on_batch_every != 1 {
                map.insert("on_batch_every".into(), json!(self.options.on_batch_every));
            }
            if self.options.on_batch.may_stop() && self.options.on_batch_outputs {
                map.insert("on_batch_outputs".into(), json!(true));
            }
            if self.options.on_batch == Hook::Watches {
                map.shift_remove("on_batch");
            }
            map.insert("sampler".into(), self.options.sampler.to_spec());
            map.insert("start".into(), json!(self.options.start.id()));
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
            if let Some(targets) = &self.options.targets {
                map.insert("targets".into(), json!(targets.fingerprint()));
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
        // So have those whose features were of their own images alone: a view is drawn by its image's place.
        if self.reads_features_of_all() {
            spec["features"] = json!("all images");
        }
        spec
    }
}

/// The images that have one of the data set's labels.
fn containing(dataset: &Dataset) -> Vec<usize> {
    (0..dataset.len()).filter(|&i| !dataset.labels.row(i).is_empty()).collect()
}

impl<E> Distillation<E> {
    /// The same with other ensembles.
    pub(super) fn map<F>(self, ensemble: impl FnMut(E) -> Result<F>) -> Result<Distillation<F>> {
        let Distillation {
            ensembles,
            weights,
            loss,
            label_weight,
            teacher_mode,
            teacher_weights,
            scale,
            features,
            mutual,
        } = self;
        let ensembles = ensembles.into_iter().map(ensemble).collect::<Result<_>>()?;
        Ok(Distillation {
            ensembles,
            weights,
            loss,
            label_weight,
            teacher_mode,
            teacher_weights,
            scale,
            features,
            mutual,
        })
    }
}

impl Distillation {
    fn spec(&self) -> Value {
        let mut spec = json!({
            "ensembles": self.ensembles.iter().map(Ensemble::spec).collect::<Vec<_>>(),
            "weights": self.weights,
            "loss": self.loss.to_spec(),
            "label_weight": self.label_weight,
            "teacher_mode": self.teacher_mode,
        });
        if self.teacher_weights != TeacherWeights::Even {
            spec["teacher_weights"] = json!(self.teacher_weights);
        }
        // Earlier runs with such losses took the teachers' logits for labels, and must not be found.
        if self.loss.is_on_labels() {
            spec["targets"] = json!("probabilities");
        }
        if self.scale != DistillScale::Plain {
            spec["scale"] = json!(self.scale);
        }
        if let Some(mutual) = &self.mutual {
            spec["mutual"] = json!(mutual);
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_partition_is_in_its_teachers_names() {
        assert_eq!(teacher_name("co", 2, 3), "co teacher 2/3");
        for name in [teacher_name("co", 2, 3), teacher_name("", 3, 3), format!("study, {}", teacher_name("dis", 1, 3))]
        {
            assert_eq!(partition_size(&name), Some(3), "{name}");
        }
        for name in [
            "baseline",
            "student 1/3",
            "teacher of 3 labels",
            "teacher 0/3",
            "teacher 4/3",
            "teacher 1/x",
            "headteacher 1/3",
        ] {
            assert_eq!(partition_size(name), None, "{name}");
        }
    }
}
