//! How an update is computed: by operations on whole buffers, in one pass with their bits, or by PyTorch's fused kernels.

use tch::{Device, Kind};

use super::one_pass;
use crate::environment;
use crate::error::{Error, Result};
use crate::torch::fused;
use crate::torch::one_pass::Rounding;

/// How an update is computed. All forms give the same to rounding, and their states can be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One operation on whole buffers after the other.
    Separate,
    /// The same bits, but each value is read and written once. On CPUs, where libtorch rounds in that way.
    OnePass(Rounding),
    /// PyTorch's fused kernels, which read and write each value once.
    Fused,
}

/// Another form than that of the device, for tests and timings: "0" or "1".
const SETTING: &str = "CPSD_FUSED";

impl Form {
    /// The fused form on GPUs. On CPUs that in one pass or, where its bits are not known to be the same, the separate one, so that the bits
    /// of stored runs come out again. `CPSD_FUSED` is another choice: `0` is the separate form, `1` the fused one, for any device.
    ///
    /// Errors: `CPSD_FUSED` is 1 in a build that has no fused kernels.
    pub fn of(device: Device) -> Result<Form> {
        match environment::flag(SETTING) {
            None if device == Device::Cpu => Ok(one_pass::rounding().map_or(Form::Separate, Form::OnePass)),
            set => Form::from_setting(device, set, fused::AVAILABLE),
        }
    }

    /// The form for values of this type: updates in one pass are for f32, others are separate.
    pub(super) fn of_kind(self, kind: Kind) -> Form {
        match self {
            Form::OnePass(_) if kind != Kind::Float => Form::Separate,
            form => form,
        }
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
        assert_ne!(Form::of(cpu).unwrap(), Form::Fused);
        assert_eq!([None, Some(true)].map(|set| form(gpu, set)), [Form::Fused; 2]);
        assert_eq!((form(cpu, Some(true)), form(gpu, Some(false))), (Form::Fused, Form::Separate));
        // Without the kernels a GPU computes as before, and asking for them is an error.
        assert_eq!(Form::from_setting(gpu, None, false).unwrap(), Form::Separate);
        assert!(Form::from_setting(cpu, Some(true), false).unwrap_err().message.contains("headers"));
    }
}
