//! Average precision, and its mean over labels.

use super::columns::{Column, Input, Score, Target};
use crate::error::{ErrorKind, Result};
use crate::labels::Unknown;

/// AP of one label: Σ over distinct scores, the highest first, of (recall here − recall before) × precision here, as
/// scikit-learn's `average_precision_score`. Tied scores share a threshold. `None` without a positive.
///
/// `weight` is the weight of a negative (1 in the ordinary AP).
pub(super) fn of_column<K: Copy + Ord>(column: &Column<'_, K>, weight: f64) -> Option<f64> {
    of_steps(&steps(column), weight)
}

/// A distinct score that has a positive.
pub(super) struct Step {
    /// Its positives.
    pub gained: usize,
    /// Positives with this score or a higher one.
    pub found: usize,
    /// Images with this score or a higher one.
    pub seen: usize,
}

/// [`of_column`] of the steps of a column.
pub(super) fn of_steps(steps: &[Step], weight: f64) -> Option<f64> {
    let mut sum = 0.0;
    for step in steps {
        let found = step.found as f64;
        sum += step.gained as f64 * found / (found + weight * (step.seen as f64 - found));
    }
    steps.last().map(|last| sum / last.found as f64)
}

/// The distinct scores that have a positive, the highest first.
pub(super) fn steps<K: Copy + Ord>(column: &Column<'_, K>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(column.positives.len());
    let (mut found, mut seen) = (0, 0);
    while found < column.positives.len() {
        let key = column.positives[found];
        let before = found;
        while found < column.positives.len() && column.positives[found] == key {
            found += 1;
        }
        // The next threshold is seldom far: double the stride, then bisect.
        let mut stride = 1;
        while seen + stride < column.all.len() && column.all[seen + stride] <= key {
            stride *= 2;
        }
        let from = seen + stride / 2;
        let to = (seen + stride).min(column.all.len());
        seen = from + column.all[from..to].partition_point(|&k| k <= key);
        steps.push(Step { gained: found - before, found, seen });
    }
    steps
}

/// AP of one label over N images, from 0 to 1; `None` without a positive, with NaN, or for lists of unequal length.
///
/// `positive[i]` is 1 if image i has the label; images where it is unknown are left out. Ties are treated as in
/// scikit-learn's `average_precision_score`.
pub fn average_precision<S: Score, T: Target>(scores: &[S], positive: &[T]) -> Option<f64> {
    let input = Input::new(scores, positive, scores.len(), 1).ok()?.counting_unknown(Unknown::Masked);
    let aps = input.by_label(&[String::new()], |column| of_column(&column, 1.0)).ok()?;
    aps.first().copied().flatten()
}

/// mAP in percent of row-major scores and targets [N, m]: the mean AP over the labels that have a positive, each over the
/// images where its truth is known.
///
/// For selecting among epochs, where any increasing function of the probability will do, such as logits. NaN if no
/// label has a positive, a score is not finite, or the sizes do not fit; [`evaluate`](super::evaluate) names the cause.
///
/// Errors: Interrupted, which must not be mistaken for a NaN.
pub fn mean_average_precision<S: Score, T: Target>(scores: &[S], targets: &[T], m: usize) -> Result<f64> {
    let n = scores.len().checked_div(m).unwrap_or(0);
    let labels = vec![String::new(); m];
    let aps = Input::new(scores, targets, n, m)
        .and_then(|input| input.counting_unknown(Unknown::Masked).by_label(&labels, |column| of_column(&column, 1.0)));
    match aps {
        Err(error) if error.kind == ErrorKind::Interrupted => Err(error),
        aps => Ok(aps.ok().and_then(|aps| mean(aps.iter().copied())).map_or(f64::NAN, |map| 100.0 * map)),
    }
}

/// The mean of the values that are not `None`, summed in order.
pub(super) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values.flatten() {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_by_hand() {
        // Ranks of the positives: 1, 3, 4.
        let ap = average_precision(&[0.9_f32, 0.8, 0.7, 0.6, 0.1], &[1_u8, 0, 1, 1, 0]).unwrap();
        assert!((ap - (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 3.0).abs() < 1e-15);
    }

    #[test]
    fn all_scores_equal_is_the_share_of_positives() {
        assert_eq!(average_precision(&[0.5_f64; 10], &[1_u8, 0, 0, 0, 0, 0, 0, 0, 1, 0]), Some(0.2));
    }

    #[test]
    fn no_positive_is_no_ap() {
        assert_eq!(average_precision(&[0.5_f32, 0.1], &[0_u8, 0]), None);
        assert!(mean_average_precision(&[0.5_f32, 0.1], &[0_u8, 0], 1).unwrap().is_nan());
        assert!(mean_average_precision(&[f32::NAN, 0.1], &[0_u8, 1], 1).unwrap().is_nan());
        assert!(mean_average_precision::<f32, u8>(&[], &[], 0).unwrap().is_nan());
    }

    #[test]
    fn labels_without_a_positive_are_left_out_of_the_mean() {
        let scores = [0.9_f32, 0.2, 0.1, 0.8];
        assert_eq!(mean_average_precision(&scores, &[1.0_f32, 0.0, 0.0, 0.0], 2).unwrap(), 100.0);
    }

    #[test]
    fn unknown_targets_are_left_out() {
        // Without the second image the positives have the ranks 1 and 2.
        let scores = [0.9_f32, 0.8, 0.7, 0.1];
        assert_eq!(average_precision(&scores, &[1_i8, -1, 1, 0]), Some(1.0));
        assert_eq!(average_precision(&scores, &[1.0_f64, f64::NAN, 1.0, 0.0]), Some(1.0));
        assert_eq!(average_precision(&scores, &[-1_i8; 4]), None);
        assert_eq!(average_precision(&scores, &[1_i8, 2, 1, 0]), None);
        // A score that is not finite is an error there too.
        assert_eq!(average_precision(&[0.9_f32, f32::NAN, 0.7, 0.1], &[1_i8, -1, 1, 0]), None);
        // The second label is unknown in every image but one, where it is absent.
        let targets = [1_i8, -1, 0, 0, 1, -1, -1, -1];
        assert_eq!(mean_average_precision(&[0.9_f32, 0.5, 0.1, 0.5, 0.8, 0.5, 0.85, 0.5], &targets, 2).unwrap(), 100.0);
    }
}
