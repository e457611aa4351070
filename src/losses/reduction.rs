//! From the elements of a loss to a scalar.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::Result;

/// How the elements of a loss become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// Over batch and labels, as the learning rates of the recipes assume.
    #[default]
    Sum,
    Mean,
}

impl Reduction {
    pub fn apply(self, elements: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Reduction::Sum => elements.f_sum(None)?,
            Reduction::Mean => elements.f_mean(None)?,
        })
    }
}
