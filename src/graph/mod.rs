//! The label graph: which labels appear together, how the graph falls apart, and the tasks it falls into.
//!
//! | step | type | made by |
//! |---|---|---|
//! | counts n_i and e_ij | [`Cooccurrence`] | [`Cooccurrence::count`], [`Cooccurrence::load_csv`] |
//! | affinity P of a branch | [`Affinity`] | [`Affinity::new`] |
//! | k tasks | [`Partition`] | [`spectral_partition`], [`random_partition`], `from_tasks`, `load` |
//! | how good is it | numbers | [`ncut`], [`z_score`], [`stability`], [`compare`](compare()), [`lloyd_mismatches`] |
//! | which k | [`SuggestedK`] | [`suggest_k`] |
//!
//! Names decide, never positions: results do not depend on the order that labels stand in, and everything that
//! takes two objects matches them by label name. A seed decides every random choice, on any number of threads.
//!
//! Formulas: Xu et al., "Boosting Multi-Label Image Classification with Complementary Parallel Self-Distillation",
//! IJCAI 2022; von Luxburg, "A tutorial on spectral clustering", 2007.

mod affinity; // S, P+ and P-, degrees, normalised Laplacian
mod agreement; // ARI, NMI, what moved between two partitions
mod assign; // discretize and cluster_qr, the ways to cut an embedding without k-means
mod balance; // a bound on the size of tasks
mod cooccurrence; // the counts themselves
mod count; // counting them from label lists
mod counter; // counting images that come in batches
mod csv; // the square CSV form of the counts
mod cut; // normalised cut, z score, Calinski-Harabasz
mod display; // how a partition prints
pub mod eigen; // the smallest eigenvectors
mod embedding; // eigenvectors to points
mod file; // the authors' JSON form of a partition
mod inverted; // counting the pairs of many labels
mod kmeans; // k-means++ and Lloyd
mod lanczos; // the smallest eigenvectors of large graphs
mod names; // label names: unique, matched, put in order
mod pairs; // the pairs seen, when a square table would be too large
mod partition; // labels split into tasks
mod random; // even random tasks; the generators of all random choices
mod refine; // single-label moves while the cut falls
mod spectral; // options and the whole way from affinity to partition
mod stability; // the same partition over seeds; which k
mod table; // a plain CSV reader for small tables
mod weights; // the weights, square or as a constant and the pairs seen

pub use affinity::{Affinity, AffinityOptions, Branch, Complement, Preset};
pub use agreement::{Comparison, Move, compare};
pub use cooccurrence::{Cooccurrence, Pair};
pub use counter::Counter;
pub use cut::{ZScore, ncut, z_score};
pub use embedding::Embedding;
pub use partition::Partition;
pub use random::random_partition;
pub use spectral::{Assign, PartitionOptions, lloyd_mismatches, spectral_partition};
pub use stability::{Stability, SuggestedK, stability, suggest_k};
