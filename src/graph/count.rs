//! Counting labels and pairs from the label lists of images.

use std::sync::Arc;

use rayon::prelude::*;

use super::cooccurrence::{Cooccurrence, Pairs};
use super::inverted;
use super::names;
use super::pairs::{PairList, too_many};
use crate::activity;
use crate::error::{Error, Result};

/// Above this many labels one m × m table a thread no longer fits its caches, and counting goes label by label.
const BY_IMAGE_UP_TO: usize = 512;
/// Images between two looks at the interrupt flag.
const IMAGES_A_LOOK: usize = 1 << 16;
/// Labels at most: the highest bit of a label index marks the end of a row while pairs are counted.
const MOST_LABELS: usize = 1 << 31;

impl Cooccurrence {
    /// Counts labels and pairs over N images given as compressed rows.
    ///
    /// `offsets` has N + 1 entries; the labels of image i are `indices[offsets[i]..offsets[i + 1]]`, ascending and
    /// each below `labels.len()`. Uses all threads; the result does not depend on how many. Errors name the first
    /// image found whose row breaks these rules.
    pub fn count(labels: &[String], offsets: &[u64], indices: &[u32]) -> Result<Self> {
        let m = labels.len();
        names::index(labels)?;
        if m > MOST_LABELS {
            return Err(Error::argument(format!("co-occurrence takes at most {MOST_LABELS} labels; got {m}")));
        }
        let rows = Rows::new(offsets, indices, m)?;
        let (counts, pairs) = rows.count()?;
        let num_images = rows.len() as u64;
        Ok(Self::held(Arc::from(labels), counts, pairs, Some(num_images)))
    }
}

/// Label lists of images as compressed rows.
pub(super) struct Rows<'a> {
    pub offsets: &'a [u64],
    pub indices: &'a [u32],
    pub m: usize,
}

impl<'a> Rows<'a> {
    pub fn new(offsets: &'a [u64], indices: &'a [u32], m: usize) -> Result<Self> {
        if offsets.first() != Some(&0) || offsets.last() != Some(&(indices.len() as u64)) {
            return Err(Error::data(format!(
                "row offsets must start at 0 and end at {}, the number of label indices; got {:?} to {:?}",
                indices.len(),
                offsets.first(),
                offsets.last()
            )));
        }
        if u32::try_from(offsets.len()).is_err() || u32::try_from(indices.len()).is_err() {
            return Err(Error::data(format!("at most {} images and labels can be counted at once", u32::MAX - 1))
                .with_help("count shards of the images and add their co-occurrences"));
        }
        Ok(Rows { offsets, indices, m })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// n_i and e_ij. Errors: the first row found that is not ascending, unique and in range.
    fn count(&self) -> Result<(Vec<u64>, Pairs)> {
        if self.m <= BY_IMAGE_UP_TO {
            let (counts, pairs) = by_image(self)?;
            return Ok((counts, Pairs::Dense(pairs.into())));
        }
        let (counts, pairs) = inverted::count(self)?;
        Ok((counts, Pairs::of_list(pairs)))
    }

    /// n_i, and the e_ij that are not 0. Errors: likewise.
    pub fn listed(&self) -> Result<(Vec<u64>, PairList)> {
        if self.m <= BY_IMAGE_UP_TO {
            let (counts, pairs) = by_image(self)?;
            return Ok((counts, list_of(self.m, &pairs)?));
        }
        inverted::count(self)
    }

    /// The labels of one image, found to be ascending and in range.
    #[inline]
    pub fn checked(&self, image: usize) -> Result<&'a [u32]> {
        let (from, to) = (self.offsets[image], self.offsets[image + 1]);
        let Some(row) = self.indices.get(from as usize..to as usize) else {
            return Err(Error::data(format!("row offsets must not fall; those of image {image} are {from} to {to}")));
        };
        let ascending = row.windows(2).all(|w| w[0] < w[1]);
        if ascending && row.last().is_none_or(|&last| (last as usize) < self.m) {
            return Ok(row);
        }
        Err(match row.iter().find(|&&l| l as usize >= self.m) {
            Some(l) => Error::data(format!("image {image} has label index {l}, but there are only {} labels", self.m)),
            None => Error::data(format!("the label indices of image {image} are not ascending and unique")),
        })
    }
}

type Counts = (Vec<u64>, Vec<u64>);

/// One m × m table a piece of the images, added up at the end. Row i of a table holds its n_i at i, its pairs behind.
fn by_image(rows: &Rows) -> Result<Counts> {
    let (m, n) = (rows.m, rows.len());
    // Enough pieces to even out, not so many that clearing and adding tables costs more than counting.
    let pieces = (rayon::current_num_threads() * 2).min(n / 4096 + 1);
    let a_piece = n.div_ceil(pieces).max(1);
    let task = activity::current();
    let tables: Vec<Vec<u32>> = (0..pieces)
        .into_par_iter()
        .map(|piece| {
            let mut table = vec![0u32; m * m];
            for image in (piece * a_piece).min(n)..((piece + 1) * a_piece).min(n) {
                if image.is_multiple_of(IMAGES_A_LOOK) {
                    task.check()?;
                }
                let row = rows.checked(image)?;
                for (at, &i) in row.iter().enumerate() {
                    let of_i = &mut table[i as usize * m..][..m];
                    for &j in &row[at..] {
                        of_i[j as usize] += 1;
                    }
                }
            }
            Ok(table)
        })
        .collect::<Result<_>>()?;
    let mut counts = vec![0; m];
    let mut pairs = vec![0; m * m];
    for i in 0..m {
        counts[i] = tables.iter().map(|t| u64::from(t[i * m + i])).sum();
        for j in i + 1..m {
            let e = tables.iter().map(|t| u64::from(t[i * m + j])).sum();
            pairs[i * m + j] = e;
            pairs[j * m + i] = e;
        }
    }
    Ok((counts, pairs))
}

/// The pairs i < j of a square table that were seen.
pub(super) fn list_of(m: usize, pairs: &[u64]) -> Result<PairList> {
    let row = |i: usize| -> Result<(Vec<u32>, Vec<u32>)> {
        let seen = (i + 1..m).filter(|&j| pairs[i * m + j] != 0);
        let (mut columns, mut counts) = (Vec::new(), Vec::new());
        for j in seen {
            columns.push(j as u32);
            counts.push(u32::try_from(pairs[i * m + j]).map_err(|_| too_many())?);
        }
        Ok((columns, counts))
    };
    Ok(PairList::from_rows((0..m).map(row).collect::<Result<_>>()?))
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
        let (counts, pairs) = by_image(&rows).unwrap();
        let (listed_counts, listed) = inverted::count(&rows).unwrap();
        assert_eq!((&counts, list_of(m as usize, &pairs).unwrap()), (&listed_counts, listed));
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
