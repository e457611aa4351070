//! `paired_bootstrap`: how sure a difference over seeds or labels is.

use rhai::{Array, Dynamic, Map};

use crate::error::Result;
use crate::metrics::{self, BootstrapOptions};
use crate::primitives::parameters::numbers;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "paired_bootstrap",
    chapter: Chapter::Evaluation,
    signatures: &["paired_bootstrap(a, b) -> map", "paired_bootstrap(a, b, #{options}) -> map"],
    summary: "The mean of a[i] - b[i] with its bootstrap percentile interval: #{difference, low, high, p, n}.",
    details: "a and b are arrays of numbers of equal length, paired by seed, label or picture; pairs are drawn again with repetition. \
p is twice the smaller share of resamples on either side of no difference. Source: Efron and Tibshirani, \"An Introduction to the Bootstrap\", 1993, section 13.3. \
With few pairs the interval is too narrow: eight seeds are few. paired_permutation tests without that.",
    options: Some(OptionDocs::of::<BootstrapOptions>()),
    examples: &[Example {
        code: "let d = paired_bootstrap([83.0, 84.0, 83.5], [82.0, 83.5, 82.0]); [d.difference, d.n, d.low > 0.0]",
        prints: "[1.0, 3, true]",
    }],
    register: |word| {
        word.form(paired_bootstrap);
    },
};

fn paired_bootstrap(call: &Call, a: Array, b: Array, options: BootstrapOptions) -> Result<Map> {
    let (a, b) = (numbers(&a, call, "the first numbers")?, numbers(&b, call, "the second numbers")?);
    let interval = metrics::paired_bootstrap(&a, &b, &options)?;
    Ok(Map::from_iter([
        ("difference".into(), interval.difference.into()),
        ("low".into(), interval.low.into()),
        ("high".into(), interval.high.into()),
        ("p".into(), interval.p.into()),
        ("n".into(), Dynamic::from(interval.n as i64)),
    ]))
}
