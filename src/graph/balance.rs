//! A bound on the size of tasks.

use super::embedding::{Points, distance2};
use crate::error::{Error, Result};

/// The most labels that a task may hold: `balance` times the even share m / k, rounded up; no bound without it.
///
/// Errors: a `balance` below 1 or not finite.
pub(super) fn most(balance: Option<f64>, m: usize, k: usize) -> Result<usize> {
    match balance {
        None => Ok(m),
        Some(b) if b.is_finite() && b >= 1.0 => Ok(((b * m as f64 / k as f64).ceil() as usize).max(m.div_ceil(k))),
        Some(b) => Err(Error::argument(format!(
            "The balance option of spectral_partition must be a number of at least 1. Got {b} instead."
        ))),
    }
}

/// Moves labels out of tasks of more than `most`, each time those that lose least by it: whose squared distance to the
/// mean of a task with room is least above that to their own.
pub(super) fn even_out(points: &Points, assignment: &mut [usize], k: usize, most: usize) {
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
