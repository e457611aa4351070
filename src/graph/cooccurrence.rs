//! `Cooccurrence`: how many images hold each label, and each pair of labels.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Add;
use std::sync::Arc;

use super::count::list_of;
use super::names;
use super::pairs::{LEFT_OUT, PairList};
use crate::error::{Error, Result};

/// Counts of m labels over N images: n_i images hold label i, e_ij hold both i and j. Cheap to clone.
///
/// Symmetric, e_ij <= min(n_i, n_j), and no pair of a label with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooccurrence {
    labels: Arc<[String]>,
    counts: Arc<[u64]>,
    pairs: Pairs,
    num_images: Option<u64>,
}

/// How the pair counts are held: which of the two follows from the number of labels alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// Row-major m × m with a zero diagonal.
    Dense(Arc<[u64]>),
    /// Only the pairs that were seen.
    Sparse(Arc<PairList>),
}

/// Labels up to which counts and affinities are square tables: 32 MB at most.
pub(super) const DENSE_UP_TO: usize = 2048;

impl Pairs {
    pub fn of_list(list: PairList) -> Self {
        let m = list.num_labels();
        if m > DENSE_UP_TO {
            return Pairs::Sparse(list.into());
        }
        let mut pairs = vec![0; m * m];
        for i in 0..m {
            let (columns, counts) = list.row(i);
            for (&j, &count) in columns.iter().zip(counts) {
                pairs[i * m + j as usize] = u64::from(count);
                pairs[j as usize * m + i] = u64::from(count);
            }
        }
        Pairs::Dense(pairs.into())
    }
}

/// Two labels and what is counted of them.
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
    /// From counts made elsewhere: `counts` has m entries, `pairs` m × m row-major.
    ///
    /// The diagonal of `pairs` may be zero or hold `counts` again. Errors name both labels of a pair that is not
    /// symmetric or that is counted more often than one of its labels.
    pub fn from_parts(labels: &[String], counts: Vec<u64>, mut pairs: Vec<u64>) -> Result<Self> {
        let m = labels.len();
        names::index(labels)?;
        if counts.len() != m || Some(pairs.len()) != m.checked_mul(m) {
            return Err(Error::data(format!(
                "the counts of {m} labels need {m} numbers and {m} x {m} pairs; got {} and {}",
                counts.len(),
                pairs.len()
            )));
        }
        for i in 0..m {
            let own = std::mem::take(&mut pairs[i * m + i]);
            if own != 0 && own != counts[i] {
                return Err(Error::data(format!(
                    "label \"{}\" is in {} images, but the diagonal says {own}",
                    labels[i], counts[i]
                )));
            }
        }
        for i in 0..m {
            for j in 0..i {
                let (e, back) = (pairs[i * m + j], pairs[j * m + i]);
                if e != back {
                    return Err(Error::data(format!(
                        "counts must be symmetric; \"{}\" with \"{}\" is {back}, the other way round {e}",
                        labels[j], labels[i]
                    )));
                }
                if e > counts[i].min(counts[j]) {
                    return Err(over_counted(labels, &counts, &pairs, j, i));
                }
            }
        }
        Ok(Self::held(labels.into(), counts, Pairs::Dense(pairs.into()), None))
    }

    /// Counts that are known to keep the rules.
    pub(super) fn held(labels: Arc<[String]>, counts: Vec<u64>, pairs: Pairs, num_images: Option<u64>) -> Self {
        Cooccurrence { labels, counts: counts.into(), pairs, num_images }
    }

    /// The pairs that were seen, where there are too many labels for a square table.
    pub(super) fn list(&self) -> Option<&PairList> {
        match &self.pairs {
            Pairs::Sparse(list) => Some(list),
            Pairs::Dense(_) => None,
        }
    }

    /// The same counts, known to come from `num_images` images (with or without labels).
    ///
    /// Errors where a label is in more images than that.
    pub fn with_num_images(mut self, num_images: u64) -> Result<Self> {
        if let Some(i) = (0..self.len()).find(|&i| self.counts[i] > num_images) {
            return Err(Error::data(format!(
                "label \"{}\" is in {} images, but there are only {num_images}",
                self.labels[i], self.counts[i]
            )));
        }
        self.num_images = Some(num_images);
        Ok(self)
    }

    /// m, the number of labels.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Label names, in label order.
    pub fn labels(&self) -> &Arc<[String]> {
        &self.labels
    }

    /// n_i: how many images hold each label.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// N: how many images were counted, where that is known (a CSV does not say).
    pub fn num_images(&self) -> Option<u64> {
        self.num_images
    }

    /// e_ij: how many images hold both labels; 0 for a label with itself. Panics out of range, as indexing does.
    pub fn pair(&self, i: usize, j: usize) -> u64 {
        let m = self.len();
        assert!(i < m && j < m, "pair ({i}, {j}) of {m} labels");
        match &self.pairs {
            Pairs::Dense(pairs) => pairs[i * m + j],
            Pairs::Sparse(list) => list.get(i, j),
        }
    }

    /// S_ij = e_ij / n_i, how often j is there where i is; 0 where i is nowhere.
    pub fn conditional(&self, i: usize, j: usize) -> f64 {
        let e = self.pair(i, j);
        if e == 0 { 0.0 } else { e as f64 / self.counts[i] as f64 }
    }

    /// Calls `f(i, j, e_ij)` for every pair i < j that was ever seen.
    pub fn for_each_pair(&self, mut f: impl FnMut(usize, usize, u64)) {
        let m = self.len();
        match &self.pairs {
            Pairs::Dense(pairs) => {
                for i in 0..m {
                    for j in i + 1..m {
                        if pairs[i * m + j] != 0 {
                            f(i, j, pairs[i * m + j]);
                        }
                    }
                }
            }
            Pairs::Sparse(list) => {
                for i in 0..m {
                    let (columns, counts) = list.row(i);
                    columns.iter().zip(counts).for_each(|(&j, &count)| f(i, j as usize, u64::from(count)));
                }
            }
        }
    }

    /// Row-major m × m counts with n_i on the diagonal, as the language shows them: 8 m² bytes.
    pub fn dense(&self) -> Vec<u64> {
        let m = self.len();
        let mut out = match &self.pairs {
            Pairs::Dense(pairs) => pairs.to_vec(),
            Pairs::Sparse(_) => {
                let mut out = vec![0; m * m];
                self.for_each_pair(|i, j, e| {
                    out[i * m + j] = e;
                    out[j * m + i] = e;
                });
                out
            }
        };
        for i in 0..m {
            out[i * m + i] = self.counts[i];
        }
        out
    }

    /// How many different pairs i < j were ever seen.
    pub fn num_pairs(&self) -> usize {
        match &self.pairs {
            Pairs::Sparse(list) => list.len(),
            Pairs::Dense(pairs) => pairs.iter().filter(|e| **e != 0).count() / 2,
        }
    }

    /// The `n` pairs seen most often, most frequent first.
    pub fn top_pairs(&self, n: usize) -> Vec<Pair> {
        let mut top = Top::new(n);
        self.for_each_pair(|i, j, e| top.offer(u128::from(e), i, j));
        top.sorted().map(|(i, j)| self.describe(i, j)).collect()
    }

    /// The `n` most surprising of the pairs never seen: those that chance would bring together most often (n_i n_j).
    ///
    /// Labels that are in no image at all are left out.
    pub fn never_pairs(&self, n: usize) -> Vec<Pair> {
        let m = self.len();
        let mut top = Top::new(n);
        let mut seen = vec![false; m];
        for i in (0..m).filter(|&i| self.counts[i] != 0) {
            self.with_row(i, |j| seen[j] = true);
            for j in i + 1..m {
                if !seen[j] && self.counts[j] != 0 {
                    top.offer(u128::from(self.counts[i]) * u128::from(self.counts[j]), i, j);
                }
            }
            self.with_row(i, |j| seen[j] = false);
        }
        top.sorted().map(|(i, j)| self.describe(i, j)).collect()
    }

    /// Calls `f` with every label behind `i` that was seen with it.
    fn with_row(&self, i: usize, mut f: impl FnMut(usize)) {
        let m = self.len();
        match &self.pairs {
            Pairs::Dense(pairs) => (i + 1..m).filter(|&j| pairs[i * m + j] != 0).for_each(f),
            Pairs::Sparse(list) => list.row(i).0.iter().for_each(|&j| f(j as usize)),
        }
    }

    fn describe(&self, i: usize, j: usize) -> Pair {
        Pair {
            a: self.labels[i].clone(),
            b: self.labels[j].clone(),
            count: self.pair(i, j),
            b_given_a: self.conditional(i, j),
            a_given_b: self.conditional(j, i),
        }
    }

    /// The graph of the named labels only, in the order given.
    pub fn take_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let places = names::index(&self.labels)?;
        let mut picked = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let place = places.get(name).copied();
            picked.push(place.ok_or_else(|| Error::unknown("label", name, self.labels.iter().map(String::as_str)))?);
        }
        let labels: Vec<String> = names.iter().map(|n| n.as_ref().to_string()).collect();
        names::index(&labels)?;
        let counts: Vec<u64> = picked.iter().map(|&i| self.counts[i]).collect();
        let pairs = match &self.pairs {
            Pairs::Dense(_) => {
                let pairs = picked.iter().flat_map(|&i| picked.iter().map(move |&j| (i, j)));
                Pairs::Dense(pairs.map(|(i, j)| self.pair(i, j)).collect())
            }
            Pairs::Sparse(list) => {
                let mut place = vec![LEFT_OUT; self.len()];
                picked.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
                Pairs::of_list(list.relabelled(&place, picked.len()))
            }
        };
        Ok(Self::held(labels.into(), counts, pairs, self.num_images))
    }

    /// The counts of two shards of images together.
    ///
    /// Labels are matched by name, in any order; one that only a shard has counts 0 in the other, and those that only
    /// `other` has come last. Errors: counts that overflow.
    pub fn checked_add(&self, other: &Self) -> Result<Self> {
        let here = names::index(&self.labels)?;
        let mut labels = self.labels.to_vec();
        let place: Vec<u32> = (other.labels.iter())
            .map(|name| match here.get(name.as_str()) {
                Some(&place) => place as u32,
                None => {
                    labels.push(name.clone());
                    labels.len() as u32 - 1
                }
            })
            .collect();
        let m = labels.len();
        let too_many = || Error::data("the added counts do not fit into 64 bits".to_string());
        let mut counts = self.counts.to_vec();
        counts.resize(m, 0);
        for (&n, &at) in other.counts.iter().zip(&place) {
            counts[at as usize] = counts[at as usize].checked_add(n).ok_or_else(too_many)?;
        }
        let num_images = match (self.num_images, other.num_images) {
            (Some(a), Some(b)) => Some(a.checked_add(b).ok_or_else(too_many)?),
            _ => None,
        };
        let pairs = if m > DENSE_UP_TO {
            let ours = self.to_list()?.grown(m);
            Pairs::Sparse(ours.plus(&other.to_list()?.relabelled(&place, m))?.into())
        } else {
            let mut pairs = vec![0u64; m * m];
            let mut overflow = false;
            let mut add = |i: usize, j: usize, e: u64| {
                for at in [i * m + j, j * m + i] {
                    let (sum, over) = pairs[at].overflowing_add(e);
                    pairs[at] = sum;
                    overflow |= over;
                }
            };
            self.for_each_pair(&mut add);
            other.for_each_pair(|i, j, e| add(place[i] as usize, place[j] as usize, e));
            if overflow {
                return Err(too_many());
            }
            Pairs::Dense(pairs.into())
        };
        Ok(Self::held(labels.into(), counts, pairs, num_images))
    }

    fn to_list(&self) -> Result<PairList> {
        match &self.pairs {
            Pairs::Sparse(list) => Ok(PairList::clone(list)),
            Pairs::Dense(pairs) => list_of(self.len(), pairs),
        }
    }
}

/// The `n` pairs of the highest rank, among equals the first.
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

impl Add for &Cooccurrence {
    type Output = Result<Cooccurrence>;

    /// See [`Cooccurrence::checked_add`].
    fn add(self, other: &Cooccurrence) -> Result<Cooccurrence> {
        self.checked_add(other)
    }
}

fn over_counted(labels: &[String], counts: &[u64], pairs: &[u64], a: usize, b: usize) -> Error {
    let m = labels.len();
    let error = Error::data(format!(
        "\"{}\" and \"{}\" are counted together {} times, more than the {} images of \"{}\"",
        labels[a],
        labels[b],
        pairs[a * m + b],
        counts[a].min(counts[b]),
        labels[if counts[a] <= counts[b] { a } else { b }],
    ));
    // A published NUS-WIDE file is like that.
    let halves_fit = (0..m).all(|i| {
        (0..m)
            .all(|j| i == j || (pairs[i * m + j].is_multiple_of(2) && pairs[i * m + j] / 2 <= counts[i].min(counts[j])))
    });
    if halves_fit {
        error.with_help("every pair count is even and half of each would fit: the pairs seem to be counted twice")
    } else {
        error.with_help("the pair counts and the label counts do not come from the same images")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["cat", "dog", "sofa"].map(String::from).to_vec()
    }

    fn graph() -> Cooccurrence {
        Cooccurrence::from_parts(&labels(), vec![4, 5, 2], vec![0, 3, 2, 3, 0, 0, 2, 0, 0]).unwrap()
    }

    #[test]
    fn conditional_is_directed() {
        let c = graph();
        assert_eq!((c.conditional(0, 1), c.conditional(1, 0), c.conditional(1, 2)), (0.75, 0.6, 0.0));
        assert_eq!(c.dense()[0], 4);
    }

    #[test]
    fn pairs_are_ranked() {
        let c = graph();
        let top = c.top_pairs(5);
        assert_eq!(top.len(), 2);
        assert_eq!((top[0].a.as_str(), top[0].b.as_str(), top[0].count), ("cat", "dog", 3));
        let never = c.never_pairs(9);
        assert_eq!(never.len(), 1);
        assert_eq!((never[0].a.as_str(), never[0].b.as_str()), ("dog", "sofa"));
    }

    #[test]
    fn a_pair_counted_too_often_names_both_labels() {
        let e = Cooccurrence::from_parts(&labels(), vec![4, 5, 2], vec![0, 6, 4, 6, 0, 0, 4, 0, 0]).unwrap_err();
        assert_eq!(e.message, "\"cat\" and \"dog\" are counted together 6 times, more than the 4 images of \"cat\"");
        assert!(e.help.unwrap().contains("counted twice"));
        let e = Cooccurrence::from_parts(&labels(), vec![4, 5, 2], vec![0, 3, 3, 3, 0, 0, 3, 0, 0]).unwrap_err();
        assert!(e.message.contains("more than the 2 images of \"sofa\""));
    }

    #[test]
    fn shapes_symmetry_and_diagonal_are_checked() {
        let of = |n: Vec<u64>, p: Vec<u64>| Cooccurrence::from_parts(&labels(), n, p).unwrap_err().message;
        assert!(of(vec![1], vec![0; 9]).contains("need 3 numbers and 3 x 3 pairs; got 1 and 9"));
        assert!(of(vec![4, 5, 2], vec![0, 3, 2, 1, 0, 0, 2, 0, 0]).contains("\"cat\" with \"dog\" is 3"));
        assert!(of(vec![4, 5, 2], vec![7, 3, 2, 3, 0, 0, 2, 0, 0]).contains("the diagonal says 7"));
    }

    #[test]
    fn shards_add_by_name() {
        let c = graph();
        let other = c.take_labels(&["sofa", "cat", "dog"]).unwrap();
        let sum = (&c + &other).unwrap();
        assert_eq!(sum.pair(0, 1), 6);
        assert_eq!(sum.counts(), &[8, 10, 4]);
        // A label that a shard never saw is one that it counts 0 times.
        let less = c.take_labels(&["sofa", "cat"]).unwrap();
        assert_eq!((&c + &less).unwrap().counts(), &[8, 5, 4]);
        let sum = (&less + &c).unwrap();
        assert_eq!(sum.labels().to_vec(), ["sofa", "cat", "dog"]);
        assert_eq!((sum.counts(), sum.pair(1, 2)), (&[4, 8, 5][..], 3));
    }
}
