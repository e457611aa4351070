//! The Calinski-Harabasz score of a clustering.

use crate::graph::spectral::{Points, distance2};

/// Between-part over within-part variance of the points, each divided by its degrees of freedom (Calinski and Harabasz
/// 1974).
///
/// Infinite where every point lies on the mean of its part.
pub fn calinski_harabasz(points: &Points, assignment: &[usize], k: usize) -> f64 {
    let (m, dim) = (points.len(), points.dim);
    let centroids = points.centroids(assignment, k);
    let centre = points.centroids(&vec![0; m], 1);
    let (mut between, mut within) = (0.0, 0.0);
    for (i, &t) in assignment.iter().enumerate() {
        let centroid = &centroids[t * dim..][..dim];
        between += distance2(centroid, &centre);
        within += distance2(points.row(i), centroid);
    }
    if within == 0.0 { f64::INFINITY } else { between * (m as f64 - k as f64) / (within * (k as f64 - 1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    /// Between-part variance 25 / 1, within-part variance 4 / 2.
    #[test]
    fn calinski_harabasz_in_closed_form() {
        let points = Points::from_rows(&DMatrix::from_row_slice(4, 1, &[0.0, 2.0, 5.0, 7.0]));
        assert!((calinski_harabasz(&points, &[0, 0, 1, 1], 2) - 12.5).abs() < 1e-12);
    }
}
