//! The weighted graph of a branch, the smallest eigenvectors of its Laplacian, and the points they give the labels.

mod affinity_matrix; // `Affinity`: weights, degrees, Laplacian and spectrum of one branch
mod affinity_options; // options of an affinity
mod branch; // co-occurrence or dis-occurrence
mod eigen; // the smallest eigenpairs, or the largest, dense or by Lanczos
mod eigengap; // the number of tasks that the spectrum suggests
mod embedding; // eigenvectors to points
mod lanczos; // block Lanczos with thick restarts
mod laplacian; // the normalised Laplacian
mod symmetric_rows; // a sparse symmetric table
mod vector_block; // several vectors at once
mod weights; // the weights, square or as a constant and the pairs seen

pub use affinity_matrix::Affinity;
pub use affinity_options::{AffinityOptions, Complement, Preset};
pub use branch::Branch;
#[cfg(test)]
pub use eigen::SOLVED;
pub use eigen::{Eigen, largest};
pub use eigengap::{SuggestedK, suggest_k};
pub use embedding::{Embedding, Points, distance2};
pub use lanczos::Operator;
pub(in crate::graph) use vector_block::for_wide_vectors;
pub use vector_block::{BLOCK, Row, add_scaled, sum};
pub use weights::Weights;
