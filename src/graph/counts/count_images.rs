//! Counting labels and pairs over images given as label lists, in the way that suits the number of labels.

use std::sync::Arc;

use super::cooccurrence_counts::Cooccurrence;
use super::image_rows::Rows;
use super::pair_counts::PairCounts;
use super::pair_list::PairList;
use super::{count_by_image, count_by_label};
use crate::error::{Error, Result};
use crate::graph::label_names;

/// Largest number of labels for which the m × m table of a thread fits its caches; more are counted label by label.
const BY_IMAGE_UP_TO: usize = 512;
/// Largest number of labels: the highest bit of a label index marks the end of a row while pairs are counted.
const MOST_LABELS: usize = 1 << 31;

impl Cooccurrence {
    /// Counts labels and pairs over N images given as compressed rows.
    ///
    /// `offsets` has N + 1 entries; the labels of image i are `indices[offsets[i]..offsets[i + 1]]`, ascending and
    /// each below `labels.len()`. Uses all threads; the result does not depend on how many. Errors name the first
    /// image found whose row breaks these rules.
    pub fn count(labels: &[String], offsets: &[u64], indices: &[u32]) -> Result<Self> {
        let m = labels.len();
        label_names::index(labels)?;
        if m > MOST_LABELS {
            return Err(Error::argument(format!("co-occurrence takes at most {MOST_LABELS} labels; got {m}")));
        }
        let rows = Rows::new(offsets, indices, m)?;
        let (counts, pairs) = counted(&rows)?;
        let num_images = rows.len() as u64;
        Ok(Self::held(Arc::from(labels), counts, pairs, Some(num_images)))
    }
}

/// n_i and e_ij. Errors: the first row found that is not ascending, unique and in range.
fn counted(rows: &Rows) -> Result<(Vec<u64>, PairCounts)> {
    if rows.m <= BY_IMAGE_UP_TO {
        let (counts, pairs) = count_by_image::count(rows)?;
        return Ok((counts, PairCounts::Dense(pairs.into())));
    }
    let (counts, pairs) = count_by_label::count(rows)?;
    Ok((counts, PairCounts::of_list(pairs)))
}

/// n_i, and the pairs seen as a list. Errors: the first row found that is not ascending, unique and in range.
pub fn listed(rows: &Rows) -> Result<(Vec<u64>, PairList)> {
    if rows.m <= BY_IMAGE_UP_TO {
        let (counts, pairs) = count_by_image::count(rows)?;
        return Ok((counts, PairList::of_square(rows.m, &pairs)?));
    }
    count_by_label::count(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(m: usize) -> Vec<String> {
        (0..m).map(|i| format!("label {i:04}")).collect()
    }

    #[test]
    fn both_ways_count_the_same() {
        let m = 7;
        let lists: Vec<Vec<u32>> = (0..500u32)
            .map(|i| (0..m).filter(|j| (i.wrapping_mul(2_654_435_761) >> (3 * j)) & 3 == 0).collect())
            .collect();
        let mut offsets = vec![0u64];
        offsets.extend(lists.iter().scan(0, |n, l| {
            *n += l.len() as u64;
            Some(*n)
        }));
        let indices = lists.concat();
        let rows = Rows { offsets: &offsets, indices: &indices, m: m as usize };
        let (counts, pairs) = count_by_image::count(&rows).unwrap();
        let (listed_counts, listed) = count_by_label::count(&rows).unwrap();
        assert_eq!((&counts, PairList::of_square(m as usize, &pairs).unwrap()), (&listed_counts, listed));
        let both = |a, b| lists.iter().filter(|l| l.contains(&a) && l.contains(&b)).count() as u64;
        for i in 0..m {
            assert_eq!(counts[i as usize], both(i, i));
            for j in 0..m {
                assert_eq!(pairs[(i * m + j) as usize], if i == j { 0 } else { both(i, j) });
            }
        }
    }

    #[test]
    fn bad_rows_are_errors() {
        let of =
            |offsets: &[u64], indices: &[u32]| Cooccurrence::count(&labels(3), offsets, indices).unwrap_err().message;
        assert!(of(&[0, 2], &[0, 3]).contains("image 0 has label index 3, but there are only 3 labels"));
        assert!(of(&[0, 1, 3], &[0, 2, 1]).contains("image 1 are not ascending"));
        assert!(of(&[0, 1, 3], &[0, 1, 1]).contains("image 1 are not ascending"));
        assert!(of(&[0, 5], &[0, 1]).contains("must start at 0 and end at 2"));
        assert!(of(&[0, 2, 1, 2], &[0, 1]).contains("must not fall"));
        assert!(of(&[], &[]).contains("got None to None"));
    }

    #[test]
    fn no_images_and_no_labels_are_fine() {
        let c = Cooccurrence::count(&labels(3), &[0], &[]).unwrap();
        assert_eq!((c.num_images(), c.counts()), (Some(0), &[0, 0, 0][..]));
        assert!(Cooccurrence::count(&[], &[0, 0], &[]).unwrap().is_empty());
    }
}
