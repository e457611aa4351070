//! The pairs of labels seen most often, and those that are never seen though chance would bring them together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cooccurrence_counts::Cooccurrence;

/// Two labels and their counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub a: String,
    pub b: String,
    /// e_ab, images that hold both.
    pub count: u64,
    /// e_ab / n_a, the part of a's images that hold b.
    pub b_given_a: f64,
    /// e_ab / n_b, the part of b's images that hold a.
    pub a_given_b: f64,
}

impl Cooccurrence {
    /// The `n` pairs seen most often, most frequent first.
    pub fn top_pairs(&self, n: usize) -> Vec<Pair> {
        let mut top = Top::new(n);
        self.for_each_pair(|i, j, e| top.offer(u128::from(e), i, j));
        top.sorted().map(|(i, j)| describe(self, i, j)).collect()
    }

    /// The `n` most surprising of the pairs never seen: those that chance would bring together most often (n_i n_j).
    ///
    /// Labels that are in no image at all are left out.
    pub fn never_pairs(&self, n: usize) -> Vec<Pair> {
        let (m, counts) = (self.len(), self.counts());
        let mut top = Top::new(n);
        let mut seen = vec![false; m];
        for i in (0..m).filter(|&i| counts[i] != 0) {
            self.for_row(i, |j, _| seen[j] = true);
            for j in i + 1..m {
                if !seen[j] && counts[j] != 0 {
                    top.offer(u128::from(counts[i]) * u128::from(counts[j]), i, j);
                }
            }
            self.for_row(i, |j, _| seen[j] = false);
        }
        top.sorted().map(|(i, j)| describe(self, i, j)).collect()
    }
}

fn describe(counts: &Cooccurrence, i: usize, j: usize) -> Pair {
    Pair {
        a: counts.labels()[i].clone(),
        b: counts.labels()[j].clone(),
        count: counts.pair(i, j),
        b_given_a: counts.conditional(i, j),
        a_given_b: counts.conditional(j, i),
    }
}

/// The `n` pairs of the highest rank; of equal ones the first.
struct Top {
    n: usize,
    heap: BinaryHeap<Reverse<(u128, Reverse<(usize, usize)>)>>,
}

impl Top {
    fn new(n: usize) -> Self {
        Top { n, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, rank: u128, i: usize, j: usize) {
        let entry = Reverse((rank, Reverse((i, j))));
        if self.heap.len() < self.n {
            self.heap.push(entry);
        } else if let Some(mut least) = self.heap.peek_mut()
            && entry < *least
        {
            *least = entry;
        }
    }

    fn sorted(self) -> impl Iterator<Item = (usize, usize)> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse((_, Reverse(pair)))| pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_ranked() {
        let labels = ["cat", "dog", "sofa"].map(String::from);
        let c = Cooccurrence::from_parts(&labels, vec![4, 5, 2], vec![0, 3, 2, 3, 0, 0, 2, 0, 0]).unwrap();
        let top = c.top_pairs(5);
        assert_eq!(top.len(), 2);
        assert_eq!((top[0].a.as_str(), top[0].b.as_str(), top[0].count), ("cat", "dog", 3));
        let never = c.never_pairs(9);
        assert_eq!(never.len(), 1);
        assert_eq!((never[0].a.as_str(), never[0].b.as_str()), ("dog", "sofa"));
    }
}
