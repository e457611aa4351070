//! Attention and other layers shared by heads. `[B, T, d]`: batch, tokens, width.

use tch::{Kind, Tensor};

use super::HeadSetup;
use crate::error::{Error, Result};
use crate::models::layers::{LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::models::products::{self, linear, matmul};

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

/// The output of attention `[B, T, d]`, and each query's weights over the keys `[B, T, S]`, the mean over heads, where they were
/// asked for.
pub struct Attended {
    pub values: Tensor,
    pub weights: Option<Tensor>,
}

/// One use of attention.
#[derive(Clone, Copy)]
pub struct Attending {
    /// Of the weights, in training.
    pub dropout: f64,
    /// Distinguishes the dropouts of a model.
    pub layer: u64,
    pub pass: Pass,
    /// Whether the weights are asked for.
    pub looks: bool,
}

impl Attention {
    pub fn new(p: &Scope, width: i64, heads: i64, init: Init, layer: u64) -> Result<Attention> {
        let weight = p.xavier("in_proj_weight", [3 * width, width])?;
        let packed = Linear { weight, bias: p.filled("in_proj_bias", &[3 * width], 0.0)? };
        Ok(Attention { packed, out: init.output(&p.at("out_proj"), width)?, heads, layer })
    }

    fn forward(&self, keys: [&Tensor; 3], dropout: f64, pass: Pass, looks: bool) -> Result<Attended> {
        self.attend(keys, Attending { dropout, layer: self.layer, pass, looks })
    }

    /// Queries `[B, T, d]`, keys and values `[B, S, d]`.
    pub fn attend(&self, [query, key, value]: [&Tensor; 3], attending: Attending) -> Result<Attended> {
        let width = self.out.weight.size()[1];
        let project = |x: &Tensor, part: i64| -> Result<Tensor> {
            let weight = self.packed.weight.f_narrow(0, part * width, width)?;
            let bias = self.packed.bias.f_narrow(0, part * width, width)?;
            let size = x.size();
            let y = linear(x, &weight, Some(&bias))?.f_reshape([size[0], size[1], self.heads, width / self.heads])?;
            Ok(y.f_transpose(1, 2)?)
        };
        let (q, k, v) = (project(query, 0)?, project(key, 1)?, project(value, 2)?);
        let Attended { values, weights } = weighted(&q, &k, &v, attending)?;
        Ok(Attended { values: self.out.forward(&values)?, weights })
    }
}

/// softmax(q kᵀ / √d) v over `[B, heads, T, d]`: values `[B, T, heads · d]`, and weights averaged over heads.
///
/// On a GPU the fused kernels of libtorch compute it where neither weights nor their dropout are needed. The masks of dropout are
/// keyed, which those kernels cannot do. On the CPU there is one form, so that its last bits are always the same.
pub fn weighted(q: &Tensor, k: &Tensor, v: &Tensor, attending: Attending) -> Result<Attended> {
    let Attending { dropout, pass, looks, .. } = attending;
    let dropped = pass.train && dropout > 0.0;
    match q.device().is_cuda() && !looks && !dropped {
        true => Ok(Attended { values: side_by_side(&products::attention(q, k, v, None)?)?, weights: None }),
        false => explicit(q, k, v, attending),
    }
}

/// By all scores.
fn explicit(q: &Tensor, k: &Tensor, v: &Tensor, attending: Attending) -> Result<Attended> {
    let Attending { dropout, layer, pass, looks } = attending;
    let width = q.size()[3] as f64;
    let scores = matmul(q, &k.f_transpose(-2, -1)?)?.f_mul_scalar(1.0 / width.sqrt())?;
    let weights = scores.f_softmax(-1, Kind::Float)?;
    let values = side_by_side(&matmul(&pass.dropout(&weights, dropout, layer)?, v)?)?;
    let weights = if looks { Some(weights.f_mean_dim(Some(&[1i64][..]), false, None)?) } else { None };
    Ok(Attended { values, weights })
}

/// `[B, heads, T, d]` → `[B, T, heads · d]`.
fn side_by_side(values: &Tensor) -> Result<Tensor> {
    let size = values.size();
    Ok(values.f_transpose(1, 2)?.f_reshape([size[0], size[2], size[1] * size[3]])?)
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
    ///
    /// `keys`: what queries, keys and values are made from. `looks`: whether the weights are asked for.
    pub fn forward(&self, x: &Tensor, keys: [&Tensor; 3], pass: Pass, looks: bool) -> Result<Attended> {
        let seen = self.attention.forward(keys, self.dropout, pass, looks)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Precision;

    #[test]
    fn the_fused_form_gives_what_the_explicit_one_gives() {
        let of = |name: &str, tokens: i64| crate::torch::normal(1, name, &[2, 3, tokens, 8], 1.0).unwrap();
        let (q, k, v) = (of("q", 5), of("k", 7), of("v", 7));
        let attending = |pass: Pass, looks: bool| Attending { dropout: 0.1, layer: 0, pass, looks };
        for (precision, most) in [(Precision::Float32, 1e-6), (Precision::BFloat16, 3e-2)] {
            precision.during(|| {
                let fused = side_by_side(&products::attention(&q, &k, &v, None).unwrap()).unwrap();
                let by_scores = explicit(&q, &k, &v, attending(Pass::EVAL, true)).unwrap();
                assert_eq!(fused.kind(), by_scores.values.kind());
                assert!(fused.allclose(&by_scores.values, 0.0, most, false), "{precision:?}");
                assert_eq!(by_scores.weights.unwrap().size(), [2, 5, 7]);
            });
        }
        // The weights that nobody asks for change nothing.
        let of = |pass: Pass, looks: bool| weighted(&q, &k, &v, attending(pass, looks)).unwrap();
        for pass in [Pass::EVAL, Pass::step(1, 2, 3)] {
            assert_eq!(of(pass, false).values, of(pass, true).values);
            assert!(of(pass, false).weights.is_none());
        }
        assert_ne!(of(Pass::EVAL, false).values, of(Pass::step(1, 2, 3), false).values);
    }
}
