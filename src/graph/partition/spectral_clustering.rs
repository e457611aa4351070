//! Spectral clustering of a label graph: all steps from affinity to partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::calinski_harabasz::calinski_harabasz;
use super::clustering_options::{Assign, PartitionOptions};
use super::normalised_cut::Graph;
use super::refine::refine;
use super::tasks::{Partition, by_first_appearance, check_k};
use super::{kmeans, rotations, task_sizes};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::graph::spectral::{Affinity, Eigen, Embedding, Points, Preset};

/// Number of random partitions for the z score of a partition, and the seed they are drawn with.
const Z_DRAWS: usize = 200;
const Z_SEED: u64 = 0;
/// Number of weights that are read for all of them; graphs with many weights get fewer random partitions, at least 20.
const Z_WEIGHTS: usize = 30_000_000;
const LEAST_Z_DRAWS: usize = 20;

/// Largest number of labels for which refinement starts from every local optimum of k-means, and not only the best.
const MANY_STARTS_UP_TO: usize = 1000;

/// The authors' selection: number of runs, and restarts per run.
const AUTHORS_RUNS: usize = 4;
const AUTHORS_RESTARTS: usize = 20;

/// Cuts a label graph into `k` tasks by the k smallest eigenvectors of its normalised Laplacian.
///
/// The same graph, k and options give the same tasks on any number of threads and in any order of labels. No task is
/// empty. Errors: k = 0 or above the number of labels, no restarts, options that contradict the preset.
pub fn spectral_partition(affinity: &Affinity, k: usize, options: &PartitionOptions) -> Result<Partition> {
    Cuts::of(affinity, k, options)?.with_seed(options.seed)
}

/// What the partitions of one graph share, whatever their seeds.
pub(super) struct Cuts<'a> {
    affinity: &'a Affinity,
    k: usize,
    options: &'a PartitionOptions,
    /// The most labels of a task.
    most: usize,
    /// In alphabetical order, so that the result does not depend on label order.
    graph: Affinity,
    /// The place in `affinity` of each of its labels.
    order: Vec<usize>,
    /// None where each label or all of them are a task.
    eigen: Option<Arc<Eigen>>,
}

impl<'a> Cuts<'a> {
    /// Errors: those of [`spectral_partition`].
    pub(super) fn of(affinity: &'a Affinity, k: usize, options: &'a PartitionOptions) -> Result<Self> {
        let m = affinity.len();
        check_k("spectral_partition", k, m)?;
        options.validate()?;
        let most = task_sizes::most(options.balance, m, k)?;
        let (graph, order) = affinity.canonical()?;
        let eigen = if k == 1 || k == m { None } else { Some(affinity.smallest_of(&graph, k)?) };
        Ok(Cuts { affinity, k, options, most, graph, order, eigen })
    }

    /// The partition that the options and this seed give.
    pub(super) fn with_seed(&self, seed: u64) -> Result<Partition> {
        let Cuts { affinity, k, most, graph, .. } = self;
        let (m, k) = (affinity.len(), *k);
        let options = PartitionOptions { seed, ..self.options.clone() };
        let assignment = match &self.eigen {
            None if k == 1 => vec![0; m],
            None => (0..m).collect(),
            Some(eigen) => cut(graph, eigen, k, *most, &options)?,
        };
        let of_cut = Graph::new(graph);
        let ncut = of_cut.ncut(&assignment, k);
        let z = of_cut.z_score(&assignment, k, ncut, Z_SEED, z_draws(graph))?;
        let mut here = vec![0; m];
        for (&place, &task) in self.order.iter().zip(&assignment) {
            here[place] = task;
        }
        let partition = Partition::trusted(affinity.labels().clone(), &here).with_seed(seed);
        Ok(partition.with_cut(affinity.branch(), ncut, z, affinity.isolated()))
    }
}

fn z_draws(affinity: &Affinity) -> usize {
    (Z_WEIGHTS / affinity.weights().num_held().max(1)).clamp(LEAST_Z_DRAWS, Z_DRAWS)
}

fn cut(affinity: &Affinity, eigen: &Eigen, k: usize, most: usize, options: &PartitionOptions) -> Result<Vec<usize>> {
    let embed = |embedding| Points::embed(&eigen.vectors, affinity.degrees(), embedding, affinity.branch());
    let missing = || Error::internal("k-means gave no clustering");
    let (mut chosen, starts) = match (options.preset, options.assign) {
        (Some(Preset::Authors), _) => {
            let points = embed(Embedding::Rw);
            let all = kmeans::restarts(&points, k, options.seed, 0, AUTHORS_RUNS * AUTHORS_RESTARTS)?;
            let rows = Points::from_rows(&affinity.with_diagonal()?);
            let runs = all.chunks(AUTHORS_RESTARTS).filter_map(kmeans::best);
            let scored = runs.map(|c| (calinski_harabasz(&rows, &c.assignment, k), c));
            let best = scored.reduce(|a, b| if b.0 > a.0 { b } else { a }).ok_or_else(missing)?;
            (best.1.assignment.clone(), all)
        }
        (None, Assign::Kmeans) => {
            let all = kmeans::restarts(&embed(options.embedding), k, options.seed, 0, options.restarts)?;
            (kmeans::best(&all).ok_or_else(missing)?.assignment.clone(), all)
        }
        (None, Assign::Discretize) => {
            (rotations::discretize(&embed(options.embedding), k, options.seed, options.restarts)?, Vec::new())
        }
        (None, Assign::ClusterQr) => (rotations::cluster_qr(&embed(options.embedding), k)?, Vec::new()),
    };
    let points = embed(options.embedding);
    task_sizes::even_out(&points, &mut chosen, k, most);
    if !options.refine {
        return Ok(chosen);
    }
    let mut all: BTreeSet<Vec<usize>> = BTreeSet::from([by_first_appearance(&chosen)]);
    if affinity.len() <= MANY_STARTS_UP_TO {
        let mut starts: Vec<Vec<usize>> = starts.into_iter().map(|c| c.assignment).collect();
        for embedding in [Embedding::Rw, Embedding::Njw, Embedding::Sym] {
            let more = kmeans::restarts(&embed(embedding), k, options.seed, options.restarts, options.restarts)?;
            starts.extend(more.into_iter().map(|c| c.assignment));
        }
        for mut start in starts {
            task_sizes::even_out(&points, &mut start, k, most);
            all.insert(by_first_appearance(&start));
        }
    }
    least_cut(affinity, k, most, all)
}

/// Refines every start and keeps the least cut; of equal ones that of the first start.
fn least_cut(affinity: &Affinity, k: usize, most: usize, starts: BTreeSet<Vec<usize>>) -> Result<Vec<usize>> {
    let graph = Graph::new(affinity);
    let starts: Vec<Vec<usize>> = starts.into_iter().collect();
    let refined: Vec<(Vec<usize>, f64)> = starts
        .par_iter()
        .map(|start| {
            interrupt::check()?;
            refine(&graph, start, k, most)
        })
        .collect::<Result<_>>()?;
    let best = refined.into_iter().reduce(|a, b| if b.1 < a.1 { b } else { a });
    best.map(|(assignment, _)| assignment).ok_or_else(|| Error::internal("refinement had no start"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{AffinityOptions, Branch, Cooccurrence, suggest_k};

    /// Labels in groups of the given sizes: each is seen with its own group in half of its images, never with others.
    fn cliques(sizes: &[usize]) -> Cooccurrence {
        let group: Vec<usize> = sizes.iter().enumerate().flat_map(|(g, &n)| vec![g; n]).collect();
        let m = group.len();
        // Labels of a group are apart, so that their order cannot help.
        let place = |i: usize| (i * 7 + 3) % m;
        assert!(!m.is_multiple_of(7));
        let labels: Vec<String> = (0..m).map(|i| format!("{}{i}", ["a", "b", "c", "d"][group[place(i)]])).collect();
        let pair = |i: usize, j: usize| u64::from(i != j && group[place(i)] == group[place(j)]) * 5;
        let pairs = (0..m * m).map(|ij| pair(ij / m, ij % m)).collect();
        Cooccurrence::from_parts(&labels, vec![10; m], pairs).unwrap()
    }

    fn affinity(sizes: &[usize], branch: Branch) -> Affinity {
        Affinity::new(&cliques(sizes), branch, &AffinityOptions::default()).unwrap()
    }

    fn groups_of(p: &Partition) -> Vec<String> {
        let letters = |task: &Vec<String>| {
            let mut letters: Vec<&str> = task.iter().map(|l| &l[..1]).collect();
            letters.sort_unstable();
            letters.concat()
        };
        let mut groups: Vec<String> = p.tasks().iter().map(letters).collect();
        groups.sort();
        groups
    }

    #[test]
    fn disjoint_cliques_are_split_exactly() {
        for assign in [Assign::Kmeans, Assign::Discretize, Assign::ClusterQr] {
            for embedding in [Embedding::Auto, Embedding::Njw] {
                let options = PartitionOptions { assign, embedding, ..Default::default() };
                let p = spectral_partition(&affinity(&[5, 6], Branch::Co), 2, &options).unwrap();
                assert_eq!(groups_of(&p), ["aaaaa", "bbbbbb"]);
                assert!(p.ncut().unwrap().abs() < 1e-12);
                let p = spectral_partition(&affinity(&[5, 2, 8], Branch::Co), 3, &options).unwrap();
                assert_eq!(groups_of(&p), ["aaaaa", "bb", "cccccccc"]);
            }
        }
    }

    #[test]
    fn the_other_branch_takes_cliques_apart() {
        let p = spectral_partition(
            &affinity(&[2, 2, 2, 2], Branch::Dis),
            2,
            &PartitionOptions { refine: true, ..Default::default() },
        );
        assert_eq!(groups_of(&p.unwrap()), ["abcd", "abcd"]);
    }

    #[test]
    fn k_options_and_presets_are_checked() {
        let a = affinity(&[5, 6], Branch::Co);
        let of =
            |k, options: &PartitionOptions| spectral_partition(&a, k, options).map(|p| p.k()).map_err(|e| e.message);
        let plain = PartitionOptions::default();
        let bad_k = "The k parameter of spectral_partition must be an integer from 1 to 11. Got";
        assert_eq!(of(0, &plain), Err(format!("{bad_k} 0 instead.")));
        assert_eq!(of(12, &plain), Err(format!("{bad_k} 12 instead.")));
        for k in 1..=11 {
            assert_eq!(of(k, &plain), Ok(k));
            assert_eq!(
                of(k, &PartitionOptions { refine: true, preset: Some(Preset::Authors), ..plain.clone() }),
                Ok(k)
            );
        }
        assert!(of(2, &PartitionOptions { restarts: 0, ..plain.clone() }).unwrap_err().contains("restarts option"));
        let preset = PartitionOptions { preset: Some(Preset::Authors), ..plain };
        assert!(of(2, &PartitionOptions { embedding: Embedding::Njw, ..preset.clone() }).unwrap_err().contains("rw"));
        assert!(of(2, &PartitionOptions { assign: Assign::ClusterQr, ..preset }).unwrap_err().contains("kmeans"));
        assert!(serde_json::from_str::<PartitionOptions>(r#"{"restart": 3}"#).is_err());
        let read: PartitionOptions = serde_json::from_str(r#"{"assign": "cluster_qr", "embedding": "rw"}"#).unwrap();
        assert_eq!((read.assign, read.embedding, read.restarts), (Assign::ClusterQr, Embedding::Rw, 50));
    }

    #[test]
    fn a_bound_on_sizes_holds() {
        let a = affinity(&[9, 2, 2], Branch::Co);
        for refine in [false, true] {
            for assign in [Assign::Kmeans, Assign::Discretize, Assign::ClusterQr] {
                let options = PartitionOptions { balance: Some(1.2), refine, assign, ..Default::default() };
                let p = spectral_partition(&a, 3, &options).unwrap();
                assert!(p.sizes().into_iter().all(|n| (1..=6).contains(&n)), "{:?}", p.sizes());
            }
        }
        let options = PartitionOptions { balance: Some(0.5), ..Default::default() };
        assert!(spectral_partition(&a, 3, &options).unwrap_err().message.contains("balance option"));
    }

    #[test]
    fn labels_without_neighbours_are_told() {
        let p = spectral_partition(&affinity(&[5, 1], Branch::Co), 2, &PartitionOptions::default()).unwrap();
        assert_eq!(groups_of(&p), ["aaaaa", "b"]);
        let warnings = p.warnings();
        assert!(warnings.iter().any(|w| w.contains("has a single label")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("has no neighbour in the graph")), "{warnings:?}");
        // A graph without any edge still falls into tasks.
        let p = spectral_partition(&affinity(&[1, 1, 1, 1], Branch::Co), 3, &PartitionOptions::default()).unwrap();
        assert_eq!((p.k(), p.ncut()), (3, Some(0.0)));
    }

    #[test]
    fn the_widest_gap_counts_the_cliques() {
        for sizes in [&[5, 6][..], &[5, 4, 6], &[3, 4, 5, 4]] {
            let a = affinity(sizes, Branch::Co);
            let s = suggest_k(&a, 8).unwrap();
            assert_eq!((s.k, s.gaps.len(), s.eigenvalues.len()), (sizes.len(), 7, 9));
            // A clique of n equal weights has the eigenvalues 0 and n / (n - 1).
            let least = sizes.iter().max().map(|&n| n as f64 / (n as f64 - 1.0)).unwrap();
            assert!((s.gaps[s.k - 2].1 - least).abs() < 1e-12);
            assert!(suggest_k(&a, 1).is_err() && suggest_k(&a, a.len()).is_err());
        }
    }
}
