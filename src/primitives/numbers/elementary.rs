//! Functions of one number, of integers too: `sqrt`, `exp`, `log`, `sin`, `floor` and their like.

use crate::error::{Error, Result};
use crate::script::word::{Chapter, Example, Word};

/// Declares words of one number whose result is a number with a decimal point.
macro_rules! elementary {
    ($($NAME:ident $name:literal $summary:literal $details:literal $code:literal $prints:literal $function:expr;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Numbers,
            signatures: &[concat!($name, "(x) -> number")],
            summary: $summary,
            details: $details,
            options: None,
            examples: &[Example { code: $code, prints: $prints }],
            register: |word| {
                let function: fn(f64) -> f64 = $function;
                // Both kinds of number: a form of any kind would take the place of the same function of tensors.
                word.form(move |x: i64| checked($name, x as f64, function)).form(move |x: f64| checked($name, x, function));
            },
        };
    )*};
}

elementary! {
    SQRT "sqrt" "The square root." "An error for a negative number." "sqrt(16)" "4.0" f64::sqrt;
    EXP "exp" "e to the power of x." "" "exp(0)" "1.0" f64::exp;
    LN "ln" "The natural logarithm, as log." "An error for a negative number; of 0 it is -inf." "ln(1)" "0.0" f64::ln;
    LOG2 "log2" "The logarithm with base 2." "An error for a negative number; of 0 it is -inf." "log2(8)" "3.0" f64::log2;
    LOG10 "log10" "The logarithm with base 10." "An error for a negative number; of 0 it is -inf." "log10(1000)" "3.0" f64::log10;
    SIN "sin" "The sine of x in radians." "" "sin(0)" "0.0" f64::sin;
    COS "cos" "The cosine of x in radians." "" "cos(0)" "1.0" f64::cos;
    TAN "tan" "The tangent of x in radians." "" "tan(0)" "0.0" f64::tan;
    TANH "tanh" "The hyperbolic tangent." "" "tanh(0)" "0.0" f64::tanh;
}

pub const LOG: Word = Word {
    name: "log",
    chapter: Chapter::Numbers,
    signatures: &["log(x) -> number", "log(x, base) -> number"],
    summary: "The natural logarithm, or the one with a base.",
    details: "log(x) is ln(x), as in Python, Julia and PyTorch and as tensor.log(); log10(x) has base 10. (Rhai's own log(x) has \
              base 10.) An error for a negative number; of 0 it is -inf.",
    options: None,
    examples: &[Example { code: "log(E())", prints: "1.0" }, Example { code: "log(8, 2)", prints: "3.0" }],
    register: |word| {
        word.form(|x: i64| checked("log", x as f64, f64::ln))
            .form(|x: f64| checked("log", x, f64::ln))
            .form(|x: f64, base: f64| based(x, base))
            .form(|x: f64, base: i64| based(x, base as f64))
            .form(|x: i64, base: f64| based(x as f64, base))
            .form(|x: i64, base: i64| based(x as f64, base as f64));
    },
};

fn based(x: f64, base: f64) -> Result<f64> {
    if base <= 0.0 || base == 1.0 {
        return Err(Error::argument(format!("log: base must be above 0 and not 1; got {base}")));
    }
    // The two exact ones; a quotient of logarithms gives 2.9999999999999996 for log(1000, 10).
    checked("log", x, |x| match base {
        2.0 => x.log2(),
        10.0 => x.log10(),
        _ => x.ln() / base.ln(),
    })
}

/// A number has no real logarithm or root where the function gives no number.
fn checked(name: &str, x: f64, function: impl Fn(f64) -> f64) -> Result<f64> {
    let y = function(x);
    if y.is_nan() && !x.is_nan() {
        let domain = if x.is_infinite() { "finite" } else { "0 or more" };
        return Err(Error::argument(format!("{name}: x must be {domain}; got {}", crate::script::show::number(x))));
    }
    Ok(y)
}

/// Declares words of one number that keep an integer as it is.
macro_rules! whole {
    ($($NAME:ident $name:literal $summary:literal $code:literal $prints:literal $function:expr;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Numbers,
            signatures: &[concat!($name, "(x) -> number")],
            summary: $summary,
            details: "An integer stays one. A number with a decimal point keeps it; .to_int() makes an integer of it.",
            options: None,
            examples: &[Example { code: $code, prints: $prints }],
            register: |word| {
                word.form(|x: i64| x).form($function as fn(f64) -> f64);
            },
        };
    )*};
}

whole! {
    FLOOR "floor" "The largest whole number that is not above x." "floor(-2.5)" "-3.0" f64::floor;
    CEIL "ceil" "The smallest whole number that is not below x." "ceil(2.1)" "3.0" f64::ceil;
}

pub const ABS: Word = Word {
    name: "abs",
    chapter: Chapter::Numbers,
    signatures: &["abs(x) -> number"],
    summary: "The number without its sign.",
    details: "Of an integer an integer.",
    options: None,
    examples: &[Example { code: "[abs(-3), abs(-0.5)]", prints: "[3, 0.5]" }],
    register: |word| {
        let whole = |x: i64| {
            x.checked_abs()
                .ok_or_else(|| Error::argument(format!("abs: {x} has no positive partner among the integers")))
        };
        word.form(whole).form(f64::abs as fn(f64) -> f64);
    },
};
