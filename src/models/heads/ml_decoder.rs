//! ML-Decoder.

use tch::Tensor;

use super::published::{Layout, Published, moved_one_of};
use super::transformer::{DECODER, Init, PostNorm, PostNormConfig, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::matmul;

/// Ridnik et al., "ML-Decoder: scalable and versatile classification head", WACV 2023.
///
/// Positions through a linear map C → d and ReLU; at most `groups` fixed random queries attend to them in one decoder
/// layer without self-attention (in its place: query + dropout(query), layer norm, as in the authors' code); each
/// group's output gives the logits of its ⌈m / groups⌉ labels by its own linear map.
pub const ML_DECODER: HeadKind = HeadKind {
    name: "ml_decoder",
    summary: "ML-Decoder: fixed group queries attend to the positions, one linear map per group",
    paper: "Ridnik et al., WACV 2023",
    options: &[
        HeadOption::whole("width", 768.0, 4.0, 8192.0, "width of the decoder"),
        HeadOption::whole("groups", 100.0, 1.0, 10000.0, "queries at most"),
        HeadOption::whole("heads", 8.0, 1.0, 64.0, "attention heads; width must be a multiple of it"),
        HeadOption::whole("feed_forward", 2048.0, 1.0, 65536.0, "width between the two linear maps"),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    published: Published {
        code: "github.com/Alibaba-MIIL/ML_Decoder 8a9e984, MLDecoder (src_files/ml_decoder/ml_decoder.py)",
        differs: "no word queries for unseen classes (zsl)",
        layouts: &[Layout {
            system: "ML-Decoder (tresnet_l_COCO__448_90_0.pth on tresnet_v2_l, tresnet_m_COCO_224_84_2.pth on tresnet_m)",
            rename,
            labels: LabelOrder::CategoryIds,
        }],
    },
    build: |p, setup| Ok(Box::new(MlDecoder::new(p, setup)?)),
    ..COMMON
};

/// `head.decoder.embed_standart.weight` → `head.embed_standart.weight`; the head is `fc` in a ResNet of timm. The backbone has
/// its own names.
fn rename(name: &str, _: &str) -> Option<String> {
    let Some(rest) = ["head.decoder.", "fc.decoder."].iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return Some(name.to_string());
    };
    let parts = [("layers.", "head.decoder.layers."), ("", "head.")];
    moved_one_of(rest, &parts)
}

struct MlDecoder {
    embed: Linear,
    /// [g, d], never trained.
    queries: Tensor,
    norm: LayerNorm,
    layer: PostNorm,
    /// [g, d, ⌈m/g⌉]
    pooling: Tensor,
    bias: Tensor,
    dropout: f64,
}

impl MlDecoder {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<MlDecoder> {
        let head = p.at("head");
        let (m, d) = (setup.num_labels(), setup.integer("width"));
        let groups = setup.integer("groups").min(m);
        let each = (m + groups - 1) / groups;
        let queries = head.frozen_if(true).normal("query_embed.weight", &[groups, d], 1.0)?;
        let layer = head.at("decoder.layers.0");
        Ok(MlDecoder {
            embed: Linear::new(&head.at("embed_standart"), setup.inputs, d)?,
            queries,
            norm: LayerNorm::new(&layer.at("norm1"), d, 1e-5)?,
            layer: PostNorm::new(&layer, PostNormConfig::new(setup, &DECODER, d, Init::Torch)?)?,
            // `xavier_normal_` takes the first dimension for the outputs and the last for a kernel.
            pooling: head.normal(
                "duplicate_pooling",
                &[groups, d, each],
                (2.0 / ((d + groups) * each) as f64).sqrt(),
            )?,
            bias: head.filled("duplicate_pooling_bias", &[m], 0.0)?,
            dropout: setup.number("dropout"),
        })
    }

    /// Logits, and if `looks` the attention of the groups to the positions `[N, g, h·w]`.
    fn run(&self, features: &Tensor, pass: Pass, looks: bool) -> Result<(Tensor, Option<Tensor>)> {
        let memory = self.embed.forward(&tokens(features)?)?.f_relu()?;
        let (n, size) = (features.size()[0], self.queries.size());
        let queries = self.queries.f_unsqueeze(0)?.f_expand([n, size[0], size[1]], false)?;
        let x = self.norm.forward(&queries.f_add(&pass.dropout(&queries, self.dropout, 1000)?)?)?;
        let seen = self.layer.forward(&x, [&x, &memory, &memory], pass, looks)?;
        // [g, N, d] × [g, d, each] → [N, g · each]
        let logits = matmul(&seen.values.f_transpose(0, 1)?, &self.pooling)?.f_transpose(0, 1)?.f_flatten(1, 2)?;
        let m = self.bias.size()[0];
        Ok((logits.f_narrow(1, 0, m)?.f_add(&self.bias)?, seen.weights))
    }
}

impl Head for MlDecoder {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass, false)?.0)
    }

    /// The attention of a label is that of its group.
    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let Some(weights) = self.run(features, Pass::EVAL, true)?.1 else { return Ok(None) };
        let each = self.pooling.size()[2];
        let labels = weights.f_repeat_interleave_self_int(each, 1, None)?.f_narrow(1, 0, self.bias.size()[0])?;
        Ok(Some(maps(&labels, features)?))
    }
}
