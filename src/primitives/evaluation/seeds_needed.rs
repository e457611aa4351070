//! `seeds_needed`: how many seeds a difference needs to be found.

use rhai::{Array, Dynamic};

use crate::error::{Error, Result};
use crate::metrics::{self, PowerOptions};
use crate::primitives::parameters::numbers;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "seeds_needed",
    chapter: Chapter::Evaluation,
    signatures: &[
        "seeds_needed(difference, deviation) -> integer",
        "seeds_needed(difference, differences) -> integer",
        "seeds_needed(difference, deviation, #{options}) -> integer",
    ],
    summary: "The number of seeds with which a paired comparison finds a difference of that size (power).",
    details: "deviation is the standard deviation of the differences seed by seed, a[i] - b[i], or an array of such differences, of which it is computed (n - 1). \
The number is that of a two-sided paired t test, as statsmodels' TTestPower().solve_power gives it, rounded up; R calls it power.t.test. A deviation from three or four seeds is \
itself uncertain by half. A permutation test cannot find anything at 0.05 with fewer than six seeds (paired_permutation: least).",
    options: Some(OptionDocs::of::<PowerOptions>()),
    examples: &[
        Example { code: "seeds_needed(0.5, 0.4)", prints: "8" },
        Example { code: "seeds_needed(0.5, [0.2, 0.7, 0.6], #{power: 0.9})", prints: "6" },
    ],
    register: |word| {
        word.form(seeds_needed);
    },
};

fn seeds_needed(call: &Call, difference: f64, deviation: Dynamic, options: PowerOptions) -> Result<i64> {
    let deviation = match deviation.read_lock::<Array>() {
        Some(differences) => of_differences(&numbers(&differences, call, "the differences")?)?,
        None => deviation.as_float().or_else(|_| deviation.as_int().map(|n| n as f64)).map_err(|kind| {
            Error::argument(format!(
                "a standard deviation is a number or an array of differences; got a value of type {kind}"
            ))
        })?,
    };
    Ok(metrics::pairs_needed(difference, deviation, &options)? as i64)
}

/// The standard deviation with n - 1.
fn of_differences(all: &[f64]) -> Result<f64> {
    if all.len() < 2 {
        return Err(Error::argument(format!("a standard deviation needs two differences or more; got {}", all.len())));
    }
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    Ok((all.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (all.len() - 1) as f64).sqrt())
}
