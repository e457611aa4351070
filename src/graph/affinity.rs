//! `Affinity`: the weighted label graph of one branch, its degrees and its normalised Laplacian.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cooccurrence::Cooccurrence;
use super::eigen::{self, Eigen, Laplacian};
use super::names;
use super::pairs::PairList;
use super::weights::{SymmetricRows, Weights};
use crate::error::{Error, Result};

/// Which labels belong into one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    /// Co-occurrence: labels that appear together (the paper's P+).
    Co,
    /// Dis-occurrence: labels that do not appear together (the paper's P-).
    Dis,
}

impl Branch {
    /// The word of the language: `"co"` or `"dis"`.
    pub fn name(self) -> &'static str {
        match self {
            Branch::Co => "co",
            Branch::Dis => "dis",
        }
    }

    /// The word in a sentence: "co-occurrence" or "dis-occurrence".
    pub fn long_name(self) -> &'static str {
        match self {
            Branch::Co => "co-occurrence",
            Branch::Dis => "dis-occurrence",
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Branch {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "co" => Ok(Branch::Co),
            "dis" => Ok(Branch::Dis),
            _ => Err(Error::unknown("branch", word, ["co", "dis"])),
        }
    }
}

/// What the dis-occurrence affinity takes P+ away from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Complement {
    /// Element-wise 1 - P+, as the authors' code has it.
    #[default]
    Ones,
    /// The paper's I - P+, literally: negative affinities, which only very sparse graphs bear.
    Identity,
}

/// A set of choices under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// What the authors ran, found from their published partitions.
    Authors,
}

/// Options of [`Affinity::new`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffinityOptions {
    /// The exponent p in S^p; 1/2 is the paper's square root.
    pub power: f64,
    /// Of the dis-occurrence branch only: `"ones"` or `"identity"`.
    pub complement: Complement,
    /// `"authors"` sets the power: 1/2 for co-occurrence, 1/3 for dis-occurrence.
    pub preset: Option<Preset>,
}

impl Default for AffinityOptions {
    fn default() -> Self {
        AffinityOptions { power: PAPER_POWER, complement: Complement::Ones, preset: None }
    }
}

const PAPER_POWER: f64 = 0.5;

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
}

/// Labels up to which a square table is handed out: half a GiB.
const SQUARE_UP_TO: usize = 8192;

impl Affinity {
    /// The affinity of a branch, from S_ij = e_ij / n_i.
    ///
    /// Co-occurrence: P+ = (S^p + (S^p)ᵀ) / 2. Dis-occurrence: 1 - P+ element-wise. The diagonal is zero in both, as
    /// scikit-learn's Laplacian takes it. Errors: a power that is not a positive number, one given beside a preset that
    /// sets it, and a complement that leaves a label without a positive degree.
    pub fn new(counts: &Cooccurrence, branch: Branch, options: &AffinityOptions) -> Result<Self> {
        let power = power(branch, options)?;
        let labels = counts.labels().clone();
        let (base, sign) = match (branch, options.complement) {
            (Branch::Co, _) => (0.0, 1.0),
            (Branch::Dis, Complement::Ones) => (1.0, -1.0),
            // I - P+ taken literally has ones on its diagonal; without them no degree could be positive.
            (Branch::Dis, Complement::Identity) => (0.0, -1.0),
        };
        let weights = match counts.list() {
            None => dense(counts, power, base, sign),
            Some(list) => sparse(counts, list, power, base, sign),
        };
        Self::held(labels, branch, power, options.complement, weights)
    }

    /// Sums the degrees, and checks those that a literal complement can make negative.
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
        Ok(Affinity { inner: Arc::new(Inner { labels, branch, power, complement, weights, degrees }) })
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

    /// The weights, m × m, symmetric, with a zero diagonal. Errors: more labels than a square table should hold.
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

    /// How the weights are held.
    pub(super) fn weights(&self) -> &Weights {
        &self.inner.weights
    }

    /// d_i = Σ_j P_ij.
    pub fn degrees(&self) -> &[f64] {
        &self.inner.degrees
    }

    /// L = D^-1/2 (D - P) D^-1/2, m × m; all zero for an isolated label. Errors: as for [`matrix`](Self::matrix).
    pub fn laplacian(&self) -> Result<DMatrix<f64>> {
        self.square()?;
        Ok(Laplacian::new(self).to_dense())
    }

    /// The `k` smallest eigenpairs of the normalised Laplacian. No square table is formed where the graph is large.
    pub fn smallest(&self, k: usize) -> Result<Eigen> {
        eigen::smallest(&Laplacian::new(self), k)
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

    /// The weight of a label with itself that its degree counts: none, but for the literal I - P+.
    pub(super) fn own(&self) -> f64 {
        own_weight(self.inner.branch, self.inner.complement)
    }

    /// The authors' matrix: theirs keeps the ones on the dis-occurrence diagonal.
    pub(super) fn with_diagonal(&self) -> Result<DMatrix<f64>> {
        let mut matrix = self.matrix()?;
        matrix.fill_diagonal(if self.inner.branch == Branch::Dis { 1.0 } else { 0.0 });
        Ok(matrix)
    }

    /// The same graph with its labels at `order` (a permutation of positions).
    pub(super) fn reordered(&self, order: &[usize]) -> Result<Self> {
        if order.iter().enumerate().all(|(i, &o)| i == o) {
            return Ok(self.clone());
        }
        let Inner { labels, branch, power, complement, weights, .. } = &*self.inner;
        // Degrees are summed again, so that rounding follows the new order.
        let labels = order.iter().map(|&i| labels[i].clone()).collect();
        Self::held(labels, *branch, *power, *complement, weights.reordered(order))
    }

    /// The same graph with its labels in alphabetical order, and where each stood.
    pub(super) fn canonical(&self) -> Result<(Self, Vec<usize>)> {
        let order = names::canonical(&self.inner.labels);
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

fn power(branch: Branch, options: &AffinityOptions) -> Result<f64> {
    let Some(Preset::Authors) = options.preset else {
        if !(options.power.is_finite() && options.power > 0.0) {
            return Err(Error::argument(format!(
                "The power option of affinity must be a number above 0. Got {} instead.",
                options.power
            )));
        }
        return Ok(options.power);
    };
    let preset = match branch {
        Branch::Co => PAPER_POWER,
        Branch::Dis => 1.0 / 3.0,
    };
    if options.power != PAPER_POWER && options.power != preset {
        return Err(Error::argument(format!(
            "The power option of affinity must not be given beside preset \"authors\", which sets it to {preset:.4}. \
             Got {} instead.",
            options.power
        )));
    }
    Ok(preset)
}

/// x^p, with the square root exact to the last bit.
fn raised(x: f64, power: f64) -> f64 {
    match power {
        0.5 => x.sqrt(),
        p if p == 1.0 / 3.0 => x.cbrt(),
        p => x.powf(p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(a.degrees(), &[1.0; 3]);
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
    fn options_refuse_what_they_do_not_know() {
        assert!(serde_json::from_str::<AffinityOptions>(r#"{"powr": 1}"#).is_err());
        let options: AffinityOptions = serde_json::from_str(r#"{"preset": "authors", "complement": "ones"}"#).unwrap();
        assert_eq!(options.preset, Some(Preset::Authors));
    }
}
