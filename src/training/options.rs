//! The options of a training and their defaults.

use serde::{Deserialize, Serialize};

use super::known_labels::KnownLabels;
use crate::error::{Error, Result};
use crate::images::augment::AugmentOptions;
use crate::losses::LossSpec;
use crate::models::{ModelSpec, Precision};

/// The options of `train_teacher`, `train_teachers` and, with [`DistillOptions`], of `distill`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainOptions {
    pub model: ModelSpec,
    pub loss: LossSpec,
    pub epochs: u64,
    pub batch: usize,
    /// Batches per update; their gradients are added up.
    pub accumulate: usize,
    /// Bound on the Euclidean norm of the gradient over all parameters. Longer ones are scaled down; 0 sets no bound.
    pub clip: f64,
    /// Peak of the one-cycle schedule.
    pub lr: f64,
    /// Factor on the learning rate of the backbone's trainable stages (discriminative learning rates).
    pub backbone_lr: f64,
    pub pct_start: f64,
    pub div_factor: f64,
    pub final_div_factor: f64,
    /// Whether Adam's first beta cycles against the rate, from 0.95 to 0.85 and back. Otherwise it is 0.9.
    pub cycle_momentum: bool,
    pub optimiser: Optimiser,
    /// Precision of forward passes in steps, those of live teachers included. Evaluation and kept features are f32.
    pub precision: Precision,
    pub weight_decay: f64,
    /// Decay per step of the exponential moving average of all state; 0 turns it off.
    pub ema: f64,
    /// Lets the average start faster: the decay at step t is min(ema, (1 + t) / (10 + t)).
    pub ema_warmup: bool,
    /// Fixed augmented views per picture; 0 makes a new one each epoch.
    pub views: u32,
    pub augment: AugmentOptions,
    pub images: Images,
    /// Share of the training pictures that have labels. Teachers leave out the others; students learn them from
    /// teachers alone.
    pub labelled: f64,
    /// Share of a training picture's labels that are known. The others count in no loss.
    pub known: f64,
    pub select: Select,
    pub select_on: SelectOn,
    /// Epochs between two evaluations on the validation split; 0 takes a tenth of the epochs.
    pub eval_every: u64,
    /// Epochs without a better mAP on the validation split after which training stops; 0 never stops.
    pub patience: u64,
    pub seed: u64,
    /// Threads of libtorch; 0 takes all cores. Not part of a run's id.
    pub threads: usize,
    /// Where several trainings of one call run. Not part of a run's id.
    pub workers: Workers,
}

/// Where the trainings of `train_teachers` and `distill_all` run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workers {
    /// In processes, one per GPU, if there are several GPUs. Otherwise in threads.
    Auto,
    /// Side by side in this process.
    Threads,
    /// Each in a process of its own, which is started once more if it dies.
    Processes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Adds weight decay to the gradient, like `torch.optim.Adam`.
    Adam,
    /// Shrinks the weights directly (Loshchilov and Hutter 2019).
    AdamW,
}

/// Which training images a teacher sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Images {
    /// All. An image with none of the teacher's labels is negative for each (the authors' code).
    All,
    /// Those with at least one of the teacher's labels (the other reading of the paper).
    Containing,
}

/// Which weights a training returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// The best of all evaluated epochs, regular or averaged, by mAP on the validation split.
    Best,
    /// The averaged weights at the end.
    Last,
}

/// Which split selects among epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelectOn {
    /// The validation split, or a tenth of train if there is none.
    Val,
    /// The test split, like the authors' code. The results are then optimistic, which evaluations note.
    Test,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions {
            model: ModelSpec {
                backbone: "efficientnet_lite0".into(),
                head: "conv".into(),
                weights: Some("imagenet".into()),
                image_size: Some(128),
                stages: Some(5),
                freeze: 5,
                head_width: Some(128),
                ..ModelSpec::default()
            },
            loss: LossSpec::default(),
            epochs: 30,
            batch: 64,
            accumulate: 1,
            clip: 0.0,
            lr: 3e-3,
            backbone_lr: 1.0,
            pct_start: 0.1,
            div_factor: 25.0,
            final_div_factor: 1e4,
            cycle_momentum: false,
            optimiser: Optimiser::Adam,
            precision: Precision::Float32,
            weight_decay: 1e-4,
            ema: 0.99,
            ema_warmup: true,
            views: 3,
            augment: AugmentOptions::default(),
            images: Images::All,
            labelled: 1.0,
            known: 1.0,
            select: Select::Best,
            select_on: SelectOn::Val,
            eval_every: 0,
            patience: 0,
            seed: 0,
            threads: 0,
            workers: Workers::Auto,
        }
    }
}

impl TrainOptions {
    /// Errors: names the first option that is out of range.
    pub fn validate(&self, word: &str) -> Result<()> {
        let fail = |option: &str, range: &str, came: String| {
            Err(Error::argument(format!("option \"{option}\" of {word} must be {range}; got {came}")))
        };
        match self {
            o if o.epochs == 0 || o.epochs > 100_000 => fail("epochs", "from 1 to 100000", o.epochs.to_string()),
            o if o.batch == 0 || o.batch > 65_536 => fail("batch", "from 1 to 65536", o.batch.to_string()),
            o if o.accumulate == 0 || o.accumulate > 65_536 => {
                fail("accumulate", "from 1 to 65536", o.accumulate.to_string())
            }
            o if !(o.clip.is_finite() && o.clip >= 0.0) => fail("clip", "at least 0", o.clip.to_string()),
            o if !(o.lr > 0.0 && o.lr < 1e3) => fail("lr", "above 0", o.lr.to_string()),
            o if !(0.0..=1e3).contains(&o.backbone_lr) => {
                fail("backbone_lr", "from 0 to 1000", o.backbone_lr.to_string())
            }
            o if !(0.0..1.0).contains(&o.pct_start) => fail("pct_start", "from 0 to below 1", o.pct_start.to_string()),
            o if !(o.div_factor > 0.0) => fail("div_factor", "above 0", o.div_factor.to_string()),
            o if !(o.final_div_factor > 0.0) => fail("final_div_factor", "above 0", o.final_div_factor.to_string()),
            o if !(0.0..=1.0).contains(&o.weight_decay) => {
                fail("weight_decay", "from 0 to 1", o.weight_decay.to_string())
            }
            o if !(0.0..1.0).contains(&o.ema) => fail("ema", "from 0 to below 1", o.ema.to_string()),
            o if !(o.labelled > 0.0 && o.labelled <= 1.0) => fail("labelled", "above 0, to 1", o.labelled.to_string()),
            o if !(o.known > 0.0 && o.known <= 1.0) => fail("known", "above 0, to 1", o.known.to_string()),
            // libtorch's thread pool aborts the process when there are far too many.
            o if o.threads > 1024 => fail("threads", "from 0 (all cores) to 1024", o.threads.to_string()),
            o if o.views > 10_000 => fail("views", "from 0 to 10000", o.views.to_string()),
            o if o.augment.randaugment > 20 => {
                fail("augment.randaugment", "from 0 to 20", o.augment.randaugment.to_string())
            }
            o if o.augment.randaugment_level > 30 => {
                fail("augment.randaugment_level", "from 0 to 30", o.augment.randaugment_level.to_string())
            }
            _ => Ok(()),
        }
    }

    /// The seed of the views. Fixed views are the same for every seed, so that a sweep over seeds computes frozen
    /// features once; new views each epoch follow the seed.
    pub fn seed_of_views(&self) -> u64 {
        if self.views > 0 { 0 } else { self.seed }
    }

    pub fn known_labels(&self) -> KnownLabels {
        KnownLabels { labelled: self.labelled, known: self.known }
    }

    /// Epochs between two evaluations on the validation split.
    pub fn eval_period(&self) -> u64 {
        if self.eval_every > 0 { self.eval_every } else { self.epochs.div_ceil(10) }
    }
}

/// How teachers run while they teach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TeacherMode {
    /// In evaluation mode. Outputs for fixed views are computed once.
    Eval,
    /// With batch statistics and dropout on each of the student's batches, like the authors' code, which forgets
    /// `.eval()`.
    Train,
}

/// How ensembles are weighted per label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeacherWeights {
    /// The ensemble's weight, for every label.
    #[serde(rename = "even")]
    Even,
    /// The ensemble's weight times its average precision for the label on the validation split.
    #[serde(rename = "val_AP")]
    ValAp,
}

/// The options of `distill`, which include those of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DistillOptions {
    /// The loss between a student's outputs and the teachers'.
    pub distillation: LossSpec,
    /// One weight per ensemble. Empty divides 1 evenly (the paper's ½ and ½ for two).
    pub weights: Vec<f64>,
    /// L = label_weight · L_cls + distill_weight · Σ_e weight_e · L_kd(student, ensemble e).
    pub distill_weight: f64,
    /// Factor of L_cls. The authors' code has ½ (and ¼ per ensemble).
    pub label_weight: f64,
    pub teacher_mode: TeacherMode,
    pub teacher_weights: TeacherWeights,
    #[serde(flatten)]
    pub train: TrainOptions,
}

impl Default for DistillOptions {
    fn default() -> Self {
        DistillOptions {
            distillation: LossSpec::default_distillation(),
            weights: vec![],
            distill_weight: 1.0,
            label_weight: 1.0,
            teacher_mode: TeacherMode::Eval,
            teacher_weights: TeacherWeights::Even,
            train: TrainOptions::default(),
        }
    }
}
