//! Options of spectral clustering.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::spectral::{Embedding, Preset};

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

/// Options of [`spectral_partition`](super::spectral_partition()).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionOptions {
    /// The seed of every random choice.
    pub seed: u64,
    /// Number of k-means runs, of which the one of least inertia is kept.
    pub restarts: usize,
    /// How eigenvectors become points.
    pub embedding: Embedding,
    /// Whether single labels are moved while the normalised cut falls, from several starts; the least cut is kept.
    pub refine: bool,
    /// `"authors"`: `rw` on both branches, best of 4 runs of 20 restarts by Calinski-Harabasz score.
    pub preset: Option<Preset>,
    /// How points are assigned to tasks.
    pub assign: Assign,
    /// No task holds more than this times the even share m / k, rounded up; at least 1, no bound when absent.
    pub balance: Option<f64>,
}

impl Default for PartitionOptions {
    fn default() -> Self {
        PartitionOptions {
            seed: 0,
            restarts: 50,
            embedding: Embedding::Auto,
            refine: false,
            preset: None,
            assign: Assign::Kmeans,
            balance: None,
        }
    }
}

impl PartitionOptions {
    /// Errors: no restarts, or an option that contradicts the preset.
    pub(super) fn check(&self) -> Result<()> {
        if self.restarts == 0 {
            return Err(Error::argument(
                "The restarts option of spectral_partition must be an integer of at least 1. Got 0 instead.",
            ));
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
