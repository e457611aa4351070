//! Precision and recall at every threshold: per label, over all decisions, and as a mean over labels.

/// Precision and recall of "score ≥ threshold", from the highest threshold down; recall never falls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrecisionRecallCurve {
    /// The distinct scores, descending.
    pub thresholds: Vec<f64>,
    pub precision: Vec<f64>,
    pub recall: Vec<f64>,
}

impl PrecisionRecallCurve {
    /// The curve of pairs (score, positive), as scikit-learn's `precision_recall_curve` in the reverse order and without
    /// its last point, (0, 1), which has no threshold. `None` without a positive.
    pub fn of(mut pairs: Vec<(f64, bool)>) -> Option<Self> {
        let positives = pairs.iter().filter(|p| p.1).count();
        if positives == 0 {
            return None;
        }
        pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let mut curve = PrecisionRecallCurve::default();
        let (mut found, mut seen) = (0, 0);
        // Equal scores share a threshold; 0.0 and -0.0 are equal.
        for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
            seen += tied.len();
            found += tied.iter().filter(|p| p.1).count();
            curve.thresholds.push(tied[0].0);
            curve.precision.push(found as f64 / seen as f64);
            curve.recall.push(found as f64 / positives as f64);
        }
        Some(curve)
    }

    /// The area under the steps, Σ (R_n − R_{n−1}) P_n: scikit-learn's `average_precision_score`, 0 to 1.
    pub fn average_precision(&self) -> f64 {
        self.steps().map(|(from, to, precision)| (to - from) * precision).sum()
    }

    /// (recall before, recall here, precision here) of each threshold that finds a positive.
    fn steps(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let before = std::iter::once(0.0).chain(self.recall.iter().copied());
        before.zip(&self.recall).zip(&self.precision).map(|((from, to), p)| (from, *to, *p)).filter(|s| s.1 > s.0)
    }

    /// The mean over curves of the precision at each recall r: of a curve, that at the highest threshold that reaches r.
    /// Its area is the mean of the curves' average precisions, which is mAP. Without thresholds; empty for no curve.
    pub fn macro_average(curves: &[&PrecisionRecallCurve]) -> PrecisionRecallCurve {
        // Where a curve takes a new precision.
        let mut changes: Vec<(f64, usize, f64)> = Vec::new();
        for (i, curve) in curves.iter().enumerate() {
            changes.extend(curve.steps().map(|(from, _, precision)| (from, i, precision)));
        }
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut now = vec![0.0; curves.len()];
        let mut mean = PrecisionRecallCurve::default();
        let mut at = 0;
        while at < changes.len() {
            let from = changes[at].0;
            while at < changes.len() && changes[at].0 == from {
                now[changes[at].1] = changes[at].2;
                at += 1;
            }
            let until = changes.get(at).map_or(1.0, |c| c.0);
            mean.recall.push(until);
            mean.precision.push(now.iter().sum::<f64>() / curves.len() as f64);
        }
        mean
    }

    /// The corners of the steps, as points (recall, precision) to be joined.
    pub fn corners(&self) -> Vec<(f64, f64)> {
        self.steps().flat_map(|(from, to, precision)| [(from, precision), (to, precision)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tied_scores_are_one_threshold() {
        let curve = PrecisionRecallCurve::of(vec![(0.5, true), (0.9, false), (0.5, false), (0.1, true)]).unwrap();
        assert_eq!(curve.thresholds, [0.9, 0.5, 0.1]);
        assert_eq!(curve.precision, [0.0, 1.0 / 3.0, 0.5]);
        assert_eq!(curve.recall, [0.0, 0.5, 1.0]);
        assert_eq!(PrecisionRecallCurve::of(vec![(0.5, false)]), None);
    }

    #[test]
    fn the_area_of_the_mean_is_the_mean_of_the_areas() {
        let a = PrecisionRecallCurve::of(vec![(0.9, true), (0.8, false), (0.7, true), (0.6, true)]).unwrap();
        let b = PrecisionRecallCurve::of(vec![(0.9, false), (0.8, true), (0.7, false), (0.6, true)]).unwrap();
        let mean = PrecisionRecallCurve::macro_average(&[&a, &b]);
        let expected = (a.average_precision() + b.average_precision()) / 2.0;
        assert!((mean.average_precision() - expected).abs() < 1e-15);
        assert_eq!(mean.recall.last(), Some(&1.0));
        assert!(PrecisionRecallCurve::macro_average(&[]).recall.is_empty());
    }
}
