//! The power of a paired comparison: how likely a difference is found, and how many pairs it needs.

use crate::error::{Error, Result};
use crate::options::Range;

crate::options! {
    /// Options of the number of pairs.
    pub struct PowerOptions {
        /// how likely a difference of that size shall be found
        pub power: f64 = 0.8, in Range::FromTo(1e-6, 0.999_999);
        /// the largest p value that counts as found, two-sided
        pub alpha: f64 = 0.05, in Range::FromTo(1e-6, 0.999_999);
    }
}

/// Beyond so many pairs no number is given.
const MOST: u64 = 1_000_000;

/// The least number of pairs, at least 2, with which a two-sided paired t test finds a mean difference with the asked power, where
/// differences of pairs have that standard deviation. As `statsmodels.stats.power.TTestPower().solve_power`, rounded up.
///
/// Errors: no difference; a deviation that is negative or no number; more than a million pairs.
pub fn pairs_needed(difference: f64, deviation: f64, options: &PowerOptions) -> Result<u64> {
    if !difference.is_finite() || difference == 0.0 {
        return Err(Error::argument(format!("a difference to be found is a number other than 0; got {difference}")));
    }
    if !deviation.is_finite() || deviation < 0.0 {
        return Err(Error::argument(format!("a standard deviation is a number from 0; got {deviation}")));
    }
    let found = |n: u64| paired_power(n, difference.abs() / deviation, options.alpha) >= options.power;
    // Power rises with the number of pairs.
    let mut high = 2;
    while !found(high) {
        if high >= MOST {
            return Err(Error::argument(format!(
                "a difference of {difference} with a deviation of {deviation} needs more than {MOST} pairs"
            )));
        }
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 && high > 2 {
        let middle = low + (high - low) / 2;
        if found(middle) { high = middle } else { low = middle }
    }
    Ok(high)
}

/// The chance that a two-sided paired t test of `n` pairs finds a mean difference of `effect` standard deviations at level `alpha`.
/// `T` is normal with mean `effect · √n`, over the root of a chi-squared of `n - 1` by its degrees.
pub fn paired_power(n: u64, effect: f64, alpha: f64) -> f64 {
    if effect.is_infinite() {
        return 1.0;
    }
    let degrees = (n - 1) as f64;
    let critical = critical(degrees, alpha);
    beyond(critical, effect * (n as f64).sqrt(), degrees)
}

/// The t beyond which the two tails of Student's distribution have the share `alpha`.
fn critical(degrees: f64, alpha: f64) -> f64 {
    let mut high = 1.0;
    while beyond(high, 0.0, degrees) > alpha && high < 1e12 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if beyond(middle, 0.0, degrees) > alpha { low = middle } else { high = middle }
    }
    high
}

/// P(|T| > t) of the noncentral t distribution: the integral of P(|Z + shift| > t·s) over the density of `s = √(χ²/degrees)`, by
/// Simpson's rule.
fn beyond(t: f64, shift: f64, degrees: f64) -> f64 {
    const STEPS: usize = 4000;
    let log_factor = 2f64.ln() + degrees / 2.0 * (degrees / 2.0).ln() - libm::lgamma(degrees / 2.0);
    let density = |s: f64| match s > 0.0 {
        true => (log_factor + (degrees - 1.0) * s.ln() - degrees * s * s / 2.0).exp(),
        // Half a normal distribution.
        false if degrees == 1.0 => log_factor.exp(),
        false => 0.0,
    };
    let tail = |x: f64| libm::erfc(x / std::f64::consts::SQRT_2) / 2.0;
    let outside = |s: f64| tail(t * s - shift) + tail(t * s + shift);
    // s has mean 1 and a deviation of about 1/√(2·degrees).
    let spread = 12.0 / (2.0 * degrees).sqrt();
    let (from, to) = ((1.0 - spread).max(0.0), 1.0 + spread);
    let width = (to - from) / STEPS as f64;
    let weight = |i: usize| match i {
        0 | STEPS => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=STEPS)
        .map(|i| {
            let s = from + i as f64 * width;
            weight(i) * density(s) * outside(s)
        })
        .sum();
    (sum * width / 3.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_difference_alpha_is_found() {
        for n in [2, 3, 5, 30] {
            assert!((paired_power(n, 0.0, 0.05) - 0.05).abs() < 1e-6, "{n}: {}", paired_power(n, 0.0, 0.05));
        }
        assert_eq!(paired_power(2, f64::INFINITY, 0.05), 1.0);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let needed = |difference, deviation| pairs_needed(difference, deviation, &PowerOptions::default());
        assert!(needed(0.0, 1.0).is_err() && needed(f64::NAN, 1.0).is_err() && needed(1.0, -1.0).is_err());
        assert!(needed(1e-6, 1.0).unwrap_err().message.contains("more than 1000000 pairs"));
        assert_eq!((needed(1.0, 0.0).unwrap(), needed(-5.0, 0.001).unwrap()), (2, 2));
    }
}
