//! The asymmetric loss.

use tch::Tensor;

use super::{Loss, LossDocs, Reduction};
use crate::error::Result;
use crate::options::Range;

crate::options! {
    /// Asymmetric loss. Source: Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021:
    /// L = -Σ [ y (1-p)^γ+ log p + (1-y) q^γ- log(1-q) ], p = sigmoid(logits), q = max(p - clip, 0).
    pub struct Asl {
        /// focusing exponent of negatives
        pub gamma_neg: f64 = 4.0, in Range::FromTo(0.0, 16.0);
        /// focusing exponent of positives
        pub gamma_pos: f64 = 0.0, in Range::FromTo(0.0, 16.0);
        /// how far negatives' probabilities are shifted down
        pub clip: f64 = 0.05, in Range::FromTo(0.0, 0.99);
        /// floor inside the logarithms
        pub eps: f64 = 1e-8, in Range::FromTo(0.0, 0.1);
        /// whether the gradient flows through the focal weights
        pub focal_gradient: bool = false;
        /// "sum" or "mean"
        pub reduction: Reduction = Reduction::Sum;
        /// factor of the whole loss; Query2Label has 1000 and reduction "mean"
        pub scale: f64 = 1.0, in Range::Above(0.0);
    }
}

impl Loss for Asl {
    const DOCS: LossDocs = LossDocs {
        line: "asymmetric loss (Ridnik 2021): focal weights for negatives, easy negatives cut off",
        summary: "The asymmetric loss (Ridnik 2021), the loss of all recipes of the paper.",
        details: "L = -Σ [ y (1-p)^γ+ log p + (1-y) q^γ- log(1-q) ], p = sigmoid(logits), q = max(p - clip, 0); logits and targets [N, m]. The focal weights carry no gradient unless focal_gradient is on. Summed over batch and labels, which the learning rates assume; Query2Label's code has the mean times 1000 (reduction: \"mean\", scale: 1000).",
        example: ("asl(tensor([[0.0]]), tensor([[1.0]])).item()", "0.69315"),
    };

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let positive = logits.f_sigmoid()?;
        let mut negative = positive.f_neg()?.f_add_scalar(1.0)?;
        if self.clip > 0.0 {
            negative = negative.f_add_scalar(self.clip)?.f_clamp_max(1.0)?;
        }
        let log_positive = positive.f_clamp_min(self.eps)?.f_log()?;
        let log_negative = negative.f_clamp_min(self.eps)?.f_log()?;
        let absent = targets.f_neg()?.f_add_scalar(1.0)?;
        let loss = targets.f_mul(&log_positive)?.f_add(&absent.f_mul(&log_negative)?)?;
        let loss = match self.weight(&positive, &negative, targets, &absent)? {
            Some(weight) => loss.f_mul(&weight)?,
            None => loss,
        };
        // Multiplied by -1 alone where there is no scale: the same bits as before the option existed.
        Ok(self.reduction.apply(&loss)?.f_mul_scalar(-self.scale)?)
    }
}

impl Asl {
    /// (1 - p_t)^γ, with γ by the sign of the label.
    fn weight(
        &self,
        positive: &Tensor,
        negative: &Tensor,
        targets: &Tensor,
        absent: &Tensor,
    ) -> Result<Option<Tensor>> {
        if self.gamma_neg == 0.0 && self.gamma_pos == 0.0 {
            return Ok(None);
        }
        let weight = || -> Result<Tensor> {
            let probability = positive.f_mul(targets)?.f_add(&negative.f_mul(absent)?)?;
            let rest = probability.f_neg()?.f_add_scalar(1.0)?;
            let gamma = targets.f_mul_scalar(self.gamma_pos - self.gamma_neg)?.f_add_scalar(self.gamma_neg)?;
            Ok(rest.f_pow(&gamma)?)
        };
        Ok(Some(if self.focal_gradient { weight()? } else { tch::no_grad(weight)? }))
    }
}
