//! Which label is predicted where another one is true.

use serde::{Deserialize, Serialize};

/// What a cell (i, j) of a confusion matrix of several labels per image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfusionKind {
    /// P(j predicted | i true): the share of the images of i in which j is predicted. For one label per image this is the
    /// ordinary confusion matrix, normalised by row. Labels that appear together are high here when they are predicted
    /// rightly.
    #[default]
    Predicted,
    /// P(j predicted | i true, j not true) beside the diagonal: only wrong predictions of j count. The diagonal is the
    /// recall of i.
    Wrong,
}

/// Counts of pairs of labels, of which both matrices follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    m: usize,
    /// [i * m + j]: images where i is true and the truth of j is known, and among these those where j is predicted.
    given: Vec<u64>,
    predicted: Vec<u64>,
    /// The same where j is not true.
    given_absent: Vec<u64>,
    predicted_absent: Vec<u64>,
}

impl Confusion {
    /// Counts over `m` labels; rows are added one by one.
    pub fn new(m: usize) -> Self {
        let zeros = vec![0; m * m];
        Confusion {
            m,
            given: zeros.clone(),
            predicted: zeros.clone(),
            given_absent: zeros.clone(),
            predicted_absent: zeros,
        }
    }

    /// Adds an image: for each label whether it is predicted, and its truth, `None` where unknown. Pairs with an unknown
    /// truth are left out.
    pub fn add(&mut self, predicted: &[bool], truth: &[Option<bool>]) {
        for i in (0..self.m).filter(|&i| truth[i] == Some(true)) {
            for j in 0..self.m {
                let Some(present) = truth[j] else { continue };
                let at = i * self.m + j;
                let hit = u64::from(predicted[j]);
                self.given[at] += 1;
                self.predicted[at] += hit;
                if !present {
                    self.given_absent[at] += 1;
                    self.predicted_absent[at] += hit;
                }
            }
        }
    }

    /// Number of images where label i is true.
    pub fn positives(&self, i: usize) -> u64 {
        self.given[i * self.m + i]
    }

    /// The matrix, row by row, rows the true labels; NaN where no image counts.
    pub fn matrix(&self, kind: ConfusionKind) -> Vec<f64> {
        let cell = |at: usize| {
            let off_diagonal = at / self.m != at % self.m;
            let (count, of) = match kind {
                ConfusionKind::Wrong if off_diagonal => (self.predicted_absent[at], self.given_absent[at]),
                _ => (self.predicted[at], self.given[at]),
            };
            if of == 0 { f64::NAN } else { count as f64 / of as f64 }
        };
        (0..self.m * self.m).map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_are_no_confusion() {
        let mut confusion = Confusion::new(2);
        // Twice both are there and found; once only the first is, and the second is predicted too.
        confusion.add(&[true, true], &[Some(true), Some(true)]);
        confusion.add(&[true, true], &[Some(true), Some(true)]);
        confusion.add(&[false, true], &[Some(true), Some(false)]);
        confusion.add(&[false, true], &[Some(true), None]);
        let all = confusion.matrix(ConfusionKind::Predicted);
        assert_eq!(all, [0.5, 1.0, 1.0, 1.0]);
        let wrong = confusion.matrix(ConfusionKind::Wrong);
        assert_eq!(wrong[..2], [0.5, 1.0]);
        assert!(wrong[2].is_nan(), "the first label is never absent where the second is there");
        assert_eq!(confusion.positives(0), 4);
    }
}
