//! Scores and targets as pairs, label by label, for curves.

use super::columns::{Input, Score};
use crate::error::Result;
use crate::labels::Unknown;

/// Scores [N, m] and the truth of each, `None` where it is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub labels: Vec<String>,
    scores: Vec<f32>,
    truth: Vec<Option<bool>>,
}

impl Scored {
    /// From row-major scores and targets, 0 or 1, and -1 or NaN where `unknown` says what these count as.
    ///
    /// Errors: sizes that do not fit, a score that is not finite, a target that is neither; by row and label.
    pub fn new(scores: &[f32], targets: &[f32], labels: &[String], n: usize, unknown: Unknown) -> Result<Self> {
        let input = Input::new(scores, targets, n, labels.len())?.counting_unknown(unknown);
        input.by_label(labels, |_| ())?;
        let truth = targets.iter().map(|t| input.truth(*t)).collect();
        Ok(Scored { labels: labels.to_vec(), scores: scores.to_vec(), truth })
    }

    /// The pairs (score, positive) of one label where the truth is known.
    pub fn of_label(&self, label: usize) -> Vec<(f64, bool)> {
        let m = self.labels.len();
        let pairs = self.scores.iter().zip(&self.truth).skip(label).step_by(m);
        pairs.filter_map(|(s, t)| Some((s.to_f64(), (*t)?))).collect()
    }

    /// The pairs of all labels.
    pub fn all(&self) -> Vec<(f64, bool)> {
        self.scores.iter().zip(&self.truth).filter_map(|(s, t)| Some((s.to_f64(), (*t)?))).collect()
    }

    /// The images: scores and truths of all labels.
    pub fn rows(&self) -> impl Iterator<Item = (&[f32], &[Option<bool>])> {
        let m = self.labels.len();
        self.scores.chunks_exact(m).zip(self.truth.chunks_exact(m))
    }

    /// How many truths are unknown.
    pub fn unknown(&self) -> usize {
        self.truth.iter().filter(|t| t.is_none()).count()
    }
}
