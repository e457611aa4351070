//! Query2Label.

use tch::{Kind, Tensor};

use super::transformer::{DECODER, ENCODER, GroupWise, PostNorm, PostNormConfig, maps, tokens};
use super::{COMMON, Head, HeadKind, HeadOption, HeadSetup};
use crate::error::Result;
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// Liu et al., "Query2Label: a simple transformer way to multi-label classification", 2021, with the settings of its
/// ResNet-101 rows.
///
/// A 1×1 convolution C → d, normalised sine positions added to queries and keys of post-norm encoder layers over the
/// positions; learned label queries `[m, d]` attend to them in decoder layers without self-attention and a last layer
/// norm; one dot product and bias per label. `width` 0 means the backbone's channels.
pub const Q2L: HeadKind = HeadKind {
    name: "q2l",
    summary: "Query2Label: learned label queries attend to the positions of an encoder",
    paper: "Liu et al., 2021",
    options: &[
        HeadOption::whole(
            "width",
            2048.0,
            0.0,
            8192.0,
            "width of the transformer, a multiple of 4; 0 is the backbone's channels",
        ),
        HeadOption::whole("encoder_layers", 1.0, 0.0, 12.0, "encoder layers"),
        HeadOption::whole("decoder_layers", 2.0, 1.0, 12.0, "decoder layers"),
        HeadOption::whole("heads", 4.0, 1.0, 64.0, "attention heads; width must be a multiple of it"),
        HeadOption::whole("feed_forward", 8192.0, 1.0, 65536.0, "width between the two linear maps of a layer"),
        HeadOption::real("dropout", 0.1, 0.0, 0.9, "dropout in training"),
    ],
    build: |p, setup| Ok(Box::new(Q2l::new(p, setup)?)),
    ..COMMON
};

struct Q2l {
    project: Linear,
    queries: Tensor,
    encoder: Vec<PostNorm>,
    decoder: Vec<PostNorm>,
    norm: LayerNorm,
    last: GroupWise,
}

impl Q2l {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Q2l> {
        let head = p.at("head");
        let width = match setup.integer("width") {
            0 => setup.inputs,
            width => width,
        };
        let transformer = head.at("transformer");
        let layers = |part: &str, names, count: i64, first: i64| -> Result<Vec<PostNorm>> {
            let (p, config) = (transformer.at(part).at("layers"), PostNormConfig::new(setup, names, width));
            let layer = |i: i64| PostNorm::new(&p.at(i), PostNormConfig { layer: (first + i) as u64, ..config });
            (0..count).map(layer).collect()
        };
        let (before, after) = (setup.integer("encoder_layers"), setup.integer("decoder_layers"));
        let encoder = layers("encoder", &ENCODER, before, 0)?;
        let decoder = layers("decoder", &DECODER, after, before)?;
        Ok(Q2l {
            project: Linear::pointwise(&head.at("input_proj"), setup.inputs, width)?,
            queries: head.normal("query_embed.weight", &[setup.num_labels(), width], 1.0)?,
            encoder,
            decoder,
            norm: LayerNorm::new(&transformer.at("decoder.norm"), width, 1e-5)?,
            last: GroupWise::new(&p.at(setup.classifier), setup.num_labels(), width)?,
        })
    }

    fn run(&self, features: &Tensor, pass: Pass) -> Result<(Tensor, Tensor)> {
        let maps = self.project.on_maps(features)?;
        let positions = sine(&maps)?;
        let mut memory = tokens(&maps)?;
        for layer in &self.encoder {
            let placed = memory.f_add(&positions)?;
            memory = layer.forward(&memory, &placed, &placed, &memory, pass)?.values;
        }
        let (n, size) = (features.size()[0], self.queries.size());
        let mut x = self.queries.f_unsqueeze(0)?.f_expand([n, size[0], size[1]], false)?;
        let placed = memory.f_add(&positions)?;
        let mut looked = None;
        for layer in &self.decoder {
            let seen = layer.forward(&x, &x, &placed, &memory, pass)?;
            (x, looked) = (seen.values, Some(seen.weights));
        }
        let looked = looked.ok_or_else(|| crate::error::Error::internal("a decoder without layers"))?;
        Ok((self.last.forward(&self.norm.forward(&x)?)?, looked))
    }
}

/// Sine positions `[1, h·w, d]` of DETR: rows in the first half of the channels, columns in the second, counted from 1
/// and normalised to 2π, sine and cosine alternating.
fn sine(maps: &Tensor) -> Result<Tensor> {
    let size = maps.size();
    let (d, h, w, options) = (size[1], size[2], size[3], (Kind::Float, maps.device()));
    let half = d / 2;
    let exponent = Tensor::f_arange(half, options)?.f_div_scalar_mode(2.0, "floor")?.f_mul_scalar(2.0 / half as f64)?;
    let wave = Tensor::f_full([1], 10_000.0, options)?.f_pow(&exponent)?;
    let axis = |n: i64| -> Result<Tensor> {
        let at = Tensor::f_arange(n, options)?
            .f_add_scalar(1.0)?
            .f_mul_scalar(2.0 * std::f64::consts::PI / (n as f64 + 1e-6))?;
        let angle = at.f_unsqueeze(1)?.f_div(&wave)?.f_view([n, half / 2, 2])?;
        let both = [angle.f_select(2, 0)?.f_sin()?, angle.f_select(2, 1)?.f_cos()?];
        Ok(Tensor::f_stack(&both, 2)?.f_view([n, half])?)
    };
    let rows = axis(h)?.f_unsqueeze(1)?.f_expand([h, w, half], false)?;
    let columns = axis(w)?.f_unsqueeze(0)?.f_expand([h, w, half], false)?;
    Ok(Tensor::f_cat(&[rows, columns], 2)?.f_reshape([1, h * w, d])?)
}

impl Head for Q2l {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, pass)?.0)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(maps(&self.run(features, Pass::EVAL)?.1, features)?))
    }
}
