//! What the options of a training mean: shared by the words that train.

use crate::error::Result;
use crate::options::{OptionDoc, Options};
use crate::training::{DistillOptions, TrainOptions};

impl Options for TrainOptions {
    fn docs() -> Vec<OptionDoc> {
        crate::options::list(DOCS)
    }

    fn check(&self, word: &str) -> Result<()> {
        self.validate(word)
    }
}

impl Options for DistillOptions {
    fn docs() -> Vec<OptionDoc> {
        crate::options::list(DISTILL_DOCS)
    }

    fn check(&self, word: &str) -> Result<()> {
        self.train.validate(word)
    }
}

/// A line for every key of `TrainOptions`.
pub const DOCS: &[(&str, &str)] = &[
    (
        "model",
        "a map: backbone, head, weights, image_size, stages, freeze, frozen, frozen_norms, normalise (\"backbone\" or \"none\"), head_width, dropout, head_options, word_vectors, graph, path, features; or a backbone's name",
    ),
    (
        "loss",
        "a Loss such as asl(#{gamma_neg: 2}), a loss's name, or a closure |logits, targets| that gives one number",
    ),
    ("epochs", "passes over the training images"),
    ("batch", "images a step"),
    ("accumulate", "batches whose gradients add up to one update"),
    ("clip", "longest gradient (norm over all parameters); 0 sets no bound"),
    ("lr", "peak learning rate of the one-cycle schedule"),
    ("backbone_lr", "factor on the rate of the backbone's stages, as 0.1 to fine-tune gently; the head's stays lr"),
    ("pct_start", "share of the steps in which the rate rises"),
    ("div_factor", "peak over first rate"),
    ("final_div_factor", "first over last rate"),
    (
        "cycle_momentum",
        "let Adam's first beta cycle against the rate, from 0.95 to 0.85 and back, as PyTorch's OneCycleLR does by default; off, it is 0.9",
    ),
    ("optimiser", "\"adam\" (decay added to the gradient) or \"adamw\" (decay applied to the weights)"),
    ("precision", "\"float32\", or \"bfloat16\" for the expensive layers of the backbone in the steps"),
    ("weight_decay", "on weights with more than one dimension only"),
    ("ema", "decay of the moving average of all state a step; 0 turns it off"),
    ("ema_warmup", "let the average follow faster in the first steps"),
    ("views", "fixed augmented views a picture; 0 makes a new view each epoch"),
    (
        "augment",
        "a map: resized_crop_scale, resized_crop_ratio, flip, cutout, cutout_factor, randaugment (operations a view), randaugment_level",
    ),
    ("images", "\"all\" training images, or those \"containing\" one of the labels"),
    (
        "labelled",
        "share of the training pictures that have labels: teachers leave the others out, students hear of them from teachers alone",
    ),
    ("known", "share of the labels of a training picture that are known; the others are masked in the loss"),
    ("select", "\"best\" epoch by mAP on val, regular or averaged weights; or \"last\""),
    ("select_on", "\"val\", or \"test\" as the authors' code does; reports then say so"),
    ("eval_every", "epochs between evaluations on val; 0 is a tenth of all"),
    ("patience", "epochs without a better mAP on val after which training stops; 0 never"),
    ("seed", "decides initial weights, order and views"),
    (
        "on_epoch",
        "a closure |line| called after every epoch with a map: name, epoch, loss, lr, seconds, val_mAP where it was evaluated",
    ),
    ("threads", "CPU threads; 0 takes all"),
    (
        "workers",
        "where several trainings of one call run: \"threads\", \"processes\" (one that dies is tried once more), or \"auto\": processes where there are several GPUs",
    ),
];

/// A line for every key of `DistillOptions`: its own, then those of a training.
pub const DISTILL_DOCS: &[(&str, &str)] = &{
    const OWN: [(&str, &str); 6] = [
        (
            "distillation",
            "a Loss between student and teachers: mse() or kl(), on logits; or a closure |student, teacher| on logits",
        ),
        ("weights", "one weight an ensemble; empty shares one evenly"),
        ("distill_weight", "factor of the whole distillation loss beside the loss on the labels"),
        ("label_weight", "factor of the loss on the labels"),
        (
            "teacher_mode",
            "\"eval\"; \"train\" leaves batch statistics and dropout on in the teachers, as the authors' code does",
        ),
        (
            "teacher_weights",
            "\"even\": ensembles count by their weights; \"val_AP\": for each label also by their AP on val, and one mixture of them is the target",
        ),
    ];
    let mut all = [("", ""); OWN.len() + DOCS.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = if i < OWN.len() { OWN[i] } else { DOCS[i - OWN.len()] };
        i += 1;
    }
    all
};
