//! The words of losses, one per loss in the list of [`crate::losses`].

use crate::losses::*;
use crate::primitives::values::loss::register_loss;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

macro_rules! words {
    ($($name:ident::$Loss:ident,)+) => {
        pub const WORDS: &[&Word] = &[$(&Word {
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
            register: |r| register_loss::<$Loss>(r.engine, stringify!($name)),
        }),+];
    };
}
losses!(words);
