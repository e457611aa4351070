//! Pooling by attention, SigLIP's: one learned query looks at all tokens. Source: Zhai et al., "Scaling Vision
//! Transformers", CVPR 2022 (MAP head), as timm's AttentionPoolLatent.

use tch::Tensor;

use super::network::Shape;
use crate::error::Result;
use crate::models::layers::{FeedForward, LayerNorm, Linear};
use crate::models::params::Scope;
use crate::models::products;

/// Multi-head attention from a learned query, then a feed-forward layer with its norm and residual.
pub struct LatentPool {
    /// `[1, 1, C]`.
    latent: Tensor,
    query: Linear,
    key_value: Linear,
    out: Linear,
    norm: LayerNorm,
    feed: FeedForward,
    heads: i64,
}

impl LatentPool {
    pub fn new(p: &Scope, shape: &Shape) -> Result<LatentPool> {
        let width = shape.width;
        Ok(LatentPool {
            latent: p.normal("latent", &[1, 1, width], 1.0 / (width as f64).sqrt())?,
            query: Linear::new(&p.at("q"), width, width)?,
            key_value: Linear::new(&p.at("kv"), width, 2 * width)?,
            out: Linear::new(&p.at("proj"), width, width)?,
            norm: LayerNorm::new(&p.at("norm"), width, shape.eps)?,
            feed: FeedForward::new([&p.at("mlp.fc1"), &p.at("mlp.fc2")], width, shape.activation)?,
            heads: shape.heads,
        })
    }

    /// Tokens `[N, T, C]` → `[N, C]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let (n, tokens, width) = (size[0], size[1], size[2]);
        let heads = |x: Tensor, tokens: i64| -> Result<Tensor> {
            Ok(x.f_reshape([n, tokens, self.heads, width / self.heads])?.f_transpose(1, 2)?)
        };
        let query = self.query.forward(&self.latent.f_expand([n, 1, width], false)?)?;
        let key_value = self.key_value.forward(x)?;
        let seen = products::attention(
            &heads(query, 1)?,
            &heads(key_value.f_narrow(-1, 0, width)?, tokens)?,
            &heads(key_value.f_narrow(-1, width, width)?, tokens)?,
            None,
        )?;
        let x = self.out.forward(&seen.f_transpose(1, 2)?.f_reshape([n, width])?)?;
        Ok(x.f_add(&self.feed.forward(&self.norm.forward(&x)?)?)?)
    }
}
