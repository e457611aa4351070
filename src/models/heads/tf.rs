//! The head of the CPSD paper: a transformer over patches and label words.

use tch::Tensor;

use super::transformer::{maps, tokens, weighted};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// ResNet101+TF of Xu et al., "Boosting multi-label image classification with complementary parallel
/// self-distillation", IJCAI 2022, as in its code.
///
/// Positions go through a linear map C → d, word vectors through a linear map 300 → d and ReLU. Both together are the
/// tokens `[N, h·w + m, d]` of pre-norm layers (queries, keys and values without bias, GELU, no position encoding, no
/// last norm); the outputs at the labels go through a linear map d → 1. A teacher has the words of its own labels only.
pub const TF: HeadKind = HeadKind {
    name: "tf",
    summary: "transformer over patches and label words, the paper's ResNet101+TF",
    paper: "Xu et al., IJCAI 2022",
    options: &[
        HeadOption::whole("width", 1024.0, 4.0, 8192.0, "width of the tokens"),
        HeadOption::whole("layers", 3.0, 1.0, 24.0, "transformer layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads; width must be a multiple of it"),
        HeadOption::whole("feed_forward", 1024.0, 1.0, 65536.0, "width between the two linear maps of a layer"),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    needs_words: true,
    build: |p, setup| Ok(Box::new(Tf::new(p, setup)?)),
    ..COMMON
};

struct Tf {
    patches: Linear,
    words: Tensor,
    labels: Linear,
    layers: Vec<Layer>,
    last: Linear,
    heads: i64,
    dropout: f64,
}

struct Layer {
    norm1: LayerNorm,
    /// [3d, d], without bias.
    qkv: Tensor,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Tf {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Tf> {
        let head = p.at("head");
        let (d, hidden) = (setup.integer("width"), setup.integer("feed_forward"));
        let words = setup.words(p)?;
        let patches = Linear::new(&head.at("patches"), setup.inputs, d)?;
        let labels = Linear::new(&head.at("labels"), words.size()[1], d)?;
        let layer = |i: i64| -> Result<Layer> {
            let p = head.at("layers").at(i);
            Ok(Layer {
                norm1: LayerNorm::new(&p.at("norm1"), d, 1e-5)?,
                qkv: p.normal("qkv.weight", &[3 * d, d], (1.0 / (3 * d) as f64).sqrt())?,
                out: Linear::new(&p.at("out"), d, d)?,
                norm2: LayerNorm::new(&p.at("norm2"), d, 1e-5)?,
                up: Linear::new(&p.at("up"), d, hidden)?,
                down: Linear::new(&p.at("down"), hidden, d)?,
            })
        };
        let layers = (0..setup.integer("layers")).map(layer).collect::<Result<_>>()?;
        let last = Linear::new(&p.at(setup.classifier), d, 1)?;
        Ok(Tf { patches, words, labels, layers, last, heads: setup.integer("heads"), dropout: setup.number("dropout") })
    }

    /// Logits, and the attention of the labels to the positions in the last layer `[N, m, h·w]`.
    fn run(&self, features: &Tensor, pass: Pass) -> Result<(Tensor, Tensor)> {
        let patches = self.patches.forward(&tokens(features)?)?;
        let size = patches.size();
        let (n, positions, d) = (size[0], size[1], size[2]);
        let labels = self.labels.forward(&self.words)?.f_relu()?;
        let m = labels.size()[0];
        let mut x = Tensor::f_cat(&[patches, labels.f_unsqueeze(0)?.f_expand([n, m, d], false)?], 1)?;
        let mut looked = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let key = 4 * i as u64;
            let qkv = layer.norm1.forward(&x)?.f_linear(&layer.qkv, None::<&Tensor>)?;
            let parts = qkv.f_reshape([n, positions + m, 3, self.heads, d / self.heads])?.f_permute([2, 0, 3, 1, 4])?;
            let (q, k, v) = (parts.f_select(0, 0)?, parts.f_select(0, 1)?, parts.f_select(0, 2)?);
            let (values, weights) = weighted(&q, &k, &v, 0.0, key, pass)?;
            x = x.f_add(&pass.dropout(&layer.out.forward(&values)?, self.dropout, key + 1)?)?;
            let hidden = layer.up.forward(&layer.norm2.forward(&x)?)?.f_gelu("none")?;
            let hidden = pass.dropout(&hidden, self.dropout, key + 2)?;
            x = x.f_add(&pass.dropout(&layer.down.forward(&hidden)?, self.dropout, key + 3)?)?;
            looked = Some(weights.f_narrow(1, positions, m)?.f_narrow(2, 0, positions)?);
        }
        let logits = self.last.forward(&x.f_narrow(1, positions, m)?)?.f_squeeze_dim(-1)?;
        let looked = looked.ok_or_else(|| crate::error::Error::internal("a transformer without layers"))?;
        Ok((logits, looked))
    }
}

impl Head for Tf {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass)?.0)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(maps(&self.run(features, Pass::EVAL)?.1, features)?))
    }
}
