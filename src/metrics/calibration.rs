//! Calibration: whether, of the images with a predicted probability of p, a share of p has the label.

use serde::{Deserialize, Serialize};

use super::quantile::quantile;

/// How the bins of a calibration are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BinStrategy {
    /// Equal widths.
    #[default]
    Uniform,
    /// About equal numbers of predictions.
    Quantile,
}

/// One bin that has predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    pub from: f64,
    pub to: f64,
    pub count: u64,
    /// Mean predicted probability.
    pub predicted: f64,
    /// The share of positives.
    pub observed: f64,
}

/// Predicted probabilities against the shares of positives, bin by bin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// Those with predictions, ascending.
    pub bins: Vec<CalibrationBin>,
}

impl Calibration {
    /// The calibration of pairs (probability, positive) in `bins` bins, as scikit-learn's `calibration_curve`: a
    /// probability on an edge belongs to the bin below.
    pub fn of(pairs: &[(f64, bool)], bins: usize, strategy: BinStrategy) -> Self {
        let bins = bins.max(1);
        let mut edges: Vec<f64> = (0..=bins).map(|i| i as f64 * (1.0 / bins as f64)).collect();
        edges[bins] = 1.0;
        if strategy == BinStrategy::Quantile && !pairs.is_empty() {
            let mut sorted: Vec<f64> = pairs.iter().map(|p| p.0).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            edges = edges.iter().map(|&q| quantile(&sorted, q)).collect();
        }
        let inner = &edges[1..bins];
        let (mut counts, mut sums, mut found) = (vec![0_u64; bins], vec![0.0; bins], vec![0_u64; bins]);
        for &(probability, positive) in pairs {
            let bin = inner.partition_point(|edge| *edge < probability);
            counts[bin] += 1;
            sums[bin] += probability;
            found[bin] += u64::from(positive);
        }
        let bin = |i: usize| CalibrationBin {
            from: edges[i],
            to: edges[i + 1],
            count: counts[i],
            predicted: sums[i] / counts[i] as f64,
            observed: found[i] as f64 / counts[i] as f64,
        };
        Calibration { bins: (0..bins).filter(|&i| counts[i] > 0).map(bin).collect() }
    }

    /// The expected calibration error, Σ n_b / N · |share of positives − mean probability| over the bins, 0 to 1
    /// (Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015). Of each label's
    /// probability of being there, not of the most probable label's as for single labels (Guo et al., ICML 2017).
    pub fn expected_error(&self) -> f64 {
        let total = self.bins.iter().map(|b| b.count).sum::<u64>().max(1) as f64;
        self.bins.iter().map(|b| b.count as f64 / total * (b.observed - b.predicted).abs()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_the_bin_below() {
        let pairs = [(0.0, false), (0.5, true), (0.5, false), (0.75, true), (1.0, true)];
        let calibration = Calibration::of(&pairs, 2, BinStrategy::Uniform);
        assert_eq!(calibration.bins.iter().map(|b| b.count).collect::<Vec<_>>(), [3, 2]);
        assert!((calibration.bins[0].predicted - 1.0 / 3.0).abs() < 1e-15);
        // 3/5 · |1/3 − 1/3| + 2/5 · |1 − 0.875|.
        assert!((calibration.expected_error() - 0.05).abs() < 1e-15);
        assert!(Calibration::of(&[], 3, BinStrategy::Quantile).bins.is_empty());
    }
}
