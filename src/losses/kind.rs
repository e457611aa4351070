//! The interface of a loss: its function, and documentation of its options.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::Tensor;

use super::{LossSpec, Reduction};
use crate::error::Result;

/// A loss, whose fields are its options. Serde reads and writes them; absent ones take their defaults.
pub trait Loss: Default + Serialize + DeserializeOwned + Into<LossSpec> + 'static {
    const KIND: LossKind;

    /// How the elements become one number.
    fn reduction(&self) -> Reduction;

    /// A scalar from `logits` and `targets` `[N, m]`; see [`LossSpec::compute`].
    fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor>;
}

/// A loss without values of its options.
#[derive(Debug)]
pub struct LossKind {
    /// Its name in scripts and in serialised specifications.
    pub name: &'static str,
    /// Its line in the list of losses.
    pub line: &'static str,
    /// One sentence, and the details that follow it, for the word of this name.
    pub summary: &'static str,
    pub details: &'static str,
    /// Code of a script, and its output.
    pub example: (&'static str, &'static str),
    /// In the order of the fields.
    pub options: &'static [LossOption],
}

/// An option of a loss.
#[derive(Debug)]
pub struct LossOption {
    pub name: &'static str,
    /// The least and the greatest value of a number.
    pub range: Option<(f64, f64)>,
    pub doc: &'static str,
}

impl LossOption {
    pub(super) const REDUCTION: LossOption = LossOption::choice("reduction", "\"sum\" or \"mean\"");

    pub(super) const fn number(name: &'static str, least: f64, most: f64, doc: &'static str) -> LossOption {
        LossOption { name, range: Some((least, most)), doc }
    }

    pub(super) const fn choice(name: &'static str, doc: &'static str) -> LossOption {
        LossOption { name, range: None, doc }
    }
}
