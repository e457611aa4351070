//! Uncertainty of differences: mean ± standard error, and the paired bootstrap.

use std::fmt;

use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::activity;
use crate::error::{Error, Result};
use crate::memory;
use crate::random::{Use, indexed};

/// A mean over repetitions (seeds) and its standard error s / √n, where s² is divided by n − 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanError {
    pub mean: f64,
    /// `None` for a single value.
    pub error: Option<f64>,
    pub n: usize,
}

/// Mean and standard error of `values`. Errors: no value, a value that is not finite.
pub fn mean_error(values: &[f64]) -> Result<MeanError> {
    check("the mean", values)?;
    let n = values.len();
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let error = (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt());
    Ok(MeanError { mean, error, n })
}

impl fmt::Display for MeanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Some(error) => write!(f, "{:.1} ± {:.1}", self.mean, error),
            None => write!(f, "{:.1}", self.mean),
        }
    }
}

crate::options! {
    /// Options of the bootstrap.
    pub struct BootstrapOptions {
        /// how many times pairs are drawn
        pub resamples: usize = 10_000;
        /// share of the resamples that the interval holds
        pub level: f64 = 0.95;
        /// decides every draw
        pub seed: u64 = 0;
        /// of predictions, what is drawn: "pictures", "seeds", or "both"; () is both, and pictures where there is one seed
        pub over: Option<Over> = None;
    }
}

/// What a bootstrap of predictions draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    Pictures,
    Seeds,
    Both,
}

/// A difference and its bootstrap percentile interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    /// Twice the smaller share of resamples on either side of 0, at most 1.
    pub p: f64,
    pub level: f64,
    pub n: usize,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.2} [{:+.2}, {:+.2}]", self.difference, self.low, self.high)
    }
}

/// The mean of `a[i] - b[i]` with its percentile interval over resampled pairs (labels, seeds or images).
///
/// Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. Errors: lists of unequal length (both
/// lengths named), fewer than two pairs, values that are not finite, options out of range.
pub fn paired_bootstrap(a: &[f64], b: &[f64], options: &BootstrapOptions) -> Result<Interval> {
    if options.over.is_some() {
        let message =
            "option over is of predictions: paired_bootstrap(a, b, split), where a and b have Models or Predictions";
        return Err(Error::argument(message).about_option("over"));
    }
    let differences = differences(a, b, "the bootstrap")?;
    paired_bootstrap_by(differences.len(), options, |drawn| {
        drawn.iter().map(|&i| differences[i as usize]).sum::<f64>() / drawn.len() as f64
    })
}

/// The same for any statistic: `difference` takes the positions (0 to n − 1, with repetition) of the drawn units, such
/// as images, and returns the difference of two systems' metric on them.
pub fn paired_bootstrap_by(
    n: usize,
    options: &BootstrapOptions,
    difference: impl Fn(&[u32]) -> f64 + Sync,
) -> Result<Interval> {
    if n < 2 || u32::try_from(n).is_err() {
        return Err(Error::argument(format!("the bootstrap needs from 2 to {} pairs; got {n}", u32::MAX)));
    }
    check_options(options)?;
    // What the threads bring is put together, and sorted.
    let bytes = (options.resamples as u64).saturating_mul(16).saturating_add(4 * n as u64);
    memory::check(&format!("{} resamples", options.resamples), bytes).map_err(|e| e.about_option("resamples"))?;
    let whole: Vec<u32> = (0..n as u32).collect();
    let activity = activity::current();
    let resampled = (0..options.resamples as u64)
        .into_par_iter()
        .map_init(Vec::new, |drawn: &mut Vec<u32>, resample| {
            activity.check()?;
            let mut rng = indexed(options.seed, Use::Bootstrap, resample);
            drawn.clear();
            drawn.extend((0..n).map(|_| rng.random_range(0..n as u32)));
            Ok(difference(drawn))
        })
        .collect::<Result<Vec<f64>>>()?;
    interval(difference(&whole), resampled, options, n)
}

/// Errors: options out of range.
pub(super) fn check_options(options: &BootstrapOptions) -> Result<()> {
    if options.resamples < 2 {
        return Err(Error::argument(format!("option resamples must be at least 2; got {}", options.resamples))
            .about_option("resamples"));
    }
    if !(options.level > 0.0 && options.level < 1.0) {
        return Err(Error::argument(format!("option level must be between 0 and 1; got {}", options.level))
            .about_option("level"));
    }
    Ok(())
}

/// The percentile interval of resampled differences. Errors: one that is not finite.
pub(super) fn interval(
    difference: f64,
    mut resampled: Vec<f64>,
    options: &BootstrapOptions,
    n: usize,
) -> Result<Interval> {
    if !difference.is_finite() || resampled.iter().any(|d| !d.is_finite()) {
        return Err(Error::data("the bootstrapped difference is not a finite number on every resample"));
    }
    resampled.sort_unstable_by(f64::total_cmp);
    let below = resampled.iter().filter(|&&d| d <= 0.0).count();
    let above = resampled.iter().filter(|&&d| d >= 0.0).count();
    let tail = (1.0 - options.level) / 2.0;
    Ok(Interval {
        difference,
        low: quantile(&resampled, tail),
        high: quantile(&resampled, 1.0 - tail),
        p: (2.0 * below.min(above) as f64 / resampled.len() as f64).min(1.0),
        level: options.level,
        n,
    })
}

/// Linear interpolation between order statistics (type 7 of Hyndman & Fan 1996, numpy's default).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + share * (sorted[high] - sorted[low])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `a[i] - b[i]`; `what` is for errors: lists of unequal length, no values, values that are not finite.
pub(super) fn differences(a: &[f64], b: &[f64], what: &str) -> Result<Vec<f64>> {
    if a.len() != b.len() {
        return Err(Error::argument(format!("paired values must be equally many; got {} and {}", a.len(), b.len())));
    }
    check(what, a)?;
    check(what, b)?;
    Ok(a.iter().zip(b).map(|(a, b)| a - b).collect())
}

fn check(what: &str, values: &[f64]) -> Result<()> {
    if values.is_empty() {
        return Err(Error::argument(format!("{what} needs at least one value; got none")));
    }
    match values.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(Error::argument(format!("{what} needs finite numbers; got {} at position {i}", values[i]))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_by_hand() {
        let m = mean_error(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((m.mean, m.n), (2.5, 4));
        assert!((m.error.unwrap() - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
        assert_eq!(mean_error(&[7.0]).unwrap().to_string(), "7.0");
        assert!(mean_error(&[]).is_err());
    }

    #[test]
    fn the_seed_decides() {
        let a = [1.0, 2.0, 4.0, 3.0, 8.0];
        let b = [0.5, 2.5, 3.0, 2.0, 5.0];
        let options = BootstrapOptions { resamples: 500, ..Default::default() };
        let one = paired_bootstrap(&a, &b, &options).unwrap();
        assert_eq!(one, paired_bootstrap(&a, &b, &options).unwrap());
        assert_ne!(one, paired_bootstrap(&a, &b, &BootstrapOptions { seed: 1, ..options }).unwrap());
        assert!(one.low <= one.difference && one.difference <= one.high);
    }

    #[test]
    fn equal_systems_do_not_differ() {
        let a = [1.0, 2.0, 4.0];
        let same = paired_bootstrap(&a, &a, &BootstrapOptions::default()).unwrap();
        assert_eq!((same.difference, same.low, same.high, same.p), (0.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn bad_input_is_named() {
        let options = BootstrapOptions::default();
        assert_eq!(
            paired_bootstrap(&[1.0], &[1.0, 2.0], &options).unwrap_err().message,
            "paired values must be equally many; got 1 and 2"
        );
        assert!(paired_bootstrap(&[1.0, f64::NAN], &[1.0, 2.0], &options).unwrap_err().message.contains("position 1"));
        let bad = BootstrapOptions { level: 1.0, ..options };
        assert!(paired_bootstrap(&[1.0, 2.0], &[1.0, 2.0], &bad).unwrap_err().message.contains("level"));
    }
}
