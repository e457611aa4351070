//! Helpers for libtorch: errors of one sentence, keyed random tensors.
//!
//! - `library`: libtorch is loaded at the first call
//! - `transfers`: between the host and the devices, and conversions of tensors to numbers
//! - `constants`: tensors that are made once per device; `flags`: TensorFloat-32, determinism
//! - `fused`: optimisers that tch does not bind; `one_pass`: those of separate operations, faster
//! - `clamp`: a clamp in place that has a gradient
//! - `faults`: what a failure means: memory that ended, a lost GPU, a refused operation
//! - `meeting`: operands that are on different devices

mod clamp;
mod constants;
pub mod faults;
pub mod flags;
pub mod fused;
pub mod library;
pub mod meeting;
pub mod one_pass;
mod transfers;

use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;

pub use clamp::clamped;
pub use constants::Constants;
use rand::RngExt;
use tch::{Device, Kind, TchError, Tensor};
pub use transfers::{
    Transfers, pinned, read_back, read_back_in_parts, to_f64, to_vec_f32, to_vec_f64, transfers, upload, upload_pinned,
};

use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::random;

impl From<TchError> for Error {
    fn from(error: TchError) -> Self {
        faults::error(&error.to_string())
    }
}

/// The version of libtorch, which is loaded for that, as in `2.13.0`, and the path of its library. None where it does not say them.
pub fn version() -> Option<(String, String)> {
    library::load().ok()?;
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"aoti_torch_abi_version".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: the function's type in libtorch's torch/csrc/inductor/aoti_torch/c/shim.h. It returns a constant.
    let number = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> u64>(found) }();
    let part = |shift: u32| number >> shift & 0xff;
    let path = library::file_of(found).unwrap_or_default().display().to_string();
    Some((format!("{}.{}.{}", part(56), part(48), part(40)), path))
}

/// The text that a function of C made with `malloc` for its caller; none for null.
pub(crate) fn owned_text(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the functions of this crate's C++ files end it with 0, and leave it to their callers.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        Some(copy)
    }
}

/// A tensor as the functions of this crate's C++ files take it, an `at::Tensor *`.
fn pointer(tensor: &Tensor) -> *mut c_void {
    tensor.as_ptr().cast_mut().cast()
}

/// What such a function answered: null when it worked, else its message. Errors: those of libtorch.
fn answered(text: *mut c_char) -> Result<()> {
    match owned_text(text) {
        None => Ok(()),
        Some(message) => Err(faults::error(&message)),
    }
}

/// The CUDA that this libtorch was built with, as in `13000` for 13.0; none if it is for the CPU.
pub fn cuda() -> Option<i64> {
    if library::found_for_cpu().is_some() {
        return None;
    }
    tch::utils::has_cudart().then(tch::utils::version_cudart)
}

/// Loads libtorch's library for linear algebra on GPUs, before several threads call it first.
///
/// libtorch loads it in the first such call of a process and keeps no lock meanwhile: of two first calls at once, one fails with
/// "lazy wrapper should be called at most once" (pytorch/pytorch#90613).
pub fn load_linear_algebra(device: Device) {
    static LOADED: Once = Once::new();
    if device.is_cuda() {
        // A failure here is that of the call that follows, which reports it.
        LOADED.call_once(|| drop(Tensor::f_eye(1, (Kind::Float, device)).and_then(|one| one.f_inverse())));
    }
}

/// Numbers that are drawn before Ctrl-C is looked at; even.
const DRAWN: usize = 1 << 20;

/// The number of elements, and an empty vector with room for one more. Errors: memory ends.
fn room(shape: &[i64]) -> Result<(usize, Vec<f32>)> {
    let count = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).and_then(|n| usize::try_from(n).ok());
    let mut values = Vec::new();
    match count.filter(|n| values.try_reserve_exact(n.saturating_add(1)).is_ok()) {
        Some(n) => Ok((n, values)),
        None => Err(Error::new(ErrorKind::Tensor, format!("there is no memory for a tensor {shape:?}"))),
    }
}

/// A tensor of independent normal numbers with mean 0 (Box and Muller 1958).
pub fn normal(seed: u64, name: &str, shape: &[i64], deviation: f64) -> Result<Tensor> {
    let mut rng = random::named(seed, name);
    let (n, mut values) = room(shape)?;
    while values.len() < n {
        if values.len() % DRAWN == 0 {
            interrupt::check()?;
        }
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(n);
    Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?)
}

/// A tensor of independent numbers, uniform in [-bound, bound).
pub fn uniform(seed: u64, name: &str, shape: &[i64], bound: f64) -> Result<Tensor> {
    let mut rng = random::named(seed, name);
    let (n, mut values) = room(shape)?;
    while values.len() < n {
        interrupt::check()?;
        let next = DRAWN.min(n - values.len());
        values.extend((0..next).map(|_| ((2.0 * rng.random::<f64>() - 1.0) * bound) as f32));
    }
    Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_sentence_without_a_trace() {
        let a = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let error: Error = a.f_matmul(&a).unwrap_err().into();
        assert!(!error.message.contains('\n') && error.message.contains("2x3"), "{}", error.message);
    }

    #[test]
    fn the_version_is_that_of_the_library_that_is_loaded() {
        let (version, path) = version().unwrap();
        // What set-up wrote, or the version of Python's package, beside the library.
        let lib = std::path::Path::new(&path).parent().unwrap();
        let said =
            ["../../version", "../version.py", "../build-version"].map(|name| std::fs::read_to_string(lib.join(name)));
        assert!(said.into_iter().flatten().any(|text| text.contains(&version)), "{version} {path}");
        assert_eq!(cuda().is_some(), lib.join("libtorch_cuda.so").exists());
    }

    #[test]
    fn normal_numbers_are_normal_and_repeatable() {
        let x = normal(1, "w", &[10_000], 2.0).unwrap();
        assert_eq!(x, normal(1, "w", &[10_000], 2.0).unwrap());
        assert_ne!(x, normal(1, "v", &[10_000], 2.0).unwrap());
        let (mean, sd) = (f64::try_from(x.mean(Kind::Float)).unwrap(), f64::try_from(x.std(true)).unwrap());
        assert!(mean.abs() < 0.08 && (sd - 2.0).abs() < 0.06, "{mean} {sd}");
    }
}
