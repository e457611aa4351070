//! Writes NumPy's .npy (NEP 1).

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::files;
use crate::memory;

/// Writes a tensor as an array in C order. The file appears whole or not at all.
///
/// Errors: Io; Argument for an element type that NumPy does not have.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<()> {
    files::write(path, &npy(tensor)?)
}

/// The content of the file that [`write_npy`] writes.
pub fn npy(tensor: &Tensor) -> Result<Vec<u8>> {
    let kind = tensor.kind();
    let descr = match kind {
        Kind::Bool => "|b1",
        Kind::Int8 => "|i1",
        Kind::Uint8 => "|u1",
        Kind::Int16 => "<i2",
        Kind::Int => "<i4",
        Kind::Int64 => "<i8",
        Kind::Half => "<f2",
        Kind::Float => "<f4",
        Kind::Double => "<f8",
        other => return Err(Error::argument(format!("a tensor of type {other:?} has no place in a .npy file"))),
    };
    let sizes: Vec<String> = tensor.size().iter().map(i64::to_string).collect();
    // Python writes a tuple of one with a comma.
    let comma = if sizes.len() == 1 { "," } else { "" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", sizes.join(", "));
    // Numbers begin at a multiple of 64 bytes.
    let end = (10 + header.len() + 1).next_multiple_of(64);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(((end - 10) as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(end - 1, b' ');
    bytes.push(b'\n');
    memory::check("the file of the tensor", (tensor.numel() * kind.elt_size_in_bytes()) as u64)?;
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let count = tensor.numel();
    bytes.resize(end + count * kind.elt_size_in_bytes(), 0);
    tensor.f_copy_data_u8(&mut bytes[end..], count)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_those_of_numpy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, &Tensor::from_slice(&[1.0f32, -2.0])).unwrap();
        // np.save("x.npy", np.array([1, -2], "f4")) (NumPy 2.4).
        let mut expected =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".to_vec();
        expected.resize(127, b' ');
        expected.extend(b"\n\x00\x00\x80\x3f\x00\x00\x00\xc0");
        assert_eq!(std::fs::read(&path).unwrap(), expected);
        for kind in [Kind::Bool, Kind::Int8, Kind::Uint8, Kind::Int16, Kind::Int, Kind::Int64, Kind::Half, Kind::Double]
        {
            let tensor = Tensor::from_slice(&[1i64, 0, 1, 1, 0, 1]).view([2, 3, 1]).transpose(0, 1).to_kind(kind);
            write_npy(&path, &tensor).unwrap();
            let read = super::super::read_npy(&path).unwrap();
            assert!(read.size() == [3, 2, 1] && read.kind() == kind && read == tensor, "{kind:?}");
        }
        assert!(write_npy(&path, &Tensor::from_slice(&[1.0f32]).to_kind(Kind::BFloat16)).is_err());
    }
}
