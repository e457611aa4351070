//! The stability of a partition: whether other seeds give the same one.

use std::fmt;

use super::clustering_options::PartitionOptions;
use super::spectral_clustering::Cuts;
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
/// Errors: fewer than two seeds, and those of [`spectral_partition`](super::spectral_clustering::spectral_partition).
pub fn stability(affinity: &Affinity, k: usize, options: &PartitionOptions, seeds: &[u64]) -> Result<Stability> {
    if seeds.len() < 2 {
        return Err(Error::argument(format!(
            "The seeds parameter of stability must be a list of at least 2 seeds. Got {} instead.",
            seeds.len()
        )));
    }
    // No seed changes the eigenvectors.
    let cuts = Cuts::of(affinity, k, options)?;
    let of = |&seed: &u64| {
        interrupt::check()?;
        cuts.with_seed(seed)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::spectral_clustering::spectral_partition;
    use super::*;
    use crate::graph::spectral::SOLVED;
    use crate::graph::{AffinityOptions, Branch, Cooccurrence};

    #[test]
    fn the_seeds_share_eigenvectors() {
        // Ten labels in pairs that are seen often, not in alphabetical order.
        let labels: Vec<String> = (0..10).rev().map(|i| format!("l{i}")).collect();
        let (mut offsets, mut indices) = (vec![0], Vec::new());
        for i in 0..60 {
            indices.extend(BTreeSet::from([i % 10, (i % 10) ^ 1, (i * i) % 7]));
            offsets.push(indices.len() as u64);
        }
        let counts = Cooccurrence::count(&labels, &offsets, &indices).unwrap();
        let affinity = Affinity::new(&counts, Branch::Co, &AffinityOptions::default()).unwrap();
        let options = PartitionOptions { restarts: 1, refine: false, ..PartitionOptions::default() };
        let before = SOLVED.get();
        let stable = stability(&affinity, 4, &options, &[1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(SOLVED.get() - before, 1);
        // So do calls one after the other on a graph, and each is that of a graph that was never cut.
        let cuts = Cuts::of(&affinity, 4, &options).unwrap();
        let mut ncuts = Vec::new();
        for seed in 1..7 {
            let of_seed = PartitionOptions { seed, ..options.clone() };
            let before = SOLVED.get();
            assert_eq!(spectral_partition(&affinity, 4, &of_seed).unwrap(), cuts.with_seed(seed).unwrap());
            assert_eq!(SOLVED.get(), before);
            let new = Affinity::new(&counts, Branch::Co, &AffinityOptions::default()).unwrap();
            let alone = spectral_partition(&new, 4, &of_seed).unwrap();
            assert_eq!(SOLVED.get() - before, 1);
            assert_eq!(cuts.with_seed(seed).unwrap(), alone);
            ncuts.extend(alone.ncut());
        }
        let least = ncuts.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!((stable.ncut.0, stable.seeds, ncuts.len()), (least, 6, 6));
        // Another number of tasks has eigenvectors of its own.
        let before = SOLVED.get();
        for k in [3, 5, 3, 5, 4] {
            spectral_partition(&affinity, k, &options).unwrap();
        }
        assert_eq!(SOLVED.get() - before, 2);
    }
}
