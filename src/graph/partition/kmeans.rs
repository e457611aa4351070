//! k-means: greedy k-means++ seeding, Lloyd's steps, parallel restarts, no empty part.

use std::array::from_fn;

use rand::RngExt;
use rayon::prelude::*;

use super::task_sizes::fill_empty;
use crate::activity::{self, Activity};
use crate::error::Result;
use crate::graph::spectral::{Points, distance2, for_wide_vectors};
use crate::random::{Generator, Use, indexed};

/// A local optimum.
#[derive(Clone, Debug)]
pub struct Clustering {
    /// The part of each point; none of the k parts is empty.
    pub assignment: Vec<usize>,
    /// Σ of squared distances to the mean of the part.
    pub inertia: f64,
}

/// Largest number of Lloyd's steps, as in scikit-learn.
const STEPS: usize = 300;

/// `restarts` local optima, in order. The number of the first one among all restarts of this seed is `first`.
pub fn restarts(points: &Points, k: usize, seed: u64, first: usize, restarts: usize) -> Result<Vec<Clustering>> {
    let activity = activity::current();
    (first..first + restarts)
        .into_par_iter()
        .map(|restart| run(points, k, &mut indexed(seed, Use::KMeans, restart as u64), &activity))
        .collect()
}

/// The one of least inertia; of equal ones the first.
pub fn best(of: &[Clustering]) -> Option<&Clustering> {
    of.iter().reduce(|a, b| if b.inertia < a.inertia { b } else { a })
}

fn run(points: &Points, k: usize, rng: &mut Generator, activity: &Activity) -> Result<Clustering> {
    let (m, dim) = (points.len(), points.dim);
    let mut centroids = seeds(points, k, rng);
    let mut assignment = vec![0; m];
    let mut previous = Vec::new();
    for _ in 0..STEPS {
        activity.check()?;
        Nearest::new(&centroids, dim).to_all(points, &mut assignment);
        fill_empty(points, &mut assignment, k);
        centroids = points.centroids(&assignment, k);
        if assignment == previous {
            break;
        }
        previous.clone_from(&assignment);
    }
    let inertia = (0..m).map(|i| distance2(points.row(i), &centroids[assignment[i] * dim..][..dim])).sum();
    Ok(Clustering { assignment, inertia })
}

/// Finds the nearest of k points; of equally near ones the first.
pub struct Nearest {
    /// For each [`LANES`] of the points, coordinate by coordinate, theirs; infinite behind the last one.
    lanes: Vec<[f64; LANES]>,
    dim: usize,
}

/// Distances that are summed at once.
const LANES: usize = 8;

impl Nearest {
    /// `centroids` is k × `dim`, row-major.
    pub fn new(centroids: &[f64], dim: usize) -> Self {
        let k = centroids.len() / dim;
        let coordinate = |t: usize, d: usize| if t < k { centroids[t * dim + d] } else { f64::INFINITY };
        let lanes = (0..k.div_ceil(LANES) * dim)
            .map(|at| from_fn(|lane| coordinate(at / dim * LANES + lane, at % dim)))
            .collect();
        Nearest { lanes, dim }
    }

    pub fn to(&self, point: &[f64]) -> usize {
        nearest(&self.lanes, self.dim, point)
    }

    /// That to each point.
    pub fn to_all(&self, points: &Points, parts: &mut [usize]) {
        all_nearest(&self.lanes, self.dim, points, parts);
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop)]
fn nearest(lanes: &[[f64; LANES]], dim: usize, point: &[f64]) -> usize {
    let mut best = (f64::INFINITY, 0);
    for block in 0..lanes.len() / dim {
        let of_block = &lanes[block * dim..][..dim];
        let mut distances = [0.0; LANES];
        for d in 0..dim {
            let (x, of_centroids) = (point[d], &of_block[d]);
            for lane in 0..LANES {
                distances[lane] += (x - of_centroids[lane]) * (x - of_centroids[lane]);
            }
        }
        for lane in 0..LANES {
            if distances[lane] < best.0 {
                best = (distances[lane], block * LANES + lane);
            }
        }
    }
    best.1
}

for_wide_vectors! {
    fn all_nearest(lanes: &[[f64; LANES]], dim: usize, points: &Points, parts: &mut [usize]) {
        for i in 0..parts.len() {
            parts[i] = nearest(lanes, dim, points.row(i));
        }
    }
}

/// Greedy k-means++ (Arthur and Vassilvitskii 2007, section 6): each seed is the best of 2 + ln k candidates.
fn seeds(points: &Points, k: usize, rng: &mut Generator) -> Vec<f64> {
    let m = points.len();
    let candidates = 2 + (k as f64).ln() as usize;
    let first = rng.random_range(0..m);
    let mut centroids = points.row(first).to_vec();
    let mut near: Vec<f64> = (0..m).map(|i| distance2(points.row(i), points.row(first))).collect();
    for _ in 1..k {
        let total: f64 = near.iter().sum();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..candidates {
            let pick = draw(&near, total * rng.random::<f64>());
            let then = nearer(points, &near, points.row(pick));
            let sum = then.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                best = Some((sum, pick, then));
            }
        }
        if let Some((_, pick, then)) = best {
            centroids.extend_from_slice(points.row(pick));
            near = then;
        }
    }
    centroids
}

for_wide_vectors! {
    /// The squared distances `near`, or those to `point` where they are less.
    fn nearer(points: &Points, near: &[f64], point: &[f64]) -> Vec<f64> {
        let mut then = vec![0.0; near.len()];
        for i in 0..near.len() {
            then[i] = near[i].min(distance2(points.row(i), point));
        }
        then
    }
}

/// The first position where the running sum of `weights` exceeds `target`.
fn draw(weights: &[f64], target: f64) -> usize {
    let mut sum = 0.0;
    for (i, w) in weights.iter().enumerate() {
        sum += w;
        if sum > target {
            return i;
        }
    }
    weights.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn three_far_groups_are_found() {
        let centre = [(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)];
        let rows = DMatrix::from_fn(30, 2, |i, j| {
            let (x, y) = centre[i % 3];
            [x, y][j] + (i / 3) as f64 * 0.01
        });
        let points = Points::from_rows(&rows);
        let all = restarts(&points, 3, 0, 0, 5).unwrap();
        let best = best(&all).unwrap();
        assert!((0..30).all(|i| best.assignment[i] == best.assignment[i % 3]));
        // Each group: Σ (0.01 (i - 4.5))^2 over i = 0..10, in two dimensions.
        assert!((best.inertia - 3.0 * 2.0 * 82.5 * 1e-4).abs() < 1e-12);
    }

    #[test]
    fn no_part_is_empty_even_when_points_coincide() {
        let points = Points::from_rows(&DMatrix::from_element(6, 2, 1.0));
        for clustering in restarts(&points, 4, 3, 0, 8).unwrap() {
            let mut parts = clustering.assignment.clone();
            parts.sort_unstable();
            parts.dedup();
            assert_eq!(parts, vec![0, 1, 2, 3]);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bits() {
        let rows = DMatrix::from_fn(40, 3, |i, j| ((i * 7 + j * 13) % 17) as f64);
        let points = Points::from_rows(&rows);
        let of = |seed| {
            let all = restarts(&points, 5, seed, 0, 10).unwrap();
            all.into_iter().map(|c| (c.assignment, c.inertia.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
    }
}
