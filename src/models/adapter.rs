//! Changes to a vision transformer that leave its own weights alone: tokens before its blocks, low-rank updates of its linear layers.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::params::Scope;
use super::pass::Pass;
use super::products;
use crate::error::{Error, Result};
use crate::options::Range;

/// The tokens of a vision transformer, each group `[N, n, C]`.
#[derive(Debug)]
pub struct Tokens {
    /// n = 1; none if the architecture has no class token.
    pub class_token: Option<Tensor>,
    pub registers: Option<Tensor>,
    /// Tokens that an adapter put there.
    pub prompts: Option<Tensor>,
    /// Row by row.
    pub patches: Tensor,
}

impl Tokens {
    /// The names of the groups, in their order.
    pub const NAMES: [&str; 4] = ["class_token", "registers", "prompts", "patches"];

    /// The groups that are there, by name.
    pub fn named(&self) -> Vec<(&'static str, &Tensor)> {
        let groups = [self.class_token.as_ref(), self.registers.as_ref(), self.prompts.as_ref(), Some(&self.patches)];
        Self::NAMES.into_iter().zip(groups).filter_map(|(name, group)| Some((name, group?))).collect()
    }

    /// The groups of `[N, T, C]`, of which the first `special` are class token and registers, the last `patches` those of patches.
    ///
    /// Errors: fewer tokens than these.
    pub fn of(x: &Tensor, class_token: bool, registers: i64, patches: i64) -> Result<Tokens> {
        let special = i64::from(class_token) + registers;
        let prompts = x.size()[1] - special - patches;
        let part = |from: i64, n: i64| -> Result<Option<Tensor>> {
            if n == 0 { Ok(None) } else { Ok(Some(x.f_narrow(1, from, n)?)) }
        };
        Ok(Tokens {
            class_token: part(0, i64::from(class_token))?,
            registers: part(i64::from(class_token), registers)?,
            prompts: part(special, prompts)?,
            patches: x.f_narrow(1, special + prompts, patches)?,
        })
    }

    /// `[N, T, C]`: class token, registers, prompts, patches.
    pub fn joined(&self) -> Result<Tensor> {
        let groups: Vec<&Tensor> = self.named().into_iter().map(|(_, group)| group).collect();
        Ok(Tensor::f_cat(&groups, 1)?)
    }
}

/// The input of a block after an adapter.
#[derive(Debug)]
pub struct Adapted {
    pub tokens: Tokens,
    /// `[T, T]`: which token (row) may look at which (column), true or false; or numbers that are added to the scores, as
    /// PyTorch's `attn_mask`. None lets all look at all.
    pub mask: Option<Tensor>,
}

impl Adapted {
    /// Tokens `[N, T, C]` and the mask as numbers to add.
    ///
    /// Errors: class token, registers or patches of another shape than `before`; prompts that are neither `[k, C]`, the same for
    /// all pictures, nor `[N, k, C]`; a mask that is not `[T, T]`.
    pub fn checked(self, before: &Shapes) -> Result<(Tensor, Option<Tensor>)> {
        let Adapted { tokens, mask } = self;
        let kept = Shapes::of(&tokens);
        for (name, came, expected) in [
            ("class_token", &kept.class_token, &before.class_token),
            ("registers", &kept.registers, &before.registers),
            ("patches", &kept.patches, &before.patches),
        ] {
            if came != expected {
                return Err(wrong(name, &said(expected), &said(came)));
            }
        }
        let (n, width) = (before.patches[0], before.patches[2]);
        let prompts = match tokens.prompts {
            Some(prompts) => match prompts.size()[..] {
                [k, c] if c == width && k > 0 => Some(prompts.f_expand([n, k, c], false)?),
                [m, k, c] if c == width && k > 0 && m == n => Some(prompts),
                [1, k, c] if c == width && k > 0 => Some(prompts.f_expand([n, k, c], false)?),
                ref came => {
                    return Err(wrong("prompts", &format!("[k, {width}] or [{n}, k, {width}]"), &format!("{came:?}")));
                }
            },
            None => None,
        };
        let x = Tokens { prompts, ..tokens }.joined()?;
        let t = x.size()[1];
        let mask = match mask {
            Some(mask) if mask.size() != [t, t] => {
                return Err(wrong("mask", &format!("[{t}, {t}]"), &format!("{:?}", mask.size()))
                    .with_help("a row and a column per token: class token, registers, prompts, patches"));
            }
            // An integer mask would be numbers to add where true and false were meant.
            Some(mask) if mask.kind() == Kind::Bool => {
                let none = Tensor::f_zeros([t, t], (Kind::Float, x.device()))?;
                Some(none.f_masked_fill(&mask.f_to_device(x.device())?.f_logical_not()?, f64::NEG_INFINITY)?)
            }
            Some(mask) if mask.is_floating_point() => Some(mask.f_to_device(x.device())?),
            Some(mask) => {
                return Err(wrong(
                    "mask",
                    "true and false, or numbers with a fraction to add to the scores",
                    &format!("{:?}", mask.kind()),
                ));
            }
            None => None,
        };
        Ok((x, mask))
    }
}

/// The shapes of the groups that an adapter keeps.
pub struct Shapes {
    class_token: Vec<i64>,
    registers: Vec<i64>,
    patches: Vec<i64>,
}

impl Shapes {
    pub fn of(tokens: &Tokens) -> Shapes {
        let size = |group: &Option<Tensor>| group.as_ref().map(Tensor::size).unwrap_or_default();
        Shapes {
            class_token: size(&tokens.class_token),
            registers: size(&tokens.registers),
            patches: tokens.patches.size(),
        }
    }
}

fn said(shape: &[i64]) -> String {
    if shape.is_empty() { "absent".into() } else { format!("{shape:?}") }
}

fn wrong(group: &str, expected: &str, came: &str) -> Error {
    Error::argument(format!("option \"adapter\": {group} of the tokens must be {expected}. Got {came} instead."))
        .about_option("adapter")
}

/// Changes the tokens before each block: the block's number from 0, the output of the block before, the pass.
pub type BeforeBlock = Box<dyn Fn(usize, Tokens, Pass) -> Result<Adapted> + Send>;

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
