//! Reads PyTorch's `.pth` files, in the older form and in the zip form, as data: nothing in them is ever run.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::machine::{self, Object, TensorView, Value, cut, odd};
use super::zip;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::memory;

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

/// How often the bytes of a file may be shown by tensors that are not the same: weights are seldom shown twice, and never often.
const VIEWS: usize = 4;

/// The tensors of a saved state dict, which may be inside of another dict under a name in [`WRAPPERS`].
///
/// Storage offsets and strides are respected; each tensor has memory of its own, except that equal views share theirs.
///
/// Errors: Io; Data for a file that is cut short, for names in the pickle that no checkpoint needs, for a tensor that
/// reaches outside of its storage, for tensors that together are larger than the file by far.
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
    let known: HashMap<&str, _> = object.storages.iter().map(|s| (&*s.key, s)).collect();
    let mut storages: HashMap<&str, &[u8]> = HashMap::new();
    for key in listed.lists.get(keys).ok_or_else(cut)? {
        interrupt::check()?;
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
        storages.insert(key, bytes.get(start..end).ok_or_else(cut)?);
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
    let storages =
        entries.iter().filter_map(|(name, bytes)| name.strip_prefix(&data).map(|key| (key, *bytes))).collect();
    tensors(&root, &object, &storages)
}

/// The dict with the tensors: inside of a wrapper if there is one, else this one. `seen` has the depth at which each dict was
/// looked into: dicts may contain one another, and themselves.
fn state_dict<'a>(
    value: &Value,
    object: &'a Object,
    depth: usize,
    seen: &mut HashMap<usize, usize>,
) -> Option<&'a [(Value, Value)]> {
    let Value::Dict(at) = value else { return None };
    if depth > DEPTH || seen.get(at).is_some_and(|before| *before <= depth) {
        return None;
    }
    seen.insert(*at, depth);
    let dict = object.dicts.get(*at)?;
    let mut under = [const { None }; WRAPPERS.len()];
    for (key, inner) in dict {
        if let Value::Text(name) = key
            && let Some(wrapper) = WRAPPERS.iter().position(|known| **known == **name)
        {
            under[wrapper].get_or_insert(inner);
        }
    }
    let wrapped = under.into_iter().flatten().find_map(|inner| state_dict(inner, object, depth + 1, seen));
    wrapped.or_else(|| dict.iter().any(|(_, v)| matches!(v, Value::Tensor(_))).then_some(dict.as_slice()))
}

fn tensors(root: &Value, object: &Object, storages: &HashMap<&str, &[u8]>) -> Result<Vec<(String, Tensor)>> {
    if !matches!(root, Value::Dict(_)) {
        return Err(odd("it is no dict").with_help("save plain weights with torch.save(model.state_dict(), path)"));
    }
    let dict = state_dict(root, object, 0, &mut HashMap::new()).ok_or_else(|| odd("there is no tensor in it"))?;
    let stored: usize = storages.values().map(|bytes| bytes.len()).sum();
    let (mut all, mut taken) = (Vec::new(), 0usize);
    // Tensors that are the same view share memory here as they do in Python.
    let mut made: HashMap<(&str, Kind, usize, &[i64], &[i64]), Tensor> = HashMap::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (key, value) in dict {
        let (Value::Text(name), Value::Tensor(view)) = (key, value) else { continue };
        interrupt::check()?;
        let same = (&*view.storage.key, view.storage.kind, view.offset, view.size.as_slice(), view.stride.as_slice());
        let tensor = match made.get(&same) {
            Some(tensor) => tensor.shallow_clone(),
            None => {
                taken = taken.saturating_add(view.elements.saturating_mul(view.storage.kind.elt_size_in_bytes()));
                if taken > stored.saturating_mul(VIEWS) {
                    return Err(odd(&format!(
                        "its tensors would take more than {VIEWS} times the {} that the file holds",
                        memory::said(stored as u64)
                    )));
                }
                let tensor = tensor(name, view, storages)?;
                made.insert(same, tensor.shallow_clone());
                tensor
            }
        };
        // A dict has one value per key, the last.
        match names.entry(name) {
            Entry::Occupied(at) => all[*at.get()] = (name.to_string(), tensor),
            Entry::Vacant(free) => {
                free.insert(all.len());
                all.push((name.to_string(), tensor));
            }
        }
    }
    Ok(all)
}

/// A copy of the part of its storage that a tensor shows, and of no more.
fn tensor(name: &str, view: &TensorView, storages: &HashMap<&str, &[u8]>) -> Result<Tensor> {
    let storage = storages.get(&*view.storage.key).ok_or_else(cut)?;
    let kind = view.storage.kind;
    let width = kind.elt_size_in_bytes();
    let wanted = view.storage.elements.checked_mul(width).ok_or_else(cut)?;
    let storage = storage.get(..wanted).ok_or_else(cut)?;
    if view.size.len() != view.stride.len() {
        return Err(odd(&format!("tensor \"{name}\" has {} sizes and {} strides", view.size.len(), view.stride.len())));
    }
    if view.elements == 0 {
        return Ok(Tensor::f_zeros(view.size.as_slice(), (kind, Device::Cpu))?);
    }
    let axes: Vec<(usize, usize)> =
        view.size.iter().zip(&view.stride).map(|(n, s)| (*n as usize, *s as usize)).collect();
    let reach = axes.iter().try_fold(view.offset, |at, (n, stride)| at.checked_add((n - 1).checked_mul(*stride)?));
    if reach.is_none_or(|last| last >= view.storage.elements) {
        return Err(odd(&format!("tensor \"{name}\" reaches outside of its storage")));
    }
    // A stride of 0 makes a tensor larger than its storage, which weights never are.
    if view.elements > view.storage.elements {
        return Err(odd(&format!("tensor \"{name}\" is larger than its storage")));
    }
    let (from, mut in_order) = (view.offset * width, 1);
    let contiguous = axes.iter().rev().all(|(n, stride)| {
        let follows = *n == 1 || *stride == in_order;
        in_order *= n;
        follows
    });
    let part = storage.get(from..from + if contiguous { view.elements * width } else { width }).ok_or_else(cut)?;
    if contiguous {
        return Ok(Tensor::f_from_data_size(part, &view.size, kind)?);
    }
    // Element by element: what lies between them may be the whole file.
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(view.elements * width).map_err(|_| odd("there is no memory for its tensors"))?;
    let (mut place, mut at) = (vec![0; axes.len()], view.offset);
    for element in 0..view.elements {
        if element % (1 << 20) == 0 {
            interrupt::check()?;
        }
        bytes.extend_from_slice(storage.get(at * width..(at + 1) * width).ok_or_else(cut)?);
        for (i, (n, stride)) in axes.iter().enumerate().rev() {
            place[i] += 1;
            at += stride;
            if place[i] < *n {
                break;
            }
            at -= stride * n;
            place[i] = 0;
        }
    }
    Ok(Tensor::f_from_data_size(&bytes, &view.size, kind)?)
}
