//! The threshold with the best CF1, to be picked on a validation split.

use rayon::prelude::*;

use super::input::Input;
use super::precision_recall::{at_threshold, positives, row};

/// The threshold among 0.01, 0.02, ... 0.99 with the highest CF1 (harmonic mean of CP and CR), and that CF1 in percent.
///
/// Of equal ones the lowest. `scores` and `targets` are N × m, row-major; None where sizes disagree, a score is not
/// finite or there is no positive. Pick it on a validation split, never on the split that is reported.
pub fn best_cf1_threshold(scores: &[f32], targets: &[f32], m: usize) -> Option<(f64, f64)> {
    let input = Input::unnamed(scores, targets, m)?;
    let positives = positives(&input);
    if positives.iter().all(|&n| n == 0) {
        return None;
    }
    let cf1: Vec<(f64, f64)> = (1..100u32)
        .into_par_iter()
        .map(|i| {
            let threshold = f64::from(i) / 100.0;
            (threshold, row(&at_threshold(&input, threshold as f32, true, &positives)).cf1)
        })
        .collect();
    cf1.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separable_scores_have_a_perfect_threshold() {
        let (threshold, cf1) = best_cf1_threshold(&[0.305, 0.2, 0.9, 0.1], &[1.0, 0.0, 1.0, 0.0], 1).unwrap();
        assert_eq!((threshold, cf1), (0.21, 100.0));
    }
}
