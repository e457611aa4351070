//! Changes to a vision transformer that leave its own weights alone: tokens before its blocks, low-rank updates of its linear layers.

mod function; // a closure of a script that changes the tokens
mod lora;

use tch::{Kind, Tensor};

pub use function::add;
pub use lora::{Layer, Lora, LowRank};

use super::pass::Pass;
use crate::error::{Error, Result};

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

    /// The same, by value.
    pub fn into_named(self) -> Vec<(&'static str, Tensor)> {
        let groups = [self.class_token, self.registers, self.prompts, Some(self.patches)];
        Self::NAMES.into_iter().zip(groups).filter_map(|(name, group)| Some((name, group?))).collect()
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
                    return Err(wrong("prompts", &format!("[k, {width}] or [N, k, {width}]"), &format!("{came:?}")));
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
            Some(mask) if mask.is_floating_point() => Some(mask.f_to_device(x.device())?.f_to_kind(Kind::Float)?),
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
