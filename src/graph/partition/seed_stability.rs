//! The stability of a partition: whether other seeds give the same one.

use std::fmt;

use super::clustering_options::PartitionOptions;
use super::spectral_clustering::spectral_partition;
use super::tasks::Partition;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::graph::spectral::Affinity;

/// The partitions of several seeds, compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Stability {
    /// Mean adjusted Rand index over all pairs of seeds: 1 if every seed gives the same tasks.
    pub mean_ari: f64,
    /// The number of different partitions.
    pub distinct: usize,
    /// The least and the greatest normalised cut.
    pub ncut: (f64, f64),
    /// The number of seeds.
    pub seeds: usize,
}

/// Partitions with each of `seeds` and compares the results.
///
/// Errors: fewer than two seeds, and those of [`spectral_partition`].
pub fn stability(affinity: &Affinity, k: usize, options: &PartitionOptions, seeds: &[u64]) -> Result<Stability> {
    if seeds.len() < 2 {
        return Err(Error::argument(format!(
            "The seeds parameter of stability must be a list of at least 2 seeds. Got {} instead.",
            seeds.len()
        )));
    }
    let of = |&seed: &u64| {
        interrupt::check()?;
        spectral_partition(affinity, k, &PartitionOptions { seed, ..options.clone() })
    };
    let partitions: Vec<Partition> = seeds.iter().map(of).collect::<Result<_>>()?;
    let mut sum = 0.0;
    for (i, p) in partitions.iter().enumerate() {
        interrupt::check()?;
        for q in &partitions[..i] {
            sum += p.ari(q)?;
        }
    }
    let mut distinct: Vec<&[usize]> = partitions.iter().map(Partition::assignment).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let cuts = || partitions.iter().filter_map(Partition::ncut);
    Ok(Stability {
        mean_ari: sum / (seeds.len() * (seeds.len() - 1) / 2) as f64,
        distinct: distinct.len(),
        ncut: (cuts().fold(f64::INFINITY, f64::min), cuts().fold(f64::NEG_INFINITY, f64::max)),
        seeds: seeds.len(),
    })
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.ncut;
        write!(
            f,
            "{} different partitions from {} seeds, mean ARI {:.4}, normalised cuts {least:.4} to {most:.4}",
            self.distinct, self.seeds, self.mean_ari
        )
    }
}
