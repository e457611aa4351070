//! Reads PyTorch's `.pth` files, in the older form and in the zip form, as data: nothing in them is ever run.

use std::collections::HashMap;
use std::path::Path;

use tch::Tensor;

use super::machine::{self, Object, TensorView, Value, cut, odd};
use super::zip;
use crate::error::{Error, Result};
use crate::files;

/// Names under which checkpoints keep their state dict; the first one that contains tensors is used.
const WRAPPERS: &[&str] = &[
    "state_dict",
    "model",
    "ema",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "model_state_dict",
    "model_state",
    "module",
    "net",
    "network",
    "weights",
    "params",
];

/// The most names by which a state dict may be wrapped.
const DEPTH: usize = 6;

/// The tensors of a saved state dict, which may be inside of another dict under a name in [`WRAPPERS`].
///
/// Storage offsets and strides are respected. Errors: Io; Data for a file that is cut short, for names in the pickle
/// that no checkpoint needs, for a tensor that reaches outside of its storage.
pub fn read_pickle(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let bytes = files::read(path)?;
    let read = if bytes.starts_with(b"PK\x03\x04") { read_zip(&bytes) } else { read_legacy(&bytes) };
    read.map_err(|e| Error { message: format!("{}: {}", path.display(), e.message), ..e }.about_file(path))
}

/// The older form: magic number, protocol, system, object, storage keys, then each storage with its length.
fn read_legacy(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    if bytes.is_empty() {
        return Err(Error::data("the file is empty"));
    }
    if bytes.len() < 16 || !bytes[..16].windows(MAGIC.len()).any(|w| w == MAGIC) {
        return Err(odd("it is no PyTorch file").with_help("a .pth file written by torch.save is expected"));
    }
    let mut at = 0;
    for _ in 0..3 {
        (_, _, at) = machine::read(bytes, at)?;
    }
    let (root, object, end) = machine::read(bytes, at)?;
    let (keys, listed, mut at) = machine::read(bytes, end)?;
    let Value::List(keys) = keys else { return Err(odd("it has no list of storages")) };
    let known: HashMap<&str, _> = object.storages.iter().map(|s| (s.key.as_str(), s)).collect();
    let mut storages: HashMap<String, &[u8]> = HashMap::new();
    for key in listed.lists.get(keys).ok_or_else(cut)? {
        let Value::Text(key) = key else { return Err(odd("a storage key that is no text")) };
        let storage = known.get(&**key).ok_or_else(|| odd("a storage that nothing uses"))?;
        let length = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).ok_or_else(cut)?;
        if length != storage.elements as u64 {
            return Err(odd(&format!("storage \"{key}\" has {length} elements instead of {}", storage.elements)));
        }
        let start = at + 8;
        let end = storage
            .elements
            .checked_mul(storage.kind.elt_size_in_bytes())
            .and_then(|n| start.checked_add(n))
            .ok_or_else(cut)?;
        storages.insert(key.to_string(), bytes.get(start..end).ok_or_else(cut)?);
        at = end;
    }
    tensors(&root, &object, &storages)
}

/// The zip form: `*/data.pkl`, and each storage as `*/data/<key>`.
fn read_zip(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let entries = zip::entries(bytes)?;
    let entry = |name: &str| entries.iter().find(|(n, _)| n == name).map(|(_, data)| *data);
    let (name, pickle) = entries
        .iter()
        .find(|(name, _)| name == "data.pkl" || name.ends_with("/data.pkl"))
        .ok_or_else(|| odd("it has no data.pkl").with_help("a .pth file written by torch.save is expected"))?;
    let folder = name.trim_end_matches("data.pkl");
    if entry(&format!("{folder}constants.pkl")).is_some() {
        return Err(odd("it is a TorchScript module, which holds code").with_help(
            "backbone \"torchscript\" with its path trains it; for weights alone save module.state_dict()",
        ));
    }
    if entry(&format!("{folder}byteorder")).is_some_and(|order| order != b"little") {
        return Err(odd("its numbers are big-endian"));
    }
    let (root, object, _) = machine::read(pickle, 0)?;
    let data = format!("{folder}data/");
    let storages = entries
        .iter()
        .filter_map(|(name, data_)| name.strip_prefix(&data).map(|key| (key.to_string(), *data_)))
        .collect();
    tensors(&root, &object, &storages)
}

/// The dict with the tensors: inside of a wrapper if there is one, else this one.
fn state_dict<'a>(value: &Value, object: &'a Object, depth: usize) -> Option<&'a [(Value, Value)]> {
    let Value::Dict(dict) = value else { return None };
    let dict = object.dicts.get(*dict)?;
    let under = |wanted: &str| {
        dict.iter().find(|(key, _)| matches!(key, Value::Text(t) if &**t == wanted)).map(|(_, inner)| inner)
    };
    let wrapped = match depth < DEPTH {
        true => WRAPPERS.iter().filter_map(|name| under(name)).find_map(|inner| state_dict(inner, object, depth + 1)),
        false => None,
    };
    wrapped.or_else(|| dict.iter().any(|(_, v)| matches!(v, Value::Tensor(_))).then_some(dict.as_slice()))
}

fn tensors(root: &Value, object: &Object, storages: &HashMap<String, &[u8]>) -> Result<Vec<(String, Tensor)>> {
    if !matches!(root, Value::Dict(_)) {
        return Err(odd("it is no dict").with_help("save plain weights with torch.save(model.state_dict(), path)"));
    }
    let dict = state_dict(root, object, 0).ok_or_else(|| odd("there is no tensor in it"))?;
    let mut all = Vec::new();
    for (key, value) in dict {
        if let (Value::Text(name), Value::Tensor(view)) = (key, value) {
            all.push((name.to_string(), tensor(name, view, storages)?));
        }
    }
    Ok(all)
}

fn tensor(name: &str, view: &TensorView, storages: &HashMap<String, &[u8]>) -> Result<Tensor> {
    let storage = storages.get(&view.storage.key).ok_or_else(cut)?;
    let kind = view.storage.kind;
    let width = kind.elt_size_in_bytes();
    let whole = storage.len() / width;
    let reach: i64 =
        view.size.iter().zip(&view.stride).map(|(n, s)| (n - 1).max(0).saturating_mul(*s)).fold(0, i64::saturating_add);
    let offset = i64::try_from(view.offset).map_err(|_| cut())?;
    let empty = view.size.contains(&0);
    if view.size.len() != view.stride.len() || (!empty && reach.saturating_add(offset) >= whole as i64) {
        return Err(odd(&format!("tensor \"{name}\" reaches outside of its storage")));
    }
    // A stride of 0 makes a tensor larger than its storage, which weights never are.
    let elements = view.size.iter().fold(1i64, |n, s| n.saturating_mul(*s));
    if !empty && elements > whole as i64 {
        return Err(odd(&format!("tensor \"{name}\" is larger than its storage")));
    }
    let flat = Tensor::f_from_data_size(&storage[..whole * width], &[whole as i64], kind)?;
    Ok(flat.f_as_strided(view.size.as_slice(), view.stride.as_slice(), offset)?.f_contiguous()?)
}
