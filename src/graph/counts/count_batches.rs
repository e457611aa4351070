//! Counting labels and pairs over images that come in batches.

use super::cooccurrence_counts::Cooccurrence;
use super::count_images::listed;
use super::image_rows::Rows;
use super::pair_counts::PairCounts;
use super::pair_list::PairList;
use crate::error::{Error, Result};
use crate::graph::label_names;

/// Counts over images that come in batches and whose labels are numbered in the order of appearance.
///
/// It holds the counts and never the images, so a table need not fit in memory.
#[derive(Default)]
pub struct Counter {
    counts: Vec<u64>,
    pairs: Option<PairList>,
    num_images: u64,
}

impl Counter {
    /// Adds a batch of images, given as in [`Cooccurrence::count`]; `m` labels have appeared so far.
    pub fn add(&mut self, m: usize, offsets: &[u64], indices: &[u32]) -> Result<()> {
        let rows = Rows::new(offsets, indices, m)?;
        let (counts, pairs) = listed(&rows)?;
        self.counts.resize(m, 0);
        self.counts.iter_mut().zip(&counts).for_each(|(sum, n)| *sum += n);
        self.pairs = Some(match self.pairs.take() {
            None => pairs,
            Some(before) => before.grown(m).plus(&pairs)?,
        });
        self.num_images += rows.len() as u64;
        Ok(())
    }

    /// The counts of all batches, labels in alphabetical order. Errors: a missing name, or the same name twice.
    pub fn finish(self, labels: &[String]) -> Result<Cooccurrence> {
        if labels.len() != self.counts.len() && !(self.counts.is_empty() && self.pairs.is_none()) {
            return Err(Error::internal(format!("{} counted labels, {} names", self.counts.len(), labels.len())));
        }
        label_names::index(labels)?;
        let order = label_names::canonical(labels);
        let mut place = vec![0u32; labels.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
        let sorted: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
        let counts = order.iter().map(|&i| self.counts.get(i).copied().unwrap_or(0)).collect();
        let pairs = self.pairs.unwrap_or_else(|| PairList::empty(labels.len())).relabelled(&place, labels.len());
        Ok(Cooccurrence::held(sorted.into(), counts, PairCounts::of_list(pairs), Some(self.num_images)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up_and_labels_may_come_late() {
        let mut counter = Counter::default();
        counter.add(2, &[0, 2, 3], &[0, 1, 1]).unwrap();
        counter.add(3, &[0, 2, 2], &[0, 2]).unwrap();
        let c = counter.finish(&["z", "a", "m"].map(String::from)).unwrap();
        assert_eq!(
            (c.labels().to_vec(), c.counts(), c.num_images()),
            (vec!["a".into(), "m".into(), "z".into()], &[2, 1, 2][..], Some(4))
        );
        assert_eq!((c.pair(0, 2), c.pair(1, 2), c.pair(0, 1)), (1, 1, 0));
        assert!(Counter::default().finish(&[]).unwrap().is_empty());
    }
}
