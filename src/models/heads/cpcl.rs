//! CPCL: category prototype compositional learning.

use tch::Tensor;

use super::ml_gcn::{normalised, reweighted};
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Seen};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool, leaky_relu};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Zhou et al., "Multi-label image classification via category prototype compositional learning", TCSVT 2021.
///
/// Two graph convolutions 300 → hidden → d of the word vectors e give one prototype z per label. The feature of a label
/// is v = W tanh(U f ⊙ V e), f the pooled maps. Two linear maps reconstruct v from the prototype, one for images with
/// the label (A), one for those without (B); the logit is ‖v − B z‖² − ‖v − A z‖². The loss max(0, margin − y · logit),
/// y = ±1, replaces the training's own and has its `reduction`. Choices of this implementation: both maps read the
/// prototype alone; distances are means over the d numbers times √d.
pub const CPCL: HeadKind = HeadKind {
    name: "cpcl",
    summary: "which of two reconstructions from a label's prototype is nearer to the image",
    paper: "Zhou et al., TCSVT 2021",
    options: &[
        HeadOption::whole("hidden", 512.0, 1.0, 65536.0, "width between the graph convolutions, and of U f ⊙ V e"),
        HeadOption::whole("width", 1024.0, 1.0, 65536.0, "d: numbers in a prototype"),
        HeadOption::real("margin", 2.0, 0.0, 100.0, "margin of the hinge (the paper: 2 for COCO, 1 for NUS-WIDE)"),
        HeadOption::real("threshold", 0.4, 0.0, 1.0, "P(j|i) from which on labels are joined"),
        HeadOption::real("neighbours", 0.25, 0.0, 1.0, "weight of all neighbours together beside a label's own 1"),
    ],
    needs_graph: true,
    needs_words: true,
    build: |p, setup| Ok(Box::new(Cpcl::new(p, setup)?)),
    ..COMMON
};

struct Cpcl {
    words: Tensor,
    adjacency: Tensor,
    first: Tensor,
    second: Tensor,
    image: Linear,
    word: Linear,
    feature: Linear,
    with: Linear,
    without: Linear,
    margin: f64,
}

impl Cpcl {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Cpcl> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (d, hidden, width) = (words.size()[1], setup.integer("hidden"), setup.integer("width"));
        Ok(Cpcl {
            adjacency: normalised(&reweighted(&graph, setup.number("threshold"), setup.number("neighbours"))?)?,
            words,
            first: head.normal("gc1.weight", &[d, hidden], (1.0 / d as f64).sqrt())?,
            second: head.normal("gc2.weight", &[hidden, width], (1.0 / hidden as f64).sqrt())?,
            image: Linear::new(&head.at("image"), setup.inputs, hidden)?,
            word: Linear::new(&head.at("word"), d, hidden)?,
            feature: Linear::new(&head.at("feature"), hidden, width)?,
            with: Linear::new(&head.at("with"), width, width)?,
            without: Linear::new(&head.at("without"), width, width)?,
            margin: setup.number("margin"),
        })
    }
}

impl Head for Cpcl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let hidden = leaky_relu(&self.adjacency.f_matmul(&self.words.f_matmul(&self.first)?)?, 0.2)?;
        let prototypes = self.adjacency.f_matmul(&hidden.f_matmul(&self.second)?)?;
        let image = self.image.forward(&average_pool(features)?)?.f_unsqueeze(1)?;
        let v = self.feature.forward(&image.f_mul(&self.word.forward(&self.words)?)?.f_tanh()?)?;
        let apart = |map: &Linear| -> Result<Tensor> {
            let scale = (v.size()[2] as f64).sqrt();
            Ok(v.f_sub(&map.forward(&prototypes)?)?
                .f_square()?
                .f_mean_dim(Some(&[2i64][..]), false, None)?
                .f_mul_scalar(scale)?)
        };
        Ok(apart(&self.without)?.f_sub(&apart(&self.with)?)?)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let logits = self.logits(seen.maps, pass)?;
        let (scores, margin) = (logits.shallow_clone(), self.margin);
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                let y = targets.f_mul_scalar(-2.0)?.f_add_scalar(1.0)?;
                let mut elements = scores.f_mul(&y)?.f_add_scalar(margin)?.f_relu()?;
                if let Some(known) = loss.known {
                    elements = elements.f_masked_select(known)?;
                    // The mean of no elements would be NaN.
                    if elements.numel() == 0 {
                        return Ok(elements.f_sum(None)?);
                    }
                }
                loss.spec.reduction().apply(&elements)
            })),
        })
    }

    fn class_maps(&self, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
