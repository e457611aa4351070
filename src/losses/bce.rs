//! Binary cross entropy.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Reduction;
use crate::error::Result;

/// L = -Σ [ y log p + (1-y) log(1-p) ], p = sigmoid(logits), computed stably from the logits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bce {
    pub reduction: Reduction,
}

impl Bce {
    pub fn validate(&self) -> Result<()> {
        Ok(())
    }

    pub fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let elements = logits.f_binary_cross_entropy_with_logits(
            targets,
            None::<&Tensor>,
            None::<&Tensor>,
            tch::Reduction::None,
        )?;
        self.reduction.apply(&elements)
    }
}
