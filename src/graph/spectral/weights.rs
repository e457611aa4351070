//! `Weights`: the weights P of a label graph, as a square table or as a constant and the pairs seen.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::symmetric_rows::SymmetricRows;
use super::vector_block::{BLOCK, Row, for_wide_vectors, sum, sum_at, sum_of};

/// P, symmetric with a zero diagonal.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// The whole square table.
    Dense(DMatrix<f64>),
    /// P_ij = base + sign · plus_ij for i ≠ j: dis-occurrence is 1 - P+, which is never formed.
    Sparse { plus: SymmetricRows, base: f64, sign: f64 },
}

impl Weights {
    /// m, the number of labels.
    pub fn len(&self) -> usize {
        match self {
            Weights::Dense(matrix) => matrix.nrows(),
            Weights::Sparse { plus, .. } => plus.len(),
        }
    }

    /// How many numbers are held: those that a pass over all weights reads.
    pub fn num_held(&self) -> usize {
        match self {
            Weights::Dense(matrix) => matrix.len(),
            Weights::Sparse { plus, .. } => plus.num_held(),
        }
    }

    /// P_ij.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        match self {
            Weights::Dense(matrix) => matrix[(i, j)],
            Weights::Sparse { .. } if i == j => 0.0,
            Weights::Sparse { plus, base, sign } => base + sign * plus.get(i, j),
        }
    }

    /// Σ_j P_ij for each i.
    pub fn row_sums(&self) -> Vec<f64> {
        match self {
            // The columns of a symmetric matrix are its rows, and are contiguous in memory.
            Weights::Dense(matrix) => matrix.column_iter().map(|c| c.iter().sum()).collect(),
            Weights::Sparse { plus, base, sign } => {
                let all = base * (plus.len() as f64 - 1.0);
                let sum = |i| all + sign * plus.row(i).1.iter().sum::<f64>();
                (0..plus.len()).into_par_iter().map(sum).collect()
            }
        }
    }

    /// Calls `f(j, w)`, for some j more than once, so that the w of each j ≠ i add up to P_ij.
    pub fn for_row(&self, i: usize, mut f: impl FnMut(usize, f64)) {
        match self {
            Weights::Dense(matrix) => matrix.column(i).iter().enumerate().for_each(|(j, &w)| f(j, w)),
            Weights::Sparse { plus, base, sign } => {
                if *base != 0.0 {
                    (0..plus.len()).filter(|&j| j != i).for_each(|j| f(j, *base));
                }
                let (columns, values) = plus.row(i);
                columns.iter().zip(values).for_each(|(&j, &w)| f(j as usize, sign * w));
            }
        }
    }

    /// Σ_{i, j in t} P_ij for each task t of k, for N assignments at once: the weights are read once for all of them.
    pub fn inside<const N: usize>(&self, assignments: &[[u32; N]], k: usize) -> Vec<[f64; N]> {
        let own = |i: usize| -> [f64; N] {
            match self {
                Weights::Dense(matrix) => {
                    let mut sum = [0.0; N];
                    for (w, tasks) in matrix.column(i).iter().zip(assignments) {
                        (0..N).filter(|&n| tasks[n] == assignments[i][n]).for_each(|n| sum[n] += w);
                    }
                    sum
                }
                Weights::Sparse { plus, sign, .. } => {
                    let (columns, values) = plus.row(i);
                    within(columns, values, assignments, &assignments[i]).map(|sum| sign * sum)
                }
            }
        };
        let of_labels: Vec<[f64; N]> = (0..self.len()).into_par_iter().with_min_len(64).map(own).collect();
        let (mut inside, mut sizes) = (vec![[0.0; N]; k], vec![[0usize; N]; k]);
        for (tasks, own) in assignments.iter().zip(of_labels) {
            for n in 0..N {
                inside[tasks[n] as usize][n] += own[n];
                sizes[tasks[n] as usize][n] += 1;
            }
        }
        if let Weights::Sparse { base, .. } = self {
            for (sums, sizes) in inside.iter_mut().zip(sizes) {
                (0..N).for_each(|n| sums[n] += base * (sizes[n] * sizes[n].saturating_sub(1)) as f64);
            }
        }
        inside
    }

    /// Y = P X for [`BLOCK`] vectors at once.
    pub fn apply(&self, x: &[Row], y: &mut [Row]) {
        let total = match self {
            Weights::Sparse { base, .. } if *base != 0.0 => sum(x),
            _ => [0.0; BLOCK],
        };
        y.par_iter_mut().with_min_len(32).enumerate().for_each(|(i, out)| match self {
            Weights::Dense(matrix) => *out = sum_of(matrix.column(i).as_slice(), x),
            Weights::Sparse { plus, base, sign } => {
                let (columns, values) = plus.row(i);
                let seen = sum_at(columns, values, x);
                for b in 0..BLOCK {
                    out[b] = base * (total[b] - x[i][b]) + sign * seen[b];
                }
            }
        });
    }

    /// The same graph with label `order[i]` at i.
    pub fn reordered(&self, order: &[usize]) -> Self {
        match self {
            Weights::Dense(matrix) => {
                let m = order.len();
                Weights::Dense(DMatrix::from_fn(m, m, |i, j| matrix[(order[i], order[j])]))
            }
            Weights::Sparse { plus, base, sign } => {
                Weights::Sparse { plus: plus.reordered(order), base: *base, sign: *sign }
            }
        }
    }

    /// The whole square table: 8 m² bytes.
    pub fn to_dense(&self) -> DMatrix<f64> {
        match self {
            Weights::Dense(matrix) => matrix.clone(),
            Weights::Sparse { .. } => {
                let mut matrix = DMatrix::zeros(self.len(), self.len());
                (0..self.len()).for_each(|i| self.for_row(i, |j, w| matrix[(j, i)] += w));
                matrix
            }
        }
    }

    /// The connected component of each label, by pairs of positive weight. Components are numbered by first label.
    pub fn components(&self) -> Vec<u32> {
        const NONE: u32 = u32::MAX;
        let mut component = vec![NONE; self.len()];
        let mut found = 0;
        let mut open = Vec::new();
        // Where almost all labels are joined, those in no component yet, ascending: each is looked at a few times.
        let mut left: Vec<usize> = (0..self.len()).collect();
        for first in 0..self.len() {
            if component[first] != NONE {
                continue;
            }
            component[first] = found;
            open.push(first);
            while let Some(i) = open.pop() {
                let mut visit = |j: usize| {
                    if component[j] == NONE {
                        component[j] = found;
                        open.push(j);
                    }
                };
                match self {
                    Weights::Dense(matrix) => {
                        let column = matrix.column(i);
                        column.iter().enumerate().filter(|(_, w)| **w > 0.0).for_each(|(j, _)| visit(j));
                    }
                    Weights::Sparse { plus, base, sign } => {
                        let (columns, values) = plus.row(i);
                        if *base == 0.0 {
                            let joined = columns.iter().zip(values).filter(|(_, w)| sign * **w > 0.0);
                            joined.for_each(|(&j, _)| visit(j as usize));
                        } else {
                            // Joined to all labels except those whose own weight cancels the constant.
                            let mut apart =
                                columns.iter().zip(values).filter(|(_, w)| base + sign * **w <= 0.0).peekable();
                            left.retain(|&j| {
                                while apart.next_if(|(a, _)| (**a as usize) < j).is_some() {}
                                let joined = apart.next_if(|(a, _)| **a as usize == j).is_none();
                                if joined {
                                    visit(j);
                                }
                                !joined
                            });
                        }
                    }
                }
            }
            found += 1;
        }
        component
    }
}

for_wide_vectors! {
    /// Σ w over the entries of a row whose label is in the task of `own`, for each assignment.
    fn within<const N: usize>(columns: &[u32], values: &[f64], assignments: &[[u32; N]], own: &[u32; N]) -> [f64; N] {
        // Four independent sums: a single one would wait for each addition.
        let mut sums = [[0.0; N]; 4];
        let fours = columns.len() / 4;
        for four in 0..fours {
            for b in 0..4 {
                let at = 4 * four + b;
                add_within(&mut sums[b], values[at], &assignments[columns[at] as usize], own);
            }
        }
        for at in 4 * fours..columns.len() {
            add_within(&mut sums[0], values[at], &assignments[columns[at] as usize], own);
        }
        let mut total = [0.0; N];
        for n in 0..N {
            total[n] = (sums[0][n] + sums[1][n]) + (sums[2][n] + sums[3][n]);
        }
        total
    }
}

#[inline(always)]
fn add_within<const N: usize>(sum: &mut [f64; N], w: f64, tasks: &[u32; N], own: &[u32; N]) {
    for n in 0..N {
        sum[n] += if tasks[n] == own[n] { w } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up sparse graph and the same as a square table, on the co-occurrence (base 0) or the other branch.
    fn both(m: usize, base: f64, sign: f64) -> (Weights, Weights) {
        let value = |i: usize, j: usize| ((i * 31 + j * 17 + i * j) as f64).sin();
        let plus = SymmetricRows::new(m, |f| {
            for i in 0..m {
                for j in i + 1..m {
                    if value(i, j) > 0.3 {
                        f(i, j, value(i, j));
                    }
                }
            }
        });
        let sparse = Weights::Sparse { plus, base, sign };
        let dense = DMatrix::from_fn(m, m, |i, j| {
            let (i, j) = (i.min(j), i.max(j));
            let seen = if value(i, j) > 0.3 { value(i, j) } else { 0.0 };
            if i == j { 0.0 } else { base + sign * seen }
        });
        (sparse, Weights::Dense(dense))
    }

    #[test]
    fn the_implicit_table_is_the_square_one() {
        for (base, sign) in [(0.0, 1.0), (1.0, -1.0)] {
            let m = 40;
            let (sparse, dense) = both(m, base, sign);
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12);
            assert!((sparse.to_dense() - dense.to_dense()).abs().max() < 1e-15);
            assert!(close(&sparse.row_sums(), &dense.row_sums()));
            let assignments: Vec<[u32; 2]> = (0..m as u32).map(|i| [i * i % 3, i / 15]).collect();
            let (a, b) = (sparse.inside(&assignments, 3), dense.inside(&assignments, 3));
            assert!(close(a.as_flattened(), b.as_flattened()));
            let by_pairs = |task: u32, n: usize| -> f64 {
                let of = |i: usize| assignments[i][n] == task;
                (0..m * m).filter(|ij| of(ij / m) && of(ij % m)).map(|ij| sparse.get(ij / m, ij % m)).sum()
            };
            for (at, sums) in a.iter().enumerate() {
                assert!(close(sums, &[by_pairs(at as u32, 0), by_pairs(at as u32, 1)]));
            }
            let x: Vec<Row> = (0..m).map(|i| std::array::from_fn(|b| ((i * 3 + b * 7) as f64).cos())).collect();
            let (mut y, mut z) = (vec![[0.0; BLOCK]; m], vec![[0.0; BLOCK]; m]);
            sparse.apply(&x, &mut y);
            dense.apply(&x, &mut z);
            assert!(close(y.as_flattened(), z.as_flattened()));
            let order: Vec<usize> = (0..m).map(|i| (i * 7 + 3) % m).collect();
            let (a, b) = (sparse.reordered(&order), dense.reordered(&order));
            assert!((a.to_dense() - b.to_dense()).abs().max() < 1e-15);
            assert_eq!((a.get(3, 9), a.get(4, 4)), (sparse.get(order[3], order[9]), 0.0));
            assert_eq!(sparse.components(), dense.components());
        }
    }

    #[test]
    fn components_are_found() {
        // 0-2, 3-4 and 1 alone; the complement of a pair of weight 1 and a third label is joined through the third.
        let plus = SymmetricRows::new(5, |f| {
            f(0, 2, 1.0);
            f(3, 4, 1.0);
        });
        let co = Weights::Sparse { plus: plus.clone(), base: 0.0, sign: 1.0 };
        assert_eq!(co.components(), [0, 1, 0, 2, 2]);
        let dis = Weights::Sparse { plus, base: 1.0, sign: -1.0 };
        assert_eq!(dis.components(), [0; 5]);
        let pair = SymmetricRows::new(2, |f| f(0, 1, 1.0));
        assert_eq!(Weights::Sparse { plus: pair, base: 1.0, sign: -1.0 }.components(), [0, 1]);
    }
}
