//! `paired_bootstrap`: how sure a difference over seeds or labels is.

use rhai::{Array, Dynamic, Engine, Map};

use crate::metrics::{BootstrapOptions, paired_bootstrap};
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "paired_bootstrap",
    chapter: Chapter::Evaluation,
    signatures: &["paired_bootstrap(a, b) -> map", "paired_bootstrap(a, b, #{options}) -> map"],
    summary: "The mean of a[i] - b[i] with its bootstrap percentile interval: #{difference, low, high, p, n}.",
    details: "a and b are arrays of numbers of equal length, paired by seed, label or picture; pairs are drawn again with repetition. \
p is twice the smaller share of resamples on either side of no difference. Source: Efron and Tibshirani, \"An Introduction to the Bootstrap\", 1993, section 13.3. \
With few pairs the interval is too narrow: eight seeds are few.",
    options: Some(OptionDocs { defaults: options::defaults::<BootstrapOptions>, docs: || crate::options::list(DOCS) }),
    examples: &[Example {
        code: "let d = paired_bootstrap([83.0, 84.0, 83.5], [82.0, 83.5, 82.0]); [d.difference, d.n, d.low > 0.0]",
        prints: "[1.0, 3, true]",
    }],
    register: |r| register(r.engine),
};

const DOCS: &[(&str, &str)] = &[
    ("resamples", "how many times pairs are drawn"),
    ("level", "share of the resamples that the interval holds"),
    ("seed", "decides every draw"),
];

fn register(engine: &mut Engine) {
    engine
        .register_fn("paired_bootstrap", |a: Array, b: Array| compare(&a, &b, &Map::new()))
        .register_fn("paired_bootstrap", |a: Array, b: Array, map: Map| compare(&a, &b, &map));
}

fn compare(a: &Array, b: &Array, map: &Map) -> Fallible<Map> {
    let options: BootstrapOptions = options::parse("paired_bootstrap", map).or_raise()?;
    let a = glue::numbers("paired_bootstrap", "the first numbers", a).or_raise()?;
    let b = glue::numbers("paired_bootstrap", "the second numbers", b).or_raise()?;
    let interval = paired_bootstrap(&a, &b, &options).or_raise()?;
    let numbers =
        [("difference", interval.difference), ("low", interval.low), ("high", interval.high), ("p", interval.p)];
    let map = numbers.into_iter().map(|(name, number)| (name.into(), Dynamic::from(number)));
    Ok(map.chain([("n".into(), Dynamic::from(interval.n as i64))]).collect())
}
