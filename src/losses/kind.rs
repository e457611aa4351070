//! The interface of a loss.

use tch::Tensor;

use super::{LossSpec, Reduction};
use crate::error::Result;
use crate::options::Options;

/// A loss, whose fields are its options.
pub trait Loss: Options + Into<LossSpec> + 'static {
    const DOCS: LossDocs;

    /// How the elements become one number.
    fn reduction(&self) -> Reduction;

    /// A scalar from `logits` and `targets` `[N, m]`; see [`LossSpec::compute`].
    fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor>;
}

/// Documentation of a loss, next to that of its options.
pub struct LossDocs {
    /// Its line in the list of losses.
    pub line: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The formula, and anything else.
    pub details: &'static str,
    /// Code of a script, and its output.
    pub example: (&'static str, &'static str),
}
