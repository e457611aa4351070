//! `PairList`: counts of only those pairs of labels that were seen, for too many labels for a square table.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Counts e_ij > 0 of pairs i < j: row i lists its j ascending. 8 bytes per pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairList {
    /// m + 1 entries.
    offsets: Vec<usize>,
    columns: Vec<u32>,
    counts: Vec<u32>,
}

/// Marks a label that a relabelling leaves out.
pub const LEFT_OUT: u32 = u32::MAX;

impl PairList {
    pub fn empty(m: usize) -> Self {
        PairList { offsets: vec![0; m + 1], columns: Vec::new(), counts: Vec::new() }
    }

    /// Rows of (j, e_ij) with i < j, ascending in j.
    pub fn from_rows(rows: Vec<(Vec<u32>, Vec<u32>)>) -> Self {
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        let mut end = 0;
        for (columns, _) in &rows {
            end += columns.len();
            offsets.push(end);
        }
        let (mut columns, mut counts) = (Vec::with_capacity(end), Vec::with_capacity(end));
        for (row_columns, row_counts) in rows {
            columns.extend_from_slice(&row_columns);
            counts.extend_from_slice(&row_counts);
        }
        PairList { offsets, columns, counts }
    }

    /// The pairs i < j of a row-major m × m table that were seen. Errors: a count above the most that a list holds.
    pub fn of_square(m: usize, pairs: &[u64]) -> Result<Self> {
        let row = |i: usize| -> Result<(Vec<u32>, Vec<u32>)> {
            let seen = (i + 1..m).filter(|&j| pairs[i * m + j] != 0);
            let (mut columns, mut counts) = (Vec::new(), Vec::new());
            for j in seen {
                columns.push(j as u32);
                counts.push(u32::try_from(pairs[i * m + j]).map_err(|_| too_many())?);
            }
            Ok((columns, counts))
        };
        Ok(Self::from_rows((0..m).map(row).collect::<Result<_>>()?))
    }

    /// m, the number of labels.
    pub fn num_labels(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many pairs were seen.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// The labels j > i seen with i, ascending, and their counts.
    pub fn row(&self, i: usize) -> (&[u32], &[u32]) {
        let range = self.offsets[i]..self.offsets[i + 1];
        (&self.columns[range.clone()], &self.counts[range])
    }

    /// e_ij; 0 for i = j.
    pub fn get(&self, i: usize, j: usize) -> u64 {
        let (columns, counts) = self.row(i.min(j));
        match columns.binary_search(&(i.max(j) as u32)) {
            Ok(at) if i != j => u64::from(counts[at]),
            _ => 0,
        }
    }

    /// Adds labels without any pair after the last one, up to `m` labels.
    pub fn grown(mut self, m: usize) -> Self {
        let end = self.columns.len();
        self.offsets.resize(m + 1, end);
        self
    }

    /// The same counts with label i at `place[i]` of `m`, or left out.
    pub fn relabelled(&self, place: &[u32], m: usize) -> Self {
        if m == self.num_labels() && place.iter().enumerate().all(|(i, &p)| p as usize == i) {
            return self.clone();
        }
        Self::relabelling(self.num_labels(), |i| self.row(i), place, m)
    }

    /// The pairs that `row(i)` gives for each of `n` labels, each pair once, with label i at `place[i]` of `m`.
    ///
    /// All threads put pairs into the row of the smaller label, in any order; sorting each row afterwards makes the
    /// result the same on any number of threads.
    pub fn relabelling<'a>(
        n: usize,
        row: impl Fn(usize) -> (&'a [u32], &'a [u32]) + Sync,
        place: &[u32],
        m: usize,
    ) -> Self {
        let placed = |i: usize, f: &dyn Fn(u32, u32, u32)| {
            let a = place[i];
            if a == LEFT_OUT {
                return;
            }
            let (columns, counts) = row(i);
            for (&j, &count) in columns.iter().zip(counts) {
                let b = place[j as usize];
                if b != LEFT_OUT {
                    f(a.min(b), a.max(b), count);
                }
            }
        };
        let next: Vec<AtomicUsize> = (0..m).map(|_| AtomicUsize::new(0)).collect();
        (0..n).into_par_iter().for_each(|i| {
            placed(i, &|a, _, _| {
                next[a as usize].fetch_add(1, Ordering::Relaxed);
            });
        });
        let mut offsets = Vec::with_capacity(m + 1);
        let mut total = 0;
        for slot in &next {
            offsets.push(total);
            total += slot.swap(total, Ordering::Relaxed);
        }
        offsets.push(total);
        let dropped: Vec<AtomicU64> = (0..total).into_par_iter().map(|_| AtomicU64::new(0)).collect();
        (0..n).into_par_iter().for_each(|i| {
            placed(i, &|a, b, count| {
                let at = next[a as usize].fetch_add(1, Ordering::Relaxed);
                dropped[at].store(u64::from(b) << 32 | u64::from(count), Ordering::Relaxed);
            });
        });
        let (mut columns, mut counts) = (vec![0u32; total], vec![0u32; total]);
        let mut rows = Vec::with_capacity(m);
        let (mut rest, mut rest_counts) = (&mut columns[..], &mut counts[..]);
        for range in offsets.windows(2) {
            let (row, after) = rest.split_at_mut(range[1] - range[0]);
            let (row_counts, after_counts) = rest_counts.split_at_mut(range[1] - range[0]);
            rows.push((range[0], row, row_counts));
            (rest, rest_counts) = (after, after_counts);
        }
        rows.into_par_iter().for_each_init(Vec::new, |sorted, (start, columns, counts)| {
            sorted.clear();
            sorted.extend(dropped[start..start + columns.len()].iter().map(|x| x.load(Ordering::Relaxed)));
            sorted.sort_unstable();
            for ((pair, column), count) in sorted.iter().zip(columns).zip(counts) {
                (*column, *count) = ((pair >> 32) as u32, *pair as u32);
            }
        });
        PairList { offsets, columns, counts }
    }

    /// The sum of two lists over the same labels. Errors: a pair counted more than 2^32 - 1 times.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        let rows = (0..self.num_labels())
            .into_par_iter()
            .map(|i| merged(self.row(i), other.row(i)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self::from_rows(rows))
    }
}

/// Two ascending rows as one.
fn merged(a: (&[u32], &[u32]), b: (&[u32], &[u32])) -> Result<(Vec<u32>, Vec<u32>)> {
    let room = a.0.len() + b.0.len();
    let (mut columns, mut counts) = (Vec::with_capacity(room), Vec::with_capacity(room));
    let (mut x, mut y) = (0, 0);
    while x < a.0.len() || y < b.0.len() {
        let (left, right) = (a.0.get(x).copied().unwrap_or(u32::MAX), b.0.get(y).copied().unwrap_or(u32::MAX));
        let column = left.min(right);
        let mut count = 0u32;
        for (list, at, here) in [(&a, &mut x, left), (&b, &mut y, right)] {
            if here == column && *at < list.0.len() {
                count = count.checked_add(list.1[*at]).ok_or_else(too_many)?;
                *at += 1;
            }
        }
        columns.push(column);
        counts.push(count);
    }
    columns.shrink_to_fit();
    counts.shrink_to_fit();
    Ok((columns, counts))
}

fn too_many() -> Error {
    Error::data(format!("a pair of labels is counted more than {} times, the most that is held", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0-1: 3, 0-3: 1, 2-3: 5.
    fn list() -> PairList {
        PairList::from_rows(vec![(vec![1, 3], vec![3, 1]), (vec![], vec![]), (vec![3], vec![5]), (vec![], vec![])])
    }

    #[test]
    fn pairs_are_found_either_way_round() {
        let l = list();
        assert_eq!((l.get(0, 3), l.get(3, 0), l.get(2, 3), l.get(1, 2), l.get(3, 3)), (1, 1, 5, 0, 0));
    }

    #[test]
    fn relabelling_moves_and_leaves_out() {
        // 0 -> 2, 1 -> 0, 2 left out, 3 -> 1.
        let l = list().relabelled(&[2, 0, LEFT_OUT, 1], 3);
        assert_eq!((l.len(), l.get(2, 0), l.get(1, 2), l.get(0, 1)), (2, 3, 1, 0));
        assert_eq!(list().relabelled(&[0, 1, 2, 3], 4), list());
        let turned = list().relabelled(&[3, 2, 1, 0], 4);
        assert_eq!(turned.relabelled(&[3, 2, 1, 0], 4), list());
    }

    #[test]
    fn lists_add_up() {
        let sum = list().plus(&PairList::empty(3).grown(4)).unwrap();
        assert_eq!(sum, list());
        let sum = list().plus(&list().relabelled(&[0, 1, 3, 2], 4)).unwrap();
        assert_eq!((sum.get(0, 1), sum.get(0, 2), sum.get(0, 3), sum.get(2, 3)), (6, 1, 1, 10));
        let most = PairList::from_rows(vec![(vec![1], vec![u32::MAX]), (vec![], vec![])]);
        assert!(most.plus(&most).unwrap_err().message.contains("more than 4294967295 times"));
    }
}
