//! `pow` and `div`: powers, and the whole part of a division.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::word::{Chapter, Example, Word};

pub const POW: Word = Word {
    name: "pow",
    chapter: Chapter::Numbers,
    signatures: &["pow(x, y) -> number"],
    summary: "x to the power of y, as x ** y.",
    details: "Of an integer and an integer from 0 it is an integer, and an error above 9223372036854775807.",
    options: None,
    examples: &[Example { code: "[pow(2, 10), pow(2.0, 0.5), pow(2, -1)]", prints: "[1024, 1.41421, 0.5]" }],
    register: |word| {
        word.form(whole)
            .form(|x: f64, y: f64| real(x, y))
            .form(|x: f64, y: i64| real(x, y as f64))
            .form(|x: i64, y: f64| real(x as f64, y));
    },
};

fn whole(x: i64, y: i64) -> Result<Dynamic> {
    match u32::try_from(y) {
        Ok(y) => x.checked_pow(y).map(Dynamic::from).ok_or_else(|| {
            Error::argument(format!("pow: {x} to the power of {y} is no integer of 64 bits"))
                .with_help(format!("numbers with a decimal point go on: pow({x}.0, {y})"))
        }),
        Err(_) => real(x as f64, y as f64).map(Dynamic::from),
    }
}

fn real(x: f64, y: f64) -> Result<f64> {
    let power = x.powf(y);
    if power.is_nan() && !x.is_nan() && !y.is_nan() {
        return Err(Error::argument(format!("pow: a negative number has no power of {y}; got {x}")));
    }
    Ok(power)
}

pub const DIV: Word = Word {
    name: "div",
    chapter: Chapter::Numbers,
    signatures: &["div(a, b) -> integer"],
    summary: "The whole part of a / b, of two integers: Python's a // b where both have the same sign.",
    details: "Rounded towards 0, as a / b of integers is and as div is in Julia: div(-7, 2) is -3. It says that the fraction is \
              dropped on purpose, so the checker does not warn. An error for b = 0.",
    options: None,
    examples: &[Example { code: "[div(7, 2), div(-7, 2)]", prints: "[3, -3]" }],
    register: |word| {
        word.form(|a: i64, b: i64| {
            a.checked_div(b).ok_or_else(|| Error::argument(format!("div: {a} cannot be divided by {b}")))
        });
    },
};
