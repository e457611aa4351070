//! The number of tasks that the spectrum suggests: the widest gap between eigenvalues.

use std::fmt;

use super::affinity_matrix::Affinity;
use crate::error::{Error, Result};

/// The number of tasks that the spectrum suggests.
#[derive(Clone, Debug, PartialEq)]
pub struct SuggestedK {
    /// The k of the widest gap.
    pub k: usize,
    /// `(k, λ_{k+1} - λ_k)` for k from 2 to `max_k`, eigenvalues counted from 1.
    pub gaps: Vec<(usize, f64)>,
    /// λ_1 ... λ_{max_k + 1}, ascending.
    pub eigenvalues: Vec<f64>,
}

/// The k from 2 to `max_k` with the widest gap between λ_k and λ_{k+1} of the normalised Laplacian (von Luxburg 2007,
/// section 8.3).
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
    let eigenvalues = affinity.smallest_of(&graph, max_k + 1)?.values.clone();
    let gaps: Vec<(usize, f64)> = (2..=max_k).map(|k| (k, eigenvalues[k] - eigenvalues[k - 1])).collect();
    let widest = gaps.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    Ok(SuggestedK { k: widest.map_or(2, |(k, _)| k), gaps, eigenvalues })
}

impl fmt::Display for SuggestedK {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k = {}, the widest gap between eigenvalues:", self.k)?;
        for &(k, gap) in &self.gaps {
            let mark = if k == self.k { "  <" } else { "" };
            write!(f, "\n  k {k:>3}  gap {gap:.4}{mark}")?;
        }
        Ok(())
    }
}
