//! CSRA: class-specific residual attention.

use tch::Tensor;

use super::published::{Layout, Published};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::{Error, Result};
use crate::models::label_order::LabelOrder;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::pointwise;

/// Zhu and Wu, "Residual attention: a simple but effective method for multi-label recognition", ICCV 2021.
///
/// Scores `[N, m, h·w]` are a 1×1 classifier without bias with weights of unit length. A label's logit is their mean
/// over positions plus λ times their mean weighted by softmax(T · scores). Several heads, each with a classifier of its own and
/// another T, are added. T = 99 is a maximum, as in the authors' code.
pub const CSRA: HeadKind = HeadKind {
    name: "csra",
    summary: "class-specific residual attention: mean and softmax-weighted mean of unit-length class scores",
    paper: "Zhu and Wu, ICCV 2021",
    options: &[
        HeadOption::whole(
            "heads",
            1.0,
            1.0,
            8.0,
            "attention heads: 1, 2, 4, 6 or 8, whose temperatures are the paper's",
        ),
        HeadOption::real("lambda", 0.1, 0.0, 10.0, "weight of the attention beside the mean"),
    ],
    published: Published {
        code: "github.com/Kevinz-code/CSRA c8480d1, MHA (pipeline/csra.py)",
        differs: "",
        layouts: &[Layout { system: "CSRA with a ResNet", rename, labels: LabelOrder::CategoryIds }],
    },
    build: |p, setup| Ok(Box::new(Csra::new(p, setup)?)),
    ..COMMON
};

/// `classifier.multi_head.0.head.weight` → `fc.0.weight`; the backbone has torchvision's names.
fn rename(name: &str, classifier: &str) -> Option<String> {
    match name.strip_prefix("classifier.multi_head.") {
        Some(rest) => rest.strip_suffix(".head.weight").map(|head| format!("{classifier}.{head}.weight")),
        None => Some(name.to_string()),
    }
}

struct Csra {
    heads: Vec<AttentionHead>,
    lambda: f64,
}

struct AttentionHead {
    /// [m, C, 1, 1]
    weight: Tensor,
    temperature: f64,
}

/// From this temperature on, the softmax is replaced by the maximum.
const MAXIMUM: f64 = 99.0;

impl Csra {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Csra> {
        let temperatures: &[f64] = match setup.integer("heads") {
            1 => &[1.0],
            2 => &[1.0, MAXIMUM],
            4 => &[1.0, 2.0, 4.0, MAXIMUM],
            6 => &[1.0, 2.0, 3.0, 4.0, 5.0, MAXIMUM],
            8 => &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, MAXIMUM],
            other => return Err(Error::option("heads", "head \"csra\"", "1, 2, 4, 6 or 8", other)),
        };
        let (shape, bound) = ([setup.num_labels(), setup.inputs, 1, 1], 1.0 / (setup.inputs as f64).sqrt());
        let classifiers = p.at(setup.classifier);
        let head = |(i, &temperature): (usize, &f64)| -> Result<AttentionHead> {
            Ok(AttentionHead { weight: classifiers.at(i).uniform("weight", &shape, bound)?, temperature })
        };
        Ok(Csra {
            heads: temperatures.iter().enumerate().map(head).collect::<Result<_>>()?,
            lambda: setup.number("lambda"),
        })
    }
}

impl AttentionHead {
    /// `[N, m, h, w]`
    fn scores(&self, features: &Tensor) -> Result<Tensor> {
        let length = self.weight.f_norm_scalaropt_dim(2.0, [1i64, 2, 3], true)?;
        let scores = pointwise(features, &self.weight, None)?;
        Ok(scores.f_div(&length.f_view([1, -1, 1, 1])?)?)
    }

    fn logits(&self, features: &Tensor, lambda: f64) -> Result<Tensor> {
        let scores = self.scores(features)?.f_flatten(2, 3)?;
        let mean = scores.f_mean_dim(Some(&[2i64][..]), false, None)?;
        let attended = if self.temperature >= MAXIMUM {
            scores.f_amax([2i64], false)?
        } else {
            let weights = scores.f_mul_scalar(self.temperature)?.f_softmax(2, None::<tch::Kind>)?;
            scores.f_mul(&weights)?.f_sum_dim_intlist(&[2i64][..], false, None)?
        };
        Ok(mean.f_add(&attended.f_mul_scalar(lambda)?)?)
    }
}

/// The sum of `of` over the heads.
fn sum(heads: &[AttentionHead], of: impl Fn(&AttentionHead) -> Result<Tensor>) -> Result<Tensor> {
    let parts = heads.iter().map(of).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::f_stack(&parts, 0)?.f_sum_dim_intlist(&[0i64][..], false, None)?)
}

impl Head for Csra {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        sum(&self.heads, |head| head.logits(features, self.lambda))
    }

    /// The sum of the heads' scores, whose mean over positions is the logit without attention.
    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(sum(&self.heads, |head| head.scores(features))?))
    }
}
