//! How an update is computed: by operations on whole buffers, or by PyTorch's fused kernels.

use tch::Device;

use crate::environment;
use crate::error::{Error, Result};
use crate::torch::fused;

/// How an update is computed. Both forms give the same to rounding, and their states can be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One operation on whole buffers after the other.
    Separate,
    /// PyTorch's fused kernels, which read and write each value once.
    Fused,
}

/// Another form than that of the device, for tests and timings: "0" or "1".
const SETTING: &str = "CPSD_FUSED";

impl Form {
    /// The fused form on GPUs. On CPUs the other, so that the bits of stored runs come out again. `CPSD_FUSED` (`0` or `1`) is another
    /// choice for any device.
    ///
    /// Errors: `CPSD_FUSED` is 1 in a build that has no fused kernels.
    pub fn of(device: Device) -> Result<Form> {
        Form::from_setting(device, environment::flag(SETTING), fused::AVAILABLE)
    }

    fn from_setting(device: Device, set: Option<bool>, available: bool) -> Result<Form> {
        match set {
            None if device.is_cuda() && available => Ok(Form::Fused),
            None | Some(false) => Ok(Form::Separate),
            Some(true) if available => Ok(Form::Fused),
            Some(true) => {
                Err(Error::argument(format!("{SETTING}=1 needs a build that was made with the headers of libtorch"))
                    .with_help("set LIBTORCH to the folder of libtorch and build again"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_keep_their_bits_unless_asked() {
        let form = |device, set| Form::from_setting(device, set, true).unwrap();
        let (cpu, gpu) = (Device::Cpu, Device::Cuda(1));
        assert_eq!([None, Some(false)].map(|set| form(cpu, set)), [Form::Separate; 2]);
        assert_eq!([None, Some(true)].map(|set| form(gpu, set)), [Form::Fused; 2]);
        assert_eq!((form(cpu, Some(true)), form(gpu, Some(false))), (Form::Fused, Form::Separate));
        // Without the kernels a GPU computes as before, and asking for them is an error.
        assert_eq!(Form::from_setting(gpu, None, false).unwrap(), Form::Separate);
        assert!(Form::from_setting(cpu, Some(true), false).unwrap_err().message.contains("headers"));
    }
}
