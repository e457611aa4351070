//! The focal loss.

use tch::Tensor;

use super::{Loss, LossDocs, Reduction};
use crate::error::Result;
use crate::options::Range;

crate::options! {
    /// L = Σ α_t (1-p_t)^γ · BCE. Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017; as torchvision's
    /// `sigmoid_focal_loss`. A negative alpha leaves the classes unweighted.
    pub struct Focal {
        /// focusing exponent
        pub gamma: f64 = 2.0, in Range::FromTo(0.0, 16.0);
        /// weight of positives
        pub alpha: f64 = 0.25, in Range::FromTo(-1.0, 1.0);
        /// "sum" or "mean"
        pub reduction: Reduction = Reduction::Sum;
    }
}

impl Loss for Focal {
    const DOCS: LossDocs = LossDocs {
        line: "focal loss (Lin 2017)",
        summary: "The focal loss (Lin 2017).",
        details: "L = -Σ α_t (1-p_t)^γ log p_t; logits and targets [N, m].",
        example: ("focal().of(tensor([[3.0]]), tensor([[1.0]])).item() < 0.01", "true"),
    };

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let entropy = logits.f_binary_cross_entropy_with_logits(
            targets,
            None::<&Tensor>,
            None::<&Tensor>,
            tch::Reduction::None,
        )?;
        let p = logits.f_sigmoid()?;
        let absent = targets.f_neg()?.f_add_scalar(1.0)?;
        // 1 - p_t = p where the label is absent, 1 - p where it is present.
        let rest = p.f_mul(&absent)?.f_add(&p.f_neg()?.f_add_scalar(1.0)?.f_mul(targets)?)?;
        let mut loss = entropy.f_mul(&rest.f_pow_tensor_scalar(self.gamma)?)?;
        if self.alpha >= 0.0 {
            let alpha = targets.f_mul_scalar(2.0 * self.alpha - 1.0)?.f_add_scalar(1.0 - self.alpha)?;
            loss = loss.f_mul(&alpha)?;
        }
        self.reduction.apply(&loss)
    }
}
