//! DSDL: deep semantic dictionary learning.

use tch::{Kind, Tensor};

use super::published::resnet_children;
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Layout, Published, Seen};
use crate::error::Result;
use crate::losses::Reduction;
use crate::models::label_order::LabelOrder;
use crate::models::layers::leaky_relu;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::{matmul, pointwise};
use crate::torch::load_linear_algebra;

/// Zhou et al., "Deep semantic dictionary learning for multi-label image classification", AAAI 2021.
///
/// The dictionary D = LeakyReLU(E W1) W2 `[m, C]` is made from the word vectors E; an image's scores are its ridge
/// representation s = (D Dᵀ + λI)⁻¹ D f over the max-pooled features f `[C]`. A tied decoder Ê = LeakyReLU(D W2ᵀ) W1ᵀ
/// reconstructs E.
///
/// The loss of a batch is (L + β (‖f - s D‖ + λ ‖s‖)) / mean cos(E, Ê), with Frobenius norms over the batch, the mean over
/// labels, and L the option `loss` of the training; the authors' is the soft margin, which is `bce` with reduction
/// "mean". Unknown labels are left out of L; the other terms read no labels.
pub const DSDL: HeadKind = HeadKind {
    name: "dsdl",
    summary: "ridge representation of the pooled feature in a dictionary made from word vectors",
    paper: "Zhou et al., AAAI 2021",
    options: &[
        HeadOption::whole("hidden", 1024.0, 1.0, 65536.0, "width between the two maps of the dictionary"),
        HeadOption::real(
            "ridge",
            0.1,
            0.000001,
            1000.0,
            "λ, the weight of the ridge and of sparse scores; 0.1 on COCO, 10 on VOC",
        ),
        HeadOption::real(
            "reconstruction",
            0.000001,
            0.0,
            1000.0,
            "β, the weight of the error of representation; 0.000001 on COCO, 0.0001 on VOC",
        ),
    ],
    needs_words: true,
    published: Published {
        code: "github.com/ZFT-CQU/DSDL 024b3a6, DSDL (coco/models.py), MyLoss (coco/loss.py)",
        differs: "the label loss is the training's option loss (theirs: bce with reduction \"mean\"); the mean cosine that divides \
                  the loss counts as 0.000001 at least",
        layouts: &[Layout {
            system: "DSDL (coco_checkpoint.pth.tar, voc2007_checkpoint.pth.tar, voc2012_checkpoint.pth.tar)",
            rename: their_name,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(Dsdl::new(p, setup)?)),
    ..COMMON
};

fn their_name(name: &str, _: &str) -> Option<String> {
    match name {
        "W1" => Some("head.first.weight".into()),
        "W2" => Some("head.second.weight".into()),
        _ => resnet_children(name.strip_prefix("features.")?),
    }
}

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
        let (d, hidden, channels) = (words.size()[1], setup.integer("hidden"), setup.inputs);
        Ok(Dsdl {
            words,
            first: head.at("first").uniform("weight", &[d, hidden], 1.0 / (hidden as f64).sqrt())?,
            second: head.at("second").uniform("weight", &[hidden, channels], 1.0 / (channels as f64).sqrt())?,
            ridge: setup.number("ridge"),
            reconstruction: setup.number("reconstruction"),
        })
    }

    fn dictionary(&self) -> Result<Tensor> {
        full(&matmul(&leaky_relu(&matmul(&self.words, &self.first)?, 0.2)?, &self.second)?)
    }

    /// (D Dᵀ + λI)⁻¹ D, `[m, C]`, in f32: an inverse enlarges what rounding changed. For that reason too a GPU makes D Dᵀ in
    /// f64, which TensorFloat-32 does not round.
    fn classifiers(&self, d: &Tensor) -> Result<Tensor> {
        let m = d.size()[0];
        let factor = if d.device().is_cuda() { d.f_to_kind(Kind::Double)? } else { d.shallow_clone() };
        let gram = factor.f_matmul(&factor.f_transpose(0, 1)?)?.f_to_kind(Kind::Float)?;
        let ridge = Tensor::f_eye(m, (Kind::Float, d.device()))?.f_mul_scalar(self.ridge)?;
        load_linear_algebra(d.device());
        Ok(Tensor::f_linalg_solve(&gram.f_add(&ridge)?, d, true)?)
    }

    /// The mean cosine between the labels' word vectors and their reconstructions.
    fn cosine(&self, d: &Tensor) -> Result<Tensor> {
        let hidden = leaky_relu(&matmul(d, &self.second.f_transpose(0, 1)?)?, 0.2)?;
        let back = full(&matmul(&hidden, &self.first.f_transpose(0, 1)?)?)?;
        Ok(Tensor::f_cosine_similarity(&self.words, &back, 1, 1e-8)?.f_mean(Kind::Float)?)
    }
}

fn pooled(features: &Tensor) -> Result<Tensor> {
    Ok(features.f_amax([2i64, 3], false)?)
}

impl Head for Dsdl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        full(&matmul(&pooled(features)?, &self.classifiers(&self.dictionary()?)?.f_transpose(0, 1)?)?)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        if seen.truth.is_none() {
            return Ok(Answer { logits: self.logits(seen.maps, pass)?, own_loss: None });
        }
        let (f, d) = (pooled(seen.maps)?, self.dictionary()?);
        let logits = full(&matmul(&f, &self.classifiers(&d)?.f_transpose(0, 1)?)?)?;
        let error = matmul(&logits, &d)?.f_sub(&f)?.f_norm()?;
        let terms = error.f_add(&logits.f_norm()?.f_mul_scalar(self.ridge)?)?.f_mul_scalar(self.reconstruction)?;
        let cosine = self.cosine(&d)?.f_clamp_min(1e-6)?;
        let scores = logits.shallow_clone();
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                Ok(loss.compute(&scores, targets)?.f_add(&terms)?.f_div(&cosine)?)
            })),
        })
    }

    /// Its terms are norms over all images of a batch.
    fn loss_is_by_image(&self, _: Reduction) -> bool {
        false
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let weight = self.classifiers(&self.dictionary()?)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        Ok(Some(pointwise(features, &weight, None)?))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tch::Device;

    use super::super::{Known, LabelLoss, Truth, find};
    use super::*;
    use crate::losses::LossSpec;
    use crate::models::ModelSpec;
    use crate::models::params::Params;

    #[test]
    fn the_loss_reads_known_labels_only() {
        let labels = ["a", "b", "c"].map(String::from);
        let options = [("hidden", 5.0.into()), ("ridge", 1.0.into()), ("reconstruction", 0.1.into())];
        let spec = ModelSpec {
            head: "dsdl".into(),
            head_options: options.map(|(name, value)| (name.to_string(), value)).into(),
            word_vectors: Some("learned".into()),
            ..ModelSpec::default()
        };
        let params = RefCell::new(Params::default());
        let setup = HeadSetup::new(&spec, 4, &labels, "fc").unwrap();
        let head = (find("dsdl").unwrap().build)(&Scope::root(&params, 1, Device::Cpu), &setup).unwrap();
        let maps = Tensor::arange(2 * 4 * 3 * 3, (Kind::Float, Device::Cpu)).sin().reshape([2, 4, 3, 3]);
        let rest = |x: &Tensor| Ok(x.shallow_clone());
        let spec: LossSpec = serde_json::from_str(r#"{"name": "bce", "reduction": "mean"}"#).unwrap();
        let loss = |targets: &[f32; 6], known: &[bool; 6]| {
            let targets = Tensor::from_slice(targets).view([2, 3]);
            let known = Known::new(known.to_vec(), 3, Device::Cpu).unwrap();
            let truth = Some(Truth { targets: &targets, known: Some(&known) });
            let answer = head
                .answer(&Seen { maps: &maps, earlier: &[], tokens: &[], input: &maps, rest: &rest, truth }, Pass::EVAL)
                .unwrap();
            let label_loss = LabelLoss { spec: &spec, function: None, known: Some(&known) };
            f64::try_from(answer.loss(label_loss, &targets).unwrap()).unwrap()
        };
        let known = [true, false, true, true, true, true];
        assert_eq!(loss(&[1., 0., 0., 1., 0., 1.], &known), loss(&[1., 1., 0., 1., 0., 1.], &known));
        assert_ne!(loss(&[1., 0., 0., 1., 0., 1.], &known), loss(&[0., 0., 0., 1., 0., 1.], &known));
        // No known label: the terms that read none.
        let without = loss(&[1.0; 6], &[false; 6]);
        assert!(without > 0.0 && without < loss(&[1.0; 6], &[true; 6]), "{without}");
    }
}
