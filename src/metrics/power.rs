//! The power of the paired t test: how many pairs (seeds) a difference of a given size needs.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::options::{Options, Range};

crate::options! {
    /// Options of the power of a paired t test.
    pub struct PowerOptions {
        /// the chance of a difference that is none, two-sided: the level of the test
        pub alpha: f64 = 0.05, in Range::FromTo(1e-12, 0.5);
        /// the chance to find the difference if it is there, which the number of pairs is to give
        pub power: f64 = 0.8, in Range::FromTo(0.01, 0.9999);
        /// a number of pairs whose power is asked for; () asks for the number that gives power
        pub n: Option<u64> = None, in Range::FromTo(2.0, 1e9);
    }
}

/// A number of pairs and its power.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerOfTTest {
    /// The fewest pairs with the wanted power, or those that were given.
    pub n: u64,
    /// The number of pairs, not a whole one, whose power is the wanted one; at least 2.
    pub exact: f64,
    /// The power of `n` pairs.
    pub power: f64,
    /// The difference by the standard deviation of differences.
    pub effect_size: f64,
}

/// Pairs beyond which nobody waits.
const MOST: f64 = 1e9;

/// How many pairs the two-sided paired t test needs to find a mean difference `delta` of differences with the standard deviation
/// `sd`; or the power of `options.n` pairs. As R's `power.t.test(type = "paired", strict = TRUE)` and statsmodels'
/// `TTestPower().solve_power`.
///
/// Errors: a difference of 0, a deviation that is not positive, options out of range, more than 10^9 pairs.
pub fn power_t_test(delta: f64, sd: f64, options: &PowerOptions) -> Result<PowerOfTTest> {
    options.check("power_t_test")?;
    if !(delta.is_finite() && delta != 0.0) {
        return Err(Error::argument(format!("the difference to be found must be a number other than 0; got {delta}")));
    }
    if !(sd.is_finite() && sd > 0.0) {
        return Err(Error::argument(format!("the standard deviation of the differences must be above 0; got {sd}")));
    }
    let effect_size = delta / sd;
    let of = |n: f64| power(effect_size.abs(), n, options.alpha);
    if let Some(n) = options.n {
        return Ok(PowerOfTTest { n, exact: n as f64, power: of(n as f64), effect_size });
    }
    let (mut low, mut high) = (2.0, 2.0);
    while of(high) < options.power {
        (low, high) = (high, 2.0 * high);
        if high > MOST {
            return Err(Error::argument(format!(
                "a difference of {delta} among differences with a standard deviation of {sd} needs more than {MOST:.0} pairs"
            )));
        }
    }
    while high - low > 1e-10 * high {
        let middle = (low + high) / 2.0;
        if of(middle) < options.power { low = middle } else { high = middle }
    }
    // Whole numbers near which the two ends lie.
    let n = if of(high.floor()) >= options.power { high.floor() } else { high.ceil() };
    Ok(PowerOfTTest { n: n as u64, exact: high, power: of(n), effect_size })
}

/// The power of `n` pairs, not always a whole number, for a positive effect.
fn power(effect: f64, n: f64, alpha: f64) -> f64 {
    let freedom = n - 1.0;
    let student = Student::of(freedom);
    let critical = student.quantile(1.0 - alpha / 2.0);
    let shift = effect * n.sqrt();
    1.0 - student.below(critical, shift) + student.below(-critical, shift)
}

/// Student's t distribution, also the noncentral one: (Z + shift) / S, with S² a chi-squared by its degrees of freedom.
struct Student {
    freedom: f64,
    /// Values of S and their weights. The integral over ln S falls off on both sides as an exponential or faster, so equal steps
    /// are as good as exact.
    scales: Vec<(f64, f64)>,
}

impl Student {
    /// `freedom` is at least 1.
    fn of(freedom: f64) -> Student {
        let reach = 40.0 / freedom;
        let (from, to) = (-(reach.sqrt() + reach), reach.sqrt());
        let step = 0.05 / freedom.sqrt();
        let half = freedom / 2.0;
        let constant = 2.0_f64.ln() + half * half.ln() - libm::lgamma(half);
        let scales = (0..=((to - from) / step) as usize).map(|i| {
            let x = from + i as f64 * step;
            (x.exp(), step * (constant + freedom * x - half * (2.0 * x).exp()).exp())
        });
        let mut scales: Vec<(f64, f64)> = scales.filter(|(_, weight)| *weight > 0.0).collect();
        // Of large numbers the constant is a small difference of large ones: what is lost there is put right.
        let sum: f64 = scales.iter().map(|(_, weight)| weight).sum();
        scales.iter_mut().for_each(|(_, weight)| *weight /= sum);
        Student { freedom, scales }
    }

    /// The chance of a value up to `t`.
    fn below(&self, t: f64, shift: f64) -> f64 {
        let normal = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        self.scales.iter().map(|(scale, weight)| weight * normal(t * scale - shift)).sum()
    }

    /// The value below which the central distribution has this share, more than a half.
    fn quantile(&self, share: f64) -> f64 {
        // The tail is what is compared, as a share near 1 has few digits left.
        let tail = 1.0 - share;
        let above = |t: f64| self.below(-t, 0.0);
        let (mut low, mut high) = (0.0, 1.0);
        while above(high) > tail {
            (low, high) = (high, 2.0 * high);
        }
        let half = (self.freedom + 1.0) / 2.0;
        let constant =
            libm::lgamma(half) - libm::lgamma(self.freedom / 2.0) - 0.5 * (self.freedom * std::f64::consts::PI).ln();
        let density = |t: f64| (constant - half * (t * t / self.freedom).ln_1p()).exp();
        let mut t = (low + high) / 2.0;
        for _ in 0..100 {
            let excess = above(t) - tail;
            if excess > 0.0 {
                low = t
            } else {
                high = t
            }
            let newton = t + excess / density(t);
            let next = if low < newton && newton < high { newton } else { (low + high) / 2.0 };
            if (next - t).abs() <= 1e-13 * next {
                return next;
            }
            t = next;
        }
        t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_tables() {
        // Of one degree of freedom the distribution is Cauchy's: the quantile is -cot(pi p).
        let cauchy = 1.0 / (std::f64::consts::PI * 0.025).tan();
        assert!((Student::of(1.0).quantile(0.975) - cauchy).abs() < 1e-9 * cauchy);
        for (freedom, quantile) in [(4.0, 2.776_445_105_2), (9.0, 2.262_157_162_8), (100.0, 1.983_971_518_5)] {
            let found = Student::of(freedom).quantile(0.975);
            assert!((found - quantile).abs() < 1e-9, "{freedom}: {found}");
        }
        // Without a shift the test finds what is not there as often as its level says.
        assert!((power(0.0, 7.0, 0.05) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn fewer_pairs_do_not_do_and_signs_do_not_matter() {
        let found = power_t_test(0.5, 0.6, &PowerOptions::default()).unwrap();
        let of = |n| power_t_test(-0.5, 0.6, &PowerOptions { n: Some(n), ..Default::default() }).unwrap().power;
        assert!(of(found.n) >= 0.8 && of(found.n - 1) < 0.8, "{found:?}");
        assert_eq!(of(found.n), found.power);
        assert!(found.exact <= found.n as f64 && found.exact > found.n as f64 - 1.0);
        assert_eq!(power_t_test(50.0, 0.1, &PowerOptions::default()).unwrap().n, 2);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |delta, sd, options: PowerOptions| power_t_test(delta, sd, &options).unwrap_err().message;
        let options = PowerOptions::default;
        assert!(message(0.0, 1.0, options()).contains("other than 0"));
        assert!(message(1.0, 0.0, options()).contains("must be above 0; got 0"));
        assert!(message(1e-9, 1.0, options()).contains("more than 1000000000 pairs"));
        assert!(message(1.0, 1.0, PowerOptions { n: Some(1), ..options() }).contains("option \"n\""));
    }
}
