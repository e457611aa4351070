//! The paired permutation test: how often chance alone makes a difference as large, if the systems of each pair may be swapped.

use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;

use super::paired::differences;
use crate::activity;
use crate::error::{Error, Result};
use crate::options::Range;
use crate::random::numbered;

crate::options! {
    /// Options of the permutation test.
    pub struct PermutationOptions {
        /// how many ways to swap are tried: all 2^n of n pairs where that is no more, else as many draws
        pub resamples: usize = 100_000, in Range::FromTo(1.0, 1e9);
        /// decides every draw
        pub seed: u64 = 0;
    }
}

/// A difference and how likely chance makes one as large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Permutation {
    /// The mean of `a[i] - b[i]`.
    pub difference: f64,
    /// Two-sided.
    pub p: f64,
    /// The smallest p that so many pairs can give: 2 / 2^n, or 2 / (resamples + 1) of draws.
    pub least: f64,
    /// All ways to swap were tried.
    pub exact: bool,
    pub n: usize,
}

/// How many ways are tried with one sequence of draws.
const CHUNK: u64 = 1 << 14;

/// How many differences are added up between two looks at the stop flag.
const ADDED: u64 = 1 << 24;

/// The two-sided sign-flip test of the mean of `a[i] - b[i]` being 0: each pair's two values may be swapped.
///
/// As `scipy.stats.permutation_test` with `permutation_type="samples"`: p is twice the smaller tail, at most 1; where not all ways are
/// tried, the observed one counts as one more (Phipson & Smyth, "Permutation p-values should never be zero", 2010). Errors: lists of
/// unequal length, fewer than two pairs, values that are not finite, options out of range.
pub fn paired_permutation(a: &[f64], b: &[f64], options: &PermutationOptions) -> Result<Permutation> {
    options.check_here()?;
    let differences = differences(a, b, "the permutation test")?;
    let n = differences.len();
    if n < 2 {
        return Err(Error::argument(format!("the permutation test needs at least two pairs; got {n}")));
    }
    let sum: f64 = differences.iter().sum();
    // Two ways with equal sums count as equal: rounding of the values, such as two decimals of percent, must not tell them apart.
    let largest = a.iter().chain(b).fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let slack = 4.0 * f64::EPSILON * n as f64 * largest;
    let all = u32::try_from(n).ok().and_then(|n| 1_u64.checked_shl(n)).filter(|all| *all <= options.resamples as u64);
    let ways = all.unwrap_or(options.resamples as u64);
    let activity = activity::current();
    let often = (ADDED / n as u64).clamp(1, CHUNK);
    let flipped = |signs: &mut dyn FnMut(usize) -> bool| -> f64 {
        differences.iter().enumerate().map(|(i, d)| if signs(i) { -d } else { *d }).sum()
    };
    let (below, above) = (0..ways.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut rng = numbered("permutation", &[options.seed, chunk]);
            let (mut below, mut above) = (0_u64, 0_u64);
            for way in chunk * CHUNK..ways.min((chunk + 1) * CHUNK) {
                // A chunk of many pairs takes seconds.
                if way % often == 0 {
                    activity.check()?;
                }
                let found = match all {
                    Some(_) => flipped(&mut |i| way >> i & 1 == 1),
                    None => flipped(&mut |_| rng.random()),
                };
                below += u64::from(found <= sum + slack);
                above += u64::from(found >= sum - slack);
            }
            Ok::<_, Error>((below, above))
        })
        .try_reduce(|| (0, 0), |x, y| Ok((x.0 + y.0, x.1 + y.1)))?;
    let more = u64::from(all.is_none());
    let share = |hits: u64| (hits + more) as f64 / (ways + more) as f64;
    Ok(Permutation {
        difference: sum / n as f64,
        p: (2.0 * share(below.min(above))).min(1.0),
        least: (2.0 / (ways + more) as f64).min(1.0),
        exact: all.is_some(),
        n,
    })
}

impl PermutationOptions {
    /// For callers that are no scripts.
    fn check_here(&self) -> Result<()> {
        match self.resamples {
            0 => Err(Error::argument("option resamples must be at least 1; got 0").about_option("resamples")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_pairs_can_never_be_sure() {
        let options = PermutationOptions::default();
        let test = paired_permutation(&[2.0, 3.0, 4.0], &[1.0, 1.0, 1.0], &options).unwrap();
        assert_eq!((test.difference, test.p, test.least, test.exact, test.n), (2.0, 0.25, 0.25, true, 3));
        let same = paired_permutation(&[2.0, 3.0], &[2.0, 3.0], &options).unwrap();
        assert_eq!((same.difference, same.p), (0.0, 1.0));
    }

    #[test]
    fn draws_come_near_to_all_ways_and_the_seed_decides() {
        let a = [1.0, 2.5, 0.3, 2.0, 1.1, 0.2, 3.0, 1.4, 0.1, 0.9];
        let b = [0.5, 2.6, 0.1, 1.0, 1.3, 0.4, 2.0, 1.2, 0.3, 0.2];
        let of = |options| paired_permutation(&a, &b, &options).unwrap();
        let exact = of(PermutationOptions::default());
        let drawn = of(PermutationOptions { resamples: 1000, seed: 0 });
        assert!(exact.exact && !drawn.exact);
        assert!((exact.p - drawn.p).abs() < 0.05, "{exact:?} {drawn:?}");
        assert_eq!(drawn, of(PermutationOptions { resamples: 1000, seed: 0 }));
        assert_ne!(drawn.p, of(PermutationOptions { resamples: 1000, seed: 1 }).p);
        assert_eq!(drawn.least, 2.0 / 1001.0);
    }

    #[test]
    fn rounding_does_not_part_equal_differences() {
        // 0.1 four times, as decimals cannot have it: two of sixteen ways are as large.
        let (a, b) = ([60.1, 60.2, 60.3, 60.4], [60.0, 60.1, 60.2, 60.3]);
        assert_eq!(paired_permutation(&a, &b, &PermutationOptions::default()).unwrap().p, 0.125);
        let (a, b) = ([60.1, 60.3, 60.2], [60.0, 60.1, 60.3]);
        // 0.1 + 0.2 - 0.1: 0.2 or more in three of eight ways.
        assert_eq!(paired_permutation(&a, &b, &PermutationOptions::default()).unwrap().p, 0.75);
    }

    #[test]
    fn bad_input_is_named() {
        let options = PermutationOptions::default();
        let message = |a: &[f64], b: &[f64]| paired_permutation(a, b, &options).unwrap_err().message;
        assert_eq!(message(&[1.0], &[2.0]), "the permutation test needs at least two pairs; got 1");
        assert_eq!(message(&[1.0], &[2.0, 3.0]), "paired values must be equally many; got 1 and 2");
        assert!(message(&[1.0, f64::NAN], &[2.0, 3.0]).contains("position 1"));
    }
}
