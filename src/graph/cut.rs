//! The normalised cut of a partition, what chance would give, and the Calinski-Harabasz score.

use rayon::prelude::*;

use super::affinity::Affinity;
use super::embedding::{Points, distance2};
use super::names;
use super::partition::Partition;
use super::random::{Use, generator, shuffle};
use super::weights::Weights;
use crate::activity;
use crate::error::{Error, Result};

/// Where a cut stands among those of random partitions with the same sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZScore {
    /// (ncut - mean) / standard deviation: far below 0 is good, near 0 no better than chance.
    pub z: f64,
    /// Mean normalised cut of the random partitions.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// How many were drawn.
    pub draws: usize,
}

/// Ncut = Σ_t cut(A_t, rest) / vol(A_t) of a partition on any affinity of the same labels (Shi and Malik 2000).
///
/// From 0 to k; at least the sum of the k smallest eigenvalues of the normalised Laplacian. A task without any weight
/// adds nothing.
pub fn ncut(affinity: &Affinity, partition: &Partition) -> Result<f64> {
    let assignment = on(affinity, partition)?;
    Ok(Graph::new(affinity).ncut(&assignment, partition.k()))
}

/// The cut of a partition against `draws` random partitions of the same sizes.
///
/// `None` where all of those have the same cut (one task, or one label a task). Raw cuts of the dis-occurrence branch
/// differ by 1 % in all; this is what tells them apart. Errors: fewer than two draws, other labels.
pub fn z_score(affinity: &Affinity, partition: &Partition, seed: u64, draws: usize) -> Result<Option<ZScore>> {
    let (affinity, _) = affinity.canonical()?;
    let assignment = on(&affinity, partition)?;
    let graph = Graph::new(&affinity);
    let cut = graph.ncut(&assignment, partition.k());
    graph.z_score(&assignment, partition.k(), cut, seed, draws)
}

/// The task of each of the affinity's labels.
pub(super) fn on(affinity: &Affinity, partition: &Partition) -> Result<Vec<usize>> {
    let place = names::matching(affinity.labels(), partition.labels(), "an affinity and a partition of it")?;
    Ok(place.iter().map(|&i| partition.assignment()[i]).collect())
}

/// What a cut needs of an affinity.
pub(super) struct Graph<'a> {
    pub weights: &'a Weights,
    pub degrees: &'a [f64],
    /// The weight of each label with itself that degrees count.
    pub own: f64,
}

impl<'a> Graph<'a> {
    pub fn new(affinity: &'a Affinity) -> Self {
        Graph { weights: affinity.weights(), degrees: affinity.degrees(), own: affinity.own() }
    }

    pub fn len(&self) -> usize {
        self.degrees.len()
    }

    pub fn ncut(&self, assignment: &[usize], k: usize) -> f64 {
        let mut members = vec![Vec::new(); k];
        for (i, &t) in assignment.iter().enumerate() {
            members[t].push(i);
        }
        let members: Vec<&[usize]> = members.iter().map(Vec::as_slice).collect();
        self.ncut_of(&members)
    }

    /// Over tasks given as lists of positions.
    fn ncut_of(&self, tasks: &[&[usize]]) -> f64 {
        let inside = match self.weights {
            // The pairs within tasks alone are looked at, which are few of all.
            Weights::Dense(matrix) => {
                let of_task = |task: &&[usize]| -> f64 {
                    let pairs = task.iter().enumerate().map(|(at, &i)| {
                        let column = matrix.column(i);
                        let column = column.as_slice();
                        task[..at].iter().map(|&j| column[j]).sum::<f64>()
                    });
                    2.0 * pairs.sum::<f64>()
                };
                tasks.iter().map(of_task).collect()
            }
            Weights::Sparse { .. } => {
                let mut assignment = vec![0u32; self.len()];
                tasks.iter().enumerate().for_each(|(t, task)| task.iter().for_each(|&i| assignment[i] = t as u32));
                self.weights.inside(&assignment, tasks.len())
            }
        };
        let of_task = |(task, inside): (&&[usize], f64)| {
            let volume: f64 = task.iter().map(|&i| self.degrees[i]).sum();
            let inside = inside + self.own * task.len() as f64;
            if volume > 0.0 { (volume - inside) / volume } else { 0.0 }
        };
        tasks.iter().zip(inside).map(of_task).sum()
    }

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
        // By size: the cut of a random partition does not depend on which task is which.
        ends.sort_unstable();
        let mut end = 0;
        ends.iter_mut().for_each(|e| {
            end += *e;
            *e = end;
        });
        let task = activity::current();
        let cuts: Vec<f64> = (0..draws)
            .into_par_iter()
            .with_min_len(8)
            .map(|draw| {
                task.check()?;
                let mut order: Vec<usize> = (0..self.len()).collect();
                shuffle(&mut order, &mut generator(seed, Use::ZScore, draw as u64));
                let tasks = (0..k).map(|t| &order[if t == 0 { 0 } else { ends[t - 1] }..ends[t]]);
                Ok(self.ncut_of(&tasks.collect::<Vec<_>>()))
            })
            .collect::<Result<_>>()?;
        let mean = cuts.iter().sum::<f64>() / draws as f64;
        let sd = (cuts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / (draws - 1) as f64).sqrt();
        if sd <= 1e-12 * mean.abs().max(1.0) {
            return Ok(None);
        }
        Ok(Some(ZScore { z: (cut - mean) / sd, mean, sd, draws }))
    }
}

/// Between-part over within-part variance of the points, each by its degrees of freedom (Calinski and Harabasz 1974).
///
/// Infinite where every point lies on its part's mean.
pub(super) fn calinski_harabasz(points: &Points, assignment: &[usize], k: usize) -> f64 {
    let (m, dim) = (points.len(), points.dim);
    let centroids = points.centroids(assignment, k);
    let centre = points.centroids(&vec![0; m], 1);
    let (mut between, mut within) = (0.0, 0.0);
    for (i, &t) in assignment.iter().enumerate() {
        let centroid = &centroids[t * dim..][..dim];
        between += distance2(centroid, &centre);
        within += distance2(points.row(i), centroid);
    }
    if within == 0.0 { f64::INFINITY } else { between * (m as f64 - k as f64) / (within * (k as f64 - 1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{AffinityOptions, Branch, Cooccurrence};
    use nalgebra::DMatrix;

    /// Two cliques of three, joined by one weak edge.
    fn affinity() -> Affinity {
        let labels: Vec<String> = (0..6).map(|i| format!("l{i}")).collect();
        let mut pairs = vec![0; 36];
        for i in 0..6 {
            for j in 0..6 {
                pairs[i * 6 + j] = if i == j {
                    0
                } else if i / 3 == j / 3 {
                    16
                } else if i + j == 5 && i.abs_diff(j) == 1 {
                    4
                } else {
                    0
                };
            }
        }
        let counts = Cooccurrence::from_parts(&labels, vec![16; 6], pairs).unwrap();
        Affinity::new(&counts, Branch::Co, &AffinityOptions::default()).unwrap()
    }

    #[test]
    fn the_cut_of_two_cliques_in_closed_form() {
        let a = affinity();
        let p = Partition::trusted(a.labels().clone(), &[0, 0, 0, 1, 1, 1]);
        // Weights 1 within, sqrt(4/16) = 1/2 across: each side is cut by 1/2 of a volume of 6 + 1/2.
        assert!((ncut(&a, &p).unwrap() - 2.0 * 0.5 / 6.5).abs() < 1e-15);
        let all = Partition::trusted(a.labels().clone(), &[0; 6]);
        assert!(ncut(&a, &all).unwrap().abs() < 1e-15);
        assert_eq!(z_score(&a, &all, 0, 50).unwrap(), None);
        let each = Partition::trusted(a.labels().clone(), &[0, 1, 2, 3, 4, 5]);
        assert!((ncut(&a, &each).unwrap() - 6.0).abs() < 1e-15);
        let z = z_score(&a, &p, 0, 200).unwrap().unwrap();
        assert!(z.z < -2.0 && z.mean > 0.5);
        assert_eq!(z_score(&a, &p, 0, 200).unwrap(), Some(z));
        assert!(z_score(&a, &p, 0, 1).is_err());
    }

    /// Between 25 over 1, within 4 over 2.
    #[test]
    fn calinski_harabasz_in_closed_form() {
        let points = Points::from_rows(&DMatrix::from_row_slice(4, 1, &[0.0, 2.0, 5.0, 7.0]));
        assert!((calinski_harabasz(&points, &[0, 0, 1, 1], 2) - 12.5).abs() < 1e-12);
    }
}
