//! `kl`: Kullback-Leibler divergence from a teacher.

use crate::losses::{Kl, LossSpec};
use crate::primitives::values::loss::register_loss;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "kl",
    chapter: Chapter::Tensors,
    signatures: &[
        "kl() -> Loss",
        "kl(#{options}) -> Loss",
        "kl(logits, targets) -> Tensor",
        "kl(logits, targets, #{options}) -> Tensor",
    ],
    summary: "Kullback-Leibler divergence of a student's softened outputs from a teacher's.",
    details: "With temperature T and factor T²: per-label Bernoulli distributions, or one softmax over labels as in the authors' code; both arguments are logits [N, m].",
    options: Some(OptionDocs {
        defaults: options::defaults::<Kl>,
        docs: || {
            crate::options::list(&[
                ("temperature", "T"),
                ("form", "\"bernoulli\" or \"softmax\""),
                ("reduction", "\"sum\" or \"mean\""),
            ])
        },
    }),
    examples: &[Example { code: "kl(tensor([[1.0]]), tensor([[1.0]])).item().abs() < 1e-6", prints: "true" }],
    register: |r| register_loss(r.engine, "kl", LossSpec::Kl),
};
