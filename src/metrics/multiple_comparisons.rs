//! p values of many comparisons, corrected.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How p values of many comparisons are corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Holm 1979: the chance of one false finding or more, under any dependence.
    #[default]
    Holm,
    /// Each times their number: the same chance, more careful than Holm.
    Bonferroni,
    /// Benjamini & Hochberg 1995: the share of false findings among findings, for independent or positively dependent comparisons.
    BenjaminiHochberg,
}

crate::options! {
    /// Options of the correction.
    pub struct CorrectionOptions {
        /// "holm" or "bonferroni" bound the chance of any false finding, "benjamini_hochberg" the share of false ones among findings
        pub method: Correction = Correction::Holm;
    }
}

/// Corrected p values in the order given, each at most 1. As `statsmodels.stats.multitest.multipletests`.
///
/// Errors: a value outside 0 to 1.
pub fn adjust_p(ps: &[f64], correction: Correction) -> Result<Vec<f64>> {
    if let Some(i) = ps.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(Error::argument(format!("a p value is from 0 to 1; got {} at position {i}", ps[i])));
    }
    let n = ps.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| ps[i].total_cmp(&ps[j]));
    let mut adjusted = vec![0.0; n];
    match correction {
        Correction::Bonferroni => adjusted = ps.iter().map(|p| (p * n as f64).min(1.0)).collect(),
        Correction::Holm => {
            let mut largest: f64 = 0.0;
            for (rank, &i) in order.iter().enumerate() {
                largest = largest.max((ps[i] * (n - rank) as f64).min(1.0));
                adjusted[i] = largest;
            }
        }
        Correction::BenjaminiHochberg => {
            let mut least: f64 = 1.0;
            for (rank, &i) in order.iter().enumerate().rev() {
                least = least.min(ps[i] * n as f64 / (rank + 1) as f64);
                adjusted[i] = least;
            }
        }
    }
    Ok(adjusted)
}
