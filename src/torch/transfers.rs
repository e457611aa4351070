//! Transfers between the host and the devices, which are counted, and conversions of tensors to numbers.

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

use crate::error::Result;

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

/// The same in double precision.
pub fn to_vec_f64(tensor: &Tensor) -> Result<Vec<f64>> {
    let flat = read_back(tensor)?.f_to_kind(Kind::Double)?.f_contiguous()?.f_reshape([-1])?;
    Ok(Vec::<f64>::try_from(&flat)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
