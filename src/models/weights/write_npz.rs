//! Writes NumPy's .npz: an archive of .npy files that are not packed, as `numpy.savez` writes it.

use std::path::Path;

use tch::Tensor;

use super::write_npy::npy;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;

/// The day that archives without a date have, 1980-01-01, as numpy writes it: the same tensors give the same bytes.
const DATE: u16 = 0x21;

/// Writes named tensors. The file appears whole or not at all.
///
/// Errors: Io; Argument for an element type that NumPy does not have, a name twice, and 4 GiB or more.
pub fn write_npz(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let size = |tensor: &Tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes() + 256) as u64;
    let all: u64 = tensors.iter().map(|(name, tensor)| size(tensor) + 2 * name.len() as u64 + 256).sum();
    if all > u64::from(u32::MAX) || tensors.len() > usize::from(u16::MAX) {
        let message = format!("the tensors have {}; a .npz file here has less than 4.3 GB", memory::said(all));
        return Err(Error::argument(message).about_file(path).with_help("a .safetensors file holds any size"));
    }
    // The file, and the largest tensor once more.
    memory::check("the file of the tensors", 2 * all)?;
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, tensor) in tensors {
        interrupt::check()?;
        let name = format!("{name}.npy");
        if name.len() > usize::from(u16::MAX) || name.contains('\0') {
            return Err(Error::argument(
                "a tensor's name is too long for a .npz file, or has a zero byte in it".to_string(),
            ));
        }
        let content = npy(tensor).map_err(|e| Error { message: format!("\"{name}\": {}", e.message), ..e })?;
        let mut checksum = flate2::Crc::new();
        checksum.update(&content);
        // Version 2.0, names in UTF-8, stored; time and date; checksum; size twice; lengths of name and further fields.
        let mut common = Vec::new();
        for number in [20u16, 0x800, 0, 0, DATE] {
            common.extend(number.to_le_bytes());
        }
        for number in [checksum.sum(), content.len() as u32, content.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        let offset = bytes.len() as u32;
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(content);
        directory.extend(b"PK\x01\x02");
        directory.extend(20u16.to_le_bytes());
        directory.extend(&common);
        // No comment, disk 0, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, count) = (bytes.len() as u32, tensors.len() as u16);
    let length = directory.len() as u32;
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    files::write(path, &bytes)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn an_archive_is_read_back_with_names_types_and_shapes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let kinds = [
            Kind::Bool,
            Kind::Int8,
            Kind::Uint8,
            Kind::Int16,
            Kind::Int,
            Kind::Int64,
            Kind::Half,
            Kind::Float,
            Kind::Double,
        ];
        let of = |kind: Kind| {
            (format!("a {kind:?} é"), Tensor::from_slice(&[1i64, 0, 1, 1, 0, 1]).view([2, 3]).tr().to_kind(kind))
        };
        let all: Vec<(String, Tensor)> = kinds.into_iter().map(of).collect();
        write_npz(&path, &all).unwrap();
        let first = std::fs::read(&path).unwrap();
        let read = super::super::read_npz(&path).unwrap();
        assert_eq!(read.len(), all.len());
        for ((name, tensor), (other, back)) in all.iter().zip(&read) {
            assert!(name == other && tensor.kind() == back.kind() && tensor.equal(back), "{name}");
        }
        write_npz(&path, &all).unwrap();
        assert_eq!(first, std::fs::read(&path).unwrap());
        write_npz(&path, &[]).unwrap();
        assert!(super::super::read_npz(&path).unwrap().is_empty());
        let half = [("x".to_string(), Tensor::from_slice(&[1f32]).to_kind(Kind::BFloat16))];
        assert!(write_npz(&path, &half).is_err());
    }
}
