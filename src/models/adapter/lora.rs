//! Low-rank updates of linear layers.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::Result;
use crate::models::params::Scope;
use crate::models::products;
use crate::options::Range;

crate::options! {
    /// Low-rank updates of the linear layers of every block: y = W x + b + (alpha / rank) B A x, where A `[rank, in]` starts uniform in
    /// ±1/√in and B `[out, rank]` from 0 (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022; first
    /// values and defaults as in the package peft).
    pub struct Lora {
        /// columns of B
        pub rank: i64 = 8, in Range::FromTo(1.0, 4096.0);
        /// the update's factor times rank
        pub alpha: f64 = 8.0, in Range::Above(0.0);
        /// the layers: "qkv" and "proj" of the attention, "fc1" and "fc2" of the feed-forward part
        pub on: Vec<Layer> = vec![Layer::Qkv];
    }
}

/// A linear layer of a block, by timm's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    Qkv,
    Proj,
    Fc1,
    Fc2,
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Layer::Qkv => "qkv",
            Layer::Proj => "proj",
            Layer::Fc1 => "fc1",
            Layer::Fc2 => "fc2",
        }
    }
}

/// The update of one layer.
pub struct LowRank {
    /// `[rank, in]`.
    a: Tensor,
    /// `[out, rank]`.
    b: Tensor,
    factor: f64,
}

impl LowRank {
    pub fn new(p: &Scope, lora: &Lora, inputs: i64, outputs: i64) -> Result<LowRank> {
        Ok(LowRank {
            a: p.uniform("A", &[lora.rank, inputs], 1.0 / (inputs as f64).sqrt())?,
            b: p.filled("B", &[outputs, lora.rank], 0.0)?,
            factor: lora.alpha / lora.rank as f64,
        })
    }

    /// y + factor · B A x, for `x` `[..., in]` and `y` `[..., out]`.
    pub fn added(&self, x: &Tensor, y: Tensor) -> Result<Tensor> {
        let update = products::linear(&products::linear(x, &self.a, None)?, &self.b, None)?;
        Ok(y.f_add(&update.f_mul_scalar(self.factor)?)?)
    }
}
