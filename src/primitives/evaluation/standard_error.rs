//! `standard_error`: mean and standard error over seeds.

use rhai::{Array, Dynamic, Engine, Map};

use crate::metrics::mean_error;
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "standard_error",
    chapter: Chapter::Evaluation,
    signatures: &["standard_error(numbers) -> map"],
    summary: "The mean of some numbers and its standard error (sample standard deviation over √n): #{mean, error, n}.",
    details: "With a single number the error is (). No number at all is an error.",
    options: None,
    examples: &[Example { code: "standard_error([1.0, 2.0, 3.0]).mean", prints: "2.0" }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("standard_error", |values: Array| -> Fallible<Map> {
        let values = glue::numbers("standard_error", "the numbers", &values).or_raise()?;
        let spread = mean_error(&values).or_raise()?;
        Ok([
            ("mean".into(), Dynamic::from(spread.mean)),
            ("error".into(), spread.error.map_or(Dynamic::UNIT, Dynamic::from)),
            ("n".into(), Dynamic::from(values.len() as i64)),
        ]
        .into_iter()
        .collect())
    });
}
