//! `paired_permutation`: whether a difference over few seeds could be chance.

use rhai::{Array, Dynamic, Map};

use crate::error::Result;
use crate::metrics::{self, PermutationOptions};
use crate::primitives::parameters::numbers;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "paired_permutation",
    chapter: Chapter::Evaluation,
    signatures: &["paired_permutation(a, b) -> map", "paired_permutation(a, b, #{options}) -> map"],
    summary: "The paired permutation test of the mean of a[i] - b[i], two-sided: #{difference, p, least, exact, n}.",
    details: "a and b are arrays of numbers of equal length, paired by seed, label or picture. If the two systems were alike, each pair's values could be \
swapped; p is the share of ways to swap that give a difference as large. All 2^n ways are tried where they are no more than resamples, \
and exact is true; else as many are drawn. least is the smallest p that so many pairs can give: 0.25 of three seeds, 0.0625 of five, below 0.05 \
from six on. Numbers as scipy.stats.permutation_test's with permutation_type=\"samples\". Of several comparisons: adjust_p.",
    options: Some(OptionDocs::of::<PermutationOptions>()),
    examples: &[Example {
        code: "let t = paired_permutation([83.0, 84.0, 83.5], [82.0, 83.5, 82.0]); [t.difference, t.p, t.least, t.exact]",
        prints: "[1.0, 0.25, 0.25, true]",
    }],
    register: |word| {
        word.form(paired_permutation);
    },
};

fn paired_permutation(call: &Call, a: Array, b: Array, options: PermutationOptions) -> Result<Map> {
    let (a, b) = (numbers(&a, call, "the first numbers")?, numbers(&b, call, "the second numbers")?);
    let test = metrics::paired_permutation(&a, &b, &options)?;
    Ok(Map::from_iter([
        ("difference".into(), test.difference.into()),
        ("p".into(), test.p.into()),
        ("least".into(), test.least.into()),
        ("exact".into(), test.exact.into()),
        ("n".into(), Dynamic::from(test.n as i64)),
    ]))
}
