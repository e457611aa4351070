//! Squared error between a student's and a teacher's outputs.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Reduction;
use crate::error::Result;

/// L = Σ (s - t)² between logits (the authors' code) or probabilities (the text of CPSD, IJCAI 2022).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {
    pub space: Space,
    pub reduction: Reduction,
}

/// Where outputs are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    #[default]
    Logits,
    Probabilities,
}

impl Mse {
    pub fn validate(&self) -> Result<()> {
        Ok(())
    }

    pub fn compute(&self, student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
        let reduction = match self.reduction {
            Reduction::Sum => tch::Reduction::Sum,
            Reduction::Mean => tch::Reduction::Mean,
        };
        Ok(match self.space {
            Space::Logits => student.f_mse_loss(teacher, reduction)?,
            Space::Probabilities => student.f_sigmoid()?.f_mse_loss(&teacher.f_sigmoid()?, reduction)?,
        })
    }
}
