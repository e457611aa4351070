//! CPCL: category prototype compositional learning.

use tch::Tensor;

use super::graph_convolution::{GraphConvolutions, normalised, reweighted};
use super::published::{Layout, moved, resnet_children, useless};
use super::{Answer, COMMON, Head, HeadKind, HeadOption, HeadSetup, Published, Seen};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::Linear;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::precision::full;
use crate::models::products::linear;

/// Zhou et al., "Multi-label image classification via category prototype compositional learning", TCSVT 2021.
///
/// Two graph convolutions of the word vectors e, d → hidden → width, give one prototype z per label, over the adjacency
/// of ML-GCN. The feature of a label is v = W tanh(U f ⊙ V e) + b, f the max-pooled maps, U and V without bias. Two linear
/// maps of [v ⊙ z; z] compose v with its prototype and decompose it; the logit is ‖v − decomposed‖ − ‖v − composed‖. The loss
/// is the training's plus β times the hinge max(0, margin − y · logit), y = ±1, with the same reduction (a sum if the
/// training's loss is a closure). The authors' loss is `bce` with reduction "mean".
pub const CPCL: HeadKind = HeadKind {
    name: "cpcl",
    summary: "whether a label's feature composed with its prototype is nearer to it than decomposed",
    paper: "Zhou et al., TCSVT 2021",
    options: &[
        HeadOption::whole("hidden", 512.0, 1.0, 65536.0, "width between the graph convolutions"),
        HeadOption::whole("width", 1024.0, 1.0, 65536.0, "numbers in a prototype and in a label's feature"),
        HeadOption::real(
            "margin",
            2.0,
            0.0,
            1000.0,
            "margin of the hinge (the authors' scripts: 2 for COCO and VOC, 1 for NUS-WIDE)",
        ),
        HeadOption::real("beta", 1.0, 0.0, 1000.0, "weight of the hinge beside the training's loss"),
        HeadOption::real("threshold", 0.4, 0.0, 1.0, "P(j|i) from which on labels are joined"),
        HeadOption::real("neighbours", 0.25, 0.0, 1.0, "weight of all neighbours together beside a label's own 1"),
    ],
    needs_graph: true,
    needs_words: true,
    published: Published {
        code: "github.com/FT-ZHOU-ZZZ/CPCL 9e2efed, Model (MS-COCO/models.py), MyLoss (MS-COCO/loss.py)",
        differs: "maps of any size are max-pooled (theirs: 14 × 14)",
        layouts: &[Layout {
            system: "CPCL (model_best.pth.tar of its program; its adjacency comes from the option graph)",
            rename,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(Cpcl::new(p, setup)?)),
    ..COMMON
};

/// Their class names the two maps by the wrong distance: `coupling_network` gives the decoupling distance.
fn rename(name: &str, _: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("features.") {
        return resnet_children(rest);
    }
    // Never trained: the output of `reweighted`, in the order of their labels.
    if name == "A" {
        return useless();
    }
    moved(name, "decoupling_network.fc.", "head.compose.")
        .or_else(|| moved(name, "coupling_network.fc.", "head.decompose."))
        .or_else(|| moved(name, "semantic_special.feature_trans.", "head.image."))
        .or_else(|| moved(name, "semantic_special.semantic_trans.", "head.word."))
        .or_else(|| moved(name, "semantic_special.joint_trans.", "head.feature."))
        .or_else(|| name.starts_with("gc").then(|| format!("head.{name}")))
}

struct Cpcl {
    words: Tensor,
    adjacency: Tensor,
    convolutions: GraphConvolutions,
    /// U, `[width, C]`.
    image: Tensor,
    /// V, `[width, d]`.
    word: Tensor,
    feature: Linear,
    compose: Linear,
    decompose: Linear,
    margin: f64,
    beta: f64,
}

impl Cpcl {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Cpcl> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (d, hidden, width) = (words.size()[1], setup.integer("hidden"), setup.integer("width"));
        let unbiased =
            |name: &str, inputs: i64| head.at(name).uniform("weight", &[width, inputs], 1.0 / (inputs as f64).sqrt());
        Ok(Cpcl {
            adjacency: normalised(&reweighted(&graph, setup.number("threshold"), setup.number("neighbours"))?)?,
            words,
            convolutions: GraphConvolutions::new(&head, d, hidden, width)?,
            image: unbiased("image", setup.inputs)?,
            word: unbiased("word", d)?,
            feature: Linear::new(&head.at("feature"), width, width)?,
            compose: Linear::new(&head.at("compose"), 2 * width, width)?,
            decompose: Linear::new(&head.at("decompose"), 2 * width, width)?,
            margin: setup.number("margin"),
            beta: setup.number("beta"),
        })
    }
}

impl Head for Cpcl {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let image = linear(&features.f_amax([2i64, 3], false)?, &self.image, None)?.f_unsqueeze(1)?;
        let word = linear(&self.words, &self.word, None)?;
        let v = self.feature.forward(&image.f_mul(&word)?.f_tanh()?)?;
        let z = self.convolutions.forward(&self.words, &self.adjacency)?.f_expand_as(&v)?;
        let both = Tensor::f_cat(&[&v.f_mul(&z)?, &z], 2)?;
        let apart = |map: &Linear| -> Result<Tensor> {
            Ok(full(&v.f_sub(&map.forward(&both)?)?)?.f_norm_scalaropt_dim(2, [2i64], false)?)
        };
        Ok(apart(&self.decompose)?.f_sub(&apart(&self.compose)?)?)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let logits = self.logits(seen.maps, pass)?;
        let (scores, margin, beta) = (full(&logits)?, self.margin, self.beta);
        Ok(Answer {
            logits,
            own_loss: Some(Box::new(move |loss, targets| {
                let absent = scores.f_add_scalar(margin)?.f_relu()?.f_mul(&targets.f_rsub_scalar(1.0)?)?;
                let present = scores.f_neg()?.f_add_scalar(margin)?.f_relu()?.f_mul(targets)?;
                let hinge = loss.reduce(&absent.f_add(&present)?)?;
                Ok(loss.compute(&scores, targets)?.f_add(&hinge.f_mul_scalar(beta)?)?)
            })),
        })
    }

    fn class_maps(&self, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
