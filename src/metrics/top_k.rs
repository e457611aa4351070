//! The k highest scores of each image as its predictions.
//!
//! A label whose truth is unknown in an image takes no rank there: the k highest are those among its known labels, as
//! torchmetrics' retrieval metrics drop targets of `ignore_index` before they rank.

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

/// Images whose top k is not the choice of k labels by their scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Odd {
    /// Ranks k and k + 1 have the same score: the label that comes first is taken.
    pub tied: usize,
    /// No more than k labels are known: all of them are taken.
    pub few: usize,
}

/// The counts of each label per filter, where `None` takes all of the top k, and the odd images.
///
/// `truths` has the positives of each label, `masked` says whether there are targets that count as neither, k is below m,
/// scores and targets have been checked.
pub(super) fn count<S: Score, T: Target>(
    input: &Input<'_, S, T>,
    truths: &[u64],
    masked: bool,
    k: usize,
    filters: &[Option<Cut>],
) -> (Vec<Vec<Counts>>, Odd) {
    const ROWS: usize = 1024;
    let m = input.m;
    let empty = || (vec![Counts::default(); m * filters.len()], Odd::default());
    let (sums, odd) = input
        .scores
        .par_chunks(ROWS * m)
        .zip(input.targets.par_chunks(ROWS * m))
        .map(|(scores, targets)| {
            let (mut counts, mut odd) = empty();
            let mut best: Vec<(S::Key, usize)> = Vec::with_capacity(k + 2);
            let mut known: (Vec<usize>, Vec<S>) = Default::default();
            for (scores, targets) in scores.chunks(m).zip(targets.chunks(m)) {
                let all_known = !masked || targets.iter().all(|&target| input.truth(target).is_some());
                if all_known {
                    odd.tied += usize::from(top(scores, k, &mut best));
                } else {
                    let (labels, values) = &mut known;
                    labels.clear();
                    labels.extend((0..m).filter(|&label| input.truth(targets[label]).is_some()));
                    values.clear();
                    values.extend(labels.iter().map(|&label| scores[label]));
                    odd.tied += usize::from(top(values, k, &mut best));
                    odd.few += usize::from(labels.len() <= k);
                    best.iter_mut().for_each(|(_, label)| *label = labels[*label]);
                }
                for &(_, label) in &best {
                    let truth = input.truth(targets[label]) == Some(true);
                    for (counts, filter) in counts.chunks_mut(m).zip(filters) {
                        if filter.is_none_or(|cut| cut.passes(scores[label])) {
                            counts[label].predicted += 1;
                            counts[label].correct += u64::from(truth);
                        }
                    }
                }
            }
            (counts, odd)
        })
        // Sums of integers: the same in any order.
        .reduce(empty, |(mut a, odd_a), (b, odd_b)| {
            for (a, b) in a.iter_mut().zip(b) {
                a.correct += b.correct;
                a.predicted += b.predicted;
            }
            (a, Odd { tied: odd_a.tied + odd_b.tied, few: odd_a.few + odd_b.few })
        });
    let counts = sums
        .chunks(m)
        .map(|counts| counts.iter().zip(truths).map(|(c, &truth)| Counts { truth, ..*c }).collect())
        .collect();
    (counts, odd)
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
    use crate::labels::Unknown;

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
        let (counts, odd) = count(&input, &[2, 0, 1], false, 2, &[None, cut(false), cut(true)]);
        assert_eq!(odd, Odd::default());
        let predicted: Vec<Vec<u64>> = counts.iter().map(|c| c.iter().map(|c| c.predicted).collect()).collect();
        assert_eq!(predicted, vec![vec![1, 1, 2], vec![1, 0, 2], vec![1, 0, 1]]);
        assert!(counts.iter().all(|c| c.iter().map(|c| c.truth).eq([2, 0, 1])));
    }

    #[test]
    fn an_unknown_label_takes_no_rank() {
        // The best label of image 0 is unknown; of image 1 only one is known; of image 2 none.
        #[rustfmt::skip]
        let scores = [
            0.9_f32, 0.1, 0.5, 0.4,
            0.2, 0.3, 0.8, 0.7,
            0.1, 0.2, 0.3, 0.4,
        ];
        #[rustfmt::skip]
        let targets = [
            -1_i8, 1, 0, 1,
            -1, 1, -1, -1,
            -1, -1, -1, -1,
        ];
        let input = Input::new(&scores, &targets, 3, 4).unwrap().counting_unknown(Unknown::Masked);
        let (counts, odd) = count(&input, &[0, 2, 0, 1], true, 2, &[None]);
        let of = |count: fn(&Counts) -> u64| counts[0].iter().map(count).collect::<Vec<_>>();
        assert_eq!(of(|c| c.predicted), [0, 1, 1, 1]);
        assert_eq!(of(|c| c.correct), [0, 1, 0, 1]);
        assert_eq!(odd, Odd { tied: 0, few: 2 });
    }
}
