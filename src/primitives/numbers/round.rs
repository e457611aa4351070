//! `round`: to the nearest whole number, or to a number of digits.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "round",
    chapter: Chapter::Numbers,
    signatures: &["round(x) -> number", "round(x, digits) -> number"],
    summary: "The nearest number with so many digits behind the point; 0 without digits.",
    details: "A half goes to the even neighbour, as in Python, Julia and PyTorch: round(2.5) is 2.0. (Rhai's own rounds away from \
              0.) The decimal digits of x decide, all of them: round(2.675, 2) is 2.67, since 2.675 is a little less. An integer \
              stays one. Negative digits count before the point: round(1234, -2) is 1200.",
    options: None,
    examples: &[
        Example { code: "round(3.14159, 2)", prints: "3.14" },
        Example { code: "[round(2.5), round(1250, -2)]", prints: "[2.0, 1200]" },
    ],
    register: |word| {
        word.form(|x: f64| x.round_ties_even())
            .form(|x: i64| x)
            .form(|x: f64, digits: i64| rounded(x, digits))
            .form(|x: i64, digits: i64| whole(x, digits).map(Dynamic::from));
    },
};

/// As Python's `round(x, digits)`: of the exact decimal digits of x.
fn rounded(x: f64, digits: i64) -> f64 {
    // No number has more digits behind the point, or more before it.
    if !x.is_finite() || x == 0.0 || digits > 1100 {
        return x;
    }
    if digits >= 0 {
        return format!("{x:.*}", digits as usize).parse().unwrap_or(x);
    }
    let written = format!("{x:e}");
    let exponent: i64 = written.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    match exponent.saturating_add(digits) {
        kept @ 0.. => format!("{x:.*e}", kept as usize).parse().unwrap_or(x),
        // Below one unit: a half goes to 0, which is even.
        -1 if x.abs() > 5.0 * 10_f64.powi(exponent as i32) => 10_f64.powi(exponent as i32 + 1).copysign(x),
        _ => 0.0_f64.copysign(x),
    }
}

fn whole(x: i64, digits: i64) -> Result<i64> {
    if digits >= 0 {
        return Ok(x);
    }
    let Some(unit) = u32::try_from(-digits).ok().and_then(|n| 10_i128.checked_pow(n)) else { return Ok(0) };
    let (down, rest) = (i128::from(x).div_euclid(unit), i128::from(x).rem_euclid(unit));
    let up = rest * 2 > unit || (rest * 2 == unit && down % 2 != 0);
    let rounded = (down + i128::from(up)) * unit;
    i64::try_from(rounded).map_err(|_| Error::argument(format!("round: {rounded} is no integer of 64 bits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3 says for `round(x, digits)`.
    #[test]
    fn digits_are_pythons() {
        for (x, digits, expected) in [
            (2.675, 2, 2.67),
            (0.125, 2, 0.12),
            (0.375, 2, 0.38),
            (1.005, 2, 1.0),
            (1234.5678, -2, 1200.0),
            (1250.0, -2, 1200.0),
            (1350.0, -2, 1400.0),
            (60.0, -2, 100.0),
            (50.0, -2, 0.0),
            (49.0, -2, 0.0),
            (5.0, -2, 0.0),
            (-60.0, -2, -100.0),
            (1e300, 5, 1e300),
            (1e-300, 2, 0.0),
            (123456.789, 1, 123456.8),
            (-0.5, 0, -0.0),
        ] {
            assert_eq!(rounded(x, digits).to_bits(), f64::to_bits(expected), "round({x}, {digits})");
        }
        for (x, digits, expected) in [
            (1250, -2, 1200),
            (1350, -2, 1400),
            (-1250, -2, -1200),
            (-1251, -2, -1300),
            (15, -1, 20),
            (25, -1, 20),
            (7, 2, 7),
        ] {
            assert_eq!(whole(x, digits).unwrap(), expected, "round({x}, {digits})");
        }
        assert_eq!(whole(7, -60).unwrap(), 0);
        assert!(whole(i64::MAX, -1).is_err());
    }
}
