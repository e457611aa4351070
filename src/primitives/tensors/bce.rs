//! `bce`: binary cross entropy.

use crate::losses::{Bce, LossSpec};
use crate::primitives::values::loss::register_loss;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

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
    options: Some(OptionDocs {
        defaults: options::defaults::<Bce>,
        docs: || crate::options::list(&[("reduction", "\"sum\" or \"mean\"")]),
    }),
    examples: &[Example { code: "bce(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]])).item()", prints: "1.38629" }],
    register: |r| register_loss(r.engine, "bce", LossSpec::Bce),
};
