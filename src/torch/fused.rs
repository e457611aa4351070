//! PyTorch's fused optimisers (`torch.optim` with `fused=True`): one step reads and writes every value once, in place.
//!
//! The lists of a call are of equal length; the tensors at one place of them have one shape, and all are of one element type on one device.

use tch::Tensor;

use super::{answered, pointer};
use crate::error::{Error, Result};

/// Whether this build has them: they are compiled against libtorch's headers.
pub const AVAILABLE: bool = cfg!(fused_optimisers);

/// The numbers of a step of [`adam`].
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Whether the decay shrinks the values (AdamW), or is added to the gradients.
    pub decoupled: bool,
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

/// The numbers of a step of [`sgd`].
#[derive(Clone, Copy, Debug)]
pub struct SgdStep {
    pub lr: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

/// One step of Adam or AdamW on lists of values, gradients, running means of the gradients and of their squares. `step` [] is the
/// number of this step, from 1, as f32 on the same device.
///
/// Errors: lists of different lengths, tensors that do not fit together, a build without the headers of libtorch.
pub fn adam(lists: [&[Tensor]; 4], step: &Tensor, with: AdamStep) -> Result<()> {
    let count = equal(&lists)?;
    let [values, gradients, means, squares] = lists.map(pointers);
    // SAFETY: the function of fused.cpp reads `count` live tensors of each list, and `step`.
    answered(unsafe {
        native::cpsd_fused_adam(
            count,
            values.as_ptr(),
            gradients.as_ptr(),
            means.as_ptr(),
            squares.as_ptr(),
            pointer(step),
            with.decoupled.into(),
            with.lr,
            with.beta1,
            with.beta2,
            with.eps,
            with.weight_decay,
        )
    })
}

/// One step of gradient descent on lists of values, gradients and velocities. With a momentum of 0 the velocities stay as they are.
///
/// Errors: those of [`adam`].
pub fn sgd(lists: [&[Tensor]; 3], with: SgdStep) -> Result<()> {
    let count = equal(&lists)?;
    let [values, gradients, velocities] = lists.map(pointers);
    // SAFETY: as in `adam`.
    answered(unsafe {
        native::cpsd_fused_sgd(
            count,
            values.as_ptr(),
            gradients.as_ptr(),
            velocities.as_ptr(),
            with.lr,
            with.momentum,
            with.nesterov.into(),
            with.weight_decay,
        )
    })
}

/// The number of tensors in each list.
fn equal(lists: &[&[Tensor]]) -> Result<usize> {
    let count = lists.first().map_or(0, |list| list.len());
    match lists.iter().all(|list| list.len() == count) {
        true => Ok(count),
        false => Err(Error::internal("a fused optimiser got lists of different lengths")),
    }
}

fn pointers(list: &[Tensor]) -> Vec<native::Handle> {
    list.iter().map(pointer).collect()
}

mod native {
    use std::ffi::{c_char, c_int, c_void};

    /// An `at::Tensor`.
    pub type Handle = *mut c_void;

    #[cfg(fused_optimisers)]
    unsafe extern "C" {
        pub fn cpsd_fused_adam(
            count: usize,
            values: *const Handle,
            gradients: *const Handle,
            means: *const Handle,
            squares: *const Handle,
            step: Handle,
            decoupled: c_int,
            lr: f64,
            beta1: f64,
            beta2: f64,
            eps: f64,
            weight_decay: f64,
        ) -> *mut c_char;
        pub fn cpsd_fused_sgd(
            count: usize,
            values: *const Handle,
            gradients: *const Handle,
            velocities: *const Handle,
            lr: f64,
            momentum: f64,
            nesterov: c_int,
            weight_decay: f64,
        ) -> *mut c_char;
    }

    #[cfg(not(fused_optimisers))]
    pub use absent::*;

    /// The same functions in a build without the headers of libtorch.
    #[cfg(not(fused_optimisers))]
    #[allow(clippy::missing_safety_doc, clippy::too_many_arguments)]
    mod absent {
        use super::*;

        fn refused() -> *mut c_char {
            // SAFETY: copies a text that ends with 0.
            unsafe {
                libc::strdup(
                    c"this build has no fused optimisers: it was made without the headers of libtorch".as_ptr(),
                )
            }
        }

        type List = *const Handle;

        pub unsafe fn cpsd_fused_adam(
            _: usize,
            _: List,
            _: List,
            _: List,
            _: List,
            _: Handle,
            _: c_int,
            _: f64,
            _: f64,
            _: f64,
            _: f64,
            _: f64,
        ) -> *mut c_char {
            refused()
        }

        pub unsafe fn cpsd_fused_sgd(
            _: usize,
            _: List,
            _: List,
            _: List,
            _: f64,
            _: f64,
            _: c_int,
            _: f64,
        ) -> *mut c_char {
            refused()
        }
    }
}

#[cfg(all(test, fused_optimisers))]
mod tests {
    use super::*;

    const STEP: SgdStep = SgdStep { lr: 0.5, momentum: 0.0, nesterov: false, weight_decay: 0.0 };

    #[test]
    fn a_refusal_of_libtorch_is_one_sentence() {
        let (x, g) = (Tensor::from_slice(&[1.0f32, 2.0]), Tensor::from_slice(&[1i64, 2]));
        let error = sgd([&[x.shallow_clone()], &[g], &[x.shallow_clone()]], STEP).unwrap_err();
        assert!(!error.message.is_empty() && !error.message.contains('\n'), "{}", error.message);
        assert!(sgd([&[x.shallow_clone()], &[], &[]], STEP).unwrap_err().message.contains("different lengths"));
    }

    #[test]
    fn a_step_is_in_place_on_every_tensor_of_the_lists() {
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
        let g = Tensor::from_slice(&[2.0f32, 2.0, 4.0, 4.0]);
        let halves = |t: &Tensor| [t.narrow(0, 0, 2), t.narrow(0, 2, 2)];
        sgd([&halves(&x), &halves(&g), &halves(&x.zeros_like())], STEP).unwrap();
        assert_eq!(Vec::<f32>::try_from(&x).unwrap(), [0.0, 1.0, 1.0, 2.0]);
    }
}
