//! The options of a training and their defaults.

use serde::{Deserialize, Serialize};

use super::known_labels::KnownLabels;
use crate::error::{Error, Result};
use crate::images::augment::AugmentOptions;
use crate::losses::LossSpec;
use crate::models::{ModelSpec, Precision};
use crate::options::Range;

crate::options! {
    /// The options of `train_teacher`, `train_teachers` and, with [`DistillOptions`], of `distill`.
    ///
    /// `threads` and `workers` are not part of a run's id.
    pub struct TrainOptions {
        /// a map: backbone, head, weights, download, image_size, stages, freeze, frozen, frozen_norms, normalise ("backbone" or
        /// "none"), head_width, dropout, head_options, word_vectors, graph, path, features; or a backbone's name
        pub model: ModelSpec = default_model();
        /// a Loss such as asl(#{gamma_neg: 2}), a loss's name, or a closure |logits, targets| that gives one number; where
        /// labels are unknown, logits and targets are the known entries alone, [entries] in place of [images, labels]
        pub loss: LossSpec = LossSpec::default();
        /// passes over the training images
        pub epochs: u64 = 30, in Range::FromTo(1.0, 1e5);
        /// images per step
        pub batch: usize = 64, in Range::FromTo(1.0, 65_536.0);
        /// batches whose gradients add up to one update
        pub accumulate: usize = 1, in Range::FromTo(1.0, 65_536.0);
        /// longest gradient (norm over all parameters); 0 sets no bound
        pub clip: f64 = 0.0, in Range::AtLeast(0.0);
        /// peak learning rate of the one-cycle schedule
        pub lr: f64 = 3e-3, in Range::Above(0.0);
        /// factor on the rate of the backbone's stages, as 0.1 to fine-tune gently; the head's stays lr
        pub backbone_lr: f64 = 1.0, in Range::FromTo(0.0, 1e3);
        /// share of the steps in which the rate rises
        pub pct_start: f64 = 0.1, in Range::FromBelow(0.0, 1.0);
        /// peak over first rate
        pub div_factor: f64 = 25.0, in Range::Above(0.0);
        /// first over last rate
        pub final_div_factor: f64 = 1e4, in Range::Above(0.0);
        /// let Adam's first beta cycle against the rate, from 0.95 to 0.85 and back, as PyTorch's OneCycleLR does by
        /// default; off, it is 0.9
        pub cycle_momentum: bool = false;
        /// "adam" (decay added to the gradient) or "adamw" (decay applied to the weights)
        pub optimiser: Optimiser = Optimiser::Adam;
        /// "float32", or "bfloat16" for the expensive layers of the backbone in the steps
        pub precision: Precision = Precision::Float32;
        /// on weights with more than one dimension only
        pub weight_decay: f64 = 1e-4, in Range::FromTo(0.0, 1.0);
        /// decay of the moving average of all state per step; 0 turns it off
        pub ema: f64 = 0.99, in Range::FromBelow(0.0, 1.0);
        /// let the average follow faster in the first steps
        pub ema_warmup: bool = true;
        /// fixed augmented views per picture; 0 makes a new view each epoch
        pub views: u32 = 3, in Range::FromTo(0.0, 1e4);
        /// a map: resized_crop_scale, resized_crop_ratio, flip, cutout, cutout_factor, randaugment (operations per view),
        /// randaugment_level
        pub augment: AugmentOptions = AugmentOptions::default();
        /// "all" training images, or those "containing" one of the labels
        pub images: Images = Images::All;
        /// share of the training pictures that have labels: teachers leave the others out, students hear of them from
        /// teachers alone
        pub labelled: f64 = 1.0, in Range::AboveTo(0.0, 1.0);
        /// share of the labels of a training picture that are known; the others are masked in the loss, as the unknown
        /// entries of the data set always are
        pub known: f64 = 1.0, in Range::AboveTo(0.0, 1.0);
        /// "best" epoch by mAP on val, regular or averaged weights; or "last", which needs no val
        pub select: Select = Select::Best;
        /// "val", or "test" as the authors' code does; evaluations then carry a note
        pub select_on: SelectOn = SelectOn::Val;
        /// epochs between evaluations on val; 0 is a tenth of all
        pub eval_every: u64 = 0;
        /// epochs without a better mAP on val after which training stops; 0 never
        pub patience: u64 = 0;
        /// decides initial weights, order and views
        pub seed: u64 = 0;
        also("on_epoch", "a closure |line| called after every epoch with a map: name, epoch, loss, lr, seconds, \
                          val_mAP where it was evaluated")
        /// CPU threads; 0 takes all
        pub threads: usize = 0;
        /// where several trainings of one call run: "threads", "processes" (one that dies is tried once more), or
        /// "auto": processes where there are several GPUs
        pub workers: Workers = Workers::Auto;
    }
}

fn default_model() -> ModelSpec {
    ModelSpec {
        backbone: "efficientnet_lite0".into(),
        head: "conv".into(),
        weights: Some("imagenet".into()),
        image_size: Some(128),
        stages: Some(5),
        freeze: 5,
        head_width: Some(128),
        ..ModelSpec::default()
    }
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

impl TrainOptions {
    /// Checks what [`check`](crate::options::Options::check) cannot: bounds that errors word differently, and those of
    /// `augment`. `word` is named in errors.
    ///
    /// Errors: names the first option that is out of range.
    pub fn check_further(&self, word: &str) -> Result<()> {
        if self.lr >= 1e3 {
            return Err(Error::option("lr", word, Range::Above(0.0), self.lr));
        }
        // libtorch's thread pool aborts the process when there are far too many.
        if self.threads > 1024 {
            return Err(Error::option("threads", word, "from 0 (all cores) to 1024", self.threads));
        }
        let AugmentOptions { randaugment, randaugment_level, .. } = self.augment;
        Range::FromTo(0.0, 20.0).check("augment.randaugment", word, randaugment)?;
        Range::FromTo(0.0, 30.0).check("augment.randaugment_level", word, randaugment_level)
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

crate::options! {
    /// The options of `distill`, which include those of a training.
    ///
    /// L = label_weight · L_cls + distill_weight · Σ_e weight_e · L_kd(student, ensemble e). The authors' code has ½ for
    /// `label_weight` and ¼ per ensemble; the paper has ½ and ½ as `weights` of two ensembles.
    pub struct DistillOptions extends train: TrainOptions {
        /// a Loss between student and teachers: mse() or kl(), on logits; or a closure |student, teacher| on logits
        pub distillation: LossSpec = LossSpec::default_distillation();
        /// one weight per ensemble; empty shares one evenly
        pub weights: Vec<f64> = vec![];
        /// factor of the whole distillation loss beside the loss on the labels
        pub distill_weight: f64 = 1.0;
        /// factor of the loss on the labels
        pub label_weight: f64 = 1.0;
        /// "eval"; "train" leaves batch statistics and dropout on in the teachers, as the authors' code does
        pub teacher_mode: TeacherMode = TeacherMode::Eval;
        /// "even": ensembles count by their weights; "val_AP": for each label also by their AP on val, and one mixture
        /// of them is the target
        pub teacher_weights: TeacherWeights = TeacherWeights::Even;
    }
}
