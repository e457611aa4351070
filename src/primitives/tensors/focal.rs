//! `focal`: the focal loss.

use crate::losses::{Focal, LossSpec};
use crate::primitives::values::loss::register_loss;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "focal",
    chapter: Chapter::Tensors,
    signatures: &[
        "focal() -> Loss",
        "focal(#{options}) -> Loss",
        "focal(logits, targets) -> Tensor",
        "focal(logits, targets, #{options}) -> Tensor",
    ],
    summary: "The focal loss (Lin 2017).",
    details: "L = -Σ α_t (1-p_t)^γ log p_t; logits and targets [N, m].",
    options: Some(OptionDocs {
        defaults: options::defaults::<Focal>,
        docs: || {
            crate::options::list(&[
                ("gamma", "focusing exponent"),
                ("alpha", "weight of positives"),
                ("reduction", "\"sum\" or \"mean\""),
            ])
        },
    }),
    examples: &[Example { code: "focal().of(tensor([[3.0]]), tensor([[1.0]])).item() < 0.01", prints: "true" }],
    register: |r| register_loss(r.engine, "focal", LossSpec::Focal),
};
