//! Partitions of the labels into tasks: making, scoring, comparing, reading, writing and printing them.

mod agreement; // ARI, NMI and the labels that moved between two partitions
mod authors_json; // reading and writing the authors' JSON form
mod calinski_harabasz; // the score by which the authors selected clusterings
mod clustering_options; // options of spectral clustering
mod communities; // two communities by modularity
mod kmeans; // k-means++ and Lloyd's steps
mod normalised_cut; // the normalised cut of an assignment and its z score
mod partition_scores; // scores of a partition on any affinity
mod print_partition; // printed form
mod random_tasks; // random partitions of even size
mod refine; // single-label moves while the cut falls
mod rotations; // discretize and cluster_qr: assignment without k-means
mod seed_stability; // partitions of several seeds, compared
mod spectral_clustering; // all steps from affinity to partition
mod task_sizes; // no empty tasks, no tasks above a bound
mod tasks; // `Partition`: labels split into tasks

pub use agreement::{Comparison, Move, compare};
pub use clustering_options::{Assign, PartitionOptions};
pub use communities::two_communities;
pub use normalised_cut::ZScore;
pub use partition_scores::{lloyd_mismatches, ncut, z_score};
pub use random_tasks::random_partition;
pub use seed_stability::{Stability, stability};
pub use spectral_clustering::spectral_partition;
pub use tasks::Partition;
