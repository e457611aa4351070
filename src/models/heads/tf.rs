//! The head of the CPSD paper: a transformer over patches and label words.

use tch::Tensor;

use super::published::{Layout, Published, moved_one_of, resnet_children};
use super::transformer::{Attended, Attending, maps, tokens, weighted};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::linear;

/// ResNet101+TF of Xu et al., "Boosting multi-label image classification with complementary parallel
/// self-distillation", IJCAI 2022, as in its code.
///
/// Positions go through a linear map C → d, word vectors through a linear map 300 → d and ReLU. Both together are the
/// tokens `[N, h·w + m, d]` of pre-norm layers (queries, keys and values without bias, GELU, no position encoding, no
/// last norm); the outputs at the labels go through a linear map d → 1. Each attention head is `dim_head` wide, whatever d and
/// the number of heads: published 1024 × 4, so queries, keys and values are 12,288 wide, and the three layers have 56.6 million
/// parameters. A teacher has the words of its own labels only.
pub const TF: HeadKind = HeadKind {
    name: "tf",
    summary: "transformer over patches and label words, the paper's ResNet101+TF",
    paper: "Xu et al., IJCAI 2022",
    options: &[
        HeadOption::whole("width", 1024.0, 4.0, 8192.0, "width of the tokens"),
        HeadOption::whole("layers", 3.0, 1.0, 24.0, "transformer layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads"),
        HeadOption::whole(
            "dim_head",
            1024.0,
            1.0,
            8192.0,
            "width of each attention head; 256 is a third of the parameters",
        ),
        HeadOption::whole("feed_forward", 1024.0, 1.0, 65536.0, "width between the two linear maps of a layer"),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    needs_words: true,
    published: Published {
        code: "github.com/Robbie-Xu/CPSD bf8784b, ResNet101TF (model/model_trans_101.py)",
        differs: "",
        layouts: &[Layout {
            system: "CPSD with ResNet101+TF (CPSD-R101TF-448-COCO, CPSD-R101TF-576-COCO, CPSD-R101TF-448-NUS)",
            rename,
            labels: LabelOrder::Alphabetical,
        }],
    },
    build: |p, setup| Ok(Box::new(Tf::new(p, setup)?)),
    ..COMMON
};

/// `transformer.layers.0.0.fn.fn.to_qkv.weight` → `head.layers.0.qkv.weight`.
fn rename(name: &str, classifier: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("features.") {
        return resnet_children(rest);
    }
    if let Some(rest) = name.strip_prefix("transformer.layers.") {
        let (layer, rest) = rest.split_once('.')?;
        let part = moved_one_of(
            rest,
            &[
                ("0.fn.norm.", "norm1."),
                ("0.fn.fn.to_qkv.", "qkv."),
                ("0.fn.fn.to_out.0.", "out."),
                ("1.fn.norm.", "norm2."),
                ("1.fn.fn.net.0.", "up."),
                ("1.fn.fn.net.3.", "down."),
            ],
        )?;
        return Some(format!("head.layers.{layer}.{part}"));
    }
    let last = format!("{classifier}.");
    moved_one_of(name, &[("fc.0.", "head.patches."), ("label_emb.0.", "head.labels."), ("classify.0.", &last)])
}

struct Tf {
    patches: Linear,
    words: Tensor,
    labels: Linear,
    layers: Vec<Layer>,
    last: Linear,
    heads: i64,
    dim_head: i64,
    dropout: f64,
}

struct Layer {
    norm1: LayerNorm,
    /// [3 · heads · dim_head, d], without bias.
    qkv: Tensor,
    /// None for one head of the tokens' width, as in the authors' code.
    out: Option<Linear>,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Tf {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Tf> {
        let head = p.at("head");
        let (d, hidden) = (setup.integer("width"), setup.integer("feed_forward"));
        let (heads, dim_head) = (setup.integer("heads"), setup.integer("dim_head"));
        let inner = heads * dim_head;
        let words = setup.words(p)?;
        let patches = Linear::new(&head.at("patches"), setup.inputs, d)?;
        let labels = Linear::new(&head.at("labels"), words.size()[1], d)?;
        let layer = |i: i64| -> Result<Layer> {
            let p = head.at("layers").at(i);
            Ok(Layer {
                norm1: LayerNorm::new(&p.at("norm1"), d, 1e-5)?,
                qkv: p.uniform("qkv.weight", &[3 * inner, d], 1.0 / (d as f64).sqrt())?,
                out: match heads == 1 && dim_head == d {
                    true => None,
                    false => Some(Linear::new(&p.at("out"), inner, d)?),
                },
                norm2: LayerNorm::new(&p.at("norm2"), d, 1e-5)?,
                up: Linear::new(&p.at("up"), d, hidden)?,
                down: Linear::new(&p.at("down"), hidden, d)?,
            })
        };
        let layers = (0..setup.integer("layers")).map(layer).collect::<Result<_>>()?;
        let last = Linear::new(&p.at(setup.classifier), d, 1)?;
        Ok(Tf { patches, words, labels, layers, last, heads, dim_head, dropout: setup.number("dropout") })
    }

    /// Logits, and if `looks` the attention of the labels to the positions in the last layer `[N, m, h·w]`.
    fn run(&self, features: &Tensor, pass: Pass, looks: bool) -> Result<(Tensor, Option<Tensor>)> {
        let patches = self.patches.forward(&tokens(features)?)?;
        let size = patches.size();
        let (n, positions, d) = (size[0], size[1], size[2]);
        let labels = self.labels.forward(&self.words)?.f_relu()?;
        let m = labels.size()[0];
        let mut x = Tensor::f_cat(&[patches, labels.f_unsqueeze(0)?.f_expand([n, m, d], false)?], 1)?;
        let mut looked = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let key = 4 * i as u64;
            let qkv = linear(&layer.norm1.forward(&x)?, &layer.qkv, None)?;
            let parts = qkv.f_reshape([n, positions + m, 3, self.heads, self.dim_head])?.f_permute([2, 0, 3, 1, 4])?;
            let (q, k, v) = (parts.f_select(0, 0)?, parts.f_select(0, 1)?, parts.f_select(0, 2)?);
            let attending = Attending { dropout: 0.0, layer: key, pass, looks: looks && i + 1 == self.layers.len() };
            let Attended { values, weights } = weighted(&q, &k, &v, attending)?;
            let values = match &layer.out {
                Some(out) => pass.dropout(&out.forward(&values)?, self.dropout, key + 1)?,
                None => values,
            };
            x = x.f_add(&values)?;
            let hidden = layer.up.forward(&layer.norm2.forward(&x)?)?.f_gelu("none")?;
            let hidden = pass.dropout(&hidden, self.dropout, key + 2)?;
            x = x.f_add(&pass.dropout(&layer.down.forward(&hidden)?, self.dropout, key + 3)?)?;
            looked = weights;
        }
        let logits = self.last.forward(&x.f_narrow(1, positions, m)?)?.f_squeeze_dim(-1)?;
        let looked = looked.map(|weights| weights.f_narrow(1, positions, m)?.f_narrow(2, 0, positions)).transpose()?;
        Ok((logits, looked))
    }
}

impl Head for Tf {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass, false)?.0)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        self.run(features, Pass::EVAL, true)?.1.map(|weights| maps(&weights, features)).transpose()
    }
}
