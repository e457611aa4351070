//! How frozen stages compute.
//!
//! A batch norm that keeps its statistics is a factor and a shift per channel. Folded into the convolution before it, which is the same
//! function but for rounding, it costs nothing.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::precision::Precision;

/// How a model's frozen stages compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrozenCompute {
    /// Layer by layer in f32, as PyTorch in evaluation mode.
    #[default]
    Exact,
    /// In f32, with batch norms folded into convolutions: equal but for rounding.
    Folded,
    /// Folded, and in bfloat16, of which a number has 8 bits.
    BFloat16,
}

thread_local!(static FOLDING: Cell<bool> = const { Cell::new(false) });

impl FrozenCompute {
    /// Whether it is the default, which is not written.
    pub fn is_exact(&self) -> bool {
        *self == FrozenCompute::Exact
    }

    /// Runs `work` with the layers of this thread computing so.
    pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
        /// Restores on a panic too.
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                FOLDING.set(self.0);
            }
        }
        if self == FrozenCompute::Exact {
            return work();
        }
        let _restore = Restore(FOLDING.replace(true));
        let precision = if self == FrozenCompute::BFloat16 { Precision::BFloat16 } else { Precision::Float32 };
        precision.during(work)
    }
}

/// Whether layers fold batch norms now.
pub(super) fn folding() -> bool {
    FOLDING.get()
}
