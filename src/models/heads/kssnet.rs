//! KSSNet: knowledge shared with the backbone, stage by stage.

use tch::{Kind, Tensor};

use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup, Published};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool, leaky_relu};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::{matmul, pointwise};

/// Wang et al., "Multi-label classification with label graph superimposing", AAAI 2020.
///
/// Each stage has a graph convolution of the word vectors, `E_s` `[m, C_s]` (leaky ReLU 0.2 between them): Â E W₁ W₂ + b,
/// its weight a product of two with max(32, ⌊(in + out) / 8⌋) numbers between. After every stage but the last, a lateral
/// connection adds Conv₁ₓ₁(x · tanh(E_s)ᵀ), without bias, to the maps x. Logits: f · tanh(E)ᵀ of the last stage plus a
/// linear map of f, the pooled features after dropout. Â = D^-1/2 (w A + (1 − w) I) D^-1/2, where A is the graph without
/// weights below `threshold`, w is `neighbours` and D are the sums of the columns. Frozen stages have no lateral
/// connections; the chain of graph convolutions begins with the last of them.
pub const KSSNET: HeadKind = HeadKind {
    name: "kssnet",
    summary: "graph convolutions of word vectors beside each stage, added to its maps",
    paper: "Wang et al., AAAI 2020",
    options: &[
        HeadOption::real("threshold", 0.03, 0.0, 1.0, "weights of the graph below it are dropped"),
        HeadOption::real("neighbours", 0.4, 0.0, 1.0, "weight of the graph beside the identity's 1 - neighbours"),
        HeadOption::real("dropout", 0.5, 0.0, 0.95, "probability of dropping a pooled feature, in training only"),
    ],
    needs_graph: true,
    needs_words: true,
    published: Published {
        code: "github.com/mathkey/mssnet 7d0effc, GCNI3D (model_zoo/gcn_i3d.py), for video",
        differs: "the authors' code is for video (I3D, connections before its poolings), held to here with one frame; that a \
                  picture's network has them after the stages of a ResNet is read from the paper. The authors' file of the \
                  graph superimposes ConceptNet's weights on those of the labels and is symmetric; here it is the option \
                  graph as given (P(j|i) for a co-occurrence)",
        layouts: &[],
    },
    build: |p, setup| Ok(Box::new(KssNet::new(p, setup)?)),
    ..COMMON
};

/// E → Â E W₁ W₂ + b.
struct GraphConvolution {
    /// `[in, middle]`
    into: Tensor,
    /// `[middle, out]`
    out: Tensor,
    /// `[1, out]`
    bias: Tensor,
}

impl GraphConvolution {
    fn new(p: &Scope, inputs: i64, outputs: i64) -> Result<GraphConvolution> {
        let middle = ((inputs + outputs) / 8).max(32);
        let bound = |width: i64| 1.0 / (width as f64).sqrt();
        Ok(GraphConvolution {
            into: p.uniform("weight1", &[inputs, middle], bound(middle))?,
            out: p.uniform("weight2", &[middle, outputs], bound(outputs))?,
            bias: p.uniform("bias", &[1, outputs], bound(outputs))?,
        })
    }

    fn forward(&self, e: &Tensor, adjacency: &Tensor) -> Result<Tensor> {
        Ok(matmul(adjacency, &matmul(&matmul(e, &self.into)?, &self.out)?)?.f_add(&self.bias)?)
    }
}

struct KssNet {
    words: Tensor,
    adjacency: Tensor,
    /// One per stage from `first` on.
    layers: Vec<GraphConvolution>,
    /// `[C_s, m, 1, 1]`, one per stage but the last.
    lateral: Vec<Tensor>,
    first: usize,
    last: Linear,
    dropout: f64,
}

impl KssNet {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<KssNet> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let channels = setup.stage_channels()?;
        let first = setup.spec.freeze.clamp(1, channels.len().max(1));
        let m = setup.num_labels();
        let mut inputs = words.size()[1];
        let (mut layers, mut lateral) = (vec![], vec![]);
        for (stage, &outputs) in (1..).zip(&channels).skip(first - 1) {
            layers.push(GraphConvolution::new(&head.at(format!("gc{stage}")), inputs, outputs)?);
            if stage < channels.len() {
                let p = head.at(format!("lateral{stage}"));
                lateral.push(p.uniform("weight", &[outputs, m, 1, 1], 1.0 / (m as f64).sqrt())?);
            }
            inputs = outputs;
        }
        Ok(KssNet {
            adjacency: adjacency(&graph, setup.number("threshold"), setup.number("neighbours"))?,
            words,
            layers,
            lateral,
            first,
            last: Linear::new(&p.at(setup.classifier), setup.inputs, m)?,
            dropout: setup.number("dropout"),
        })
    }

    /// tanh(E) of the first `count` graph convolutions, as a kernel `[m, C, 1, 1]`.
    fn embeddings(&self, count: usize) -> Result<Tensor> {
        let mut e = self.words.shallow_clone();
        for (i, layer) in self.layers[..count].iter().enumerate() {
            if i > 0 {
                e = leaky_relu(&e, 0.2)?;
            }
            e = layer.forward(&e, &self.adjacency)?;
        }
        Ok(e.f_tanh()?.f_unsqueeze(-1)?.f_unsqueeze(-1)?)
    }
}

/// D^-1/2 (w A + (1 − w) I) D^-1/2, A the weights of at least `threshold`, D the sums of the columns.
fn adjacency(graph: &Tensor, threshold: f64, w: f64) -> Result<Tensor> {
    let kept = graph.f_masked_fill(&graph.f_lt(threshold)?, 0.0)?;
    let own = Tensor::f_eye(kept.size()[0], (Kind::Float, graph.device()))?.f_mul_scalar(1.0 - w)?;
    let a = kept.f_mul_scalar(w)?.f_add(&own)?;
    // Without own weights (w = 1), a label without neighbours has the sum 0.
    let scale = a.f_sum_dim_intlist(&[0i64][..], false, None)?.f_clamp_min(1e-12)?.f_pow_tensor_scalar(-0.5)?;
    Ok(a.f_mul(&scale.f_unsqueeze(1)?)?.f_mul(&scale.f_unsqueeze(0)?)?)
}

impl Head for KssNet {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        let pooled = pass.dropout(&average_pool(features)?, self.dropout, 0)?;
        let e = self.embeddings(self.layers.len())?.f_flatten(1, 3)?;
        Ok(matmul(&pooled, &e.f_transpose(0, 1)?)?.f_add(&self.last.forward(&pooled)?)?)
    }

    fn lateral(&self, stage: usize, x: &Tensor) -> Result<Option<Tensor>> {
        let Some(lateral) = stage.checked_sub(self.first).and_then(|i| self.lateral.get(i)) else { return Ok(None) };
        let e = self.embeddings(stage - self.first + 1)?;
        Ok(Some(pointwise(&pointwise(x, &e, None)?, lateral, None)?))
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let from_graph = pointwise(features, &self.embeddings(self.layers.len())?, None)?;
        Ok(Some(self.last.on_maps(features)?.f_add(&from_graph)?))
    }
}
