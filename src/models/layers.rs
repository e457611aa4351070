//! Layers of which backbones and heads are made.

use std::cell::RefCell;
use std::fmt::Display;

use tch::{Kind, Tensor};

use super::frozen_compute::folding;
use super::memory_format;
use super::params::Scope;
use super::precision::{full, lowered};
use super::products::{self, Window};
use super::sync_norm::{self, Norm};
use crate::error::{Error, Result};

/// Padding of a convolution's input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// k/2 on all sides, as PyTorch models do.
    Half,
    /// TensorFlow's "same": ⌈size/stride⌉ outputs; the extra pixel of an odd pad is on the right and bottom.
    Same,
}

/// The form of a convolution.
#[derive(Clone, Copy)]
pub struct ConvConfig {
    pub inputs: i64,
    pub outputs: i64,
    pub kernel: i64,
    pub stride: i64,
    pub groups: i64,
    pub padding: Padding,
}

impl ConvConfig {
    /// 1×1 with stride 1, in one group; the numbers of channels have no default.
    pub const PLAIN: ConvConfig =
        ConvConfig { inputs: 0, outputs: 0, kernel: 1, stride: 1, groups: 1, padding: Padding::Half };
}

/// A convolution without bias.
pub struct Conv {
    weight: Tensor,
    config: ConvConfig,
}

impl Conv {
    pub fn new(p: &Scope, config: ConvConfig) -> Result<Conv> {
        let ConvConfig { inputs, outputs, kernel, groups, .. } = config;
        Ok(Conv { weight: p.conv([outputs, inputs / groups, kernel, kernel], groups)?, config })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.with(x, &self.weight, None)
    }

    /// The convolution with another weight, and a bias.
    fn with(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let ConvConfig { kernel, stride, groups, padding, .. } = self.config;
        let mut pad = kernel / 2;
        let mut padded = None;
        if padding == Padding::Same {
            let need = |size: i64| (((size + stride - 1) / stride - 1) * stride + kernel - size).max(0);
            let size = x.size();
            let (h, w) = (need(size[2]), need(size[3]));
            // The convolution itself can pad evenly; an odd pad needs a copy.
            if h == w && h % 2 == 0 {
                pad = h / 2;
            } else {
                padded = Some(x.f_constant_pad_nd([w / 2, w - w / 2, h / 2, h - h / 2])?);
                pad = 0;
            }
        }
        products::conv2d(padded.as_ref().unwrap_or(x), weight, bias, Window { stride, padding: pad, groups })
    }
}

/// Batch normalisation with running statistics.
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: f64,
}

/// How far a running statistic moves towards that of a batch; PyTorch's default.
const MOMENTUM: f64 = 0.1;

impl BatchNorm {
    pub fn new(p: &Scope, channels: i64, eps: f64) -> Result<BatchNorm> {
        BatchNorm::starting(p, channels, eps, 1.0)
    }

    /// Its weight starts from `weight` everywhere.
    fn starting(p: &Scope, channels: i64, eps: f64, weight: f64) -> Result<BatchNorm> {
        let [weight, bias, mean, variance] = p.batch_norm(channels, weight)?;
        Ok(BatchNorm { weight, bias, mean, variance, eps })
    }

    /// `train` normalises by the batch and moves the running statistics.
    ///
    /// Errors: in training, one value per channel, which has no variance.
    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if train && let Some(group) = sync_norm::group() {
            let BatchNorm { weight, bias, mean, variance, eps } = self;
            let norm = Norm { weight, bias, mean, variance, momentum: MOMENTUM, eps: *eps };
            return sync_norm::normalised(x, &norm, &group);
        }
        if train && x.numel() as i64 <= self.weight.size()[0] {
            return Err(Error::argument(
                "batch norm in training needs more than one value per channel; a batch of one image has one here",
            )
            .with_help("drop_last: true leaves out a last batch of one image, as does another batch size; or train on larger images"));
        }
        Ok(x.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.mean),
            Some(&self.variance),
            train,
            MOMENTUM,
            self.eps,
            true,
        )?)
    }
}

/// A convolution and its batch norm.
pub struct ConvNorm {
    conv: Conv,
    norm: BatchNorm,
    /// The last one folded, which stays as long as its tensors do.
    folded: RefCell<Option<Folded>>,
}

/// A convolution with a batch norm in its weight and bias, in the precision in which it was made.
struct Folded {
    weight: Tensor,
    bias: Tensor,
    /// The tensors from which it was made, with their versions. Held, so that no others can lie in their place.
    of: Vec<(Tensor, i64)>,
}

impl ConvNorm {
    /// `names`: those of the convolution and of the norm.
    pub fn new(p: &Scope, names: [impl Display; 2], config: ConvConfig, eps: f64) -> Result<ConvNorm> {
        p.count_foldable();
        let [conv, norm] = names.map(|name| p.at(name));
        Ok(Self::of(Conv::new(&conv, config)?, BatchNorm::new(&norm, config.outputs, eps)?))
    }

    /// As [`new`](Self::new), with an output of 0 at first: the norm's weight starts from 0.
    pub fn from_zero(p: &Scope, names: [impl Display; 2], config: ConvConfig, eps: f64) -> Result<ConvNorm> {
        p.count_foldable();
        let [conv, norm] = names.map(|name| p.at(name));
        Ok(Self::of(Conv::new(&conv, config)?, BatchNorm::starting(&norm, config.outputs, eps, 0.0)?))
    }

    fn of(conv: Conv, norm: BatchNorm) -> ConvNorm {
        ConvNorm { conv, norm, folded: RefCell::new(None) }
    }

    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match folding() && !train {
            true => self.forward_folded(x),
            false => self.norm.forward(&self.conv.forward(x)?, train),
        }
    }

    /// The two as one convolution: with `f = w / √(v + ε)` the weight is `f · weight` and the bias `b - f · m`. Computed in f64. Without
    /// gradients.
    fn forward_folded(&self, x: &Tensor) -> Result<Tensor> {
        let BatchNorm { weight, bias, mean, variance, eps } = &self.norm;
        let kernel = &self.conv.weight;
        let mut kept = self.folded.borrow_mut();
        let kind = lowered(kernel)?.kind();
        let is_current = |folded: &Folded| -> Result<bool> {
            let now = [kernel, weight, bias, mean, variance].into_iter().zip(&folded.of);
            let mut same = folded.weight.kind() == kind;
            for (now, (then, version)) in now {
                same &= now.data_ptr() == then.data_ptr() && now.f_internal_version()? == *version;
            }
            Ok(same)
        };
        if !kept.as_ref().map_or(Ok(false), is_current)? {
            let of = [kernel, weight, bias, mean, variance];
            let of = of.into_iter().map(|t| Ok((t.f_detach()?, t.f_internal_version()?))).collect::<Result<_>>()?;
            let wide = |t: &Tensor| t.f_to_kind(Kind::Double);
            let factor = wide(weight)?.f_div(&wide(variance)?.f_add_scalar(*eps)?.f_sqrt()?)?;
            let by_output = wide(kernel)?.f_mul(&factor.f_view([-1, 1, 1, 1])?)?;
            let shift = wide(bias)?.f_sub(&wide(mean)?.f_mul(&factor)?)?;
            let made = Folded {
                weight: memory_format::channels_last(&lowered(&full(&by_output)?)?)?,
                bias: lowered(&full(&shift)?)?,
                of,
            };
            *kept = Some(made);
        }
        match &*kept {
            Some(Folded { weight, bias, .. }) => self.conv.with(x, weight, Some(bias)),
            None => Err(Error::internal("a folded convolution was not made")),
        }
    }
}

/// A linear layer, or with a 4-dimensional weight a 1×1 convolution with bias.
pub struct Linear {
    pub weight: Tensor,
    pub bias: Tensor,
}

impl Linear {
    pub fn new(p: &Scope, inputs: i64, outputs: i64) -> Result<Linear> {
        let (weight, bias) = p.linear(&[outputs, inputs])?;
        Ok(Linear { weight, bias })
    }

    /// Starts from normal numbers of that standard deviation, and a bias of 0.
    pub fn normal(p: &Scope, inputs: i64, outputs: i64, deviation: f64) -> Result<Linear> {
        let weight = p.normal("weight", &[outputs, inputs], deviation)?;
        Ok(Linear { weight, bias: p.filled("bias", &[outputs], 0.0)? })
    }

    /// A 1×1 convolution.
    pub fn pointwise(p: &Scope, inputs: i64, outputs: i64) -> Result<Linear> {
        let (weight, bias) = p.linear(&[outputs, inputs, 1, 1])?;
        Ok(Linear { weight, bias })
    }

    /// PyTorch's packed projection of queries, keys and values: `in_proj_weight` and `in_proj_bias`, which start from a
    /// normal distribution with the variance of Xavier's.
    pub fn packed(p: &Scope, width: i64) -> Result<Linear> {
        let weight = p.normal("in_proj_weight", &[3 * width, width], (2.0 / (4 * width) as f64).sqrt())?;
        Ok(Linear { weight, bias: p.filled("in_proj_bias", &[3 * width], 0.0)? })
    }

    /// `[..., in]` → `[..., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        products::linear(x, &self.weight, Some(&self.bias))
    }

    /// `[N, in, h, w]` → `[N, out, h, w]`, for weights of either shape.
    pub fn on_maps(&self, x: &Tensor) -> Result<Tensor> {
        let size = self.weight.size();
        products::pointwise(x, &self.weight.f_reshape([size[0], size[1], 1, 1])?, Some(&self.bias))
    }
}

/// x where positive, else 0. It overwrites x, which nobody else may hold: what convolutions, norms and sums give, whose backward passes
/// do not need it.
pub fn relu(mut x: Tensor) -> Result<Tensor> {
    Ok(x.f_relu_()?)
}

/// y + x. It overwrites y, as [`relu`] does, where that has the type of the sum.
pub fn added(mut y: Tensor, x: &Tensor) -> Result<Tensor> {
    match y.kind() == x.kind() && y.size() == x.size() {
        true => Ok(y.f_add_(x)?),
        false => Ok(y.f_add(x)?),
    }
}

/// x where positive, else slope · x. In tch, leaky ReLU takes no slope; the parametric form does.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(x.f_prelu(&Tensor::f_full([1], slope, (x.kind(), x.device()))?)?)
}

/// `[N, C, h, w]` → `[N, C]`, in f32.
pub fn average_pool(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_mean_dim(Some(&[2i64, 3][..]), false, Kind::Float)?)
}

/// Vectors along dimension `dim`, scaled to length 1, in f32. A vector of zeros stays one, with a bounded gradient.
pub fn unit(x: &Tensor, dim: i64) -> Result<Tensor> {
    /// Far below the squares of lengths that occur.
    const EPS: f64 = 1e-9;
    let x = full(x)?;
    let length = x.f_square()?.f_sum_dim_intlist(Some(&[dim][..]), true, None)?.f_add_scalar(EPS)?.f_sqrt()?;
    Ok(x.f_div(&length)?)
}

/// Layer normalisation over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn new(p: &Scope, width: i64, eps: f64) -> Result<LayerNorm> {
        let (weight, bias) = p.layer_norm(width)?;
        Ok(LayerNorm { weight, bias, eps })
    }

    /// `[..., width]` → the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(full(x)?.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}

/// Square patches that do not overlap, each through one linear map: a convolution whose stride is its kernel.
pub struct Patches {
    weight: Tensor,
    bias: Option<Tensor>,
    side: i64,
}

impl Patches {
    pub fn new(p: &Scope, width: i64, side: i64) -> Result<Patches> {
        let patches = Patches::without_bias(p, width, side)?;
        Ok(Patches { bias: Some(p.filled("bias", &[width], 0.0)?), ..patches })
    }

    pub fn without_bias(p: &Scope, width: i64, side: i64) -> Result<Patches> {
        let weight = p.normal("weight", &[width, 3, side, side], (1.0 / (3 * side * side) as f64).sqrt())?;
        Ok(Patches { weight, bias: None, side })
    }

    /// `[N, 3, H, W]` → `[N, width, H / side, W / side]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        products::conv2d(x, &self.weight, self.bias.as_ref(), Window { stride: self.side, ..Window::PLAIN })
    }
}

/// The function between the linear layers of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · Φ(x), without approximation (Hendrycks and Gimpel, arXiv:1606.08415).
    Gelu,
    /// x · σ(1.702 x), an approximation of it with which OpenAI's CLIP was trained.
    QuickGelu,
}

impl Activation {
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Gelu => Ok(x.f_gelu("none")?),
            Activation::QuickGelu => Ok(x.f_mul(&x.f_mul_scalar(1.702)?.f_sigmoid()?)?),
        }
    }
}

/// The two linear layers of a transformer, the inner one four times as wide.
pub struct FeedForward {
    pub first: Linear,
    pub second: Linear,
    pub activation: Activation,
}

impl FeedForward {
    /// `scopes`: those of the two layers.
    pub fn new(scopes: [&Scope; 2], width: i64, activation: Activation) -> Result<FeedForward> {
        let [first, second] = scopes;
        Ok(FeedForward {
            first: Linear::new(first, width, 4 * width)?,
            second: Linear::new(second, 4 * width, width)?,
            activation,
        })
    }

    /// `[..., width]` → the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.activation.forward(&self.first.forward(x)?)?)
    }
}

/// Self-attention with packed projections: `[..., T, 3C]` → `[..., T, C]`, of `heads` heads scaled by 1/√(C/heads),
/// `bias` added to the scores before the softmax (it broadcasts to `[..., heads, T, T]`).
pub fn attend(qkv: &Tensor, heads: i64, bias: Option<&Tensor>) -> Result<Tensor> {
    // On the CPU the sums of the two forms differ in their last bits.
    attend_in(qkv, heads, bias, qkv.device().is_cuda())
}

/// The same; if `flat`, the dimensions before the tokens become one, which the fused kernels of GPUs need.
fn attend_in(qkv: &Tensor, heads: i64, bias: Option<&Tensor>, flat: bool) -> Result<Tensor> {
    let size = qkv.size();
    let Some((&packed, before)) = size.split_last() else {
        return Err(Error::internal("attention over a tensor without dimensions"));
    };
    let width = packed / 3;
    let (Some((&tokens, batch)), true) = (before.split_last(), flat && size.len() > 3) else {
        let parts = qkv.f_reshape([before, &[3, heads, width / heads]].concat())?.f_unbind(-3)?;
        let part = |i: usize| parts[i].f_transpose(-3, -2);
        let y = products::attention(&part(0)?, &part(1)?, &part(2)?, bias)?;
        return Ok(y.f_transpose(-3, -2)?.f_reshape([before, &[width]].concat())?);
    };
    let of_all = [batch, &[heads, tokens, tokens]].concat();
    let bias = match bias {
        // The same for the whole batch: it is not repeated in memory.
        Some(bias) if bias.dim() == 3 => Some(bias.f_unsqueeze(0)?),
        Some(bias) => Some(bias.f_expand(&of_all, false)?.f_reshape([-1, heads, tokens, tokens])?),
        None => None,
    };
    let y = attend_in(&qkv.f_reshape([-1, tokens, packed])?, heads, bias.as_ref(), false)?;
    Ok(y.f_reshape([before, &[width]].concat())?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::models::params::{Params, Role};

    #[test]
    fn operations_in_place_have_the_bits_of_others() {
        let options = (Kind::Float, Device::Cpu);
        let wave = |by: f64| (Tensor::arange(2 * 3 * 5 * 7, options) * by).sin().view([2, 3, 5, 7]);
        let through = |in_place: bool| {
            let params = RefCell::new(Params::default());
            let scope = Scope::root(&params, 1, Device::Cpu);
            let plan = ConvConfig { inputs: 3, outputs: 3, kernel: 3, ..ConvConfig::PLAIN };
            let convs = [1, 2].map(|i| ConvNorm::new(&scope.at(i), ["conv", "bn"], plan, 1e-5).unwrap());
            let x = wave(0.9).set_requires_grad(true);
            let y = convs[0].forward(&x, true).unwrap();
            let y = if in_place { relu(y).unwrap() } else { y.relu() };
            let y = convs[1].forward(&y, true).unwrap();
            let y = if in_place { relu(added(y, &x).unwrap()).unwrap() } else { (y + &x).relu() };
            (&y * wave(0.3)).sum(Kind::Float).backward();
            let list = params.into_inner().list;
            let weights = list.into_iter().filter(|p| p.role == Role::Weight).map(|p| p.tensor.grad());
            [y.detach(), x.grad()].into_iter().chain(weights).collect::<Vec<_>>()
        };
        let (one, other) = (through(true), through(false));
        assert_eq!(one.len(), 8);
        assert!(one.iter().zip(&other).all(|(a, b)| a.equal(b)) && one[1..].iter().all(|g| g != &g.zeros_like()));
        // A sum of a wider type is another tensor.
        let half = Tensor::from_slice(&[0.5f32]).to_kind(Kind::BFloat16);
        let sum = added(half.shallow_clone(), &Tensor::from_slice(&[1.0f32 + 1e-3])).unwrap();
        assert_eq!((sum.kind(), half.double_value(&[0])), (Kind::Float, 0.5));
    }

    #[test]
    fn activations_have_their_closed_forms() {
        let x = Tensor::from_slice(&[-1.0f32, 0.0, 1.0, 3.0]);
        let values = |activation: Activation| crate::torch::to_vec_f32(&activation.forward(&x).unwrap()).unwrap();
        // x Φ(x) and x / (1 + exp(-1.702 x)).
        for (activation, expected) in [
            (Activation::Gelu, [-0.158_655_25, 0.0, 0.841_344_8, 2.995_950_3]),
            (Activation::QuickGelu, [-0.154_203_84, 0.0, 0.845_796_2, 2.981_928_7]),
        ] {
            for (came, expected) in values(activation).into_iter().zip(expected) {
                let gap: f32 = came - expected;
                assert!(gap.abs() < 1e-5, "{activation:?}: {came} instead of {expected}");
            }
        }
    }

    #[test]
    fn attention_in_windows_is_the_same_in_four_dimensions() {
        let x = crate::torch::normal(1, "qkv", &[2, 3, 5, 24], 1.0).unwrap();
        for bias in [None, Some(vec![2, 5, 5]), Some(vec![3, 2, 5, 5])] {
            let bias = bias.map(|shape| crate::torch::normal(2, "bias", &shape, 1.0).unwrap());
            let [five, four] = [false, true].map(|flat| attend_in(&x, 2, bias.as_ref(), flat).unwrap());
            assert_eq!(four.size(), [2, 3, 5, 8]);
            assert!(four.allclose(&five, 0.0, 1e-6, false), "{bias:?}");
        }
    }
}
