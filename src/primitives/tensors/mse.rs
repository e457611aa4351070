//! `mse`: squared error to a teacher.

use crate::losses::{LossSpec, Mse};
use crate::primitives::values::loss::register_loss;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "mse",
    chapter: Chapter::Tensors,
    signatures: &[
        "mse() -> Loss",
        "mse(#{options}) -> Loss",
        "mse(logits, targets) -> Tensor",
        "mse(logits, targets, #{options}) -> Tensor",
    ],
    summary: "Squared error between a student's and a teacher's outputs: the distillation loss of the method.",
    details: "L = Σ (s - t)², between logits (the authors' code) or probabilities (the paper's text); both arguments are logits [N, m].",
    options: Some(OptionDocs {
        defaults: options::defaults::<Mse>,
        docs: || {
            crate::options::list(&[("space", "\"logits\" or \"probabilities\""), ("reduction", "\"sum\" or \"mean\"")])
        },
    }),
    examples: &[Example { code: "mse(tensor([[1.0, 2.0]]), tensor([[0.0, 0.0]])).item()", prints: "5.0" }],
    register: |r| register_loss(r.engine, "mse", LossSpec::Mse),
};
