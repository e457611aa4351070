//! The updates of optimisers in one pass over their buffers, with the bits of libtorch's separate operations.
//!
//! The buffers of a call are `[n]`, of one length, f32 on the CPU.

use tch::Tensor;

use super::{answered, pointer};
use crate::error::Result;

/// Whether this build has them: they are compiled against libtorch's headers.
pub const AVAILABLE: bool = cfg!(one_pass);

/// The numbers of a step of [`adam`], as the separate operations get them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AdamNumbers {
    /// On the values, before all else; 1 changes nothing.
    pub shrink: f32,
    /// How much of the values is added to the gradients.
    pub penalty: f32,
    /// How far the mean goes to the gradient.
    pub mean_weight: f32,
    pub square_decay: f32,
    /// On the gradients that are squared.
    pub square_root: f32,
    /// On the roots of the squares.
    pub unbias: f32,
    /// Added to them.
    pub eps: f32,
    /// On the change, one after the other.
    pub rate: f32,
    pub factor: f32,
}

/// The numbers of a step of [`sgd`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SgdNumbers {
    /// How much of the values is added to the gradients.
    pub penalty: f32,
    pub momentum: f32,
    /// On the change, one after the other.
    pub rate: f32,
    pub factor: f32,
    /// Nesterov's momentum, unless 0.
    pub nesterov: i32,
}

/// Which of libtorch's operations round a product and a sum once, unless 0. It depends on the processor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    pub lerp: i32,
    pub addcmul: i32,
}

impl Rounding {
    /// Those that are as fast as the memory here.
    pub fn all() -> Vec<Rounding> {
        // SAFETY: the function of one_pass.cpp reads nothing.
        let once = unsafe { native::cpsd_one_pass_is_wide() } != 0;
        let of = |(lerp, addcmul)| Rounding { lerp, addcmul };
        [(1, 1), (1, 0), (0, 1), (0, 0)].map(of).into_iter().filter(|r| once || (r.lerp, r.addcmul) == (0, 0)).collect()
    }
}

/// One step of Adam or AdamW on values, means of the gradients and of their squares, and gradients, which stay as they are.
///
/// Errors: buffers of another kind, or of different lengths; a build without the headers of libtorch.
pub fn adam(buffers: [&Tensor; 4], with: &AdamNumbers, rounding: Rounding) -> Result<()> {
    let [values, means, squares, gradients] = buffers.map(pointer);
    // SAFETY: the function of one_pass.cpp reads live tensors and numbers.
    answered(unsafe { native::cpsd_one_pass_adam(values, means, squares, gradients, with, &rounding) })
}

/// One step of gradient descent on values, velocities and gradients, which stay as they are.
///
/// Errors: those of [`adam`].
pub fn sgd(buffers: [&Tensor; 3], with: &SgdNumbers) -> Result<()> {
    let [values, velocities, gradients] = buffers.map(pointer);
    // SAFETY: as in `adam`.
    answered(unsafe { native::cpsd_one_pass_sgd(values, velocities, gradients, with) })
}

mod native {
    use std::ffi::{c_char, c_void};

    use super::{AdamNumbers, Rounding, SgdNumbers};

    /// An `at::Tensor`.
    pub type Handle = *mut c_void;

    #[cfg(one_pass)]
    unsafe extern "C" {
        pub fn cpsd_one_pass_is_wide() -> i32;
        pub fn cpsd_one_pass_adam(
            values: Handle,
            means: Handle,
            squares: Handle,
            gradients: Handle,
            with: *const AdamNumbers,
            rounding: *const Rounding,
        ) -> *mut c_char;
        pub fn cpsd_one_pass_sgd(
            values: Handle,
            velocities: Handle,
            gradients: Handle,
            with: *const SgdNumbers,
        ) -> *mut c_char;
    }

    #[cfg(not(one_pass))]
    pub use absent::*;

    /// The same functions in a build without the headers of libtorch.
    #[cfg(not(one_pass))]
    #[allow(clippy::missing_safety_doc)]
    mod absent {
        use super::*;

        fn refused() -> *mut c_char {
            // SAFETY: copies a text that ends with 0.
            unsafe {
                libc::strdup(
                    c"this build has no updates in one pass: it was made without the headers of libtorch".as_ptr(),
                )
            }
        }

        pub unsafe fn cpsd_one_pass_is_wide() -> i32 {
            0
        }

        pub unsafe fn cpsd_one_pass_adam(
            _: Handle,
            _: Handle,
            _: Handle,
            _: Handle,
            _: *const AdamNumbers,
            _: *const Rounding,
        ) -> *mut c_char {
            refused()
        }

        pub unsafe fn cpsd_one_pass_sgd(_: Handle, _: Handle, _: Handle, _: *const SgdNumbers) -> *mut c_char {
            refused()
        }
    }
}

#[cfg(all(test, one_pass))]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn buffers_of_another_kind_or_length_are_refused() {
        let ones = |n: i64, kind| Tensor::ones([n], (kind, Device::Cpu));
        let with = SgdNumbers { penalty: 0.0, momentum: 0.0, rate: -1.0, factor: 1.0, nesterov: 0 };
        let x = ones(4, Kind::Float);
        for bad in [ones(3, Kind::Float), ones(4, Kind::Double), ones(8, Kind::Float).slice(0, 0, 8, 2)] {
            let error = sgd([&x, &x.zeros_like(), &bad], &with).unwrap_err();
            assert!(error.message.contains("in one pass needs buffers"), "{}", error.message);
        }
        sgd([&x, &x.zeros_like(), &ones(4, Kind::Float)], &with).unwrap();
        assert_eq!(Vec::<f32>::try_from(&x).unwrap(), [0.0; 4]);
    }
}
