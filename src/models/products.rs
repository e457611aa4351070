//! Products of tensors in the precision of the pass: convolutions, linear maps, matrix products, attention.
//!
//! All expensive operations of backbones and heads are here. Each converts its arguments by
//! [`lowered`](super::precision::lowered), as PyTorch's autocast does; everything between them takes what it is given.

use tch::Tensor;

use super::memory_format;
use super::precision::lowered;
use crate::error::Result;

/// How a kernel moves over maps.
#[derive(Clone, Copy)]
pub struct Window {
    pub stride: i64,
    /// Zeros on each side.
    pub padding: i64,
    pub groups: i64,
}

impl Window {
    /// Every position once, no padding, one group.
    pub const PLAIN: Window = Window { stride: 1, padding: 0, groups: 1 };
}

/// Convolution of maps `[N, C, H, W]` by a kernel `[O, C / groups, k, k]`.
pub fn conv2d(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, window: Window) -> Result<Tensor> {
    let Window { stride, padding, groups } = window;
    let bias = bias.map(lowered).transpose()?;
    let x = lowered(x)?;
    let y = x.f_conv2d(&lowered(kernel)?, bias.as_ref(), [stride, stride], [padding, padding], [1, 1], groups)?;
    memory_format::saw(&x, &y);
    Ok(y)
}

/// A linear map of the channels at each position: `[N, C, h, w]` by a kernel `[O, C, 1, 1]`.
pub fn pointwise(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    conv2d(x, kernel, bias, Window::PLAIN)
}

/// `[..., in]` by a weight `[out, in]` → `[..., out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let bias = bias.map(lowered).transpose()?;
    Ok(lowered(x)?.f_linear(&lowered(weight)?, bias.as_ref())?)
}

/// The matrix product, over the last two dimensions.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(lowered(a)?.f_matmul(&lowered(b)?)?)
}

/// softmax(q kᵀ / √d + bias) v over `[..., T, d]`, by libtorch's fastest way for these arguments. `bias` broadcasts to the
/// scores.
///
/// On a GPU the fused ways, which never hold all scores, need four dimensions and a bias of the same type.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let [q, k, v] = [lowered(q)?, lowered(k)?, lowered(v)?];
    let bias = bias.map(|bias| bias.f_to_kind(q.kind())).transpose()?;
    Ok(Tensor::f_scaled_dot_product_attention(&q, &k, &v, bias.as_ref(), 0.0, false, None::<f64>, false)?)
}
