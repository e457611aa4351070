//! Options of spectral clustering.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::spectral::{Embedding, Preset};
use crate::options;

/// How points are assigned to tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assign {
    /// k-means++ with restarts, kept by inertia.
    #[default]
    Kmeans,
    /// Rotation of the eigenvectors to the nearest 0/1 matrix (Yu and Shi 2003).
    Discretize,
    /// Pivoted QR of the eigenvectors (Damle, Minden and Ying 2019): no random numbers, no restarts.
    ClusterQr,
}

options! {
    /// Options of [`spectral_partition`](super::spectral_partition()).
    pub struct PartitionOptions {
        /// decides the starts of k-means
        pub seed: u64 = 0;
        /// how many starts; the one with the least inertia is kept
        pub restarts: usize = 50;
        /// "auto": "rw" on "co", "njw" on "dis"; "rw": eigenvectors over √degree; "njw": rows of unit length; "sym": as they are
        pub embedding: Embedding = Embedding::Auto;
        /// move single labels afterwards while the normalised cut falls
        pub refine: bool = false;
        /// "authors": "rw", the best of 4 runs of 20 starts by Calinski-Harabasz score
        pub preset: Option<Preset> = None;
        /// "kmeans", "discretize" (Yu and Shi 2003) or "cluster_qr" (Damle, Minden and Ying 2019)
        pub assign: Assign = Assign::Kmeans;
        /// no task holds more than this times the even share of labels; at least 1, () sets no bound
        pub balance: Option<f64> = None;
    }
}

impl PartitionOptions {
    /// Errors: no restarts, or an option that contradicts the preset.
    pub(super) fn validate(&self) -> Result<()> {
        if self.restarts == 0 {
            return Err(Error::argument(
                "The restarts option of spectral_partition must be an integer of at least 1. Got 0 instead.",
            )
            .about_option("restarts"));
        }
        if self.preset == Some(Preset::Authors) {
            if !matches!(self.embedding, Embedding::Auto | Embedding::Rw) {
                return Err(Error::argument(
                    "preset \"authors\" of spectral_partition sets embedding \"rw\"; leave embedding out",
                ));
            }
            if self.assign != Assign::Kmeans {
                return Err(Error::argument(
                    "preset \"authors\" of spectral_partition sets assign \"kmeans\"; leave assign out",
                ));
            }
        }
        Ok(())
    }
}
