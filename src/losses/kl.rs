//! Kullback-Leibler divergence from a teacher's softened outputs.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Loss, LossDocs, Reduction};
use crate::error::Result;
use crate::options::Range;

crate::options! {
    /// T² · KL(teacher ‖ student) at temperature T. Source: Hinton et al., "Distilling the Knowledge in a Neural Network",
    /// 2015; the softmax over labels is that of the published code of CPSD.
    pub struct Kl {
        /// T
        pub temperature: f64 = 4.0, in Range::FromTo(0.01, 1000.0);
        /// "bernoulli" or "softmax"
        pub form: KlForm = KlForm::Bernoulli;
        /// "sum" or "mean"
        pub reduction: Reduction = Reduction::Sum;
    }
}

/// The distributions to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KlForm {
    /// One Bernoulli distribution per label.
    #[default]
    Bernoulli,
    /// One softmax over all labels of an image.
    Softmax,
}

impl Loss for Kl {
    const DOCS: LossDocs = LossDocs {
        line: "Kullback-Leibler divergence from a teacher's softened outputs",
        summary: "Kullback-Leibler divergence of a student's softened outputs from a teacher's.",
        details: "With temperature T and factor T²: per-label Bernoulli distributions, or one softmax over labels as in the authors' code; both arguments are logits [N, m].",
        example: ("kl(tensor([[1.0]]), tensor([[1.0]])).item().abs() < 1e-6", "true"),
    };

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn compute(&self, student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
        let t = self.temperature;
        let (s, z) = (student.f_mul_scalar(1.0 / t)?, teacher.f_mul_scalar(1.0 / t)?);
        let elements = match self.form {
            KlForm::Softmax => {
                let log_student = s.f_log_softmax(-1, None::<Kind>)?;
                let log_teacher = z.f_log_softmax(-1, None::<Kind>)?;
                log_teacher.f_exp()?.f_mul(&log_teacher.f_sub(&log_student)?)?
            }
            KlForm::Bernoulli => {
                let (p, not_p) = (z.f_sigmoid()?, z.f_neg()?.f_sigmoid()?);
                let present = z.f_log_sigmoid()?.f_sub(&s.f_log_sigmoid()?)?;
                let absent = z.f_neg()?.f_log_sigmoid()?.f_sub(&s.f_neg()?.f_log_sigmoid()?)?;
                p.f_mul(&present)?.f_add(&not_p.f_mul(&absent)?)?
            }
        };
        Ok(self.reduction.apply(&elements)?.f_mul_scalar(t * t)?)
    }
}
