//! Does the partition come out again under other seeds, and how many tasks does the graph have?

use super::affinity::Affinity;
use super::partition::Partition;
use super::spectral::{PartitionOptions, spectral_partition};
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// One partition a seed, compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Stability {
    /// Mean adjusted Rand index over all pairs of seeds: 1 if every seed gives the same tasks.
    pub mean_ari: f64,
    /// How many different partitions came out.
    pub distinct: usize,
    /// The least and the greatest normalised cut.
    pub ncut: (f64, f64),
    pub seeds: usize,
}

/// Partitions under each of `seeds` and compares them. Errors: fewer than two seeds, and those of the partition.
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

/// How many tasks the spectrum suggests.
#[derive(Clone, Debug, PartialEq)]
pub struct SuggestedK {
    /// The k of the widest gap.
    pub k: usize,
    /// `(k, λ_{k+1} - λ_k)` for k = 2 up to the largest asked for, eigenvalues counted from 1.
    pub gaps: Vec<(usize, f64)>,
    /// λ_1 ... λ_{max_k + 1}, ascending.
    pub eigenvalues: Vec<f64>,
}

/// The k from 2 to `max_k` behind which the eigenvalues of the normalised Laplacian jump most (von Luxburg 2007, 8.3).
///
/// Errors: `max_k` below 2 or not below the number of labels.
pub fn suggest_k(affinity: &Affinity, max_k: usize) -> Result<SuggestedK> {
    let m = affinity.len();
    if m < 3 {
        return Err(Error::argument(format!("suggest_k needs at least 3 labels; got {m}")));
    }
    if !(2..m).contains(&max_k) {
        return Err(Error::argument(format!(
            "The max_k parameter of suggest_k must be an integer from 2 to {}. Got {max_k} instead.",
            m - 1
        )));
    }
    let (graph, _) = affinity.canonical()?;
    let eigenvalues = graph.smallest(max_k + 1)?.values;
    let gaps: Vec<(usize, f64)> = (2..=max_k).map(|k| (k, eigenvalues[k] - eigenvalues[k - 1])).collect();
    let widest = gaps.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    Ok(SuggestedK { k: widest.map_or(2, |(k, _)| k), gaps, eigenvalues })
}
