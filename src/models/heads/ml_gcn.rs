//! ML-GCN.

use tch::Tensor;

use super::graph_convolution::{GraphConvolutions, normalised, reweighted};
use super::published::{moved, resnet_children, useless};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup, Layout, Published};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::{matmul, pointwise};

/// Chen et al., "Multi-label image recognition with graph convolutional networks", CVPR 2019.
///
/// Two graph convolutions d → hidden → C of the word vectors (leaky ReLU 0.2 between them) give one classifier per
/// label; logits are its product with the max-pooled features. The adjacency is P(j|i) binarised at `threshold`, with
/// columns reweighted to a sum of `neighbours`, plus the identity, normalised as D^-1/2 A D^-1/2 transposed, as in the
/// authors' code. A Cooccurrence as `graph` gives P(j|i); the weights of an Affinity are used unchanged.
pub const ML_GCN: HeadKind = HeadKind {
    name: "ml_gcn",
    summary: "classifiers from graph convolutions of word vectors over the label graph",
    paper: "Chen et al., CVPR 2019",
    options: &[
        HeadOption::whole("hidden", 1024.0, 1.0, 65536.0, "width between the two graph convolutions"),
        HeadOption::real("threshold", 0.4, 0.0, 1.0, "P(j|i) from which on labels are joined"),
        HeadOption::real("neighbours", 0.25, 0.0, 1.0, "weight of all neighbours together beside a label's own 1"),
    ],
    needs_graph: true,
    needs_words: true,
    published: Published {
        code: "github.com/Megvii-Nanjing/ML-GCN 5517d6f, GCNResnet (models.py)",
        differs: "",
        layouts: &[Layout {
            system: "ML-GCN (coco_checkpoint.pth.tar, voc_checkpoint.pth.tar; its adjacency comes from the option graph)",
            rename: their_name,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(MlGcn::new(p, setup)?)),
    ..COMMON
};

fn their_name(name: &str, _: &str) -> Option<String> {
    match name {
        // Never trained: the output of `reweighted`, in the order of their labels.
        "A" => useless(),
        _ => match name.strip_prefix("features.") {
            Some(rest) => resnet_children(rest),
            None => moved(name, "gc", "head.gc"),
        },
    }
}

struct MlGcn {
    words: Tensor,
    adjacency: Tensor,
    convolutions: GraphConvolutions,
}

impl MlGcn {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<MlGcn> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let (d, hidden) = (words.size()[1], setup.integer("hidden"));
        Ok(MlGcn {
            adjacency: normalised(&reweighted(&graph, setup.number("threshold"), setup.number("neighbours"))?)?,
            words,
            convolutions: GraphConvolutions::new(&head, d, hidden, setup.inputs)?,
        })
    }

    /// `[m, C]`
    fn classifiers(&self) -> Result<Tensor> {
        self.convolutions.forward(&self.words, &self.adjacency)
    }
}

impl Head for MlGcn {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let pooled = features.f_amax([2i64, 3], false)?;
        matmul(&pooled, &self.classifiers()?.f_transpose(0, 1)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let weight = self.classifiers()?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        Ok(Some(pointwise(features, &weight, None)?))
    }
}
