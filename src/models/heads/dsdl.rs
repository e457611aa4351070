//! DSDL: deep semantic dictionary learning.

use tch::Tensor;

use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::leaky_relu;
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Zhou et al., "Deep semantic dictionary learning for multi-label image classification", AAAI 2021.
///
/// The dictionary D = LeakyReLU(E W1) W2 `[m, C]` is made from the word vectors E; an image's scores are its ridge
/// representation (D Dᵀ + αI)⁻¹ D f over the max-pooled features. A tied decoder LeakyReLU(D W2ᵀ) W1ᵀ reconstructs E
/// with weight β (`auxiliary`). The option `loss` of the training replaces the paper's soft margin.
pub const DSDL: HeadKind = HeadKind {
    name: "dsdl",
    summary: "ridge representation of the pooled feature in a dictionary made from word vectors",
    paper: "Zhou et al., AAAI 2021",
    options: &[
        HeadOption::whole("hidden", 1024.0, 1.0, 65536.0, "width between the two maps of the dictionary"),
        HeadOption::real("ridge", 0.1, 0.000001, 1000.0, "the paper's λ: weight of the ridge"),
        HeadOption::real("reconstruction", 0.000001, 0.0, 1000.0, "the paper's β: weight of the decoder's error"),
    ],
    needs_words: true,
    build: |p, setup| Ok(Box::new(Dsdl::new(p, setup)?)),
    ..COMMON
};

struct Dsdl {
    words: Tensor,
    first: Tensor,
    second: Tensor,
    ridge: f64,
    reconstruction: f64,
}

impl Dsdl {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Dsdl> {
        let head = p.at("head");
        let words = setup.words(p)?;
        let (d, hidden) = (words.size()[1], setup.integer("hidden"));
        Ok(Dsdl {
            words,
            first: head.normal("first.weight", &[d, hidden], (1.0 / d as f64).sqrt())?,
            second: head.normal("second.weight", &[hidden, setup.inputs], (1.0 / hidden as f64).sqrt())?,
            ridge: setup.number("ridge"),
            reconstruction: setup.number("reconstruction"),
        })
    }

    fn dictionary(&self) -> Result<Tensor> {
        Ok(leaky_relu(&self.words.f_matmul(&self.first)?, 0.2)?.f_matmul(&self.second)?)
    }

    /// (D Dᵀ + αI)⁻¹ D, `[m, C]`.
    fn classifiers(&self) -> Result<Tensor> {
        let d = self.dictionary()?;
        let m = d.size()[0];
        let gram = d.f_matmul(&d.f_transpose(0, 1)?)?;
        let ridge = Tensor::f_eye(m, (tch::Kind::Float, d.device()))?.f_mul_scalar(self.ridge)?;
        Ok(Tensor::f_linalg_solve(&gram.f_add(&ridge)?, &d, true)?)
    }
}

impl Head for Dsdl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        Ok(features.f_amax([2i64, 3], false)?.f_matmul(&self.classifiers()?.f_transpose(0, 1)?)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let weight = self.classifiers()?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        Ok(Some(features.f_conv2d(&weight, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)?))
    }

    fn auxiliary(&self) -> Result<Option<Tensor>> {
        if self.reconstruction == 0.0 {
            return Ok(None);
        }
        let hidden = leaky_relu(&self.dictionary()?.f_matmul(&self.second.f_transpose(0, 1)?)?, 0.2)?;
        let back = hidden.f_matmul(&self.first.f_transpose(0, 1)?)?;
        let error = back.f_sub(&self.words)?.f_square()?.f_sum(tch::Kind::Float)?;
        Ok(Some(error.f_mul_scalar(self.reconstruction)?))
    }
}
