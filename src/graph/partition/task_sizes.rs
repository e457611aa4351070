//! Bounds on the sizes of tasks: none empty, none too large.

use crate::error::{Error, Result};
use crate::graph::spectral::{Points, distance2};

/// The largest allowed size of a task: `balance` times the even share m / k, rounded up; no bound without `balance`.
///
/// Errors: a `balance` below 1 or not finite.
pub fn most(balance: Option<f64>, m: usize, k: usize) -> Result<usize> {
    match balance {
        None => Ok(m),
        Some(b) if b.is_finite() && b >= 1.0 => Ok(((b * m as f64 / k as f64).ceil() as usize).max(m.div_ceil(k))),
        Some(b) => Err(Error::argument(format!(
            "The balance option of spectral_partition must be a number of at least 1. Got {b} instead."
        ))
        .about_option("balance")),
    }
}

/// Moves labels out of tasks of more than `most` labels.
///
/// Those labels move first that lose least: the loss is the squared distance to the mean of the nearest task with room,
/// minus that to the mean of their own task.
pub fn even_out(points: &Points, assignment: &mut [usize], k: usize, most: usize) {
    let mut sizes = vec![0usize; k];
    assignment.iter().for_each(|&t| sizes[t] += 1);
    let centroids = points.centroids(assignment, k);
    let distance = |i: usize, t: usize| distance2(points.row(i), &centroids[t * points.dim..][..points.dim]);
    while sizes.iter().any(|&n| n > most) {
        let mut moves: Vec<(f64, usize, usize)> = Vec::new();
        for (i, &from) in assignment.iter().enumerate().filter(|(_, t)| sizes[**t] > most) {
            let own = distance(i, from);
            let open = (0..k).filter(|&t| sizes[t] < most).map(|t| (distance(i, t) - own, t));
            if let Some((loss, to)) = open.reduce(|a, b| if b.0 < a.0 { b } else { a }) {
                moves.push((loss, i, to));
            }
        }
        moves.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, i, to) in moves {
            let from = assignment[i];
            if sizes[from] > most && sizes[to] < most {
                sizes[from] -= 1;
                sizes[to] += 1;
                assignment[i] = to;
            }
        }
    }
}

/// Moves a point into each empty task: the one farthest from the mean of its own task, if that keeps another point.
pub fn fill_empty(points: &Points, assignment: &mut [usize], k: usize) {
    let mut sizes = vec![0usize; k];
    assignment.iter().for_each(|&t| sizes[t] += 1);
    while let Some(empty) = sizes.iter().position(|&n| n == 0) {
        let centroids = points.centroids(assignment, k);
        let mut farthest: Option<(f64, usize)> = None;
        for (i, &t) in assignment.iter().enumerate() {
            let d = distance2(points.row(i), &centroids[t * points.dim..][..points.dim]);
            if sizes[t] > 1 && farthest.is_none_or(|(most, _)| d > most) {
                farthest = Some((d, i));
            }
        }
        // Otherwise there are fewer points than tasks, which callers exclude.
        let Some((_, i)) = farthest else { return };
        sizes[assignment[i]] -= 1;
        sizes[empty] = 1;
        assignment[i] = empty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn the_nearest_labels_move() {
        // Six labels at 0 to 5 in one task, one at 7 in the other: the farthest to the right move.
        let at = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
        let points = Points::from_rows(&DMatrix::from_row_slice(7, 1, &at));
        let mut assignment = vec![0, 0, 0, 0, 0, 0, 1];
        even_out(&points, &mut assignment, 2, 4);
        assert_eq!(assignment, [0, 0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn the_bound_is_never_below_an_even_share() {
        assert_eq!(most(Some(1.0), 10, 4).unwrap(), 3);
        assert_eq!(most(Some(1.2), 80, 5).unwrap(), 20);
        assert_eq!(most(None, 80, 5).unwrap(), 80);
        for b in [0.9, f64::NAN, f64::INFINITY] {
            assert!(most(Some(b), 10, 2).unwrap_err().message.contains("at least 1"));
        }
    }
}
