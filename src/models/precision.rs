//! Mixed precision: the element type in which the expensive layers of backbone and head compute.
//!
//! The rules are those of PyTorch's autocast: convolutions, linear layers, matrix products and attention
//! ([`products`](super::products)) compute in the lower type, normalisation layers keep their f32 parameters and layer
//! normalisation its f32 input, sums take the wider type. Softmax, cosines, norms and logits are f32. Parameters, gradients, the
//! solution of linear equations and losses stay f32.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::Result;

/// The element type of the forward passes of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Float32,
    /// Needs no loss scaling, as it has the range of f32.
    /// Fast on GPUs from Ampere on, and on CPUs with AVX-512 BF16 or AMX.
    BFloat16,
}

thread_local!(static ACTIVE: Cell<Precision> = const { Cell::new(Precision::Float32) });

impl Precision {
    /// Runs `work` with the layers of this thread in this precision. Calls can be nested.
    pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
        /// Restores the precision on a panic too.
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

/// The input of an expensive layer: f32 is converted to the active lower type, anything else is kept.
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
