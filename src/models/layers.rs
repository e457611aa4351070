//! Layers that backbones and heads are made of.

use tch::Tensor;

use super::params::Params;
use super::precision::{full, lowered};
use crate::error::{Error, Result};

/// How a convolution's input is padded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// k/2 on all sides, as PyTorch models do.
    Half,
    /// TensorFlow's "same": ⌈size/stride⌉ outputs, an odd pad goes right and below.
    Same,
}

/// A convolution without bias.
pub struct Conv {
    weight: Tensor,
    kernel: i64,
    stride: i64,
    groups: i64,
    padding: Padding,
}

impl Conv {
    pub fn new(
        p: &mut Params,
        name: &str,
        channels: (i64, i64),
        kernel: i64,
        stride: i64,
        groups: i64,
        padding: Padding,
    ) -> Result<Conv> {
        let weight = p.conv(name, [channels.1, channels.0 / groups, kernel, kernel], groups)?;
        Ok(Conv { weight, kernel, stride, groups, padding })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut pad = self.kernel / 2;
        let mut padded = None;
        if self.padding == Padding::Same {
            let need =
                |size: i64| (((size + self.stride - 1) / self.stride - 1) * self.stride + self.kernel - size).max(0);
            let size = x.size();
            let (h, w) = (need(size[2]), need(size[3]));
            // An even pad is the convolution's own; an odd one needs a copy.
            if h == w && h % 2 == 0 {
                pad = h / 2;
            } else {
                padded = Some(x.f_constant_pad_nd([w / 2, w - w / 2, h / 2, h - h / 2])?);
                pad = 0;
            }
        }
        let x = lowered(padded.as_ref().unwrap_or(x))?;
        Ok(x.f_conv2d(
            &lowered(&self.weight)?,
            None::<&Tensor>,
            [self.stride, self.stride],
            [pad, pad],
            [1, 1],
            self.groups,
        )?)
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

/// PyTorch's default: how far a running statistic moves towards a batch's.
const MOMENTUM: f64 = 0.1;

impl BatchNorm {
    pub fn new(p: &mut Params, name: &str, channels: i64, eps: f64) -> Result<BatchNorm> {
        let [weight, bias, mean, variance] = p.batch_norm(name, channels)?;
        Ok(BatchNorm { weight, bias, mean, variance, eps })
    }

    /// `train` normalises by the batch and moves the running statistics.
    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
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

/// A linear layer, or with a 4-dimensional weight a 1×1 convolution with bias.
pub struct Linear {
    pub weight: Tensor,
    pub bias: Tensor,
}

impl Linear {
    pub fn new(p: &mut Params, name: &str, inputs: i64, outputs: i64) -> Result<Linear> {
        let (weight, bias) = p.linear(name, &[outputs, inputs])?;
        Ok(Linear { weight, bias })
    }

    pub fn pointwise(p: &mut Params, name: &str, inputs: i64, outputs: i64) -> Result<Linear> {
        let (weight, bias) = p.linear(name, &[outputs, inputs, 1, 1])?;
        Ok(Linear { weight, bias })
    }

    /// As [`new`](Self::new), for PyTorch's packed projections: `prefix` goes right before `weight` and `bias`.
    pub fn packed(p: &mut Params, prefix: &str, inputs: i64, outputs: i64) -> Result<Linear> {
        let weight =
            p.normal(&format!("{prefix}weight"), &[outputs, inputs], (2.0 / (inputs + outputs) as f64).sqrt())?;
        let bias = p.filled(&format!("{prefix}bias"), &[outputs], 0.0)?;
        Ok(Linear { weight, bias })
    }

    /// `[..., in]` → `[..., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(lowered(x)?.f_linear(&lowered(&self.weight)?, Some(&lowered(&self.bias)?))?)
    }

    /// `[N, in, h, w]` → `[N, out, h, w]`, whatever the weight's own shape.
    pub fn on_maps(&self, x: &Tensor) -> Result<Tensor> {
        let size = self.weight.size();
        let weight = lowered(&self.weight.f_reshape([size[0], size[1], 1, 1])?)?;
        Ok(lowered(x)?.f_conv2d(&weight, Some(&lowered(&self.bias)?), [1, 1], [0, 0], [1, 1], 1)?)
    }
}

/// x where positive, else slope · x. libtorch's own leaky ReLU takes no slope here; its parametric one does.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(x.f_prelu(&Tensor::f_full([1], slope, (x.kind(), x.device()))?)?)
}

/// `[N, C, h, w]` → `[N, C]`.
pub fn average_pool(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_mean_dim(Some(&[2i64, 3][..]), false, None)?)
}

/// Layer normalisation over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn new(p: &mut Params, name: &str, width: i64, eps: f64) -> Result<LayerNorm> {
        let (weight, bias) = p.layer_norm(name, width)?;
        Ok(LayerNorm { weight, bias, eps })
    }

    /// `[..., width]` → the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(full(x)?.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}

/// Square patches that do not overlap, each through one linear map: a convolution with bias whose stride is its kernel.
pub struct Patches {
    weight: Tensor,
    bias: Tensor,
    side: i64,
}

impl Patches {
    pub fn new(p: &mut Params, name: &str, width: i64, side: i64) -> Result<Patches> {
        let weight =
            p.normal(&format!("{name}.weight"), &[width, 3, side, side], (1.0 / (3 * side * side) as f64).sqrt())?;
        let bias = p.filled(&format!("{name}.bias"), &[width], 0.0)?;
        Ok(Patches { weight, bias, side })
    }

    /// `[N, 3, H, W]` → `[N, width, H / side, W / side]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(lowered(x)?.f_conv2d(
            &lowered(&self.weight)?,
            Some(&lowered(&self.bias)?),
            [self.side, self.side],
            [0, 0],
            [1, 1],
            1,
        )?)
    }
}

/// A transformer's two linear layers with GELU between them.
pub struct FeedForward(pub Linear, pub Linear);

impl FeedForward {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.1.forward(&self.0.forward(x)?.f_gelu("none")?)
    }
}

/// Self-attention with packed projections: `[..., T, 3C]` → `[..., T, C]`, of `heads` heads scaled by 1/√(C/heads),
/// `bias` added to the scores before the softmax (it broadcasts to `[..., heads, T, T]`).
pub fn attend(qkv: &Tensor, heads: i64, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut size = qkv.size();
    let Some(packed) = size.pop() else { return Err(Error::internal("attention over a tensor without dimensions")) };
    let width = packed / 3;
    let split = [size.as_slice(), &[heads, width / heads]].concat();
    let part =
        |i: i64| -> Result<Tensor> { Ok(qkv.f_narrow(-1, i * width, width)?.f_reshape(&split)?.f_transpose(-3, -2)?) };
    let bias = bias.map(|b| b.f_to_kind(qkv.kind())).transpose()?;
    let y = Tensor::f_scaled_dot_product_attention(
        &part(0)?,
        &part(1)?,
        &part(2)?,
        bias.as_ref(),
        0.0,
        false,
        None::<f64>,
        false,
    )?;
    size.push(width);
    Ok(y.f_transpose(-3, -2)?.f_reshape(&size)?)
}
