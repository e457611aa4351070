//! Scores of a partition on any affinity of the same labels.

use super::kmeans;
use super::normalised_cut::{Graph, ZScore};
use super::tasks::Partition;
use crate::error::Result;
use crate::graph::label_names;
use crate::graph::spectral::{Affinity, Embedding, Points};

/// Ncut = Σ_t cut(A_t, rest) / vol(A_t) of a partition on any affinity of the same labels (Shi and Malik 2000).
///
/// It is from 0 to k, and at least the sum of the k smallest eigenvalues of the normalised Laplacian. A task without
/// any weight adds nothing.
pub fn ncut(affinity: &Affinity, partition: &Partition) -> Result<f64> {
    let assignment = on(affinity, partition)?;
    Ok(Graph::new(affinity).ncut(&assignment, partition.k()))
}

/// The normalised cut of a partition, compared with `draws` random partitions of the same sizes.
///
/// `None` where all of those have the same cut (a single task, or one label per task). Cuts of the dis-occurrence branch
/// differ by 1 % in all, and only this score tells them apart. Errors: fewer than two draws, other labels.
pub fn z_score(affinity: &Affinity, partition: &Partition, seed: u64, draws: usize) -> Result<Option<ZScore>> {
    let (affinity, _) = affinity.canonical()?;
    let assignment = on(&affinity, partition)?;
    let graph = Graph::new(&affinity);
    let cut = graph.ncut(&assignment, partition.k());
    graph.z_score(&assignment, partition.k(), cut, seed, draws)
}

/// The task of each label of the affinity.
fn on(affinity: &Affinity, partition: &Partition) -> Result<Vec<usize>> {
    let place = label_names::matching(affinity.labels(), partition.labels(), "an affinity and a partition of it")?;
    Ok(place.iter().map(|&i| partition.assignment()[i]).collect())
}

/// The number of labels nearer to the mean of another task than to that of their own, in an embedding of k eigenvectors.
///
/// It is 0 where the partition is a fixed point of Lloyd's k-means: a test of how a published partition was made that
/// needs no random numbers.
pub fn lloyd_mismatches(affinity: &Affinity, partition: &Partition, embedding: Embedding) -> Result<usize> {
    let assignment = on(affinity, partition)?;
    let vectors = affinity.smallest(partition.k())?.vectors;
    let points = Points::embed(&vectors, affinity.degrees(), embedding, affinity.branch());
    let centroids = points.centroids(&assignment, partition.k());
    let nearest = kmeans::Nearest::new(&centroids, points.dim);
    Ok((0..points.len()).filter(|&i| nearest.to(points.row(i)) != assignment[i]).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{AffinityOptions, Branch, Cooccurrence};

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
}
