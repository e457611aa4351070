//! Reads and writes safetensors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use super::{cut_short, shape};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;

/// Element types that both safetensors and this crate know.
const TYPES: &[(Dtype, Kind)] = &[
    (Dtype::F32, Kind::Float),
    (Dtype::F64, Kind::Double),
    (Dtype::F16, Kind::Half),
    (Dtype::BF16, Kind::BFloat16),
    (Dtype::I64, Kind::Int64),
    (Dtype::I32, Kind::Int),
    (Dtype::I16, Kind::Int16),
    (Dtype::I8, Kind::Int8),
    (Dtype::U8, Kind::Uint8),
    (Dtype::BOOL, Kind::Bool),
];

/// All tensors, sorted by name, and the metadata.
///
/// Errors: Io; Data for a file that is cut short, is not safetensors, or has an unknown element type.
pub fn read_safetensors(path: &Path) -> Result<(Vec<(String, Tensor)>, BTreeMap<String, String>)> {
    parse_safetensors(path, &files::read(path)?)
}

/// [`read_safetensors`] of a content that is in memory; `path` is where errors say it is from.
pub fn parse_safetensors(path: &Path, bytes: &[u8]) -> Result<(Vec<(String, Tensor)>, BTreeMap<String, String>)> {
    let bad = |what: &str| Error::in_file(path, format!("not a safetensors file that can be read: {what}"));
    let broken = |error: SafeTensorError| match error {
        SafeTensorError::HeaderTooSmall if bytes.is_empty() => Error::in_file(path, "the file is empty"),
        SafeTensorError::HeaderTooSmall => Error::in_file(path, cut_short("8 or more", bytes.len())),
        SafeTensorError::MetadataIncompleteBuffer => match (whole(bytes), bytes.len()) {
            (Some(whole), came) if whole < came as u64 => {
                bad(&format!("there is more behind its tensors: expected {whole} bytes; got {came}"))
            }
            (Some(whole), came) => Error::in_file(path, cut_short(whole, came)),
            (None, _) => Error::in_file(path, "the file is cut short"),
        },
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => {
            bad("its first 8 bytes are not the length of a header, or the file ends within it")
        }
        SafeTensorError::InvalidHeader(_) => bad("its header is not UTF-8 text"),
        SafeTensorError::InvalidHeaderDeserialization(e) => bad(&format!("in its header, {}", crate::json::fault(&e))),
        SafeTensorError::InvalidOffset(name) => {
            let name = first_at_its_place(bytes, &name).unwrap_or(name);
            bad(&format!("the place of tensor \"{name}\" does not follow the one before"))
        }
        SafeTensorError::TensorInvalidInfo => bad("a tensor's place does not have the size of its shape and type"),
        _ => bad("its header does not describe its tensors"),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    // The crate's order is another one in each process, and the first error is said.
    let mut views: Vec<(&str, TensorView)> = file.iter().collect();
    views.sort_by(|a, b| a.0.cmp(b.0));
    let mut tensors = Vec::new();
    for (name, view) in views {
        let kind = TYPES
            .iter()
            .find(|(dtype, _)| *dtype == view.dtype())
            .map(|(_, kind)| *kind)
            .ok_or_else(|| bad(&format!("tensor \"{name}\" has the element type {:?}", view.dtype())))?;
        interrupt::check()?;
        let (shape, _) = shape::checked(view.shape()).map_err(|e| bad(&format!("tensor \"{name}\": {}", e.message)))?;
        tensors.push((name.to_string(), Tensor::f_from_data_size(view.data(), &shape, kind)?));
    }
    Ok((tensors, metadata))
}

/// The header of a file that is refused, and where it ends.
fn header_of(bytes: &[u8]) -> Option<(u64, Map<String, Value>)> {
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let end = length.checked_add(8)?;
    let header = serde_json::from_slice(bytes.get(8..usize::try_from(end).ok()?)?).ok()?;
    Some((end, header))
}

/// The bytes that a file must have by its header.
fn whole(bytes: &[u8]) -> Option<u64> {
    let (end, header) = header_of(bytes)?;
    let last = header.values().filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64()).max();
    end.checked_add(last.unwrap_or(0))
}

/// The first name, by the alphabet, of those that have the place of tensor `name`: the crate takes any of them.
fn first_at_its_place(bytes: &[u8], name: &str) -> Option<String> {
    let (_, header) = header_of(bytes)?;
    let place = header.get(name)?.get("data_offsets")?;
    header.iter().filter(|(_, tensor)| tensor.get("data_offsets") == Some(place)).map(|(name, _)| name.clone()).min()
}

/// Writes tensors and metadata. The file appears whole or not at all.
pub fn write_safetensors(path: &Path, tensors: &[(String, Tensor)], metadata: &[(String, String)]) -> Result<()> {
    files::write(path, &to_safetensors(tensors, metadata)?)
}

/// The content of the file that [`write_safetensors`] writes.
pub fn to_safetensors(tensors: &[(String, Tensor)], metadata: &[(String, String)]) -> Result<Vec<u8>> {
    // Once as bytes, once as a file.
    let size = |tensor: &Tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64;
    memory::check("the file of the tensors", tensors.iter().map(|(_, tensor)| 2 * size(tensor)).sum())?;
    let mut buffers = Vec::new();
    let mut names = HashSet::new();
    for (name, tensor) in tensors {
        if !names.insert(name) {
            return Err(Error::argument(format!("two tensors are named \"{name}\"; a file holds one of each name")));
        }
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let (dtype, kind) = TYPES.iter().find(|(_, kind)| *kind == tensor.kind()).ok_or_else(|| {
            Error::argument(format!("tensor \"{name}\" of type {:?} has no place in safetensors", tensor.kind()))
                .about_name(name)
        })?;
        let count = tensor.numel();
        let mut bytes = vec![0u8; count * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, count)?;
        buffers.push((name.clone(), *dtype, tensor.size().iter().map(|&n| n as usize).collect::<Vec<_>>(), bytes));
    }
    let views = buffers
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((
                name.clone(),
                TensorView::new(*dtype, shape.clone(), bytes).map_err(|e| Error::internal(e.to_string()))?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let metadata: HashMap<String, String> = metadata.iter().cloned().collect();
    safetensors::serialize(views, (!metadata.is_empty()).then_some(metadata))
        .map_err(|e| Error::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The error of a file with this header and so many bytes of numbers.
    fn refused(header: &Value, numbers: usize) -> String {
        let header = header.to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; numbers]].concat();
        parse_safetensors(Path::new("x.safetensors"), &bytes).map(|_| ()).unwrap_err().message
    }

    #[test]
    fn a_file_of_another_length_says_both() {
        let header = json!({ "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] } });
        let begin = 8 + header.to_string().len();
        let (expected, cut, long) = (begin + 8, begin + 5, begin + 9);
        assert_eq!(
            refused(&header, 5),
            format!("x.safetensors: the file is cut short: expected {expected} bytes; got {cut}")
        );
        let said = format!("there is more behind its tensors: expected {expected} bytes; got {long}");
        assert!(refused(&header, 9).ends_with(&said));
        let of = |bytes: &[u8]| parse_safetensors(Path::new("x"), bytes).map(|_| ()).unwrap_err().message;
        assert_eq!(of(b""), "x: the file is empty");
        assert_eq!(of(b"\x01\0\0"), "x: the file is cut short: expected 8 or more bytes; got 3");
    }

    /// The crate holds tensors in a map whose order is another one each time.
    #[test]
    fn errors_name_the_same_tensor_each_time() {
        let names = ["zeta", "mid", "alpha", "beta", "omega", "kilo"];
        let unread: Map<String, Value> = (0..)
            .zip(names)
            .map(|(i, name)| (name.into(), json!({ "dtype": "F8_E4M3", "shape": [1], "data_offsets": [i, i + 1] })))
            .collect();
        let at_once: Map<String, Value> = names
            .iter()
            .map(|name| ((*name).into(), json!({ "dtype": "U8", "shape": [1], "data_offsets": [0, 1] })))
            .collect();
        for _ in 0..8 {
            assert!(refused(&unread.clone().into(), 6).contains("tensor \"alpha\" has the element type F8_E4M3"));
            assert!(refused(&at_once.clone().into(), 6).contains("the place of tensor \"alpha\" does not follow"));
        }
    }
}
