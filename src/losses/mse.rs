//! Squared error between a student's and a teacher's outputs.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Loss, LossDocs, Reduction};
use crate::error::Result;

crate::options! {
    /// L = Σ (s - t)² between logits (the authors' code) or probabilities (the text of CPSD, IJCAI 2022).
    pub struct Mse {
        /// "logits" or "probabilities"
        pub space: Space = Space::Logits;
        /// "sum" or "mean"
        pub reduction: Reduction = Reduction::Sum;
    }
}

/// The space in which outputs are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    #[default]
    Logits,
    Probabilities,
}

impl Loss for Mse {
    const DOCS: LossDocs = LossDocs {
        line: "squared error to a teacher's logits or probabilities",
        summary: "Squared error between a student's and a teacher's outputs: the distillation loss of the method.",
        details: "L = Σ (s - t)², between logits (the authors' code) or probabilities (the paper's text); both arguments are logits [N, m].",
        example: ("mse(tensor([[1.0, 2.0]]), tensor([[0.0, 0.0]])).item()", "5.0"),
    };

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
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
