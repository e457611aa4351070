//! KSSNet: knowledge shared with the backbone, stage by stage.

use tch::Tensor;

use super::ml_gcn::{normalised, reweighted};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::{Linear, average_pool, leaky_relu};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Wang et al., "Multi-label classification with label graph superimposing", AAAI 2020.
///
/// Each stage has a graph convolution of the word vectors, `E_s` `[m, C_s]` (leaky ReLU 0.2 between them). After every
/// stage but the last, a lateral connection adds Conv₁ₓ₁(x · tanh(E_s)ᵀ) to the maps x. Logits: a linear map of the
/// pooled feature f, plus f · Eᵀ of the last stage. The paper superimposes a knowledge graph on the statistics; here
/// the graph is the statistics alone, binarised and reweighted as in ML-GCN. Frozen stages have no lateral connections.
pub const KSSNET: HeadKind = HeadKind {
    name: "kssnet",
    summary: "graph convolutions of word vectors beside each stage, added to its maps",
    paper: "Wang et al., AAAI 2020",
    options: &[
        HeadOption::real("threshold", 0.4, 0.0, 1.0, "P(j|i) from which on labels are joined"),
        HeadOption::real("neighbours", 0.25, 0.0, 1.0, "weight of all neighbours together beside a label's own 1"),
    ],
    needs_graph: true,
    needs_words: true,
    build: |p, setup| Ok(Box::new(KssNet::new(p, setup)?)),
    ..COMMON
};

struct KssNet {
    words: Tensor,
    adjacency: Tensor,
    /// One per stage from `first` on.
    layers: Vec<Tensor>,
    /// m → C_s, one per stage but the last.
    lateral: Vec<Linear>,
    first: usize,
    last: Linear,
}

impl KssNet {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<KssNet> {
        let head = p.at("head");
        let graph = setup.graph()?.f_to_device(p.device)?;
        let words = setup.words(p)?;
        let channels = setup.stage_channels()?;
        let first = setup.spec.freeze.clamp(1, channels.len());
        let mut inputs = words.size()[1];
        let (mut layers, mut lateral) = (vec![], vec![]);
        for stage in first..=channels.len() {
            let outputs = channels[stage - 1];
            layers.push(head.normal(
                &format!("gc{stage}.weight"),
                &[inputs, outputs],
                (1.0 / (3 * outputs) as f64).sqrt(),
            )?);
            if stage < channels.len() {
                lateral.push(Linear::pointwise(&head.at(format!("lateral{stage}")), setup.num_labels(), outputs)?);
            }
            inputs = outputs;
        }
        Ok(KssNet {
            adjacency: normalised(&reweighted(&graph, setup.number("threshold"), setup.number("neighbours"))?)?,
            words,
            layers,
            lateral,
            first,
            last: Linear::new(&p.at(setup.classifier), setup.inputs, setup.num_labels())?,
        })
    }

    /// E of the first `count` graph convolutions.
    fn embeddings(&self, count: usize) -> Result<Tensor> {
        let mut e = self.words.shallow_clone();
        for (i, layer) in self.layers[..count].iter().enumerate() {
            if i > 0 {
                e = leaky_relu(&e, 0.2)?;
            }
            e = self.adjacency.f_matmul(&e.f_matmul(layer)?)?;
        }
        Ok(e)
    }
}

impl Head for KssNet {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        let pooled = average_pool(features)?;
        let from_graph = pooled.f_matmul(&self.embeddings(self.layers.len())?.f_transpose(0, 1)?)?;
        Ok(self.last.forward(&pooled)?.f_add(&from_graph)?)
    }

    fn lateral(&self, stage: usize, x: &Tensor) -> Result<Option<Tensor>> {
        let Some(lateral) = stage.checked_sub(self.first).and_then(|i| self.lateral.get(i)) else { return Ok(None) };
        let e = self.embeddings(stage - self.first + 1)?.f_tanh()?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        Ok(Some(lateral.on_maps(&x.f_conv2d(&e, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)?)?))
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let e = self.embeddings(self.layers.len())?.f_unsqueeze(-1)?.f_unsqueeze(-1)?;
        let from_graph = features.f_conv2d(&e, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)?;
        Ok(Some(self.last.on_maps(features)?.f_add(&from_graph)?))
    }
}
