//! Numbers of an array of numbers: `sum`, `mean`, `max`, `min`, `std`, `median`.

use rhai::{Array, Dynamic};

use crate::error::{Error, Result};
use crate::script::call::{Call, Number};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

/// Declares words of one array.
macro_rules! of_array {
    ($($NAME:ident $name:literal $summary:literal $details:literal $code:literal $prints:literal $register:expr;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Numbers,
            signatures: &[concat!($name, "(array) -> number")],
            summary: $summary,
            details: $details,
            options: None,
            examples: &[Example { code: $code, prints: $prints }],
            register: $register,
        };
    )*};
}

of_array! {
    SUM "sum" "The sum of an array of numbers, also array.sum()."
        "Of integers an integer, and an error if it is above 9223372036854775807. Of an empty array 0. true counts as 1, false as 0."
        "[1, 2, 3].sum()" "6" |word| { word.form(sum); };
    MEAN "mean" "The mean of an array of numbers, also array.mean()."
        "true counts as 1, false as 0: [true, false].mean() is 0.5. An error for an empty array."
        "[1, 2, 4, 5].mean()" "3.0" |word| { word.form(mean); };
    MEDIAN "median" "The median of an array of numbers, also array.median()."
        "Of an even number of items the mean of the two in the middle, as in NumPy. nan if one is nan. An error for an empty array."
        "[4, 1, 3, 2].median()" "2.5" |word| { word.form(median); };
}

/// Declares `max` and `min`.
macro_rules! extremes {
    ($($NAME:ident $name:literal $which:literal $prints:literal $better:expr;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Numbers,
            signatures: &[concat!($name, "(array) -> number"), concat!($name, "(a, b) -> number")],
            summary: concat!("The ", $which, " number of an array, or of two numbers; also array.", $name, "()."),
            details: "Of integers an integer. nan if one of an array is nan. An error for an empty array.",
            options: None,
            examples: &[Example { code: concat!("[[2, 3, 1].", $name, "(), ", $name, "(2, 3)]"), prints: $prints }],
            // (Of two numbers it is Rhai's own.)
            register: |word| {
                word.form(|call: &Call, array: Array| extreme(call, &array, $better));
            },
        };
    )*};
}

extremes! {
    MAX "max" "largest" "[3, 3]" |a, b| a > b;
    MIN "min" "smallest" "[1, 2]" |a, b| a < b;
}

pub const STD: Word = Word {
    name: "std",
    chapter: Chapter::Numbers,
    signatures: &["std(array) -> number", "std(array, correction) -> number"],
    summary: "The standard deviation of an array of numbers, also array.std().",
    details: "The root of the sum of squared distances to the mean, divided by the number of items minus correction. correction is 1, \
              as in PyTorch, Julia and tables here; NumPy's default is correction 0. An error if no items remain: for an empty array, \
              and for a single item with correction 1.",
    options: None,
    examples: &[Example { code: "[[1, 2, 3, 4].std(), [1, 2, 3, 4].std(0)]", prints: "[1.29099, 1.11803]" }],
    register: |word| {
        word.form(|call: &Call, array: Array| std(call, array, 1)).form(std);
    },
};

/// The numbers of an array. Errors: an item that is none.
fn numbers(call: &Call, array: &Array) -> Result<Vec<f64>> {
    let number = |(i, item): (usize, &Dynamic)| {
        Number::of(item).or_else(|| item.as_bool().ok().map(f64::from)).ok_or_else(|| {
            Error::argument(format!("{}: the items must be numbers; item {i} is {}", call.name, show::a_type(item)))
        })
    };
    array.iter().enumerate().map(number).collect()
}

/// Errors: fewer than `least` items.
fn at_least(call: &Call, array: &Array, least: usize) -> Result<()> {
    match array.len() {
        n if n >= least => Ok(()),
        0 => Err(Error::argument(format!("{}: the array is empty", call.name))),
        n => Err(Error::argument(format!("{}: the array must have {least} items or more; it has {n}", call.name))),
    }
}

fn sum(call: &Call, array: Array) -> Result<Dynamic> {
    let floats = numbers(call, &array)?;
    if array.iter().any(Dynamic::is_float) {
        return Ok(added(&floats).into());
    }
    let whole = |item: &Dynamic| item.as_int().or_else(|_| item.as_bool().map(i64::from)).unwrap_or(0);
    let sum = array.iter().map(whole).try_fold(0_i64, i64::checked_add);
    sum.map(Dynamic::from).ok_or_else(|| Error::argument("sum: the sum is no integer of 64 bits"))
}

/// The sum with what each addition loses (Neumaier): the order of the items hardly matters.
fn added(numbers: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for &x in numbers {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    if lost.is_finite() { sum + lost } else { sum }
}

fn mean(call: &Call, array: Array) -> Result<f64> {
    at_least(call, &array, 1)?;
    Ok(added(&numbers(call, &array)?) / array.len() as f64)
}

fn std(call: &Call, array: Array, correction: usize) -> Result<f64> {
    at_least(call, &array, correction.saturating_add(1))?;
    let all = numbers(call, &array)?;
    let mean = added(&all) / all.len() as f64;
    let squares: Vec<f64> = all.iter().map(|x| (x - mean).powi(2)).collect();
    Ok((added(&squares) / (all.len() - correction) as f64).sqrt())
}

fn median(call: &Call, array: Array) -> Result<f64> {
    at_least(call, &array, 1)?;
    let mut all = numbers(call, &array)?;
    if all.iter().any(|x| x.is_nan()) {
        return Ok(f64::NAN);
    }
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    Ok(if all.len() % 2 == 1 { all[middle] } else { 0.5 * (all[middle - 1] + all[middle]) })
}

fn extreme(call: &Call, array: &Array, better: fn(f64, f64) -> bool) -> Result<Dynamic> {
    at_least(call, array, 1)?;
    let all = numbers(call, array)?;
    let mut best = 0;
    for (i, &x) in all.iter().enumerate() {
        if x.is_nan() {
            return Ok(f64::NAN.into());
        }
        if better(x, all[best]) {
            best = i;
        }
    }
    Ok(array[best].clone())
}
