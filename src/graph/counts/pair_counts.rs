//! `PairCounts`: the pair counts of a co-occurrence, as a square table or as a list.

use std::sync::Arc;

use super::pair_list::PairList;
use crate::error::Result;

/// The counts e_ij of m labels. The number of labels alone decides which form they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairCounts {
    /// Row-major m × m with a zero diagonal.
    Dense(Arc<[u64]>),
    /// Only the pairs that were seen.
    Sparse(Arc<PairList>),
}

/// Largest number of labels whose counts and affinities are square tables: 32 MB at most.
pub const DENSE_UP_TO: usize = 2048;

impl PairCounts {
    pub fn of_list(list: PairList) -> Self {
        let m = list.num_labels();
        if m > DENSE_UP_TO {
            return PairCounts::Sparse(list.into());
        }
        let mut pairs = vec![0; m * m];
        for i in 0..m {
            let (columns, counts) = list.row(i);
            for (&j, &count) in columns.iter().zip(counts) {
                pairs[i * m + j as usize] = u64::from(count);
                pairs[j as usize * m + i] = u64::from(count);
            }
        }
        PairCounts::Dense(pairs.into())
    }

    /// The pairs of `m` labels as a list, in either form. Errors: a count above the most that a list holds.
    pub fn to_list(&self, m: usize) -> Result<PairList> {
        match self {
            PairCounts::Sparse(list) => Ok(PairList::clone(list)),
            PairCounts::Dense(pairs) => PairList::of_square(m, pairs),
        }
    }

    /// e_ij of `m` labels.
    pub fn get(&self, m: usize, i: usize, j: usize) -> u64 {
        match self {
            PairCounts::Dense(pairs) => pairs[i * m + j],
            PairCounts::Sparse(list) => list.get(i, j),
        }
    }

    /// How many different pairs were seen.
    pub fn len(&self) -> usize {
        match self {
            PairCounts::Sparse(list) => list.len(),
            PairCounts::Dense(pairs) => pairs.iter().filter(|e| **e != 0).count() / 2,
        }
    }

    /// Calls `f(j, e_ij)` for each label j > i that was seen with label i of `m`, ascending.
    pub fn for_row(&self, m: usize, i: usize, mut f: impl FnMut(usize, u64)) {
        match self {
            PairCounts::Dense(pairs) => {
                (i + 1..m).filter(|&j| pairs[i * m + j] != 0).for_each(|j| f(j, pairs[i * m + j]));
            }
            PairCounts::Sparse(list) => {
                let (columns, counts) = list.row(i);
                columns.iter().zip(counts).for_each(|(&j, &count)| f(j as usize, u64::from(count)));
            }
        }
    }
}
