//! The normalised cut of an assignment of labels to tasks, and its z score among random ones.

use std::array::from_fn;

use rayon::prelude::*;

use crate::activity;
use crate::error::{Error, Result};
use crate::graph::spectral::{Affinity, Weights};
use crate::random::{Use, indexed, shuffle};

/// Divisions for which the weights are read once: as many as two vectors of AVX2 hold sums.
const AT_ONCE: usize = 8;

/// A cut compared with those of random partitions of the same sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZScore {
    /// (ncut - mean) / standard deviation: far below 0 is good, near 0 no better than chance.
    pub z: f64,
    /// Mean normalised cut of the random partitions.
    pub mean: f64,
    /// Standard deviation of those cuts.
    pub sd: f64,
    /// Number of random partitions.
    pub draws: usize,
}

/// The tasks of an order of labels: task t ends before `ends[t]`.
fn tasks_of<'a>(order: &'a [usize], ends: &[usize]) -> Vec<&'a [usize]> {
    (0..ends.len()).map(|t| &order[if t == 0 { 0 } else { ends[t - 1] }..ends[t]]).collect()
}

/// The parts of an affinity that cuts are computed from.
pub struct Graph<'a> {
    pub weights: &'a Weights,
    pub degrees: &'a [f64],
    /// The weight of a label with itself that its degree counts.
    pub own: f64,
}

impl<'a> Graph<'a> {
    pub fn new(affinity: &'a Affinity) -> Self {
        Graph { weights: affinity.weights(), degrees: affinity.degrees(), own: affinity.own() }
    }

    pub fn len(&self) -> usize {
        self.degrees.len()
    }

    /// The normalised cut of an assignment to `k` tasks.
    pub fn ncut(&self, assignment: &[usize], k: usize) -> f64 {
        let mut members = vec![Vec::new(); k];
        for (i, &t) in assignment.iter().enumerate() {
            members[t].push(i);
        }
        self.ncuts_of(&[members.iter().map(Vec::as_slice).collect()])[0]
    }

    /// The normalised cuts of up to [`AT_ONCE`] divisions into tasks, which are lists of positions.
    fn ncuts_of(&self, divisions: &[Vec<&[usize]>]) -> Vec<f64> {
        let k = divisions.first().map_or(0, Vec::len);
        let inside: Vec<[f64; AT_ONCE]> = match self.weights {
            // Only the pairs within tasks are read, a small part of all.
            Weights::Dense(matrix) => {
                let of_task = |task: &[usize]| -> f64 {
                    let pairs = task.iter().enumerate().map(|(at, &i)| {
                        let column = matrix.column(i);
                        let column = column.as_slice();
                        task[..at].iter().map(|&j| column[j]).sum::<f64>()
                    });
                    2.0 * pairs.sum::<f64>()
                };
                (0..k).map(|t| from_fn(|n| divisions.get(n).map_or(0.0, |tasks| of_task(tasks[t])))).collect()
            }
            Weights::Sparse { .. } => {
                let mut assignments = vec![[0; AT_ONCE]; self.len()];
                for (n, tasks) in divisions.iter().enumerate() {
                    for (t, task) in tasks.iter().enumerate() {
                        task.iter().for_each(|&i| assignments[i][n] = t as u32);
                    }
                }
                self.weights.inside(&assignments, k)
            }
        };
        let of_task = |(task, inside): (&&[usize], f64)| {
            let volume: f64 = task.iter().map(|&i| self.degrees[i]).sum();
            let inside = inside + self.own * task.len() as f64;
            if volume > 0.0 { (volume - inside) / volume } else { 0.0 }
        };
        let of = |(n, tasks): (usize, &Vec<&[usize]>)| {
            tasks.iter().zip(inside.iter().map(|sums| sums[n])).map(of_task).sum()
        };
        divisions.iter().enumerate().map(of).collect()
    }

    /// The z score of `cut`, which is that of the assignment. See [`z_score`](super::z_score()).
    pub fn z_score(&self, assignment: &[usize], k: usize, cut: f64, seed: u64, draws: usize) -> Result<Option<ZScore>> {
        if draws < 2 {
            return Err(Error::argument(format!(
                "The draws parameter of z_score must be an integer of at least 2. Got {draws} instead."
            )));
        }
        if k <= 1 || k >= self.len() {
            return Ok(None);
        }
        let mut ends = vec![0; k];
        assignment.iter().for_each(|&t| ends[t] += 1);
        // Sorted by size: the cut of a random partition does not depend on the order of its tasks.
        ends.sort_unstable();
        let mut end = 0;
        ends.iter_mut().for_each(|e| {
            end += *e;
            *e = end;
        });
        let order_of = |draw: usize| {
            let mut order: Vec<usize> = (0..self.len()).collect();
            shuffle(&mut order, &mut indexed(seed, Use::ZScore, draw as u64));
            order
        };
        let activity = activity::current();
        let some = |draws: Vec<usize>| {
            activity.check()?;
            let orders: Vec<Vec<usize>> = draws.into_iter().map(order_of).collect();
            let divided: Vec<Vec<&[usize]>> = orders.iter().map(|order| tasks_of(order, &ends)).collect();
            Ok(self.ncuts_of(&divided))
        };
        let cuts = (0..draws).into_par_iter().chunks(AT_ONCE).map(some).collect::<Result<Vec<_>>>()?.concat();
        let mean = cuts.iter().sum::<f64>() / draws as f64;
        let sd = (cuts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / (draws - 1) as f64).sqrt();
        if sd <= 1e-12 * mean.abs().max(1.0) {
            return Ok(None);
        }
        Ok(Some(ZScore { z: (cut - mean) / sd, mean, sd, draws }))
    }
}
