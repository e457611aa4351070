//! Words for the label graph and its partitions.

pub mod affinity;
pub mod cooccurrence;
pub mod load_cooccurrence;
pub mod load_partition;
pub mod partition_of;
pub mod random_partition;
pub mod single_label_partition;
pub mod spectral_partition;
pub mod stability;
pub mod suggest_k;
