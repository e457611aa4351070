//! Binary cross entropy.

use tch::Tensor;

use super::{Loss, LossDocs, Reduction};
use crate::error::Result;

crate::options! {
    /// L = -Σ [ y log p + (1-y) log(1-p) ], p = sigmoid(logits), computed stably from the logits.
    pub struct Bce {
        /// "sum" or "mean"
        pub reduction: Reduction = Reduction::Sum;
    }
}

impl Loss for Bce {
    const DOCS: LossDocs = LossDocs {
        line: "binary cross entropy with logits",
        summary: "Binary cross entropy with logits.",
        details: "L = -Σ [ y log p + (1-y) log(1-p) ], p = sigmoid(logits); logits and targets [N, m]; equals torch's binary_cross_entropy_with_logits.",
        example: ("bce(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]])).item()", "1.38629"),
    };

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let elements = logits.f_binary_cross_entropy_with_logits(
            targets,
            None::<&Tensor>,
            None::<&Tensor>,
            tch::Reduction::None,
        )?;
        self.reduction.apply(&elements)
    }
}
