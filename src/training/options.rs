//! The options of a training and their defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::freezing::FreezeByEpoch;
use super::hooks::Hook;
use super::image_rows::ImageRows;
use super::known_labels::KnownLabels;
use super::rate_factors::RateFactors;
use super::sampler::Sampler;
pub use super::schedule::ScheduleKind;
use super::start::Start;
use crate::cluster::Executor;
use crate::error::{Error, Result};
use crate::images::augment::AugmentOptions;
use crate::losses::LossSpec;
use crate::models::{ModelSpec, Precision};
use crate::options::Range;

crate::options! {
    /// The options of `train_teacher`, `train_teachers` and, with [`DistillOptions`], of `distill`.
    ///
    /// `name`, `tags`, `deterministic`, `threads`, `workers`, `executor` and `per_gpu` are not part of a run's id; nor is `nproc`, but where batch norms see other
    /// batches by it.
    pub struct TrainOptions {
        /// a map: backbone, head, weights, download, image_size, stages, freeze, frozen, frozen_norms, frozen_compute, normalise ("backbone" or
        /// "none"), head_width, dropout, head_options, word_vectors, graph, adapter, lora, path, features; or a backbone's name
        pub model: ModelSpec = default_model();
        /// a Loss such as asl(#{gamma_neg: 2}), a loss's name, or a closure |logits, targets| that gives one number; where
        /// labels are unknown, logits and targets are the known entries alone, [entries] in place of [images, labels]
        pub loss: LossSpec = LossSpec::default();
        /// passes over the training images
        pub epochs: u64 = 30, in Range::FromTo(1.0, 1e5);
        /// images per step
        pub batch: usize = 64, in Range::FromTo(1.0, 65_536.0);
        /// leave out the last batch of an epoch where it is smaller, unless it is the only one; false keeps it, as PyTorch's
        /// DataLoader does by default
        pub drop_last: bool = true;
        /// batches whose gradients add up to one update
        pub accumulate: usize = 1, in Range::FromTo(1.0, 65_536.0);
        /// longest gradient (norm over all parameters); 0 sets no bound
        pub clip: f64 = 0.0, in Range::AtLeast(0.0);
        /// learning rate: the peak of schedule "onecycle", the highest rate of the others
        pub lr: f64 = 3e-3, in Range::Above(0.0);
        /// factor on the rate of the backbone's stages, as 0.1 to fine-tune gently; the head's stays lr
        pub backbone_lr: f64 = 1.0, in Range::FromTo(0.0, 1e3);
        /// factors on the rate by part, as #{stage1: 0.1, stage2: 0.1, head: 10}; parts left out have 1. They multiply
        /// backbone_lr and layer_decay
        pub lr_factors: BTreeMap<String, f64> = BTreeMap::new();
        /// factor on the rate per stage below the head: of n stages, stage s has layer_decay^(n + 1 - s)
        pub layer_decay: f64 = 1.0, in Range::AboveTo(0.0, 1.0);
        /// "onecycle"; "step" (lr times gamma at milestones or step_every); "cosine" (from lr to min_lr); "constant"; a closure
        /// |step, total| of two parameters, which gives the learning rate of update step (from 0) of total; or a closure |now|
        /// of one, which gives a factor on lr, where now is a map: progress (0 to 1), epoch (with its fraction), epochs, update,
        /// updates
        pub schedule: ScheduleKind = ScheduleKind::OneCycle;
        /// onecycle: share of the steps in which the rate rises
        pub pct_start: f64 = 0.1, in Range::FromBelow(0.0, 1.0);
        /// onecycle: peak over first rate
        pub div_factor: f64 = 25.0, in Range::Above(0.0);
        /// onecycle: first over last rate
        pub final_div_factor: f64 = 1e4, in Range::Above(0.0);
        /// onecycle: let Adam's first beta, or the momentum of "sgd", cycle against the rate, from 0.95 to 0.85 and back, as
        /// PyTorch's OneCycleLR does by default; off, Adam's is 0.9
        pub cycle_momentum: bool = false;
        /// epochs, or a fraction of one, in which the rate rises with every update, linearly from warmup_start * lr to the
        /// schedule's; "cosine" begins after it, "onecycle" has pct_start instead
        pub warmup: f64 = 0.0, in Range::FromTo(0.0, 1e5);
        /// warmup: first rate as a factor of lr
        pub warmup_start: f64 = 0.0, in Range::FromTo(0.0, 1.0);
        /// step: the rate is multiplied by gamma after so many epochs each, warm-up included, as PyTorch's MultiStepLR per
        /// epoch
        pub milestones: Vec<u64> = vec![];
        /// step: the rate is multiplied by gamma every so many epochs, as PyTorch's StepLR per epoch; 0 never
        pub step_every: u64 = 0;
        /// step: factor on the rate
        pub gamma: f64 = 0.1, in Range::AboveTo(0.0, 1.0);
        /// cosine: the rate that the last update comes near to; the factors by part multiply it too
        pub min_lr: f64 = 0.0, in Range::AtLeast(0.0);
        /// cosine: the rate falls after every "update", or every "epoch"
        pub anneal_per: AnnealPer = AnnealPer::Update;
        /// "adam" (decay added to the gradient), "adamw" (decay applied to the weights), or "sgd" (with momentum; decay added
        /// to the gradient), as PyTorch's
        pub optimiser: Optimiser = Optimiser::Adam;
        /// sgd: share of the last update's direction that is kept; 0 is plain gradient descent (PyTorch's default)
        pub momentum: f64 = 0.9, in Range::FromBelow(0.0, 1.0);
        /// sgd: Nesterov's momentum
        pub nesterov: bool = false;
        /// "float32", or "bfloat16" for the expensive layers of backbone and head in the steps
        pub precision: Precision = Precision::Float32;
        /// let GPUs from Ampere on round the factors of float32 products to 10 bits (TensorFloat-32), which is several times
        /// faster; no effect on the CPU
        pub tf32: bool = true;
        /// on GPUs, equal calls give equal bits on the same kind of GPU, which is slower; no part of a run's id. The CPU always
        /// does, with equal threads
        pub deterministic: bool = false;
        /// decay of the parameters that decay_on names
        pub weight_decay: f64 = 1e-4, in Range::FromTo(0.0, 1.0);
        /// "weights": those with more than one dimension; or "all": biases and norms too, as an optimiser of PyTorch that was
        /// given model.parameters()
        pub decay_on: DecayOn = DecayOn::Weights;
        /// decay of the moving average of all state per step; 0 turns it off
        pub ema: f64 = 0.99, in Range::FromBelow(0.0, 1.0);
        /// let the average follow faster in the first steps
        pub ema_warmup: bool = true;
        /// "weights": the average starts from the initial weights; or "another_head": its head starts from other random
        /// weights, as the average of a student in the authors' code of CPSD
        pub ema_start: EmaStart = EmaStart::Weights;
        /// fixed augmented views per picture; 0 makes a new view each epoch
        pub views: u32 = 3, in Range::FromTo(0.0, 1e4);
        /// a closure |picture, random| that makes the view of a whole picture, a Tensor [3, height, width] of uint8, by words as
        /// picture.hflip() and the Random of its key (seed, view, image), resized to image_size afterwards; or
        /// a map: crop ("resized", "multi_scale" as ML-GCN, "squares" as SSGRL), resize_first (pixels), resized_crop_scale,
        /// resized_crop_ratio, flip, color_jitter, cutout, cutout_factor, cutout_inclusive, randaugment (operations per view),
        /// randaugment_level, randaugment_policy ("torchvision", or "uda": that of the package randaugment)
        pub augment: AugmentOptions = AugmentOptions::default();
        /// MixUp: the alpha of the beta distribution of shares, as 0.2; each picture of a batch is mixed with another, and so are
        /// their targets; 0 turns it off
        pub mixup: f64 = 0.0, in Range::FromTo(0.0, 1e3);
        /// CutMix: the same with a rectangle of the other picture, as 1.0; with mixup too, each step draws one of the two
        pub cutmix: f64 = 0.0, in Range::FromTo(0.0, 1e3);
        /// the images of an epoch: "shuffle" (all once); an array of one weight per training image, by which as many are drawn with
        /// replacement, as torch's WeightedRandomSampler; or a closure |epoch| (finished epochs) that gives their positions, an array or a Tensor of int64
        pub sampler: Sampler = Sampler::Shuffle;
        /// stages frozen for some epochs, beside those of the model's own freeze: pairs of finished epochs and stages, as
        /// [[0, 4], [10, 2], [20, 0]]; or a closure |epoch| that gives their number
        pub freeze: FreezeByEpoch = FreezeByEpoch::default();
        /// a Model whose weights are the first ones, in place of the model's weights: its backbone, and of its head what fits, by the
        /// names of labels; without the option model, the architecture is its own
        pub start: Start = Start::default();
        /// "all" training images, or those "containing" one of the labels; teachers with frozen stages read the kept features of all images in
        /// both cases, which are computed once
        pub images: Images = Images::All;
        /// share of the training pictures that have labels: teachers leave the others out, students hear of them from
        /// teachers alone
        pub labelled: f64 = 1.0, in Range::AboveTo(0.0, 1.0);
        /// share of the labels of a training picture that are known; the others are masked in the loss, as the unknown
        /// entries of the data set always are
        pub known: f64 = 1.0, in Range::AboveTo(0.0, 1.0);
        /// a Tensor [images, labels] in place of the labels of the training split, in the order of its images and of the data set's labels: soft
        /// targets, the same for every view of an image. From 0 to 1 for asl, bce and focal. Entries of unknown truth are known by it; val is
        /// evaluated by its own labels
        pub targets: Option<ImageRows> = None;
        /// "best" epoch by mAP on val, regular or averaged weights; or "last", which needs no val
        pub select: Select = Select::Best;
        /// "val", or "test" as the authors' code does; evaluations then carry a note
        pub select_on: SelectOn = SelectOn::Val;
        /// epochs between evaluations on val; 0 is a tenth of all
        pub eval_every: u64 = 0;
        /// epochs without a better mAP on val after which training stops; 0 never
        pub patience: u64 = 0;
        /// the run's name in runs(), reports and progress lines, and the beginning of the names where one call makes several; "" is made
        /// from the call. No part of a run's id: a stored run that is found under another name has that one from then on
        pub name: String = String::new();
        /// an array of words, or one, by which runs(#{tag: "..."}) finds the run; no part of a run's id. A stored run that is found gets
        /// these beside its own
        pub tags: Vec<String> = vec![];
        /// decides initial weights, order and views
        pub seed: u64 = 0;
        /// processes that train this one model together, each on its part of every batch: `batch` stays the images of all. Each has a
        /// GPU of its own where there are GPUs (NCCL); on CPUs they sum by Gloo. As torchrun's --nproc-per-node; under
        /// torchrun or srun: the number of processes on all machines
        pub nproc: usize = 1, in Range::FromTo(1.0, 4096.0);
        /// nproc: batch norms take the statistics of the whole batch; false, of each process's part, as PyTorch does by default
        pub sync_batchnorm: bool = false;
        /// a closure |line| called after every epoch with a map: name, epoch, loss, lr, seconds, val_mAP where it was evaluated. If it
        /// gives "stop", the training ends there; its code then counts in the run's id
        pub on_epoch: Hook = Hook::None;
        /// a closure |line| called after updates with a map: name, epoch, step, update, loss, lr, grad_norm; "stop" as in on_epoch. A
        /// call waits for the device
        pub on_batch: Hook = Hook::None;
        /// updates between two calls of on_batch
        pub on_batch_every: u64 = 1, in Range::FromTo(1.0, 1e9);
        /// whether on_batch gets the last batch's outputs (logits) and targets too, Tensors [batch, labels]
        pub on_batch_outputs: bool = false;
        /// CPU threads; 0 takes all
        pub threads: usize = 0;
        /// where several trainings of one call run: "threads", "processes" (one that dies is tried once more), or
        /// "auto": processes where several run on GPUs at once
        pub workers: Workers = Workers::Auto;
        /// where the trainings run: "here"; in the queue of a cluster, as slurm(#{...}) gives one; or by its name in cpsd.toml, as "slurm".
        /// () is here, or in a sweep the sweep's own executor. Results and their ids are the same
        pub executor: Executor = Executor::Unset;
        /// trainings at once on one GPU, those of other calls and of jobs included; more wait
        pub per_gpu: usize = 1, in Range::FromTo(1.0, 64.0);
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

/// Where the trainings of `train_teachers`, `train_all` and `distill_all` run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workers {
    /// In processes if several run at once on GPUs and this is the program cpsd. Otherwise in threads.
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
    /// Gradient descent with momentum, like `torch.optim.SGD`.
    Sgd,
}

/// When the rate of [`ScheduleKind::Cosine`] falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnealPer {
    Update,
    /// Like PyTorch's `CosineAnnealingLR` with one `step()` per epoch.
    Epoch,
}

/// The parameters that decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecayOn {
    /// Those with more than one dimension.
    Weights,
    /// All, biases and norms included.
    All,
}

/// The values from which the moving average starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmaStart {
    /// The initial weights of the training.
    Weights,
    /// The same, but for parameters that no file gave: they are drawn anew, with another seed. In the authors' code of CPSD
    /// a student's average is a second model, built like the student (`ema.set(model_ema)`).
    AnotherHead,
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
        let AugmentOptions { randaugment, randaugment_level, resize_first, color_jitter, .. } = self.augment;
        let (narrow, wide) = self.augment.resized_crop_ratio;
        if !(0.0 < narrow && narrow <= wide && wide.is_finite()) {
            let ratio = format!("[{narrow}, {wide}]");
            return Err(Error::option(
                "augment.resized_crop_ratio",
                word,
                "two numbers above 0, the smaller first",
                ratio,
            ));
        }
        if let Some((key, needs)) = self.augment.without_effect() {
            return Err(Error::argument(format!(
                "option \"augment.{key}\" of {word} has no effect beside the others: it needs {needs}"
            ))
            .about_option("augment"));
        }
        Range::FromTo(0.0, 4096.0).check("augment.resize_first", word, resize_first)?;
        Range::FromTo(0.0, 1.0).check("augment.color_jitter", word, color_jitter)?;
        Range::FromTo(0.0, 20.0).check("augment.randaugment", word, randaugment)?;
        Range::FromTo(0.0, 30.0).check("augment.randaugment_level", word, randaugment_level)?;
        check_names(word, &self.name, &self.tags)?;
        self.check_together(word)?;
        self.sampler.check(word)?;
        self.freeze.check(self, word)?;
        self.check_mixing(word)?;
        RateFactors::check(self, word)
    }

    /// The code of a closure that makes the views.
    pub fn own_views(&self) -> Option<&str> {
        self.augment.script.as_deref()
    }

    /// The name of a training whose usual name is `usual`, the only one of its call.
    pub fn job_name(&self, usual: &str) -> String {
        if self.name.is_empty() { usual.to_string() } else { self.name.clone() }
    }

    /// The same for one of several of a call: `ablation, co teacher 1/3`.
    pub fn job_name_among(&self, usual: &str) -> String {
        if self.name.is_empty() { usual.to_string() } else { format!("{}, {usual}", self.name) }
    }

    /// The seed of the views. Fixed views are the same for every seed, so that a sweep over seeds computes frozen
    /// features once; new views each epoch follow the seed.
    pub fn seed_of_views(&self) -> u64 {
        if self.views > 0 { 0 } else { self.seed }
    }

    /// Whether the given targets, if there are any, fit the loss and the other options.
    ///
    /// Errors: a value that the loss cannot take, with its image and label; options that hide labels.
    pub fn check_targets(&self, word: &str) -> Result<()> {
        let Some(targets) = &self.targets else { return Ok(()) };
        if let LossSpec::Asl(_) | LossSpec::Bce(_) | LossSpec::Focal(_) = self.loss {
            let expected = format!("from 0 to 1, as the loss {} needs them", self.loss.name());
            let checked = targets.check(&expected, |value| (0.0..=1.0).contains(&value));
            checked.map_err(|error| {
                Error::argument(format!("option \"targets\" of {word}: {error}"))
                    .about_option("targets")
                    .with_help("logits x become probabilities with x.sigmoid()")
            })?;
        }
        if !self.known_labels().all() {
            let key = if self.labelled < 1.0 { "labelled" } else { "known" };
            return Err(Error::argument(format!(
                "option \"{key}\" of {word} hides labels of the data set, in whose place option \"targets\" gives numbers"
            ))
            .about_option(key));
        }
        Ok(())
    }

    pub fn known_labels(&self) -> KnownLabels {
        KnownLabels { labelled: self.labelled, known: self.known }
    }

    /// Epochs between two evaluations on the validation split.
    pub fn eval_period(&self) -> u64 {
        if self.eval_every > 0 { self.eval_every } else { self.epochs.div_ceil(10) }
    }
}

/// So many letters may a name or a tag have, and so many tags a run.
const LONGEST_NAME: usize = 200;
const MOST_TAGS: usize = 100;

/// Errors: a name or tag that is too long or has signs that are not printed; an empty tag; too many tags.
pub fn check_names(word: &str, name: &str, tags: &[String]) -> Result<()> {
    let bad = |text: &str| text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control);
    if bad(name) {
        let expected = format!("a text of at most {LONGEST_NAME} letters without line breaks");
        return Err(Error::option("name", word, expected, format!("\"{}\"", name.escape_debug())));
    }
    if tags.len() > MOST_TAGS {
        return Err(Error::option("tags", word, format!("at most {MOST_TAGS} words"), format!("{} words", tags.len())));
    }
    match tags.iter().find(|tag| tag.trim().is_empty() || bad(tag)) {
        None => Ok(()),
        Some(tag) => {
            let expected = format!("words of 1 to {LONGEST_NAME} letters without line breaks");
            Err(Error::option("tags", word, expected, format!("\"{}\"", tag.escape_debug())))
        }
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

/// By what the distillation loss is multiplied beside its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DistillScale {
    /// Nothing.
    #[default]
    #[serde(rename = "none")]
    Plain,
    /// In every step by ‖∂L_cls/∂z‖ / ‖∂L_kd/∂z‖, z the student's logits of the batch, without a gradient: the adaptive weight of Esser,
    /// Rombach and Ommer (Taming Transformers, CVPR 2021, equation 7), at the logits in place of the last layer.
    #[serde(rename = "gradient")]
    Gradient,
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
        /// a Loss between student and teachers: mse() or kl(), on logits; asl(), bce() or focal(), with the teachers' probabilities in the
        /// place of labels; or a closure |student, teacher| on logits, |student, teacher, features| with feature maps too,
        /// |student, teacher, features, p| with Layers p of its own
        pub distillation: LossSpec = LossSpec::default_distillation();
        /// one weight per ensemble; empty shares one evenly
        pub weights: Vec<f64> = vec![];
        /// factor of the whole distillation loss beside the loss on the labels
        pub distill_weight: f64 = 1.0;
        /// "none": the distillation loss as it is; "gradient": in every step by the factor that makes its gradient at the student's
        /// logits as long as that of the loss on the labels (at most 1e12), so that a distill_weight means the same for all losses and
        /// numbers of labels, and at 1.0 teachers pull as hard as labels
        pub distill_scale: DistillScale = DistillScale::Plain;
        /// factor of the loss on the labels
        pub label_weight: f64 = 1.0;
        /// "eval"; "train" leaves batch statistics and dropout on in the teachers, as the authors' code does
        pub teacher_mode: TeacherMode = TeacherMode::Eval;
        /// "even": ensembles count by their weights; "val_AP": for each label also by their AP on val, and one mixture
        /// of them is the target
        pub teacher_weights: TeacherWeights = TeacherWeights::Even;
    }
}

impl AsMut<TrainOptions> for TrainOptions {
    fn as_mut(&mut self) -> &mut TrainOptions {
        self
    }
}

impl AsMut<TrainOptions> for DistillOptions {
    fn as_mut(&mut self) -> &mut TrainOptions {
        &mut self.train
    }
}
