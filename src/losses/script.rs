//! The identity of a loss that is a closure of a script. The function stays with the thread that runs the script.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::{Error, Result};

/// A function `|logits, targets| scalar` of a script, identified by its code and captured values: equal ones give the
/// same run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// A hash of its code, of the functions that it calls and of captured values.
    pub code: String,
}

/// The function as a training calls it: logits and targets `[N, m]` to a scalar with a gradient.
pub type Function<'a> = &'a dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

impl Script {
    /// Checks the value that the function returned.
    ///
    /// Errors: anything but one number that depends on the logits.
    pub fn checked(loss: Tensor, logits: &Tensor) -> Result<Tensor> {
        if loss.numel() != 1 {
            return Err(Error::argument(format!(
                "a loss must give one number per batch; the closure gave a Tensor of shape {:?}",
                loss.size()
            ))
            .with_help("end it with .sum() or .mean(); the recipes' learning rates assume .sum()"));
        }
        if logits.requires_grad() && !loss.requires_grad() {
            return Err(Error::argument("a loss must depend on the logits; the closure's result has no gradient")
                .with_help("item, to_array and comparisons lose the gradient"));
        }
        Ok(loss.f_reshape([] as [i64; 0])?)
    }
}
