//! Mixed precision: in which element type the expensive layers of a backbone compute.
//!
//! The rules are those of PyTorch's autocast: convolutions, linear layers and attention compute in the lower type,
//! normalisation layers keep their f32 parameters and layer normalisation its f32 input, sums take the wider type.
//! Parameters, gradients, heads and losses stay f32.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// The element type of a training's forward passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Float32,
    /// Needs no loss scaling: it has f32's range. Fast on GPUs from Ampere on and on CPUs with AVX-512 BF16 or AMX.
    BFloat16,
}

thread_local!(static ACTIVE: Cell<Precision> = const { Cell::new(Precision::Float32) });

impl Precision {
    /// Runs `work` with the layers of this thread in this precision; nests.
    pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
        /// Also on a panic.
        struct Restore(Precision);
        impl Drop for Restore {
            fn drop(&mut self) {
                ACTIVE.set(self.0);
            }
        }
        let _restore = Restore(ACTIVE.replace(self));
        work()
    }
}

/// `x` as an expensive layer should see it: f32 in the active lower type, anything else as it is.
pub fn lowered(x: &Tensor) -> Result<Tensor> {
    match (ACTIVE.get(), x.kind()) {
        (Precision::BFloat16, Kind::Float) => Ok(x.f_to_kind(Kind::BFloat16)?),
        _ => Ok(x.shallow_clone()),
    }
}

/// `x` in f32.
pub fn full(x: &Tensor) -> Result<Tensor> {
    Ok(x.f_to_kind(Kind::Float)?)
}
