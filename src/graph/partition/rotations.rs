//! Assignment of points to tasks by rotating the axes onto the tasks, without k-means.

use nalgebra::DMatrix;
use rand::RngExt;
use rayon::prelude::*;

use super::task_sizes::fill_empty;
use crate::activity;
use crate::error::{Error, Result};
use crate::graph::spectral::Points;
use crate::random::{Use, indexed};

/// Largest number of rotations, as in scikit-learn.
const ROTATIONS: usize = 20;

/// Pivoted QR (Damle, Minden and Ying, "Simple, direct and efficient multi-way spectral clustering", 2019).
///
/// The k labels that pivoted QR picks span the embedding. The polar factor of their rows rotates the axes onto the
/// tasks, and each label goes to the axis of its largest coordinate.
pub fn cluster_qr(points: &Points, k: usize) -> Result<Vec<usize>> {
    let pivots = pivots(points, k)?;
    let picked = DMatrix::from_fn(k, k, |i, j| points.row(pivots[j])[i]);
    let svd = picked.svd(true, true);
    let (Some(u), Some(vt)) = (svd.u, svd.v_t) else {
        return Err(Error::internal("no singular vectors of a small matrix"));
    };
    let turn = u * vt;
    let mut assignment = largest(points, &turn, true);
    fill_empty(points, &mut assignment, k);
    Ok(assignment)
}

/// The k rows that column-pivoted Gram-Schmidt picks, with the points as columns.
fn pivots(points: &Points, k: usize) -> Result<Vec<usize>> {
    let mut rest: Vec<Vec<f64>> = (0..points.len()).map(|i| points.row(i).to_vec()).collect();
    let mut taken = vec![false; rest.len()];
    let mut pivots = Vec::with_capacity(k);
    let activity = activity::current();
    for _ in 0..k {
        activity.check()?;
        let mut longest = (f64::NEG_INFINITY, 0);
        for (i, row) in rest.iter().enumerate().filter(|(i, _)| !taken[*i]) {
            let length = row.iter().map(|x| x * x).sum::<f64>();
            if length > longest.0 {
                longest = (length, i);
            }
        }
        let (length, pivot) = longest;
        taken[pivot] = true;
        pivots.push(pivot);
        if length > 0.0 {
            let direction: Vec<f64> = rest[pivot].iter().map(|x| x / length.sqrt()).collect();
            for row in &mut rest {
                let along: f64 = row.iter().zip(&direction).map(|(x, d)| x * d).sum();
                row.iter_mut().zip(&direction).for_each(|(x, d)| *x -= along * d);
            }
        }
    }
    Ok(pivots)
}

/// Discretisation (Yu and Shi, "Multiclass spectral clustering", 2003), the best of `restarts` initial rows.
///
/// Alternately rotates unit-length rows towards the nearest 0/1 assignment and assigns anew, until the sum of singular
/// values no longer grows.
pub fn discretize(points: &Points, k: usize, seed: u64, restarts: usize) -> Result<Vec<usize>> {
    let points = unit_rows(points);
    let activity = activity::current();
    let all: Vec<(f64, Vec<usize>)> = (0..restarts)
        .into_par_iter()
        .map(|restart| {
            activity.check()?;
            let first = indexed(seed, Use::Discretize, restart as u64).random_range(0..points.len());
            discretize_from(&points, k, first)
        })
        .collect::<Result<_>>()?;
    let best = all.into_iter().reduce(|a, b| if b.0 > a.0 { b } else { a });
    let (_, mut assignment) = best.ok_or_else(|| Error::internal("discretize had no start"))?;
    fill_empty(&points, &mut assignment, k);
    Ok(assignment)
}

/// Scales columns to length sqrt(m), as in scikit-learn, then rows to unit length.
fn unit_rows(points: &Points) -> Points {
    let (m, dim) = (points.len(), points.dim);
    let mut rows = DMatrix::from_fn(m, dim, |i, j| points.row(i)[j]);
    for mut column in rows.column_iter_mut() {
        let length = column.norm();
        if length > 0.0 {
            column *= (m as f64).sqrt() / length;
        }
    }
    for mut row in rows.row_iter_mut() {
        let length = row.norm();
        if length > 0.0 {
            row /= length;
        }
    }
    Points::from_rows(&rows)
}

fn discretize_from(points: &Points, k: usize, first: usize) -> Result<(f64, Vec<usize>)> {
    let m = points.len();
    let mut turn = DMatrix::<f64>::zeros(k, k);
    // Each further axis is the row most nearly orthogonal to those taken.
    let mut overlap = vec![0.0; m];
    let mut row = first;
    for axis in 0..k {
        turn.column_mut(axis).copy_from_slice(points.row(row));
        for (i, o) in overlap.iter_mut().enumerate() {
            *o += points.row(i).iter().zip(points.row(row)).map(|(x, y)| x * y).sum::<f64>().abs();
        }
        row = (0..m).reduce(|a, b| if overlap[b] < overlap[a] { b } else { a }).unwrap_or(first);
    }
    let mut objective = 0.0;
    let mut assignment = Vec::new();
    for _ in 0..ROTATIONS {
        assignment = largest(points, &turn, false);
        // k × k: the sum of the rows of each task.
        let mut sums = DMatrix::<f64>::zeros(k, k);
        for (i, &t) in assignment.iter().enumerate() {
            for (j, &x) in points.row(i).iter().enumerate() {
                sums[(t, j)] += x;
            }
        }
        let svd = sums.svd(true, true);
        let (Some(u), Some(vt)) = (svd.u, svd.v_t) else {
            return Err(Error::internal("no singular vectors of a small matrix"));
        };
        let sum: f64 = svd.singular_values.iter().sum();
        turn = vt.transpose() * u.transpose();
        if (sum - objective).abs() <= f64::EPSILON * m as f64 {
            break;
        }
        objective = sum;
    }
    Ok((objective, assignment))
}

/// The column of the largest entry in each row of points × turn, by absolute value where `absolute`.
fn largest(points: &Points, turn: &DMatrix<f64>, absolute: bool) -> Vec<usize> {
    let coordinate = |i: usize, t: usize| {
        let x: f64 = points.row(i).iter().zip(turn.column(t).iter()).map(|(x, y)| x * y).sum();
        if absolute { x.abs() } else { x }
    };
    let of = |i| (0..turn.ncols()).map(|t| (coordinate(i, t), t)).reduce(|a, b| if b.0 > a.0 { b } else { a });
    (0..points.len()).map(|i| of(i).map_or(0, |(_, t)| t)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::partition::tasks::by_first_appearance;

    /// Three blocks, turned by an orthogonal matrix and slightly disturbed.
    fn blocks() -> Points {
        let axes = DMatrix::from_fn(3, 3, |i, j| ((i * 5 + j * j * 3 + 1) as f64).sin()).qr().q();
        let rows =
            DMatrix::from_fn(
                30,
                3,
                |i, j| if i / 10 == j { 1.0 + (i % 10) as f64 * 0.01 } else { 0.01 * (i % 3) as f64 },
            );
        Points::from_rows(&(rows * axes))
    }

    #[test]
    fn both_find_blocks_in_any_rotation() {
        let truth: Vec<usize> = (0..30).map(|i| i / 10).collect();
        assert_eq!(by_first_appearance(&cluster_qr(&blocks(), 3).unwrap()), truth);
        assert_eq!(by_first_appearance(&discretize(&blocks(), 3, 0, 5).unwrap()), truth);
    }

    #[test]
    fn no_task_is_empty_even_when_points_coincide() {
        let points = Points::from_rows(&DMatrix::from_element(6, 3, 1.0));
        for mut parts in [cluster_qr(&points, 3).unwrap(), discretize(&points, 3, 0, 2).unwrap()] {
            parts.sort_unstable();
            parts.dedup();
            assert_eq!(parts, vec![0, 1, 2]);
        }
    }
}
