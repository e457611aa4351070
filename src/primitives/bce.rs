//! `bce`: binary cross entropy.

use super::values::loss::register_loss;
use super::{Chapter, Example, OptionDocs, Word};
use crate::losses::{Bce, LossSpec};
use crate::script::options;

pub const WORD: Word = Word {
    name: "bce",
    chapter: Chapter::Tensors,
    signatures: &[
        "bce() -> Loss",
        "bce(#{options}) -> Loss",
        "bce(logits, targets) -> Tensor",
        "bce(logits, targets, #{options}) -> Tensor",
    ],
    summary: "Binary cross entropy with logits.",
    details: "L = -Σ [ y log p + (1-y) log(1-p) ], p = sigmoid(logits); logits and targets [N, m]; equals torch's binary_cross_entropy_with_logits.",
    options: Some(OptionDocs { defaults: options::defaults::<Bce>, docs: &[("reduction", "\"sum\" or \"mean\"")] }),
    examples: &[Example { code: "bce(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]])).item()", prints: "1.38629" }],
    register: |engine, _| register_loss(engine, "bce", LossSpec::Bce),
};
