//! Operands of one operation that are on different devices.

use tch::{Device, Tensor};

use super::upload;
use crate::error::{Error, ErrorKind, Result};

/// The device on which two tensors meet: where both are, or the GPU of one if the other is on the CPU. None if they are on two GPUs:
/// which of them should do the work is not to be guessed.
pub fn meeting_place(a: Device, b: Device) -> Option<Device> {
    match (a, b) {
        (a, b) if a == b => Some(a),
        (Device::Cpu, gpu) | (gpu, Device::Cpu) => Some(gpu),
        _ => None,
    }
}

/// The operands of `operation` on one device: numbers that a script wrote are on the CPU, and follow the other operand to its GPU. A
/// single number stays, since libtorch passes it to the kernel.
///
/// Errors: Tensor if they are on two GPUs.
pub fn together(operation: &str, a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let (here, there) = (a.device(), b.device());
    let Some(place) = meeting_place(here, there) else {
        let name = |device| if let Device::Cuda(i) = device { format!("cuda:{i}") } else { format!("{device:?}") };
        let message = format!("{operation} of Tensors on {} and {}: both must be on one GPU", name(here), name(there));
        return Err(Error::new(ErrorKind::Tensor, message)
            .with_help("tensor(x.to_array()) is on the CPU, and follows the other operand to its GPU"));
    };
    Ok((follow(a, place)?, follow(b, place)?))
}

/// The tensor on that device, or itself if it is there or is a single number on the CPU. A gradient flows back.
///
/// Errors: those of memory.
pub fn follow(tensor: &Tensor, device: Device) -> Result<Tensor> {
    match tensor.device() == device || (tensor.device() == Device::Cpu && tensor.dim() == 0) {
        true => Ok(tensor.shallow_clone()),
        // Pinned memory is of the CPU, and knows no gradient.
        false if tensor.requires_grad() || tensor.device() != Device::Cpu => Ok(tensor.f_to_device(device)?),
        false => upload(tensor, device),
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn operands_meet_on_the_gpu_of_one_of_them() {
        let (cpu, first, second) = (Device::Cpu, Device::Cuda(0), Device::Cuda(1));
        for (a, b, place) in [
            (cpu, cpu, Some(cpu)),
            (cpu, second, Some(second)),
            (first, cpu, Some(first)),
            (second, second, Some(second)),
            (first, second, None),
            (second, first, None),
        ] {
            assert_eq!(meeting_place(a, b), place, "{a:?} and {b:?}");
        }
    }

    #[test]
    fn operands_of_one_device_are_not_copied() {
        let (a, b) = (Tensor::ones([2], (Kind::Float, Device::Cpu)), Tensor::ones([], (Kind::Float, Device::Cpu)));
        let (x, y) = together("+", &a, &b).unwrap();
        assert_eq!((x.data_ptr(), y.data_ptr()), (a.data_ptr(), b.data_ptr()));
    }
}
