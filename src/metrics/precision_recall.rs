//! Precision, recall and F1: per label, over labels, over all decisions.

/// One label's images: N_c predicted and true, N_p predicted, N_g true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub correct: u64,
    pub predicted: u64,
    pub truth: u64,
}

impl Counts {
    /// N_c / N_p, and 0 where nothing was predicted.
    pub fn precision(&self) -> f64 {
        ratio(self.correct, self.predicted)
    }

    /// N_c / N_g, and 0 where nothing is true.
    pub fn recall(&self) -> f64 {
        ratio(self.correct, self.truth)
    }

    /// 2 N_c / (N_p + N_g).
    pub fn f1(&self) -> f64 {
        ratio(2 * self.correct, self.predicted + self.truth)
    }
}

/// The counts in which a label that is predicted in no image counts as predicted once, wrongly.
pub(super) fn never_as_one(counts: &[Counts]) -> Vec<Counts> {
    counts.iter().map(|c| Counts { predicted: c.predicted.max(1), ..*c }).collect()
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// Mean over the labels that have a positive.
fn mean(counts: &[Counts], of: fn(&Counts) -> f64) -> f64 {
    let present = counts.iter().filter(|c| c.truth > 0).count().max(1) as f64;
    counts.iter().filter(|c| c.truth > 0).map(of).sum::<f64>() / present
}

/// Sum over all labels.
fn sum(counts: &[Counts]) -> Counts {
    counts.iter().fold(Counts::default(), |a, b| Counts {
        correct: a.correct + b.correct,
        predicted: a.predicted + b.predicted,
        truth: a.truth + b.truth,
    })
}

/// Mean precision over the labels that have a positive.
pub(super) fn cp(counts: &[Counts]) -> f64 {
    mean(counts, Counts::precision)
}

/// Mean recall over the labels that have a positive.
pub(super) fn cr(counts: &[Counts]) -> f64 {
    mean(counts, Counts::recall)
}

/// Harmonic mean of CP and CR.
pub(super) fn cf1(counts: &[Counts]) -> f64 {
    harmonic(cp(counts), cr(counts))
}

/// Precision over all decisions.
pub(super) fn op(counts: &[Counts]) -> f64 {
    sum(counts).precision()
}

/// Recall over all decisions.
pub(super) fn or(counts: &[Counts]) -> f64 {
    sum(counts).recall()
}

/// Harmonic mean of OP and OR.
pub(super) fn of1(counts: &[Counts]) -> f64 {
    harmonic(op(counts), or(counts))
}

/// Mean of F1 over the labels that have a positive.
pub(super) fn macro_f1(counts: &[Counts]) -> f64 {
    mean(counts, Counts::f1)
}

fn harmonic(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_by_hand() {
        let counts = [
            Counts { correct: 1, predicted: 2, truth: 4 },
            Counts { correct: 0, predicted: 0, truth: 1 },
            Counts { correct: 0, predicted: 3, truth: 0 }, // no positive: in OP, in no mean over labels
        ];
        assert_eq!((cp(&counts), cr(&counts)), (0.25, 0.125));
        assert!((cf1(&counts) - 2.0 * 0.25 * 0.125 / 0.375).abs() < 1e-15);
        assert_eq!((op(&counts), or(&counts)), (0.2, 0.2));
        assert!((macro_f1(&counts) - (2.0 / 6.0) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_predicted_is_zero() {
        let counts = [Counts { correct: 0, predicted: 0, truth: 3 }];
        assert_eq!((cp(&counts), cf1(&counts), op(&counts), of1(&counts)), (0.0, 0.0, 0.0, 0.0));
    }
}
