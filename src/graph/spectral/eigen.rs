//! The smallest eigenpairs of a Laplacian: a dense solver for small graphs, Lanczos for large ones.

use nalgebra::{DMatrix, SymmetricEigen};

use super::lanczos::{self, Operator};
use super::laplacian::Laplacian;
use super::vector_block::{BLOCK, Row};
use crate::error::{Error, Result};

/// Largest number of labels for which the dense solver is faster (measured: docs/results/speed.md).
const DENSE_SOLVER_UP_TO: usize = 160;

/// Largest number of labels of which the dense solver finds many: nothing interrupts it, and 0.92 s at 1,000 labels make eight at 2,048.
const DENSE_SOLVER_ALLOWED_UP_TO: usize = 2048;

#[cfg(test)]
thread_local! {
    /// How many Laplacians this thread has solved.
    pub static SOLVED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Eigenpairs of a symmetric matrix, smallest eigenvalue first.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// k eigenvalues, ascending.
    pub values: Vec<f64>,
    /// m × k, orthonormal columns; the first of the largest entries of each column is positive.
    pub vectors: DMatrix<f64>,
}

/// The `k` smallest eigenpairs of a Laplacian. Signs are fixed, so that the same graph gives the same bits.
///
/// Where a graph falls apart, the eigenvalue 0 has one vector per connected component; the largest components come
/// first. Errors: of more than [`DENSE_SOLVER_ALLOWED_UP_TO`] labels more eigenpairs than Lanczos finds, or a graph whose labels have a weight with
/// themselves.
pub fn smallest(laplacian: &Laplacian, k: usize) -> Result<Eigen> {
    #[cfg(test)]
    SOLVED.set(SOLVED.get() + 1);
    let m = laplacian.len();
    let dense = || smallest_of_dense(&laplacian.to_dense(), k);
    let is_for_lanczos = |k: usize| m >= lanczos::least_size(k) + k;
    if m > DENSE_SOLVER_ALLOWED_UP_TO && !is_for_lanczos(k) {
        let most = (1..k).rev().find(|&k| is_for_lanczos(k)).unwrap_or_default();
        return Err(Error::argument(format!(
            "of the graph of {m} labels at most {most} eigenvectors are found; {k} are needed"
        ))
        .with_help("fewer tasks need fewer eigenvectors"));
    }
    if m <= DENSE_SOLVER_UP_TO || !is_for_lanczos(k) {
        return dense();
    }
    let Some(known) = laplacian.known(k) else {
        if m > DENSE_SOLVER_ALLOWED_UP_TO {
            return Err(Error::argument(format!(
                "eigenvectors of a graph whose labels have a weight with themselves are found for at most {DENSE_SOLVER_ALLOWED_UP_TO} labels; there are {m}"
            ))
            .with_help("complement \"ones\" gives labels no such weight"));
        }
        return dense();
    };
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
/// Signs are fixed, so that the same matrix gives the same bits. The solver chooses the basis of an eigenvalue that
/// occurs more than once.
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
    // Shifted implicit QR takes about two steps per eigenvalue; a hundred mean that something is wrong.
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

/// The largest eigenvalue of a symmetric operator with at least one row, and its vector of length 1. The first of the vector's
/// largest entries is positive.
///
/// Errors: Interrupted.
pub fn largest(operator: &dyn Operator) -> Result<(f64, Vec<f64>)> {
    let m = operator.len();
    let negative = Negative(operator);
    let (value, mut vector) = match m <= DENSE_SOLVER_UP_TO || m < lanczos::least_size(1) {
        true => {
            let Eigen { values, vectors } = smallest_of_dense(&dense(&negative), 1)?;
            (values[0], vectors)
        }
        false => {
            let (values, vectors) = lanczos::smallest(&negative, 1, &DMatrix::zeros(m, 0))?;
            (values[0], vectors)
        }
    };
    fix_signs(&mut vector);
    Ok((-value, vector.iter().copied().collect()))
}

struct Negative<'a>(&'a dyn Operator);

impl Operator for Negative<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn apply(&self, x: &[Row], y: &mut [Row]) {
        self.0.apply(x, y);
        y.iter_mut().for_each(|row| *row = row.map(|y| -y));
    }
}

/// The matrix of an operator.
fn dense(operator: &dyn Operator) -> DMatrix<f64> {
    let m = operator.len();
    let mut matrix = DMatrix::zeros(m, m);
    for from in (0..m).step_by(BLOCK) {
        let mut y = vec![[0.0; BLOCK]; m];
        let x: Vec<Row> = (0..m).map(|i| std::array::from_fn(|c| f64::from(i == from + c))).collect();
        operator.apply(&x, &mut y);
        for (i, row) in y.iter().enumerate() {
            (from..m.min(from + BLOCK)).for_each(|j| matrix[(i, j)] = row[j - from]);
        }
    }
    matrix
}

/// Turns each column so that the first of its largest entries is positive.
fn fix_signs(vectors: &mut DMatrix<f64>) {
    for mut column in vectors.column_iter_mut() {
        let largest = column.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        // Entries that differ only by rounding count as equally large.
        let leads = column.iter().find(|x| x.abs() >= largest * (1.0 - 1e-9));
        if leads.is_some_and(|&x| x < 0.0) {
            column.neg_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
