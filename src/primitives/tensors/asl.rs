//! `asl`: the asymmetric loss.

use crate::losses::{Asl, LossSpec};
use crate::primitives::values::loss::register_loss;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "asl",
    chapter: Chapter::Tensors,
    signatures: &[
        "asl() -> Loss",
        "asl(#{options}) -> Loss",
        "asl(logits, targets) -> Tensor",
        "asl(logits, targets, #{options}) -> Tensor",
    ],
    summary: "The asymmetric loss (Ridnik 2021), the loss of all recipes of the paper.",
    details: "L = -Σ [ y (1-p)^γ+ log p + (1-y) q^γ- log(1-q) ], p = sigmoid(logits), q = max(p - clip, 0); logits and targets [N, m]. The focal weights carry no gradient unless focal_gradient is on. Summed over batch and labels, which the learning rates assume.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Asl>,
        docs: || {
            crate::options::list(&[
                ("gamma_neg", "focusing exponent of negatives"),
                ("gamma_pos", "focusing exponent of positives"),
                ("clip", "how far negatives' probabilities are shifted down"),
                ("eps", "floor inside the logarithms"),
                ("focal_gradient", "whether the gradient flows through the focal weights"),
                ("reduction", "\"sum\" or \"mean\""),
            ])
        },
    }),
    examples: &[Example { code: "asl(tensor([[0.0]]), tensor([[1.0]])).item()", prints: "0.69315" }],
    register: |r| register_loss(r.engine, "asl", LossSpec::Asl),
};
