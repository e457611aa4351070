//! The smallest eigenpairs of a large symmetric operator: block Lanczos with thick restarts.

use std::array::from_fn;

use nalgebra::{DMatrix, SymmetricEigen};
use rand::RngExt;
use rayon::prelude::*;

use super::vector_block::{BLOCK, Row, add_combined, products};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::random::{Generator, Use, indexed};

/// A symmetric operator that is applied to [`BLOCK`] vectors at once.
pub trait Operator: Sync {
    /// m, the number of rows.
    fn len(&self) -> usize;
    /// Y = A X; both have m rows.
    fn apply(&self, x: &[Row], y: &mut [Row]);
}

/// Residuals below this part of the spectrum's width count as zero. The error of an eigenvalue is about its square.
const TOLERANCE: f64 = 1e-9;
/// The least width, as a part of the largest eigenvalue: where all eigenvalues are nearly the same, as of a complete graph, rounding is a
/// larger part of their width than [`TOLERANCE`].
const LEAST_WIDTH: f64 = 1e-5;
/// Added blocks after which the search looks whether it is done.
const BLOCKS_PER_CHECK: usize = 5;
/// Applications of the operator after which the search fails.
const MOST_APPLICATIONS: usize = 20_000;
/// Rows of a block that one thread works on at once.
const PIECE: usize = 256;
/// A column whose length falls by this factor in orthogonalisation was in the space already.
const LOST: f64 = 1e-10;

/// How many vectors a search holds.
struct Space {
    /// Those that a restart keeps.
    kept: usize,
    /// Those at which it restarts.
    full: usize,
}

/// From this number of rows on an application of the operator costs so much more than orthogonalisation and the small eigenvalue
/// problems that a larger space pays: both branches at 20,000 labels took 298 applications with the small one, 82 with the
/// large one; at 1,000 labels the large one took half as long again.
const LARGE_FROM: usize = 2048;

impl Space {
    /// That of a search for `k` eigenpairs among m rows.
    fn new(k: usize, m: usize) -> Space {
        let (more, blocks) = if m < LARGE_FROM { (0, 10) } else { (16, 20) };
        let kept = (k + (k / 2).clamp(4, 24) + more).next_multiple_of(BLOCK);
        Space { kept, full: kept + blocks * BLOCK }
    }
}

/// How many rows the solver needs for `k` eigenpairs, in addition to the number of known ones.
pub fn least_size(k: usize) -> usize {
    4 * Space::new(k, 0).full
}

/// The `k` smallest eigenpairs of `operator` orthogonal to the orthonormal `locked` vectors: values ascending, and
/// m × k vectors.
///
/// Wu and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", 2000, with blocks, so that an
/// eigenvalue that occurs up to [`BLOCK`] times is found as often, and with full orthogonalisation. The same operator
/// gives the same bits on any number of threads.
pub fn smallest(operator: &dyn Operator, k: usize, locked: &DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let m = operator.len();
    if m < least_size(k) + locked.ncols() {
        return Err(Error::internal(format!("{k} eigenpairs of {m} labels are for the dense solver")));
    }
    let space = Space::new(k, m);
    let locked: Vec<Vec<Row>> = blocks_of(locked);
    let mut rng = indexed(0, Use::Lanczos, 0);
    let mut basis: Vec<Vec<Row>> = Vec::new();
    let mut projected = DMatrix::<f64>::zeros(space.full, space.full);
    let mut block = vec![[0.0; BLOCK]; m];
    orthonormalise(&mut block, &locked, &basis, &mut rng);
    let mut image = vec![[0.0; BLOCK]; m];
    let progress = (m > 4096).then(|| Progress::new(format!("eigenvectors of {m} labels"), 100, "%"));
    let (mut first_residual, mut shown) = (None, 0);
    for _ in 0..MOST_APPLICATIONS {
        interrupt::check()?;
        operator.apply(&block, &mut image);
        basis.push(std::mem::replace(&mut block, std::mem::take(&mut image)));
        image = vec![[0.0; BLOCK]; m];
        let last = basis.len() - 1;
        // From here on, `block` holds A times the newest block of the basis.
        for (b, coefficients) in project(&basis, &block).iter().enumerate() {
            for (r, row) in coefficients.iter().enumerate() {
                for (c, &x) in row.iter().enumerate() {
                    projected[(b * BLOCK + r, last * BLOCK + c)] = x;
                    projected[(last * BLOCK + c, b * BLOCK + r)] = x;
                }
            }
        }
        let rest = orthonormalise(&mut block, &locked, &basis, &mut rng);
        let size = basis.len() * BLOCK;
        if size <= space.kept || !((size - space.kept) / BLOCK).is_multiple_of(BLOCKS_PER_CHECK) {
            continue;
        }
        let Some(ritz) =
            SymmetricEigen::try_new(projected.view((0, 0), (size, size)).into_owned(), f64::EPSILON, 100 * size)
        else {
            return Err(Error::internal("a small symmetric eigenvalue problem did not converge"));
        };
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| ritz.eigenvalues[a].total_cmp(&ritz.eigenvalues[b]));
        let (lowest, highest) = (ritz.eigenvalues[order[0]], ritz.eigenvalues[order[size - 1]]);
        let width = (highest - lowest).max(LEAST_WIDTH * highest.abs().max(lowest.abs())).max(f64::MIN_POSITIVE);
        let residual = |i: usize| {
            let end = ritz.eigenvectors.column(i);
            let end = end.rows(size - BLOCK, BLOCK);
            (0..BLOCK).map(|r| (0..BLOCK).map(|c| rest[r][c] * end[c]).sum::<f64>().powi(2)).sum::<f64>().sqrt()
        };
        let worst = order[..k].iter().map(|&i| residual(i)).fold(0.0, f64::max) / width;
        let done = worst <= TOLERANCE;
        if let Some(progress) = &progress {
            // Residuals fall by a constant factor per cycle, so their logarithm shows the progress.
            let from = *first_residual.get_or_insert(worst.max(TOLERANCE).ln() + 1.0);
            let now = (100.0 * (from - worst.ln()) / (from - TOLERANCE.ln())).clamp(0.0, 100.0) as u64;
            progress.advance(now.saturating_sub(shown));
            shown = shown.max(now);
        }
        if !done && size < space.full {
            continue;
        }
        let keep = if done { k.next_multiple_of(BLOCK) } else { space.kept };
        basis = combined(&basis, &ritz.eigenvectors.select_columns(&order[..keep]));
        if done {
            progress.into_iter().for_each(Progress::finish);
            let values = order[..k].iter().map(|&i| ritz.eigenvalues[i]).collect();
            let vectors = DMatrix::from_fn(m, k, |i, j| basis[j / BLOCK][i][j % BLOCK]);
            return Ok((values, vectors));
        }
        projected.fill(0.0);
        order[..keep].iter().enumerate().for_each(|(at, &i)| projected[(at, at)] = ritz.eigenvalues[i]);
    }
    Err(Error::internal(format!(
        "the {k} smallest eigenvectors of {m} labels did not converge in {MOST_APPLICATIONS} steps"
    )))
}

/// Bᵀ X for every block B of the basis: entry (r, c) belongs to column r of B and column c of X.
fn project(basis: &[Vec<Row>], x: &[Row]) -> Vec<[Row; BLOCK]> {
    basis.par_iter().map(|block| products(block, x)).collect()
}

/// X − Σ B C over the blocks B of a basis.
fn subtract(x: &mut [Row], basis: &[Vec<Row>], coefficients: &[[Row; BLOCK]]) {
    x.par_chunks_mut(PIECE).enumerate().for_each(|(piece, rows)| {
        for (block, c) in basis.iter().zip(coefficients) {
            add_combined(rows, &block[piece * PIECE..], &c.map(|row| row.map(|c| -c)));
        }
    });
}

/// Makes the columns of `block` orthonormal, and orthogonal to `locked` and `basis`.
///
/// Returns the upper triangle R for which (the old block, projected) = (the new block) R. A column that was in the
/// space already is replaced by a random one, with zeros in R.
fn orthonormalise(block: &mut [Row], locked: &[Vec<Row>], basis: &[Vec<Row>], rng: &mut Generator) -> [Row; BLOCK] {
    let before = lengths(block);
    // Once is not enough in floating point; twice is.
    for _ in 0..2 {
        for space in [locked, basis] {
            let coefficients = project(space, block);
            subtract(block, space, &coefficients);
        }
    }
    let mut triangle = [[0.0; BLOCK]; BLOCK];
    for c in 0..BLOCK {
        let mut replaced = false;
        loop {
            for _ in 0..2 {
                for r in 0..c {
                    let along: f64 = block.iter().map(|row| row[r] * row[c]).sum();
                    block.iter_mut().for_each(|row| row[c] -= along * row[r]);
                    if !replaced {
                        triangle[r][c] += along;
                    }
                }
            }
            let length = block.iter().map(|row| row[c] * row[c]).sum::<f64>().sqrt();
            if length > LOST * if replaced { 1.0 } else { before[c].max(f64::MIN_POSITIVE) } {
                block.iter_mut().for_each(|row| row[c] /= length);
                if !replaced {
                    triangle[c][c] = length;
                }
                break;
            }
            // Another direction, so that the space keeps growing. A zero start block gets here too.
            replaced = true;
            let mut fresh: Vec<Row> = vec![[0.0; BLOCK]; block.len()];
            fresh.iter_mut().for_each(|row| row[c] = rng.random::<f64>() - 0.5);
            for _ in 0..2 {
                for space in [locked, basis] {
                    let coefficients = project(space, &fresh);
                    subtract(&mut fresh, space, &coefficients);
                }
            }
            block.iter_mut().zip(fresh).for_each(|(row, fresh)| row[c] = fresh[c]);
        }
    }
    triangle
}

fn lengths(block: &[Row]) -> Row {
    let mut sums = [0.0; BLOCK];
    block.iter().for_each(|row| (0..BLOCK).for_each(|c| sums[c] += row[c] * row[c]));
    sums.map(f64::sqrt)
}

/// The columns of basis × turn, as blocks.
fn combined(basis: &[Vec<Row>], turn: &DMatrix<f64>) -> Vec<Vec<Row>> {
    let m = basis.first().map_or(0, Vec::len);
    let of = |b: usize| {
        let turns: Vec<[Row; BLOCK]> =
            (0..basis.len()).map(|at| from_fn(|r| from_fn(|c| turn[(at * BLOCK + r, b * BLOCK + c)]))).collect();
        let mut out = vec![[0.0; BLOCK]; m];
        out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, rows)| {
            for (block, turn) in basis.iter().zip(&turns) {
                add_combined(rows, &block[piece * PIECE..], turn);
            }
        });
        out
    };
    (0..turn.ncols() / BLOCK).map(of).collect()
}

/// Columns as blocks, the last one padded with zeros.
fn blocks_of(columns: &DMatrix<f64>) -> Vec<Vec<Row>> {
    let entry = |i: usize, j: usize| if j < columns.ncols() { columns[(i, j)] } else { 0.0 };
    (0..columns.ncols().div_ceil(BLOCK))
        .map(|b| (0..columns.nrows()).map(|i| from_fn(|c| entry(i, b * BLOCK + c))).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Diagonal(Vec<f64>);

    impl Operator for Diagonal {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn apply(&self, x: &[Row], y: &mut [Row]) {
            for ((y, x), d) in y.iter_mut().zip(x).zip(&self.0) {
                *y = x.map(|x| x * d);
            }
        }
    }

    #[test]
    fn eigenvalues_that_occur_often_are_found_as_often() {
        // In a small space and in a large one.
        for m in [1500, LARGE_FROM] {
            let mut values: Vec<f64> = (0..m).map(|i| 1.0 + (i as f64 * 0.7).sin()).collect();
            // Five times -1, three times -0.5.
            for (i, at) in [3, 700, 20, 1400, 999, 42, 77, 1033].into_iter().enumerate() {
                values[at] = if i < 5 { -1.0 } else { -0.5 };
            }
            let (found, vectors) = smallest(&Diagonal(values.clone()), 10, &DMatrix::zeros(m, 0)).unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            assert!(found.iter().zip(&sorted).all(|(a, b)| (a - b).abs() < 1e-10), "{found:?}");
            assert!((vectors.transpose() * &vectors - DMatrix::identity(10, 10)).abs().max() < 1e-10);
            let locked = DMatrix::from_fn(m, 2, |i, j| f64::from(i == [3, 42][j]));
            let (found, _) = smallest(&Diagonal(values), 6, &locked).unwrap();
            let expected = [-1.0, -1.0, -1.0, -1.0, -0.5, -0.5];
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10), "{found:?}");
        }
    }

    /// Any vectors are eigenvectors then, and rounding decides which.
    #[test]
    fn a_spectrum_of_one_value_is_found() {
        for value in [0.0, 1.0, 1.0 / 3.0, -1e-9] {
            let (found, vectors) = smallest(&Diagonal(vec![value; 600]), 10, &DMatrix::zeros(600, 0)).unwrap();
            assert!(found.iter().all(|x| (x - value).abs() <= 1e-14 * value.abs()), "{found:?}");
            assert!((vectors.transpose() * &vectors - DMatrix::identity(10, 10)).abs().max() < 1e-10);
        }
    }
}
