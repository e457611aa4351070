//! Losses on logits `[N, m]`, one per file, and the specification that names one with its options.
//!
//! By default losses are summed over batch and labels, as the learning rates of the recipes assume.

mod asl;
mod bce;
mod focal;
mod kind;
mod kl;
mod mse;
mod reduction;
mod script;

pub use kind::{Loss, LossDocs};
pub use reduction::Reduction;
pub use script::{Function, Script};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;

/// Calls the macro `$then` with all losses, by file and struct. The name of a loss is that of its file.
macro_rules! losses {
    ($then:ident) => {
        $then! {
            asl::Asl,
            bce::Bce,
            focal::Focal,
            mse::Mse,
            kl::Kl,
        }
    };
}
pub(crate) use losses;

/// Defines [`LossSpec`], [`LOSSES`] and everything else that depends on the list of losses.
macro_rules! define {
    ($($name:ident::$Loss:ident,)+) => {
        $(pub use $name::*;)+

        /// Name and line of each loss.
        pub const LOSSES: &[(&str, &str)] = &[$((stringify!($name), $Loss::DOCS.line)),+];

        /// A loss with its options: `{"name": "asl", "gamma_neg": 4}`; absent options take their defaults, unknown ones
        /// are refused.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "snake_case")]
        pub enum LossSpec {
            $($Loss($Loss),)+
            /// A closure of a script. [`compute`](Self::compute) fails: only the script can run it.
            Script(Script),
        }

        $(impl From<$Loss> for LossSpec {
            fn from(loss: $Loss) -> LossSpec {
                LossSpec::$Loss(loss)
            }
        })+

        impl LossSpec {
            /// The loss called `name` with its default options.
            pub fn named(name: &str) -> Result<LossSpec> {
                $(if name == stringify!($name) {
                    return Ok($Loss::default().into());
                })+
                Err(Error::unknown("loss", name, LOSSES.iter().map(|l| l.0)))
            }

            pub fn name(&self) -> &'static str {
                match self {
                    $(LossSpec::$Loss(_) => stringify!($name),)+
                    LossSpec::Script(_) => "script",
                }
            }

            /// How the elements become one number.
            pub fn reduction(&self) -> Reduction {
                match self {
                    $(LossSpec::$Loss(loss) => loss.reduction(),)+
                    LossSpec::Script(_) => Reduction::Sum,
                }
            }

            /// Checks the ranges of the options; `compute` assumes them.
            pub fn validate(&self) -> Result<()> {
                match self {
                    $(LossSpec::$Loss(loss) => loss.check(stringify!($name)),)+
                    LossSpec::Script(_) => Ok(()),
                }
            }

            fn of_same_shape(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
                match self {
                    $(LossSpec::$Loss(loss) => loss.compute(logits, targets),)+
                    LossSpec::Script(_) => Err(Error::argument(
                        "a loss that is a closure works in a training of the script that wrote it, and nowhere else",
                    )),
                }
            }
        }
    };
}
losses!(define);

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

    /// `logits` `[N, m]` against `targets` of the same shape (f32): a scalar that carries a gradient to the logits.
    ///
    /// Targets of `asl`, `bce` and `focal` are labels in [0, 1]; those of `mse` and `kl` are a teacher's **logits**.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        if logits.size() != targets.size() {
            return Err(Error::new(
                ErrorKind::Tensor,
                format!("{}: logits {:?} and targets {:?} differ in shape", self.name(), logits.size(), targets.size()),
            ));
        }
        self.of_same_shape(logits, targets)
    }

    /// Its JSON in the specification of a run. Options that came later are left out at their defaults, since the ids of earlier
    /// runs do not contain them.
    pub fn to_spec(&self) -> Value {
        let mut spec = serde_json::to_value(self).unwrap_or(Value::Null);
        if let (LossSpec::Asl(asl), Some(map)) = (self, spec.as_object_mut())
            && asl.scale == Asl::default().scale
        {
            map.shift_remove("scale");
        }
        spec
    }

    /// Whether its targets are labels, or probabilities in their place; those of the others are a teacher's logits.
    pub fn is_on_labels(&self) -> bool {
        matches!(self, LossSpec::Asl(_) | LossSpec::Bce(_) | LossSpec::Focal(_))
    }

    /// The distillation loss: a student's logits against a teacher's, both `[N, m]`. A loss on labels takes the teacher's probabilities in
    /// their place, so that it weighs entries as it does in learning the labels.
    pub fn distance(&self, function: Option<Function>, student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
        match self.is_on_labels() {
            true => self.compute(student, &teacher.f_sigmoid()?),
            false => self.by(function, student, teacher),
        }
    }

    /// As [`compute`](Self::compute), but a script's loss is computed by `function`.
    pub fn by(&self, function: Option<Function>, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        match (self, function) {
            (LossSpec::Script(_), Some(function)) => Script::checked(function(logits, targets)?, logits),
            _ => self.compute(logits, targets),
        }
    }
}
