//! The words of losses, one per loss in the list of [`crate::losses`].

use crate::error::Result;
use crate::losses::*;
use crate::primitives::values::loss::LossValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

/// A loss whose word follows from its declaration: `asl()` is a Loss, `asl(logits, targets)` its value.
pub trait LossWord {
    const WORD: Word;
}

macro_rules! words {
    ($($name:ident::$Loss:ident,)+) => {$(
        impl LossWord for $Loss {
            const WORD: Word = Word {
                name: stringify!($name),
                chapter: Chapter::Tensors,
                signatures: &[
                    concat!(stringify!($name), "() -> Loss"),
                    concat!(stringify!($name), "(#{options}) -> Loss"),
                    concat!(stringify!($name), "(logits, targets) -> Tensor"),
                    concat!(stringify!($name), "(logits, targets, #{options}) -> Tensor"),
                ],
                summary: $Loss::DOCS.summary,
                details: $Loss::DOCS.details,
                options: Some(OptionDocs::of::<$Loss>()),
                examples: &[Example { code: $Loss::DOCS.example.0, prints: $Loss::DOCS.example.1 }],
                register: |word| {
                    word.form(make::<$Loss>).form(compute::<$Loss>);
                },
            };
        }
    )+};
}
losses!(words);

fn make<L: Loss>(options: L) -> LossValue {
    LossValue { spec: options.into() }
}

fn compute<L: Loss>(logits: TensorValue, targets: TensorValue, options: L) -> Result<TensorValue> {
    make(options).compute(&logits, &targets)
}
