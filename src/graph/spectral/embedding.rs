//! The embedding of a label graph: one point per label, from the eigenvectors.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::branch::Branch;

/// How the rows of the eigenvectors are scaled to points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Embedding {
    /// `Rw` for co-occurrence, `Njw` for dis-occurrence.
    #[default]
    Auto,
    /// Random walk (Shi and Malik 2000): each row divided by the square root of its label's degree.
    Rw,
    /// Ng, Jordan and Weiss 2001: each row scaled to unit length.
    Njw,
    /// The eigenvectors of the symmetric Laplacian as they are.
    Sym,
}

impl Embedding {
    /// The embedding that is used on a branch: `Auto` resolved.
    pub fn on(self, branch: Branch) -> Self {
        match (self, branch) {
            (Embedding::Auto, Branch::Co) => Embedding::Rw,
            (Embedding::Auto, Branch::Dis) => Embedding::Njw,
            (other, _) => other,
        }
    }
}

/// m points of `dim` numbers each.
#[derive(Clone, Debug)]
pub struct Points {
    data: Vec<f64>,
    pub dim: usize,
}

impl Points {
    /// The rows of m × k eigenvectors, scaled. An isolated label counts as one of degree 1, as in scikit-learn.
    pub fn embed(vectors: &DMatrix<f64>, degrees: &[f64], embedding: Embedding, branch: Branch) -> Self {
        let mut points = Self::from_rows(vectors);
        for (i, row) in points.data.chunks_exact_mut(points.dim.max(1)).enumerate() {
            let by = match embedding.on(branch) {
                Embedding::Rw if degrees[i] > 0.0 => degrees[i].sqrt(),
                Embedding::Njw => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
                _ => 1.0,
            };
            if by > 0.0 {
                row.iter_mut().for_each(|x| *x /= by);
            }
        }
        points
    }

    pub fn from_rows(matrix: &DMatrix<f64>) -> Self {
        Points { data: matrix.transpose().as_slice().to_vec(), dim: matrix.ncols() }
    }

    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    #[inline]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// The mean point of each of k parts, k × dim row-major; all zero for an empty part.
    pub fn centroids(&self, assignment: &[usize], k: usize) -> Vec<f64> {
        let mut sums = vec![0.0; k * self.dim];
        let mut sizes = vec![0usize; k];
        for (i, &t) in assignment.iter().enumerate() {
            sizes[t] += 1;
            for (s, x) in sums[t * self.dim..][..self.dim].iter_mut().zip(self.row(i)) {
                *s += x;
            }
        }
        for (t, &n) in sizes.iter().enumerate() {
            if n > 0 {
                sums[t * self.dim..][..self.dim].iter_mut().for_each(|s| *s /= n as f64);
            }
        }
        sums
    }
}

/// Squared distance of two points of as many coordinates.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // as in for_wide_vectors
pub fn distance2(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for d in 0..a.len() {
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalings() {
        let vectors = DMatrix::from_row_slice(3, 2, &[3.0, 4.0, 0.0, 0.0, 1.0, 0.0]);
        let of = |embedding, branch| Points::embed(&vectors, &[4.0, 0.0, 1.0], embedding, branch);
        assert_eq!(of(Embedding::Rw, Branch::Dis).row(0), &[1.5, 2.0]);
        assert_eq!(of(Embedding::Auto, Branch::Co).row(0), &[1.5, 2.0]);
        assert_eq!(of(Embedding::Auto, Branch::Dis).row(0), &[0.6, 0.8]);
        assert_eq!(of(Embedding::Njw, Branch::Co).row(1), &[0.0, 0.0]);
        assert_eq!(of(Embedding::Sym, Branch::Co).row(0), &[3.0, 4.0]);
        assert_eq!(of(Embedding::Sym, Branch::Co).centroids(&[0, 0, 1], 2), vec![1.5, 2.0, 1.0, 0.0]);
    }
}
