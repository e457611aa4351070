//! Helpers for libtorch: errors of one sentence, conversions of tensors, keyed random tensors.

mod constants; // tensors that are made once
pub mod flags; // TensorFloat-32, determinism

use std::cell::Cell;

pub use constants::Constants;
use rand::RngExt;
use tch::{Device, Kind, TchError, Tensor};

use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::random;

impl From<TchError> for Error {
    fn from(error: TchError) -> Self {
        Error::new(ErrorKind::Tensor, first_sentence(&error.to_string()))
    }
}

/// The message of libtorch without its C++ trace: the first line that is not empty.
fn first_sentence(message: &str) -> String {
    let text = message.split("\nException raised from").next().unwrap_or(message);
    let text = text.trim().trim_start_matches("Internal torch error:");
    text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("libtorch refused the operation").to_string()
}

/// Transfers between the host and the devices that this thread asked for. Those of models on the CPU are counted too, so that a
/// test without a GPU sees what a GPU would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    pub uploads: u64,
}

thread_local!(static TRANSFERS: Cell<Transfers> = const { Cell::new(Transfers { uploads: 0 }) });

/// The transfers of this thread so far.
pub fn transfers() -> Transfers {
    TRANSFERS.get()
}

/// A copy on that device. To a GPU it goes through pinned memory, and the CPU does not wait for it.
pub fn upload(tensor: &Tensor, device: Device) -> Result<Tensor> {
    TRANSFERS.set(Transfers { uploads: TRANSFERS.get().uploads + 1 });
    if !device.is_cuda() {
        return Ok(tensor.f_to_device(device)?);
    }
    // `f_pin_memory` warns on each call that its argument is deprecated.
    Ok(tensor.f_internal_pin_memory(device)?.f_to_device_(device, tensor.kind(), true, false)?)
}

/// All elements in row-major order, from any device and element type.
pub fn to_vec_f32(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_reshape([-1])?;
    Ok(Vec::<f32>::try_from(&flat)?)
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
    fn normal_numbers_are_normal_and_repeatable() {
        let x = normal(1, "w", &[10_000], 2.0).unwrap();
        assert_eq!(x, normal(1, "w", &[10_000], 2.0).unwrap());
        assert_ne!(x, normal(1, "v", &[10_000], 2.0).unwrap());
        let (mean, sd) = (f64::try_from(x.mean(Kind::Float)).unwrap(), f64::try_from(x.std(true)).unwrap());
        assert!(mean.abs() < 0.08 && (sd - 2.0).abs() < 0.06, "{mean} {sd}");
    }
}
