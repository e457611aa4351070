//! Helpers for libtorch: errors of one sentence, conversions of tensors, keyed random tensors.
//!
//! - `constants`: tensors that are made once per device; `flags`: TensorFloat-32, determinism
//! - `fused`: optimisers that tch does not bind
//! - `faults`: what a failure means: memory that ended, a lost GPU, a refused operation
//! - `meeting`: operands that are on different devices

mod constants;
pub mod faults;
pub mod flags;
pub mod fused;
pub mod meeting;

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;

pub use constants::Constants;
use rand::RngExt;
use tch::{Device, Kind, TchError, Tensor};

use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::random;

impl From<TchError> for Error {
    fn from(error: TchError) -> Self {
        faults::error(&error.to_string())
    }
}

/// The version of the libtorch that is loaded, as in `2.13.0`, and the path of its library. None where it does not say them.
pub fn version() -> Option<(String, String)> {
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"aoti_torch_abi_version".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: the function's type in libtorch's torch/csrc/inductor/aoti_torch/c/shim.h. It returns a constant.
    let number = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> u64>(found) }();
    let part = |shift: u32| number >> shift & 0xff;
    // SAFETY: zeros are a valid value of this structure, and the names in it are the loader's, which stay.
    let path = unsafe {
        let mut place: libc::Dl_info = std::mem::zeroed();
        let known = libc::dladdr(found, &mut place) != 0 && !place.dli_fname.is_null();
        if known { CStr::from_ptr(place.dli_fname).to_string_lossy().into_owned() } else { String::new() }
    };
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

/// The CUDA that this libtorch was built with, as in `13000` for 13.0; none if it is for the CPU.
pub fn cuda() -> Option<i64> {
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

/// Transfers between the host and the devices that this thread asked for: calls of [`upload`] and [`read_back`]. Those of models
/// on the CPU are counted too, so that a test without a GPU sees what a GPU would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    pub uploads: u64,
    pub read_backs: u64,
}

thread_local! {
    static TRANSFERS: Cell<Transfers> = const { Cell::new(Transfers { uploads: 0, read_backs: 0 }) };
}

/// The transfers of this thread so far.
pub fn transfers() -> Transfers {
    TRANSFERS.get()
}

fn count(change: impl FnOnce(&mut Transfers)) {
    let mut counts = TRANSFERS.get();
    change(&mut counts);
    TRANSFERS.set(counts);
}

/// A copy on that device. To a GPU it goes through pinned memory, and the CPU does not wait for it.
///
/// A training step uploads twice, its input and the positions of its images, once more for the numbers of augmentation on a GPU,
/// and once more where labels are unknown.
pub fn upload(tensor: &Tensor, device: Device) -> Result<Tensor> {
    upload_pinned(&pinned(tensor, device)?, device)
}

/// [`upload`] of what [`pinned`] gave for that device.
pub fn upload_pinned(tensor: &Tensor, device: Device) -> Result<Tensor> {
    count(|counts| counts.uploads += 1);
    match device.is_cuda() {
        true => Ok(tensor.f_to_device_(device, tensor.kind(), true, false)?),
        false => Ok(tensor.f_to_device(device)?),
    }
}

/// A copy in pinned memory, from which a copy to a GPU does not make the CPU wait; the tensor itself for another device.
pub fn pinned(tensor: &Tensor, device: Device) -> Result<Tensor> {
    match device.is_cuda() && tensor.device() == Device::Cpu {
        // `f_pin_memory` warns on each call that its argument is deprecated.
        true => Ok(tensor.f_internal_pin_memory(device)?),
        false => Ok(tensor.shallow_clone()),
    }
}

/// The tensor on the CPU, without its gradient: the one way from a device to the host. The CPU waits until the device has
/// computed it, so a training step does this once in many steps.
pub fn read_back(tensor: &Tensor) -> Result<Tensor> {
    count(|counts| counts.read_backs += 1);
    Ok(tensor.f_detach()?.f_to_device(Device::Cpu)?)
}

/// The number in a tensor of one element, from any device.
pub fn to_f64(tensor: &Tensor) -> Result<f64> {
    Ok(f64::try_from(&read_back(tensor)?)?)
}

/// Elements that [`read_back_in_parts`] copies at once: 64 MiB of f32.
const PART: i64 = 16 << 20;

/// [`read_back`] of a large tensor, from a GPU through a small pinned buffer: pageable memory is several times slower, and
/// what libtorch has pinned once it keeps.
pub fn read_back_in_parts(tensor: &Tensor) -> Result<Tensor> {
    match tensor.device().is_cuda() && tensor.numel() > 0 {
        true => in_parts(tensor, PART),
        false => read_back(tensor),
    }
}

fn in_parts(tensor: &Tensor, part: i64) -> Result<Tensor> {
    count(|counts| counts.read_backs += 1);
    let (kind, device) = (tensor.kind(), tensor.device());
    let flat = tensor.f_detach()?.f_contiguous()?.f_view([-1])?;
    let n = flat.numel() as i64;
    let whole = Tensor::f_empty([n], (kind, Device::Cpu))?;
    let buffer = pinned(&Tensor::f_empty([n.min(part)], (kind, Device::Cpu))?, device)?;
    for from in (0..n).step_by(part as usize) {
        let length = part.min(n - from);
        let mut copied = buffer.f_narrow(0, 0, length)?;
        copied.f_copy_(&flat.f_narrow(0, from, length)?)?;
        whole.f_narrow(0, from, length)?.f_copy_(&copied)?;
    }
    Ok(whole.f_view(tensor.size().as_slice())?)
}

/// All elements in row-major order, from any device and element type.
pub fn to_vec_f32(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = read_back(tensor)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_reshape([-1])?;
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
    fn transfers_of_a_thread_are_counted() {
        let x = Tensor::from_slice(&[1.5f32, 2.5]);
        let before = transfers();
        let y = upload(&x, Device::Cpu).unwrap();
        assert_eq!(to_vec_f32(&y).unwrap(), [1.5, 2.5]);
        assert_eq!(to_f64(&y.select(0, 1)).unwrap(), 2.5);
        assert!(to_f64(&y).is_err());
        std::thread::spawn(move || drop(read_back(&x))).join().unwrap();
        let after = transfers();
        assert_eq!((after.uploads - before.uploads, after.read_backs - before.read_backs), (1, 3));
    }

    #[test]
    fn a_tensor_read_in_parts_is_whole() {
        let devices = std::iter::once(Device::Cpu).chain(tch::Cuda::is_available().then_some(Device::Cuda(0)));
        for device in devices {
            let x = Tensor::arange(35, (Kind::Float, Device::Cpu)).reshape([7, 5]);
            let there = x.to_device(device);
            for part in [1, 3, 7, 35, 100] {
                assert_eq!(in_parts(&there, part).unwrap(), x);
            }
            assert_eq!(in_parts(&there.transpose(0, 1), 4).unwrap(), x.transpose(0, 1));
            assert_eq!(read_back_in_parts(&there).unwrap(), x);
            assert_eq!(read_back_in_parts(&there.narrow(0, 0, 0)).unwrap().size(), [0, 5]);
        }
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
