//! Reads and writes safetensors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

use super::shape;
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
        SafeTensorError::HeaderTooSmall | SafeTensorError::MetadataIncompleteBuffer => {
            Error::in_file(path, "the file is cut short")
        }
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => {
            bad("its first 8 bytes are not the length of a header, or the file ends within it")
        }
        SafeTensorError::InvalidHeader(_) => bad("its header is not UTF-8 text"),
        SafeTensorError::InvalidHeaderDeserialization(e) => bad(&format!("in its header, {}", crate::json::fault(&e))),
        SafeTensorError::InvalidOffset(name) => {
            bad(&format!("the place of tensor \"{name}\" does not follow the one before"))
        }
        SafeTensorError::TensorInvalidInfo => bad("a tensor's place does not have the size of its shape and type"),
        _ => bad("its header does not describe its tensors"),
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let kind = TYPES
            .iter()
            .find(|(dtype, _)| *dtype == view.dtype())
            .map(|(_, kind)| *kind)
            .ok_or_else(|| bad(&format!("tensor \"{name}\" has the element type {:?}", view.dtype())))?;
        interrupt::check()?;
        let (shape, _) = shape::checked(view.shape()).map_err(|e| bad(&format!("tensor \"{name}\": {}", e.message)))?;
        tensors.push((name.to_string(), Tensor::f_from_data_size(view.data(), &shape, kind)?));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, metadata))
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
