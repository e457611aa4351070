//! `random`: a generator of random numbers.

use crate::primitives::values::random::RandomValue;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "random",
    chapter: Chapter::Numbers,
    signatures: &["random(seed) -> Random"],
    summary: "A generator of random numbers that follow from the seed, the same on every machine.",
    details: "The generator is ChaCha8. Every call of a method draws on; a copy of the value draws from the same stream, so random(seed) is \
              made again for the same numbers. A closure draws from a generator that it captured.",
    options: None,
    examples: &[Example {
        code: "let r = random(7); [r.uniform(), r.normal(), r.integer(0, 10)].map(|x| round(x, 4)) == { let s = random(7); [s.uniform(), s.normal(), s.integer(0, 10)].map(|x| round(x, 4)) }",
        prints: "true",
    }],
    register: |word| {
        word.form(RandomValue::new);
    },
};
