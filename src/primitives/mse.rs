//! `mse`: squared error to a teacher.

use super::values::loss::register_loss;
use super::{Chapter, Example, OptionDocs, Word};
use crate::losses::{LossSpec, Mse};
use crate::script::options;

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
        docs: &[("space", "\"logits\" or \"probabilities\""), ("reduction", "\"sum\" or \"mean\"")],
    }),
    examples: &[Example { code: "mse(tensor([[1.0, 2.0]]), tensor([[0.0, 0.0]])).item()", prints: "5.0" }],
    register: |engine, _| register_loss(engine, "mse", LossSpec::Mse),
};
