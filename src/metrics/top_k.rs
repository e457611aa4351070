//! The k highest scores of each image as its predictions.

use rayon::prelude::*;

use super::columns::{Input, Score, Target};
use super::precision_recall::Counts;

/// A decision rule: a label is predicted if its score reaches the threshold, or with `strict` exceeds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    pub threshold: f64,
    pub strict: bool,
}

impl Cut {
    /// Compares in the scores' own precision, as numpy and torch do.
    pub fn passes<S: Score>(&self, score: S) -> bool {
        let threshold = S::from_f64(self.threshold);
        if self.strict { score > threshold } else { score >= threshold }
    }
}

/// The counts of each label per filter, where `None` takes all of the top k, and the number of images in which ranks k
/// and k + 1 have the same score (the label that comes first is then taken).
///
/// `truths` has the positives of each label, k is below m, scores and targets have been checked.
pub(super) fn count<S: Score, T: Target>(
    input: &Input<'_, S, T>,
    truths: &[u64],
    k: usize,
    filters: &[Option<Cut>],
) -> (Vec<Vec<Counts>>, usize) {
    const ROWS: usize = 1024;
    let m = input.m;
    let empty = || (vec![Counts::default(); m * filters.len()], 0);
    let (sums, tied) = input
        .scores
        .par_chunks(ROWS * m)
        .zip(input.targets.par_chunks(ROWS * m))
        .map(|(scores, targets)| {
            let (mut counts, mut tied) = empty();
            let mut best: Vec<(S::Key, usize)> = Vec::with_capacity(k + 2);
            for (scores, targets) in scores.chunks(m).zip(targets.chunks(m)) {
                tied += usize::from(top(scores, k, &mut best));
                for &(_, label) in &best {
                    let truth = targets[label].truth() == Some(true);
                    for (counts, filter) in counts.chunks_mut(m).zip(filters) {
                        if filter.is_none_or(|cut| cut.passes(scores[label])) {
                            counts[label].predicted += 1;
                            counts[label].correct += u64::from(truth);
                        }
                    }
                }
            }
            (counts, tied)
        })
        // Sums of integers: the same in any order.
        .reduce(empty, |(mut a, tied_a), (b, tied_b)| {
            for (a, b) in a.iter_mut().zip(b) {
                a.correct += b.correct;
                a.predicted += b.predicted;
            }
            (a, tied_a + tied_b)
        });
    let counts = sums
        .chunks(m)
        .map(|counts| counts.iter().zip(truths).map(|(c, &truth)| Counts { truth, ..*c }).collect())
        .collect();
    (counts, tied)
}

/// Puts the k best (key, label) of a row into `best`; true if the next one has the same score as the last of them.
fn top<S: Score>(scores: &[S], k: usize, best: &mut Vec<(S::Key, usize)>) -> bool {
    best.clear();
    // One more than k is kept, to detect a tie; of equal keys the earlier label comes first.
    let (head, rest) = scores.split_at(scores.len().min(k + 1));
    best.extend(head.iter().map(|s| s.key()).zip(0..));
    best.sort_unstable();
    for (label, score) in rest.iter().enumerate() {
        let key = score.key();
        if key < best[k].0 {
            let mut place = k;
            while place > 0 && key < best[place - 1].0 {
                best[place] = best[place - 1];
                place -= 1;
            }
            best[place] = (key, k + 1 + label);
        }
    }
    let tied = best.len() > k && k > 0 && best[k].0 == best[k - 1].0;
    best.truncate(k);
    tied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_tied_labels_is_taken() {
        let mut best = Vec::new();
        assert!(top(&[0.1_f32, 0.5, 0.5, 0.9, 0.5], 2, &mut best));
        assert_eq!(best.iter().map(|b| b.1).collect::<Vec<_>>(), vec![3, 1]);
        assert!(!top(&[0.1_f32, 0.5, 0.2], 2, &mut best));
        assert_eq!(best.iter().map(|b| b.1).collect::<Vec<_>>(), vec![1, 2]);
    }

    #[test]
    fn a_filter_drops_what_is_under_the_threshold() {
        let scores = [0.9_f32, 0.1, 0.5, 0.2, 0.3, 0.8];
        let input = Input::new(&scores, &[1_u8, 0, 0, 1, 0, 1], 2, 3).unwrap();
        let cut = |strict| Some(Cut { threshold: 0.5, strict });
        let (counts, tied) = count(&input, &[2, 0, 1], 2, &[None, cut(false), cut(true)]);
        assert_eq!(tied, 0);
        let predicted: Vec<Vec<u64>> = counts.iter().map(|c| c.iter().map(|c| c.predicted).collect()).collect();
        assert_eq!(predicted, vec![vec![1, 1, 2], vec![1, 0, 2], vec![1, 0, 1]]);
        assert!(counts.iter().all(|c| c.iter().map(|c| c.truth).eq([2, 0, 1])));
    }
}
