//! Precision, recall and F1: per label, over labels, over all decisions.

/// Over a label's images: N_c predicted and true, N_p predicted, N_g true.
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

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// The numbers of one decision rule, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Means {
    pub cp: f64,
    pub cr: f64,
    pub cf1: f64,
    pub op: f64,
    pub or: f64,
    pub of1: f64,
    pub macro_f1: f64,
}

impl Means {
    /// CP, CR and macro F1 are means over the labels that have a positive; OP and OR sum over all labels.
    pub fn of(counts: &[Counts]) -> Means {
        let present = counts.iter().filter(|c| c.truth > 0).count().max(1) as f64;
        let mean = |of: fn(&Counts) -> f64| counts.iter().filter(|c| c.truth > 0).map(of).sum::<f64>() / present;
        let (cp, cr) = (mean(Counts::precision), mean(Counts::recall));
        let sum = counts.iter().fold(Counts::default(), |a, b| Counts {
            correct: a.correct + b.correct,
            predicted: a.predicted + b.predicted,
            truth: a.truth + b.truth,
        });
        let (op, or) = (sum.precision(), sum.recall());
        Means { cp, cr, cf1: harmonic(cp, cr), op, or, of1: harmonic(op, or), macro_f1: mean(Counts::f1) }
    }
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
        let means = Means::of(&counts);
        assert_eq!((means.cp, means.cr), (0.25, 0.125));
        assert!((means.cf1 - 2.0 * 0.25 * 0.125 / 0.375).abs() < 1e-15);
        assert_eq!((means.op, means.or), (0.2, 0.2));
        assert!((means.macro_f1 - (2.0 / 6.0) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_predicted_is_zero() {
        let means = Means::of(&[Counts { correct: 0, predicted: 0, truth: 3 }]);
        assert_eq!((means.cp, means.cf1, means.op, means.of1), (0.0, 0.0, 0.0, 0.0));
    }
}
