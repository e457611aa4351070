//! The label graph: counts of labels that appear together, affinities, and partitions of the labels into tasks.
//!
//! | step | type | made by |
//! |---|---|---|
//! | counts n_i and e_ij | [`Cooccurrence`] | [`Cooccurrence::count`], [`Cooccurrence::load_csv`] |
//! | affinity P of a branch | [`Affinity`] | [`Affinity::new`] |
//! | k tasks | [`Partition`] | [`spectral_partition`], [`random_partition`], `from_tasks`, `load` |
//! | scores of a partition | numbers | [`ncut`], [`z_score`], [`stability`], [`compare`](compare()), [`lloyd_mismatches`] |
//! | a choice of k | [`SuggestedK`] | [`suggest_k`] |
//! | two communities of labels | booleans | [`two_communities`] |
//!
//! Labels are matched by name and never by position: results do not depend on the order of the labels. All random
//! choices follow from a seed, on any number of threads.
//!
//! The folders depend on each other in this order: `counts`, `spectral`, `partition`.
//!
//! Formulas: Xu et al., "Boosting Multi-Label Image Classification with Complementary Parallel Self-Distillation",
//! IJCAI 2022; von Luxburg, "A tutorial on spectral clustering", 2007.

mod counts; // how many images hold each label and each pair
pub(crate) mod label_names; // lists of label names: unique, matched, sorted
mod partition; // labels split into tasks
mod spectral; // the weighted graph of a branch and its eigenvectors

pub use counts::{Cooccurrence, Counter, Pair};
pub use partition::{
    Assign, Comparison, Move, Partition, PartitionOptions, Stability, ZScore, compare, lloyd_mismatches, ncut,
    random_partition, spectral_partition, stability, two_communities, z_score,
};
pub use spectral::{Affinity, AffinityOptions, Branch, Complement, Eigen, Embedding, Preset, SuggestedK, suggest_k};
