//! `Cooccurrence`: how many images hold each label, and each pair of labels.

use std::ops::Add;
use std::sync::Arc;

use super::names;
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

/// How the pair counts are held. Everything outside this file goes through `pair` and `for_each_pair`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pairs {
    /// Row-major m × m with a zero diagonal.
    Dense(Arc<[u64]>),
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
        Ok(Self::trusted(labels.into(), counts, pairs, None))
    }

    /// Counts that are known to keep the rules.
    pub(super) fn trusted(labels: Arc<[String]>, counts: Vec<u64>, pairs: Vec<u64>, num_images: Option<u64>) -> Self {
        Cooccurrence { labels, counts: counts.into(), pairs: Pairs::Dense(pairs.into()), num_images }
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
        }
    }

    /// Row-major m × m counts with n_i on the diagonal, as the language shows them.
    pub fn dense(&self) -> Vec<u64> {
        let m = self.len();
        let mut out = match &self.pairs {
            Pairs::Dense(pairs) => pairs.to_vec(),
        };
        for i in 0..m {
            out[i * m + i] = self.counts[i];
        }
        out
    }

    /// How many different pairs i < j were ever seen.
    pub fn num_pairs(&self) -> usize {
        let mut n = 0;
        self.for_each_pair(|_, _, _| n += 1);
        n
    }

    /// The `n` pairs seen most often, most frequent first.
    pub fn top_pairs(&self, n: usize) -> Vec<Pair> {
        let mut all = Vec::new();
        self.for_each_pair(|i, j, e| all.push((e, i, j)));
        all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        all.into_iter().take(n).map(|(_, i, j)| self.describe(i, j)).collect()
    }

    /// Pairs never seen, the most surprising first: those that chance would bring together most often (n_i n_j).
    ///
    /// Labels that are in no image at all are left out.
    pub fn never_pairs(&self) -> Vec<Pair> {
        let m = self.len();
        let mut all = Vec::new();
        for i in 0..m {
            for j in i + 1..m {
                let chance = u128::from(self.counts[i]) * u128::from(self.counts[j]);
                if chance != 0 && self.pair(i, j) == 0 {
                    all.push((chance, i, j));
                }
            }
        }
        all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        all.into_iter().map(|(_, i, j)| self.describe(i, j)).collect()
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
        let pairs = picked.iter().flat_map(|&i| picked.iter().map(move |&j| (i, j)));
        let pairs = pairs.map(|(i, j)| self.pair(i, j)).collect();
        let counts = picked.iter().map(|&i| self.counts[i]).collect();
        Ok(Self::trusted(labels.into(), counts, pairs, self.num_images))
    }

    /// The counts of two shards of images together; both must have the same labels, in any order.
    pub fn checked_add(&self, other: &Self) -> Result<Self> {
        let place = names::matching(&self.labels, &other.labels, "co-occurrences that are added")?;
        let m = self.len();
        let too_many = || Error::data("the added counts do not fit into 64 bits".to_string());
        let mut counts = Vec::with_capacity(m);
        let mut pairs = Vec::with_capacity(m * m);
        for i in 0..m {
            counts.push(self.counts[i].checked_add(other.counts[place[i]]).ok_or_else(too_many)?);
            for j in 0..m {
                pairs.push(self.pair(i, j).checked_add(other.pair(place[i], place[j])).ok_or_else(too_many)?);
            }
        }
        let num_images = match (self.num_images, other.num_images) {
            (Some(a), Some(b)) => Some(a.checked_add(b).ok_or_else(too_many)?),
            _ => None,
        };
        Ok(Self::trusted(self.labels.clone(), counts, pairs, num_images))
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
        let never = c.never_pairs();
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
        let less = c.take_labels(&["sofa", "cat"]).unwrap();
        assert!((&c + &less).unwrap_err().message.contains("only the first has \"dog\""));
    }
}
