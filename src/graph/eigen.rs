//! The normalised Laplacian and its smallest eigenvectors: a dense solver for small graphs, Lanczos for large ones.

use nalgebra::{DMatrix, SymmetricEigen};

use super::affinity::Affinity;
use super::lanczos::{self, Operator};
use super::weights::{BLOCK, Row, Weights};
use crate::error::{Error, Result};

/// Labels up to which the dense solver is the faster one (measured: docs/results.md).
const DENSE_SOLVER_UP_TO: usize = 160;

/// L = I - D^-1/2 P D^-1/2 of an affinity, never formed; all zero for an isolated label.
pub(super) struct Laplacian<'a> {
    weights: &'a Weights,
    degrees: &'a [f64],
    /// d^-1/2, 0 for an isolated label.
    scale: Vec<f64>,
    diagonal: Vec<f64>,
}

impl<'a> Laplacian<'a> {
    pub fn new(affinity: &'a Affinity) -> Self {
        let degrees = affinity.degrees();
        Laplacian {
            weights: affinity.weights(),
            degrees,
            scale: degrees.iter().map(|&d| if d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect(),
            diagonal: degrees.iter().map(|&d| if d > 0.0 { 1.0 - affinity.own() / d } else { 0.0 }).collect(),
        }
    }

    pub fn to_dense(&self) -> DMatrix<f64> {
        let mut matrix = self.weights.to_dense();
        for (j, mut column) in matrix.column_iter_mut().enumerate() {
            for (i, x) in column.iter_mut().enumerate() {
                *x = if i == j { self.diagonal[i] } else { -*x * self.scale[i] * self.scale[j] };
            }
        }
        matrix
    }

    /// What the eigenvalue 0 is known to have: D^1/2 on each connected component, the largest first, at most `k`.
    fn known(&self, k: usize) -> DMatrix<f64> {
        let component = self.weights.components();
        let count = component.iter().max().map_or(0, |&c| c as usize + 1);
        let mut volume = vec![0.0; count];
        let mut size = vec![0usize; count];
        for (i, &c) in component.iter().enumerate() {
            volume[c as usize] += self.degrees[i].max(0.0);
            size[c as usize] += 1;
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| size[b].cmp(&size[a]));
        order.truncate(k);
        let mut known = DMatrix::zeros(component.len(), order.len());
        for (column, &c) in order.iter().enumerate() {
            for i in (0..component.len()).filter(|&i| component[i] as usize == c) {
                known[(i, column)] = if volume[c] > 0.0 { (self.degrees[i].max(0.0) / volume[c]).sqrt() } else { 1.0 };
            }
        }
        known
    }
}

impl Operator for Laplacian<'_> {
    fn len(&self) -> usize {
        self.degrees.len()
    }

    fn apply(&self, x: &[Row], y: &mut [Row]) {
        let scaled: Vec<Row> = x.iter().zip(&self.scale).map(|(row, s)| row.map(|x| x * s)).collect();
        self.weights.apply(&scaled, y);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            for b in 0..BLOCK {
                y[b] = self.diagonal[i] * x[b] - self.scale[i] * y[b];
            }
        }
    }
}

/// Eigenpairs of a symmetric matrix, smallest eigenvalue first.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// k eigenvalues, ascending.
    pub values: Vec<f64>,
    /// m × k, orthonormal columns; of each, the first of its largest entries is positive.
    pub vectors: DMatrix<f64>,
}

/// The `k` smallest eigenpairs of a Laplacian. Signs are fixed, so that the same graph gives the same bits.
///
/// Of a graph that falls apart, the eigenvalue 0 has a vector a connected component, of which the largest count here.
pub(super) fn smallest(laplacian: &Laplacian, k: usize) -> Result<Eigen> {
    let m = laplacian.len();
    // The literal complement's eigenvalue 0 is not that of its components.
    let literal = laplacian.diagonal.iter().any(|&d| d != 0.0 && d != 1.0);
    if m <= DENSE_SOLVER_UP_TO || literal || m < lanczos::least_size(k) + k {
        return smallest_of_dense(&laplacian.to_dense(), k);
    }
    let known = laplacian.known(k);
    let zeros = known.ncols();
    if zeros == k {
        return Ok(Eigen { values: vec![0.0; k], vectors: known });
    }
    let (found, others) = lanczos::smallest(laplacian, k - zeros, &known)?;
    let values = std::iter::repeat_n(0.0, zeros).chain(found).collect();
    let mut vectors = known.resize_horizontally(k, 0.0);
    vectors.columns_mut(zeros, k - zeros).copy_from(&others);
    fix_signs(&mut vectors);
    Ok(Eigen { values, vectors })
}

/// The `k` smallest eigenpairs of the symmetric m × m `laplacian`, by the dense solver.
///
/// Signs are fixed, so that the same matrix gives the same bits; within an eigenvalue that occurs more than once the
/// basis is the solver's.
pub fn smallest_of_dense(laplacian: &DMatrix<f64>, k: usize) -> Result<Eigen> {
    let m = laplacian.nrows();
    if laplacian.ncols() != m || k > m {
        return Err(Error::internal(format!("{k} eigenpairs of a {m} x {} matrix", laplacian.ncols())));
    }
    if m == 0 {
        return Ok(Eigen { values: Vec::new(), vectors: DMatrix::zeros(0, 0) });
    }
    if laplacian.iter().any(|x| !x.is_finite()) {
        return Err(Error::internal("a Laplacian holds a number that is not finite"));
    }
    // Shifted implicit QR takes about two steps an eigenvalue; a hundred mean that something is wrong.
    let all = SymmetricEigen::try_new(laplacian.clone(), f64::EPSILON, 100 * m)
        .ok_or_else(|| Error::internal(format!("the eigenvalues of a {m} x {m} Laplacian did not converge")))?;
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| all.eigenvalues[a].total_cmp(&all.eigenvalues[b]));
    order.truncate(k);
    let values = order.iter().map(|&i| all.eigenvalues[i]).collect();
    let mut vectors = all.eigenvectors.select_columns(&order);
    fix_signs(&mut vectors);
    Ok(Eigen { values, vectors })
}

/// Turns each column so that the first of its largest entries is positive.
fn fix_signs(vectors: &mut DMatrix<f64>) {
    for mut column in vectors.column_iter_mut() {
        let largest = column.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        // Entries that differ by rounding only count as equally large.
        let leads = column.iter().find(|x| x.abs() >= largest * (1.0 - 1e-9));
        if leads.is_some_and(|&x| x < 0.0) {
            column.neg_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{AffinityOptions, Branch, Cooccurrence};

    /// Groups of labels seen together, three labels on their own, and two that share images with nobody else.
    fn counts(m: usize) -> Cooccurrence {
        let labels: Vec<String> = (0..m).map(|i| format!("{i:04}")).collect();
        let mut pairs = vec![0; m * m];
        let mut join = |i: usize, j: usize, n: u64| {
            pairs[i * m + j] = n;
            pairs[j * m + i] = n;
        };
        for i in 5..m {
            for j in 5..i {
                let chance = (i * 7919 + j * 104_729 + i * j) % 97;
                if chance < if i % 6 == j % 6 { 60 } else { 9 } {
                    join(i, j, 1 + chance as u64);
                }
            }
        }
        join(0, 1, 5);
        Cooccurrence::from_parts(&labels, vec![200; m], pairs).unwrap()
    }

    #[test]
    fn lanczos_finds_what_the_dense_solver_finds() {
        let m = 450;
        for branch in [Branch::Co, Branch::Dis] {
            let a = Affinity::new(&counts(m), branch, &AffinityOptions::default()).unwrap();
            let k = 12;
            assert!(m >= lanczos::least_size(k) + k);
            let large = a.smallest(k).unwrap();
            let l = a.laplacian().unwrap();
            let dense = smallest_of_dense(&l, k).unwrap();
            for (x, y) in large.values.iter().zip(&dense.values) {
                assert!((x - y).abs() < 1e-9, "{branch}: {:?} {:?}", large.values, dense.values);
            }
            // The eigenvalue 0: the large component, the pair and three labels on their own.
            assert_eq!(
                large.values.iter().filter(|v| v.abs() < 1e-9).count(),
                if branch == Branch::Co { 5 } else { 1 }
            );
            let gram = large.vectors.transpose() * &large.vectors;
            assert!((gram - DMatrix::identity(k, k)).abs().max() < 1e-9);
            for (j, column) in large.vectors.column_iter().enumerate() {
                assert!((&l * column - column * large.values[j]).norm() < 1e-7);
            }
        }
        let a = Affinity::new(&counts(m), Branch::Co, &AffinityOptions::default()).unwrap();
        assert_eq!(a.smallest(4).unwrap().values, vec![0.0; 4]);
    }

    /// A path of m vertices has the Laplacian eigenvalues 2 - 2 cos(pi j / m).
    #[test]
    fn a_path_graph_has_its_closed_form() {
        let m = 30;
        let l = DMatrix::from_fn(m, m, |i, j| match i.abs_diff(j) {
            0 if i == 0 || i == m - 1 => 1.0,
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        });
        let e = smallest_of_dense(&l, 7).unwrap();
        for (j, value) in e.values.iter().enumerate() {
            assert!((value - (2.0 - 2.0 * (std::f64::consts::PI * j as f64 / m as f64).cos())).abs() < 1e-12);
        }
        let gram = e.vectors.transpose() * &e.vectors;
        assert!((gram - DMatrix::identity(7, 7)).abs().max() < 1e-12);
        for (j, column) in e.vectors.column_iter().enumerate() {
            assert!((&l * column - column * e.values[j]).abs().max() < 1e-12);
            assert!(column[column.iamax()] > 0.0 || (column[0].abs() - column.amax()).abs() < 1e-9);
        }
    }

    #[test]
    fn small_and_bad_matrices() {
        assert!(smallest_of_dense(&DMatrix::zeros(0, 0), 0).unwrap().values.is_empty());
        assert_eq!(smallest_of_dense(&DMatrix::from_element(1, 1, 0.5), 1).unwrap().values, vec![0.5]);
        assert_eq!(smallest_of_dense(&DMatrix::zeros(3, 3), 3).unwrap().values, vec![0.0; 3]);
        assert!(smallest_of_dense(&DMatrix::from_element(2, 2, f64::NAN), 1).is_err());
        assert!(smallest_of_dense(&DMatrix::zeros(2, 2), 3).is_err());
    }
}
