//! Losses on logits `[N, m]`, one file each, and the specification that names one with its options.
//!
//! All are summed over batch and labels unless `reduction` says otherwise, which the recipes' learning rates assume.

mod asl;
mod bce;
mod focal;
mod kl;
mod mse;
mod range;
mod reduction;
mod script;

pub use asl::Asl;
pub use bce::Bce;
pub use focal::Focal;
pub use kl::{Kl, KlForm};
pub use mse::{Mse, Space};
pub use reduction::Reduction;
pub use script::{Function, Script};

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::{Error, Result};

/// One line a loss: its name in scripts and what it is.
pub const LOSSES: &[(&str, &str)] = &[
    ("asl", "asymmetric loss (Ridnik 2021): focal weights for negatives, easy negatives cut off"),
    ("bce", "binary cross entropy with logits"),
    ("focal", "focal loss (Lin 2017)"),
    ("mse", "squared error to a teacher's logits or probabilities"),
    ("kl", "Kullback-Leibler divergence from a teacher's softened outputs"),
];

/// A loss with its options: `{"name": "asl", "gamma_neg": 4}`; absent options take their defaults, unknown ones are
/// refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum LossSpec {
    Asl(Asl),
    Bce(Bce),
    Focal(Focal),
    Mse(Mse),
    Kl(Kl),
    /// A closure of a script; [`compute`](Self::compute) cannot, whoever runs the training brings the function.
    Script(Script),
}

impl Default for LossSpec {
    fn default() -> Self {
        LossSpec::Asl(Asl::default())
    }
}

impl LossSpec {
    /// Squared error between logits: the distillation loss of the method.
    pub fn default_distillation() -> Self {
        LossSpec::Mse(Mse::default())
    }

    /// The loss called `name` with its default options.
    pub fn named(name: &str) -> Result<LossSpec> {
        Ok(match name {
            "asl" => LossSpec::Asl(Asl::default()),
            "bce" => LossSpec::Bce(Bce::default()),
            "focal" => LossSpec::Focal(Focal::default()),
            "mse" => LossSpec::Mse(Mse::default()),
            "kl" => LossSpec::Kl(Kl::default()),
            _ => return Err(Error::unknown("loss", name, LOSSES.iter().map(|l| l.0))),
        })
    }

    /// How it makes one number of its elements.
    pub fn reduction(&self) -> Reduction {
        match self {
            LossSpec::Asl(l) => l.reduction,
            LossSpec::Bce(l) => l.reduction,
            LossSpec::Focal(l) => l.reduction,
            LossSpec::Mse(l) => l.reduction,
            LossSpec::Kl(l) => l.reduction,
            LossSpec::Script(_) => Reduction::Sum,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            LossSpec::Asl(_) => "asl",
            LossSpec::Bce(_) => "bce",
            LossSpec::Focal(_) => "focal",
            LossSpec::Mse(_) => "mse",
            LossSpec::Kl(_) => "kl",
            LossSpec::Script(_) => "script",
        }
    }

    /// Checks the options' ranges; `compute` assumes them checked.
    pub fn validate(&self) -> Result<()> {
        match self {
            LossSpec::Asl(loss) => loss.validate(),
            LossSpec::Bce(loss) => loss.validate(),
            LossSpec::Focal(loss) => loss.validate(),
            LossSpec::Mse(loss) => loss.validate(),
            LossSpec::Kl(loss) => loss.validate(),
            LossSpec::Script(_) => Ok(()),
        }
    }

    /// `logits` `[N, m]` against `targets` of the same shape (f32): a scalar that carries a gradient to the logits.
    ///
    /// Targets of `asl`, `bce` and `focal` are labels in [0, 1]; those of `mse` and `kl` are a teacher's **logits**.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        if logits.size() != targets.size() {
            return Err(Error::new(
                crate::error::ErrorKind::Tensor,
                format!("{}: logits {:?} and targets {:?} differ in shape", self.name(), logits.size(), targets.size()),
            ));
        }
        match self {
            LossSpec::Asl(loss) => loss.compute(logits, targets),
            LossSpec::Bce(loss) => loss.compute(logits, targets),
            LossSpec::Focal(loss) => loss.compute(logits, targets),
            LossSpec::Mse(loss) => loss.compute(logits, targets),
            LossSpec::Kl(loss) => loss.compute(logits, targets),
            LossSpec::Script(_) => Err(Error::argument(
                "a loss that is a closure works in a training of the script that wrote it, and nowhere else",
            )),
        }
    }

    /// [`compute`](Self::compute), by `function` where the loss is a script's.
    pub fn by(&self, function: Option<Function>, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match (self, function) {
            (LossSpec::Script(_), Some(function)) => Script::checked(function(logits, targets)?, logits),
            _ => self.compute(logits, targets),
        }
    }
}
