//! `Cooccurrence`: how many images hold each label and each pair of labels.

use std::ops::Add;
use std::sync::Arc;

use super::pair_counts::{DENSE_UP_TO, PairCounts};
use super::pair_list::{LEFT_OUT, PairList};
use crate::error::{Error, Result, counted, only};
use crate::graph::label_names;

/// Counts of m labels over N images: n_i images hold label i, e_ij hold both i and j. Cheap to clone.
///
/// Symmetric, e_ij <= min(n_i, n_j), and no pair of a label with itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooccurrence {
    labels: Arc<[String]>,
    counts: Arc<[u64]>,
    pairs: PairCounts,
    num_images: Option<u64>,
}

impl Cooccurrence {
    /// Counts that were made elsewhere: `counts` has m entries, `pairs` m × m row-major.
    ///
    /// The diagonal of `pairs` may be zero or hold `counts` again. Errors name both labels of a pair that is not
    /// symmetric or that is counted more often than one of its labels.
    pub fn from_parts(labels: &[String], counts: Vec<u64>, mut pairs: Vec<u64>) -> Result<Self> {
        let m = labels.len();
        label_names::index(labels)?;
        if counts.len() != m || Some(pairs.len()) != m.checked_mul(m) {
            return Err(Error::data(format!(
                "the counts of {} need {m} numbers and {m} x {m} pairs; got {} and {}",
                counted(m, "label"),
                counts.len(),
                pairs.len()
            )));
        }
        for i in 0..m {
            let own = std::mem::take(&mut pairs[i * m + i]);
            if own != 0 && own != counts[i] {
                return Err(Error::data(format!(
                    "label \"{}\" is in {}, but the diagonal has {own}",
                    labels[i],
                    counted(counts[i] as usize, "image")
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
        Ok(Self::held(labels.into(), counts, PairCounts::Dense(pairs.into()), None))
    }

    /// Counts that were kept elsewhere: `counts` has m entries, `pairs` lists (i, j, e_ij) of the pairs that were seen, i < j,
    /// ascending. They come from `num_images` images.
    ///
    /// Errors: numbers that are no such counts.
    pub fn from_seen(
        labels: Vec<String>,
        counts: Vec<u64>,
        pairs: impl IntoIterator<Item = [u32; 3]>,
        num_images: u64,
    ) -> Result<Self> {
        let m = labels.len();
        label_names::index(&labels)?;
        if counts.len() != m {
            return Err(Error::data(format!(
                "the counts of {} need as many numbers; got {}",
                counted(m, "label"),
                counts.len()
            )));
        }
        let mut rows = vec![(Vec::new(), Vec::new()); m];
        let mut before = None;
        for [i, j, e] in pairs {
            let most = |label: u32| counts.get(label as usize).copied().unwrap_or(0);
            if i >= j || before.is_some_and(|before| before >= (i, j)) || e == 0 || u64::from(e) > most(i).min(most(j))
            {
                return Err(Error::data(format!("labels {i} and {j} of {m} cannot be seen together {e} times")));
            }
            before = Some((i, j));
            rows[i as usize].0.push(j);
            rows[i as usize].1.push(e);
        }
        let pairs = PairCounts::of_list(PairList::from_rows(rows));
        Self::held(labels.into(), counts, pairs, None).with_num_images(num_images)
    }

    /// Counts that are known to keep these rules.
    pub(super) fn held(labels: Arc<[String]>, counts: Vec<u64>, pairs: PairCounts, num_images: Option<u64>) -> Self {
        Cooccurrence { labels, counts: counts.into(), pairs, num_images }
    }

    /// The pairs that were seen, where there are too many labels for a square table.
    pub(in crate::graph) fn list(&self) -> Option<&PairList> {
        match &self.pairs {
            PairCounts::Sparse(list) => Some(list),
            PairCounts::Dense(_) => None,
        }
    }

    /// The same counts, known to come from `num_images` images (with or without labels).
    ///
    /// Errors where a label is in more images than that.
    pub fn with_num_images(mut self, num_images: u64) -> Result<Self> {
        if let Some(i) = (0..self.len()).find(|&i| self.counts[i] > num_images) {
            return Err(Error::data(format!(
                "label \"{}\" is in {}, but {}",
                self.labels[i],
                counted(self.counts[i] as usize, "image"),
                only(num_images as usize, "image")
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

    /// N, the number of images counted, where it is known (a CSV does not hold it).
    pub fn num_images(&self) -> Option<u64> {
        self.num_images
    }

    /// e_ij: how many images hold both labels; 0 for a label with itself. Panics out of range, as indexing does.
    pub fn pair(&self, i: usize, j: usize) -> u64 {
        let m = self.len();
        assert!(i < m && j < m, "pair ({i}, {j}) of {m} labels");
        self.pairs.get(m, i, j)
    }

    /// S_ij = e_ij / n_i, the part of the images of i that hold j too; 0 where no image holds i.
    pub fn conditional(&self, i: usize, j: usize) -> f64 {
        let e = self.pair(i, j);
        if e == 0 { 0.0 } else { e as f64 / self.counts[i] as f64 }
    }

    /// Calls `f(i, j, e_ij)` for every pair i < j that was ever seen.
    pub fn for_each_pair(&self, mut f: impl FnMut(usize, usize, u64)) {
        for i in 0..self.len() {
            self.for_row(i, |j, e| f(i, j, e));
        }
    }

    /// Calls `f(j, e_ij)` for every label j > i that was ever seen with i.
    pub(super) fn for_row(&self, i: usize, f: impl FnMut(usize, u64)) {
        self.pairs.for_row(self.len(), i, f);
    }

    /// Row-major m × m counts with n_i on the diagonal, as scripts show them: 8 m² bytes.
    pub fn dense(&self) -> Vec<u64> {
        let m = self.len();
        let mut out = vec![0; m * m];
        self.for_each_pair(|i, j, e| {
            out[i * m + j] = e;
            out[j * m + i] = e;
        });
        for i in 0..m {
            out[i * m + i] = self.counts[i];
        }
        out
    }

    /// The number of different pairs i < j that were ever seen.
    pub fn num_pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The counts of the named labels only, in the given order.
    pub fn take_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let places = label_names::index(&self.labels)?;
        let mut picked = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let place = places.get(name).copied();
            picked.push(place.ok_or_else(|| Error::unknown("label", name, self.labels.iter().map(String::as_str)))?);
        }
        let labels: Vec<String> = names.iter().map(|n| n.as_ref().to_string()).collect();
        label_names::index(&labels)?;
        let counts: Vec<u64> = picked.iter().map(|&i| self.counts[i]).collect();
        let pairs = match &self.pairs {
            PairCounts::Dense(_) => {
                let pairs = picked.iter().flat_map(|&i| picked.iter().map(move |&j| (i, j)));
                PairCounts::Dense(pairs.map(|(i, j)| self.pair(i, j)).collect())
            }
            PairCounts::Sparse(list) => {
                let mut place = vec![LEFT_OUT; self.len()];
                picked.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
                PairCounts::of_list(list.relabelled(&place, picked.len()))
            }
        };
        Ok(Self::held(labels.into(), counts, pairs, self.num_images))
    }

    /// The sum of the counts of two shards of images.
    ///
    /// Labels are matched by name, in any order. A label that only one shard has counts 0 in the other; those that only
    /// `other` has come last. Errors: counts that overflow.
    pub fn checked_add(&self, other: &Self) -> Result<Self> {
        let here = label_names::index(&self.labels)?;
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
            let ours = self.pairs.to_list(self.len())?.grown(m);
            PairCounts::Sparse(ours.plus(&other.pairs.to_list(other.len())?.relabelled(&place, m))?.into())
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
            PairCounts::Dense(pairs.into())
        };
        Ok(Self::held(labels.into(), counts, pairs, num_images))
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
        "\"{}\" and \"{}\" are counted together {}, more than the {} of \"{}\"",
        labels[a],
        labels[b],
        counted(pairs[a * m + b] as usize, "time"),
        counted(counts[a].min(counts[b]) as usize, "image"),
        labels[if counts[a] <= counts[b] { a } else { b }],
    ));
    // A published file of NUS-WIDE holds such counts.
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
        assert!(of(vec![4, 5, 2], vec![7, 3, 2, 3, 0, 0, 2, 0, 0]).contains("the diagonal has 7"));
    }

    #[test]
    fn kept_pairs_are_the_counts_again() {
        let c = graph().with_num_images(9).unwrap();
        let kept = |pairs: Vec<[u32; 3]>| Cooccurrence::from_seen(labels(), vec![4, 5, 2], pairs, 9);
        assert_eq!(kept(vec![[0, 1, 3], [0, 2, 2]]).unwrap(), c);
        for wrong in [vec![[1, 0, 3]], vec![[0, 3, 1]], vec![[0, 1, 5]], vec![[0, 1, 0]], vec![[0, 2, 2], [0, 1, 3]]] {
            assert!(kept(wrong).unwrap_err().message.contains("cannot be seen together"));
        }
        assert!(Cooccurrence::from_seen(labels(), vec![4, 5, 2], vec![], 4).is_err());
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
