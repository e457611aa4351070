//! `standard_error`: mean and standard error over seeds.

use rhai::{Array, Dynamic, Map};

use crate::error::Result;
use crate::metrics::mean_error;
use crate::primitives::parameters::numbers;
use crate::script::call::{Call, IntoValue};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "standard_error",
    chapter: Chapter::Evaluation,
    signatures: &["standard_error(numbers) -> map"],
    summary: "The mean of some numbers and its standard error (sample standard deviation over √n): #{mean, error, n}.",
    details: "With a single number the error is (). No number at all is an error.",
    options: None,
    examples: &[Example { code: "standard_error([1.0, 2.0, 3.0]).mean", prints: "2.0" }],
    register: |word| {
        word.form(standard_error);
    },
};

fn standard_error(call: &Call, values: Array) -> Result<Map> {
    let spread = mean_error(&numbers(&values, call, "the numbers")?)?;
    Ok(Map::from_iter([
        ("mean".into(), spread.mean.into()),
        ("error".into(), spread.error.into_value()),
        ("n".into(), Dynamic::from(spread.n as i64)),
    ]))
}
