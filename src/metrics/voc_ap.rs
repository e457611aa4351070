//! Average precision with the interpolation of VOC 2010 and later years.

use super::average_precision::{Step, steps};
use super::columns::{Input, Score, Target};
use crate::labels::Unknown;

/// AP = Σ over distinct recalls r of (r − r before) × max of precision at recall ≥ r: Everingham et al., "The PASCAL
/// Visual Object Classes Challenge 2012 (VOC2012) Development Kit", section 3.4.1. Tied scores share a threshold, so
/// the result does not depend on the order of the images.
pub(super) fn of_steps(steps: &[Step]) -> Option<f64> {
    let (mut best, mut sum) = (0.0_f64, 0.0);
    for step in steps.iter().rev() {
        best = best.max(step.found as f64 / step.seen as f64);
        sum += step.gained as f64 * best;
    }
    steps.last().map(|last| sum / last.found as f64)
}

/// VOC 2012 AP of one label over N images, from 0 to 1; `None` without a positive, with NaN, or for lists of unequal
/// length. Images where the label is unknown are left out.
pub fn voc_average_precision<S: Score, T: Target>(scores: &[S], positive: &[T]) -> Option<f64> {
    let input = Input::new(scores, positive, scores.len(), 1).ok()?.counting_unknown(Unknown::Masked);
    let aps = input.by_label(&[String::new()], |column| of_steps(&steps(&column))).ok()?;
    aps.first().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_the_best_to_the_right() {
        // Precisions at the positives: 1/2, 2/3, 3/4; the best to the right is 3/4 for each.
        let ap = voc_average_precision(&[0.9_f32, 0.8, 0.7, 0.6], &[0_u8, 1, 1, 1]).unwrap();
        assert!((ap - 0.75).abs() < 1e-15);
    }
}
