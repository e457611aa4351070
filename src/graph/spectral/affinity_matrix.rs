//! `Affinity`: the weighted label graph of one branch, its degrees, its normalised Laplacian and its spectrum.

use std::fmt;
use std::sync::Arc;

use nalgebra::DMatrix;
use parking_lot::Mutex;
use rayon::prelude::*;

use super::affinity_options::{AffinityOptions, Complement, power};
use super::branch::Branch;
use super::eigen::{self, Eigen};
use super::laplacian::Laplacian;
use super::symmetric_rows::SymmetricRows;
use super::weights::Weights;
use crate::error::{Error, Result, counted};
use crate::graph::counts::{Cooccurrence, PairList};
use crate::graph::label_names;

/// A symmetric m × m weight matrix over labels. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Affinity {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq)]
struct Inner {
    labels: Arc<[String]>,
    branch: Branch,
    power: f64,
    complement: Complement,
    weights: Weights,
    degrees: Vec<f64>,
    solved: Solved,
}

/// Eigenpairs that were computed, newest last: partitions with other seeds need the same ones. They are those of the graph in
/// alphabetical order.
#[derive(Debug, Default)]
struct Solved(Mutex<Vec<(usize, Arc<Eigen>)>>);

/// They are no part of a graph's value.
impl PartialEq for Solved {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The numbers in the eigenvectors that one graph keeps: 32 MiB.
const KEPT: usize = 1 << 22;

impl Solved {
    /// Those of `k`, by `solve` if they are not there. Fewer cannot be taken out of more: their last bits are others.
    fn find(&self, k: usize, solve: impl FnOnce() -> Result<Eigen>) -> Result<Arc<Eigen>> {
        if let Some((_, eigen)) = self.0.lock().iter().find(|(of, _)| *of == k) {
            return Ok(eigen.clone());
        }
        let eigen = Arc::new(solve()?);
        let mut all = self.0.lock();
        all.push((k, eigen.clone()));
        while all.iter().map(|(_, eigen)| eigen.vectors.len()).sum::<usize>() > KEPT {
            all.remove(0);
        }
        Ok(eigen)
    }
}

/// Largest number of labels of which a square table is returned: half a GiB.
const SQUARE_UP_TO: usize = 8192;

impl Affinity {
    /// The affinity of a branch, computed from S_ij = e_ij / n_i.
    ///
    /// Co-occurrence: P+ = (S^p + (S^p)ᵀ) / 2. Dis-occurrence: 1 - P+ element-wise. The diagonal is zero in both, as
    /// in scikit-learn's Laplacian; the ones of I - P+ (complement Identity) count in degrees and Laplacian alone.
    ///
    /// Errors: a power that is not a positive number, or one given together with a preset that sets it; a complement that
    /// leaves a label without a positive degree.
    pub fn new(counts: &Cooccurrence, branch: Branch, options: &AffinityOptions) -> Result<Self> {
        let power = power(branch, options)?;
        let labels = counts.labels().clone();
        let (base, sign) = match (branch, options.complement) {
            (Branch::Co, _) => (0.0, 1.0),
            (Branch::Dis, Complement::Ones) => (1.0, -1.0),
            // I - P+ taken literally has ones on its diagonal, without which no degree could be positive.
            (Branch::Dis, Complement::Identity) => (0.0, -1.0),
        };
        let weights = match counts.list() {
            None => dense(counts, power, base, sign),
            Some(list) => sparse(counts, list, power, base, sign),
        };
        Self::held(labels, branch, power, options.complement, weights)
    }

    /// Sums the degrees. Errors: one that a literal complement makes negative.
    fn held(
        labels: Arc<[String]>,
        branch: Branch,
        power: f64,
        complement: Complement,
        weights: Weights,
    ) -> Result<Self> {
        let own = own_weight(branch, complement);
        let degrees: Vec<f64> = weights.row_sums().into_iter().map(|d| own + d).collect();
        if own > 0.0
            && let Some(i) = degrees.iter().position(|&d| d <= 0.0)
        {
            return Err(Error::argument(format!(
                "complement \"identity\" makes affinities negative: label \"{}\" has degree {:.4}, but D^-1/2 needs \
                 every degree above 0",
                labels[i], degrees[i]
            ))
            .with_help("the authors' code subtracts P+ from a matrix of ones: complement \"ones\""));
        }
        Ok(Affinity {
            inner: Arc::new(Inner { labels, branch, power, complement, weights, degrees, solved: Solved::default() }),
        })
    }

    /// m, the number of labels.
    pub fn len(&self) -> usize {
        self.inner.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.inner.labels.is_empty()
    }

    /// Label names, in the order of rows and columns.
    pub fn labels(&self) -> &Arc<[String]> {
        &self.inner.labels
    }

    pub fn branch(&self) -> Branch {
        self.inner.branch
    }

    /// The exponent p in S^p.
    pub fn power(&self) -> f64 {
        self.inner.power
    }

    /// P_ij, the weight between two labels; 0 for a label with itself. Panics out of range, as indexing does.
    pub fn weight(&self, i: usize, j: usize) -> f64 {
        self.inner.weights.get(i, j)
    }

    /// The weights, m × m, symmetric, with a zero diagonal whatever the complement. Errors: too many labels for a square table.
    pub fn matrix(&self) -> Result<DMatrix<f64>> {
        self.square()?;
        Ok(self.inner.weights.to_dense())
    }

    fn square(&self) -> Result<()> {
        if self.len() > SQUARE_UP_TO {
            return Err(Error::argument(format!(
                "a square table of {} labels would take {:.1} GB; at most {SQUARE_UP_TO} labels are shown as one",
                self.len(),
                8e-9 * (self.len() * self.len()) as f64
            ))
            .with_help("take some of the labels first: cooccurrence.take_labels(names)"));
        }
        Ok(())
    }

    /// The weights in the form in which they are held.
    pub(in crate::graph) fn weights(&self) -> &Weights {
        &self.inner.weights
    }

    /// d_i = Σ_j P_ij, and 1 more for the complement Identity, whose P_ii is 1.
    pub fn degrees(&self) -> &[f64] {
        &self.inner.degrees
    }

    /// L = D^-1/2 (D - P) D^-1/2, m × m; all zero for an isolated label. Errors: as for [`matrix`](Self::matrix).
    pub fn laplacian(&self) -> Result<DMatrix<f64>> {
        self.square()?;
        Ok(self.operator().to_dense())
    }

    /// The `k` smallest eigenpairs of the normalised Laplacian. No square table of a large graph is formed.
    pub fn smallest(&self, k: usize) -> Result<Eigen> {
        eigen::smallest(&self.operator(), k)
    }

    /// Those of `canonical`, this graph [in alphabetical order](Self::canonical): computed once for each `k`, however often they are asked for.
    pub(in crate::graph) fn smallest_of(&self, canonical: &Self, k: usize) -> Result<Arc<Eigen>> {
        self.inner.solved.find(k, || canonical.smallest(k))
    }

    fn operator(&self) -> Laplacian<'_> {
        Laplacian::new(self.weights(), self.degrees(), self.own())
    }

    /// All eigenvalues of the normalised Laplacian, ascending. Errors: as for [`matrix`](Self::matrix).
    pub fn eigenvalues(&self) -> Result<Vec<f64>> {
        Ok(eigen::smallest_of_dense(&self.laplacian()?, self.len())?.values)
    }

    /// Labels without any neighbour in this graph.
    pub fn isolated(&self) -> Vec<String> {
        let labels = self.inner.labels.iter().zip(&self.inner.degrees);
        labels.filter(|(_, d)| **d <= 0.0).map(|(l, _)| l.clone()).collect()
    }

    /// The weight of a label with itself that its degree counts: 0 except for the literal I - P+.
    pub(in crate::graph) fn own(&self) -> f64 {
        own_weight(self.inner.branch, self.inner.complement)
    }

    /// The weights with the ones that the authors' code keeps on the dis-occurrence diagonal.
    pub(in crate::graph) fn with_diagonal(&self) -> Result<DMatrix<f64>> {
        let mut matrix = self.matrix()?;
        matrix.fill_diagonal(if self.inner.branch == Branch::Dis { 1.0 } else { 0.0 });
        Ok(matrix)
    }

    /// The same graph with its labels in another order, given as a permutation of positions.
    fn reordered(&self, order: &[usize]) -> Result<Self> {
        if order.iter().enumerate().all(|(i, &o)| i == o) {
            return Ok(self.clone());
        }
        let Inner { labels, branch, power, complement, weights, .. } = &*self.inner;
        // Degrees are summed again, so that their rounding is that of the new order.
        let labels = order.iter().map(|&i| labels[i].clone()).collect();
        Self::held(labels, *branch, *power, *complement, weights.reordered(order))
    }

    /// The same graph with its labels in alphabetical order, and the former position of each.
    pub(in crate::graph) fn canonical(&self) -> Result<(Self, Vec<usize>)> {
        let order = label_names::canonical(&self.inner.labels);
        Ok((self.reordered(&order)?, order))
    }
}

fn own_weight(branch: Branch, complement: Complement) -> f64 {
    if branch == Branch::Dis && complement == Complement::Identity { 1.0 } else { 0.0 }
}

/// P+_ij from the counts of two labels and of their pair.
fn plus(counts: &Cooccurrence, i: usize, j: usize, e: u64, power: f64) -> f64 {
    let share = |n: u64| raised(e as f64 / n as f64, power);
    (share(counts.counts()[i]) + share(counts.counts()[j])) / 2.0
}

fn dense(counts: &Cooccurrence, power: f64, base: f64, sign: f64) -> Weights {
    let m = counts.len();
    let mut matrix = DMatrix::from_element(m, m, base);
    matrix.fill_diagonal(0.0);
    counts.for_each_pair(|i, j, e| {
        let p = base + sign * plus(counts, i, j, e, power);
        matrix[(i, j)] = p;
        matrix[(j, i)] = p;
    });
    Weights::Dense(matrix)
}

fn sparse(counts: &Cooccurrence, list: &PairList, power: f64, base: f64, sign: f64) -> Weights {
    let rows: Vec<Vec<f64>> = (0..list.num_labels())
        .into_par_iter()
        .map(|i| {
            let (columns, es) = list.row(i);
            columns.iter().zip(es).map(|(&j, &e)| plus(counts, i, j as usize, u64::from(e), power)).collect()
        })
        .collect();
    let plus = SymmetricRows::new(list.num_labels(), |f| {
        for (i, row) in rows.iter().enumerate() {
            list.row(i).0.iter().zip(row).for_each(|(&j, &p)| f(i, j as usize, p));
        }
    });
    Weights::Sparse { plus, base, sign }
}

/// x^p, with the square root exact to the last bit.
fn raised(x: f64, power: f64) -> f64 {
    match power {
        0.5 => x.sqrt(),
        p if p == 1.0 / 3.0 => x.cbrt(),
        p => x.powf(p),
    }
}

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = counted(self.len(), "label");
        write!(f, "Affinity of {labels}, {}, power {:.4}", self.branch().long_name(), self.power())?;
        let mut by_degree: Vec<usize> = (0..self.len()).collect();
        by_degree.sort_by(|&a, &b| self.degrees()[b].total_cmp(&self.degrees()[a]));
        if let (Some(&most), Some(&least)) = (by_degree.first(), by_degree.last()) {
            let of = |i: usize| format!("{:.3} (\"{}\")", self.degrees()[i], self.labels()[i]);
            write!(f, "\ndegrees from {} to {}", of(least), of(most))?;
        }
        match &self.isolated()[..] {
            [] => Ok(()),
            labels => write!(f, "\nwithout any neighbour: {}", label_names::listed(labels)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::spectral::affinity_options::Preset;
    use crate::graph::spectral::lanczos;

    fn chain() -> Cooccurrence {
        let labels = ["a", "b", "c", "d"].map(String::from);
        let pairs = vec![0, 4, 0, 0, 4, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        Cooccurrence::from_parts(&labels, vec![4, 16, 4, 3], pairs).unwrap()
    }

    #[test]
    fn weights_of_both_branches() {
        let co = Affinity::new(&chain(), Branch::Co, &AffinityOptions::default()).unwrap();
        // (sqrt(4/4) + sqrt(4/16)) / 2 and (sqrt(1/16) + sqrt(1/4)) / 2.
        assert_eq!((co.weight(0, 1), co.weight(2, 1), co.weight(0, 0)), (0.75, 0.375, 0.0));
        assert_eq!(co.degrees(), &[0.75, 1.125, 0.375, 0.0]);
        assert_eq!(co.isolated(), vec!["d"]);
        let dis = Affinity::new(&chain(), Branch::Dis, &AffinityOptions::default()).unwrap();
        assert_eq!((dis.weight(0, 1), dis.weight(0, 2), dis.weight(0, 0)), (0.25, 1.0, 0.0));
        assert_eq!(dis.degrees()[3], 3.0);
    }

    #[test]
    fn the_laplacian_of_an_isolated_label_is_zero() {
        let l = Affinity::new(&chain(), Branch::Co, &AffinityOptions::default()).unwrap().laplacian().unwrap();
        assert_eq!((l[(0, 0)], l[(3, 3)], l[(3, 0)]), (1.0, 0.0, 0.0));
        assert!((l[(0, 1)] + 0.75 / (0.75f64 * 1.125).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn the_literal_identity_is_explained() {
        let options = AffinityOptions { complement: Complement::Identity, ..Default::default() };
        let e = Affinity::new(&chain(), Branch::Dis, &options).unwrap_err();
        assert!(e.message.contains("label \"b\" has degree -0.1250"), "{}", e.message);
        assert!(e.help.unwrap().contains("ones"));
        let sparse = chain().take_labels(&["a", "c", "d"]).unwrap();
        let a = Affinity::new(&sparse, Branch::Dis, &options).unwrap();
        // The ones of I count in the degrees and are not shown.
        assert_eq!(a.degrees(), &[1.0; 3]);
        assert_eq!(a.matrix().unwrap(), DMatrix::zeros(3, 3));
        assert_eq!(a.laplacian().unwrap(), DMatrix::zeros(3, 3));
    }

    #[test]
    fn the_preset_sets_the_power() {
        let preset = AffinityOptions { preset: Some(Preset::Authors), ..Default::default() };
        assert_eq!(Affinity::new(&chain(), Branch::Co, &preset).unwrap().power(), 0.5);
        let dis = Affinity::new(&chain(), Branch::Dis, &preset).unwrap();
        assert_eq!(dis.power(), 1.0 / 3.0);
        assert!((dis.weight(0, 1) - (1.0 - (1.0 + 0.25f64.cbrt()) / 2.0)).abs() < 1e-15);
        let both = AffinityOptions { power: 0.7, ..preset };
        assert!(Affinity::new(&chain(), Branch::Co, &both).unwrap_err().message.contains("Got 0.7 instead."));
        for power in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = AffinityOptions { power, ..Default::default() };
            assert!(Affinity::new(&chain(), Branch::Co, &options).is_err());
        }
    }

    #[test]
    fn isolated_labels_are_printed() {
        let labels = ["cat", "dog", "sofa", "sun"].map(String::from);
        let pairs = vec![0, 3, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let c = Cooccurrence::from_parts(&labels, vec![4, 12, 2, 1], pairs).unwrap();
        let a = Affinity::new(&c, Branch::Co, &AffinityOptions::default()).unwrap().to_string();
        assert!(
            a.starts_with("Affinity of 4 labels, co-occurrence, power 0.5000\ndegrees from 0.000 (\"sun\") to "),
            "{a}"
        );
        assert!(a.ends_with("without any neighbour: sun"));
    }

    /// Groups of labels seen together, three labels on their own, and two that share images with nobody else.
    fn counts(m: usize) -> Cooccurrence {
        let labels: Vec<String> = (0..m).map(|i| format!("{i:04}")).collect();
        let mut pairs = vec![0; m * m];
        let mut join = |i: usize, j: usize, n: u64| {
            pairs[i * m + j] = n;
            pairs[j * m + i] = n;
        };
        for i in 5..m {
            for j in 5..i {
                let chance = (i * 7919 + j * 104_729 + i * j) % 97;
                if chance < if i % 6 == j % 6 { 60 } else { 9 } {
                    join(i, j, 1 + chance as u64);
                }
            }
        }
        join(0, 1, 5);
        Cooccurrence::from_parts(&labels, vec![200; m], pairs).unwrap()
    }

    #[test]
    fn lanczos_finds_what_the_dense_solver_finds() {
        let m = 450;
        for branch in [Branch::Co, Branch::Dis] {
            let a = Affinity::new(&counts(m), branch, &AffinityOptions::default()).unwrap();
            let k = 12;
            assert!(m >= lanczos::least_size(k) + k);
            let large = a.smallest(k).unwrap();
            let l = a.laplacian().unwrap();
            let dense = eigen::smallest_of_dense(&l, k).unwrap();
            for (x, y) in large.values.iter().zip(&dense.values) {
                assert!((x - y).abs() < 1e-9, "{branch}: {:?} {:?}", large.values, dense.values);
            }
            // The eigenvalue 0: the large component, the pair and three labels on their own.
            assert_eq!(
                large.values.iter().filter(|v| v.abs() < 1e-9).count(),
                if branch == Branch::Co { 5 } else { 1 }
            );
            let gram = large.vectors.transpose() * &large.vectors;
            assert!((gram - DMatrix::identity(k, k)).abs().max() < 1e-9);
            for (j, column) in large.vectors.column_iter().enumerate() {
                assert!((&l * column - column * large.values[j]).norm() < 1e-7);
            }
        }
        let a = Affinity::new(&counts(m), Branch::Co, &AffinityOptions::default()).unwrap();
        assert_eq!(a.smallest(4).unwrap().values, vec![0.0; 4]);
    }
}
