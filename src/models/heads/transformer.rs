//! Attention and other layers shared by heads. `[B, T, d]`: batch, tokens, width.

use tch::Tensor;

use super::HeadSetup;
use crate::error::{Error, Result};
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// First weights of a transformer layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// PyTorch's: the packed projection Xavier uniform, its bias and the output's 0, other layers uniform in ±1/√in.
    Torch,
    /// The same, with every matrix Xavier uniform: `_reset_parameters` of DETR and its descendants.
    Xavier,
    /// PyTorch's, with the output's bias uniform too: C-Tran's `weights_init`.
    Uniform,
}

impl Init {
    fn weight(self, p: &Scope, inputs: i64, outputs: i64) -> Result<Tensor> {
        match self {
            Init::Xavier => p.xavier("weight", [outputs, inputs]),
            Init::Torch | Init::Uniform => p.uniform("weight", &[outputs, inputs], 1.0 / (inputs as f64).sqrt()),
        }
    }

    fn linear(self, p: &Scope, inputs: i64, outputs: i64) -> Result<Linear> {
        let weight = self.weight(p, inputs, outputs)?;
        Ok(Linear { weight, bias: p.uniform("bias", &[outputs], 1.0 / (inputs as f64).sqrt())? })
    }

    /// The map of the heads' values to the output.
    fn output(self, p: &Scope, width: i64) -> Result<Linear> {
        match self {
            Init::Uniform => self.linear(p, width, width),
            Init::Torch | Init::Xavier => {
                Ok(Linear { weight: self.weight(p, width, width)?, bias: p.filled("bias", &[width], 0.0)? })
            }
        }
    }
}

/// Multi-head attention with PyTorch's parameters (`nn.MultiheadAttention`, Vaswani et al. 2017).
pub struct Attention {
    packed: Linear,
    out: Linear,
    heads: i64,
    /// Distinguishes the dropouts of a model.
    layer: u64,
}

/// The output of attention `[B, T, d]`, and each query's weights over the keys `[B, T, S]`, the mean over heads.
pub struct Attended {
    pub values: Tensor,
    pub weights: Tensor,
}

impl Attention {
    pub fn new(p: &Scope, width: i64, heads: i64, init: Init, layer: u64) -> Result<Attention> {
        let weight = p.xavier("in_proj_weight", [3 * width, width])?;
        let packed = Linear { weight, bias: p.filled("in_proj_bias", &[3 * width], 0.0)? };
        Ok(Attention { packed, out: init.output(&p.at("out_proj"), width)?, heads, layer })
    }

    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor, dropout: f64, pass: Pass) -> Result<Attended> {
        let width = self.out.weight.size()[1];
        let project = |x: &Tensor, part: i64| -> Result<Tensor> {
            let weight = self.packed.weight.f_narrow(0, part * width, width)?;
            let bias = self.packed.bias.f_narrow(0, part * width, width)?;
            let size = x.size();
            let y = x.f_linear(&weight, Some(&bias))?.f_reshape([size[0], size[1], self.heads, width / self.heads])?;
            Ok(y.f_transpose(1, 2)?)
        };
        let (q, k, v) = (project(query, 0)?, project(key, 1)?, project(value, 2)?);
        let (values, weights) = weighted(&q, &k, &v, dropout, self.layer, pass)?;
        Ok(Attended { values: self.out.forward(&values)?, weights })
    }
}

/// softmax(q kᵀ / √d) v over `[B, heads, T, d]`: values `[B, T, heads · d]`, and weights averaged over heads.
pub fn weighted(q: &Tensor, k: &Tensor, v: &Tensor, dropout: f64, layer: u64, pass: Pass) -> Result<(Tensor, Tensor)> {
    let size = q.size();
    let scores = q.f_matmul(&k.f_transpose(-2, -1)?)?.f_mul_scalar(1.0 / (size[3] as f64).sqrt())?;
    let weights = scores.f_softmax(-1, None::<tch::Kind>)?;
    let values = pass.dropout(&weights, dropout, layer)?.f_matmul(v)?;
    let values = values.f_transpose(1, 2)?.f_reshape([size[0], size[2], size[1] * size[3]])?;
    Ok((values, weights.f_mean_dim(Some(&[1i64][..]), false, None)?))
}

/// x + dropout(attention), layer norm, x + dropout(feed-forward with ReLU), layer norm (post-norm): as
/// `nn.TransformerEncoderLayer`, and with attention to a memory, as a decoder layer without self-attention.
pub struct PostNorm {
    pub attention: Attention,
    norm1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    norm2: LayerNorm,
    dropout: f64,
    layer: u64,
}

/// The names of a layer's parts.
pub struct Names {
    pub attention: &'static str,
    pub norms: [&'static str; 2],
}

pub const ENCODER: Names = Names { attention: "self_attn", norms: ["norm1", "norm2"] };
pub const DECODER: Names = Names { attention: "multihead_attn", norms: ["norm2", "norm3"] };

/// The form of a [`PostNorm`] layer.
#[derive(Clone, Copy)]
pub struct PostNormConfig {
    pub names: &'static Names,
    pub width: i64,
    pub heads: i64,
    pub hidden: i64,
    pub dropout: f64,
    pub init: Init,
    /// Distinguishes the dropouts of a model.
    pub layer: u64,
}

impl PostNormConfig {
    /// From the options `heads`, `feed_forward` (0 is the width) and `dropout` of a head. Errors: a width that the heads do
    /// not divide.
    pub fn new(setup: &HeadSetup, names: &'static Names, width: i64, init: Init) -> Result<PostNormConfig> {
        let heads = setup.integer("heads");
        if width % heads != 0 {
            return Err(Error::argument(format!(
                "head \"{}\" of width {width} needs a number of attention heads that divides it. Got heads {heads} instead.",
                setup.spec.head
            ))
            .about_option("heads"));
        }
        let hidden = match setup.integer("feed_forward") {
            0 => width,
            hidden => hidden,
        };
        Ok(PostNormConfig { names, width, heads, hidden, dropout: setup.number("dropout"), init, layer: 0 })
    }
}

impl PostNorm {
    pub fn new(p: &Scope, config: PostNormConfig) -> Result<PostNorm> {
        let PostNormConfig { names, width, heads, hidden, dropout, init, layer } = config;
        Ok(PostNorm {
            attention: Attention::new(&p.at(names.attention), width, heads, init, 4 * layer)?,
            norm1: LayerNorm::new(&p.at(names.norms[0]), width, 1e-5)?,
            linear1: init.linear(&p.at("linear1"), width, hidden)?,
            linear2: init.linear(&p.at("linear2"), hidden, width)?,
            norm2: LayerNorm::new(&p.at(names.norms[1]), width, 1e-5)?,
            dropout,
            layer,
        })
    }

    /// The layer's output, and the weights of its attention.
    pub fn forward(&self, x: &Tensor, query: &Tensor, key: &Tensor, value: &Tensor, pass: Pass) -> Result<Attended> {
        let seen = self.attention.forward(query, key, value, self.dropout, pass)?;
        let x = self.norm1.forward(&x.f_add(&pass.dropout(&seen.values, self.dropout, 4 * self.layer + 1)?)?)?;
        let hidden = pass.dropout(&self.linear1.forward(&x)?.f_relu()?, self.dropout, 4 * self.layer + 2)?;
        let more = pass.dropout(&self.linear2.forward(&hidden)?, self.dropout, 4 * self.layer + 3)?;
        Ok(Attended { values: self.norm2.forward(&x.f_add(&more)?)?, weights: seen.weights })
    }
}

/// `[N, C, h, w]` → `[N, h·w, C]`.
pub fn tokens(features: &Tensor) -> Result<Tensor> {
    Ok(features.f_flatten(2, 3)?.f_transpose(1, 2)?)
}

/// Each query's weights over `h·w` positions `[N, m, h·w]` → `[N, m, h, w]`.
pub fn maps(weights: &Tensor, features: &Tensor) -> Result<Tensor> {
    let (size, positions) = (weights.size(), features.size());
    Ok(weights.f_reshape([size[0], size[1], positions[2], positions[3]])?)
}

/// One dot product and one bias per label: `[N, m, d]` → `[N, m]`.
pub struct GroupWise {
    weight: Tensor,
    bias: Tensor,
}

impl GroupWise {
    /// Weight `[1, m, d]` and bias `[1, m]`: Query2Label's group-wise linear layer.
    pub fn new(p: &Scope, labels: i64, width: i64) -> Result<GroupWise> {
        GroupWise::of(p, &[1, labels, width])
    }

    /// Weight `[m, d]` and bias `[m]`: SSGRL's element-wise layer, the diagonal of C-Tran's linear one.
    pub fn diagonal(p: &Scope, labels: i64, width: i64) -> Result<GroupWise> {
        GroupWise::of(p, &[labels, width])
    }

    fn of(p: &Scope, shape: &[i64]) -> Result<GroupWise> {
        let (labels, width) = (&shape[..shape.len() - 1], shape[shape.len() - 1]);
        let bound = 1.0 / (width as f64).sqrt();
        Ok(GroupWise { weight: p.uniform("weight", shape, bound)?, bias: p.uniform("bias", labels, bound)? })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_mul(&self.weight)?.f_sum_dim_intlist(&[-1i64][..], false, None)?.f_add(&self.bias)?)
    }
}
