//! The normalised Laplacian of a weighted graph, as an operator and as a table.

use nalgebra::DMatrix;

use super::lanczos::Operator;
use super::vector_block::{BLOCK, Row};
use super::weights::Weights;

/// L = I - D^-1/2 P D^-1/2 of the weights P, which is never formed; all zero for an isolated label.
pub struct Laplacian<'a> {
    weights: &'a Weights,
    degrees: &'a [f64],
    /// d^-1/2, 0 for an isolated label.
    scale: Vec<f64>,
    diagonal: Vec<f64>,
}

impl<'a> Laplacian<'a> {
    /// `own` is the weight of a label with itself that its degree counts.
    pub fn new(weights: &'a Weights, degrees: &'a [f64], own: f64) -> Self {
        Laplacian {
            weights,
            degrees,
            scale: degrees.iter().map(|&d| if d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect(),
            diagonal: degrees.iter().map(|&d| if d > 0.0 { 1.0 - own / d } else { 0.0 }).collect(),
        }
    }

    pub fn to_dense(&self) -> DMatrix<f64> {
        let mut matrix = self.weights.to_dense();
        for (j, mut column) in matrix.column_iter_mut().enumerate() {
            for (i, x) in column.iter_mut().enumerate() {
                *x = if i == j { self.diagonal[i] } else { -*x * self.scale[i] * self.scale[j] };
            }
        }
        matrix
    }

    /// Known eigenvectors of the eigenvalue 0: D^1/2 on each connected component, the largest first, at most `k`.
    ///
    /// `None` where the degrees count a label's own weight: components then have other eigenvalues.
    pub fn known(&self, k: usize) -> Option<DMatrix<f64>> {
        if self.diagonal.iter().any(|&d| d != 0.0 && d != 1.0) {
            return None;
        }
        let component = self.weights.components();
        let count = component.iter().max().map_or(0, |&c| c as usize + 1);
        let mut volume = vec![0.0; count];
        let mut size = vec![0usize; count];
        for (i, &c) in component.iter().enumerate() {
            volume[c as usize] += self.degrees[i].max(0.0);
            size[c as usize] += 1;
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| size[b].cmp(&size[a]));
        order.truncate(k);
        let mut known = DMatrix::zeros(component.len(), order.len());
        for (column, &c) in order.iter().enumerate() {
            for i in (0..component.len()).filter(|&i| component[i] as usize == c) {
                known[(i, column)] = if volume[c] > 0.0 { (self.degrees[i].max(0.0) / volume[c]).sqrt() } else { 1.0 };
            }
        }
        Some(known)
    }
}

impl Operator for Laplacian<'_> {
    fn len(&self) -> usize {
        self.degrees.len()
    }

    fn apply(&self, x: &[Row], y: &mut [Row]) {
        let scaled: Vec<Row> = x.iter().zip(&self.scale).map(|(row, s)| row.map(|x| x * s)).collect();
        self.weights.apply(&scaled, y);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            for b in 0..BLOCK {
                y[b] = self.diagonal[i] * x[b] - self.scale[i] * y[b];
            }
        }
    }
}
