//! PyTorch's `.pth` files, in the older form and in the zip form, read as data: nothing in them is ever run.

use std::collections::HashMap;
use std::path::Path;

use tch::{Kind, Tensor};

use super::zip;
use crate::error::{Error, Result};

/// The tensors of a saved state dict. A dict that holds one under `state_dict`, `model` or `ema` is looked into.
///
/// Storage offsets and strides are respected. Errors: Io; Data for a file that is cut short, for anything in the
/// pickle but what a state dict needs (named), for a tensor that reaches outside of its storage.
pub fn read_pickle(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let read = if bytes.starts_with(b"PK\x03\x04") { read_zip(&bytes) } else { read_legacy(&bytes) };
    read.map_err(|e| Error { message: format!("{}: {}", path.display(), e.message), ..e })
}

/// What the small machine can hold.
#[derive(Clone, Debug)]
enum Value {
    /// A value that no tensor needs: None, a boolean, a float.
    Other,
    Int(i64),
    Text(String),
    /// Tuples and lists alike.
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Global(String),
    Storage { key: String, kind: Kind, elements: usize },
    Tensor { key: String, kind: Kind, elements: usize, offset: usize, size: Vec<i64>, stride: Vec<i64> },
    Mark,
}

/// Storage classes and their element types: a line each.
const STORAGES: &[(&str, Kind)] = &[
    ("FloatStorage", Kind::Float),
    ("DoubleStorage", Kind::Double),
    ("HalfStorage", Kind::Half),
    ("BFloat16Storage", Kind::BFloat16),
    ("LongStorage", Kind::Int64),
    ("IntStorage", Kind::Int),
    ("ShortStorage", Kind::Int16),
    ("CharStorage", Kind::Int8),
    ("ByteStorage", Kind::Uint8),
    ("BoolStorage", Kind::Bool),
];

/// The only names that a pickle may refer to, besides storages.
const ALLOWED: &[&str] = &[
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch Size",
];

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: HashMap<u32, Value>,
}

fn cut() -> Error {
    Error::data("the file is cut short")
}

fn odd(what: &str) -> Error {
    Error::data(format!("not a state dict: {what}"))
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Machine { bytes, at, stack: vec![], memo: HashMap::new() }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).ok_or_else(cut)?;
        let part = self.bytes.get(self.at..end).ok_or_else(cut)?;
        self.at = end;
        Ok(part)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| cut())?))
    }

    fn line(&mut self) -> Result<String> {
        let rest = self.bytes.get(self.at..).ok_or_else(cut)?;
        let n = rest.iter().take(10_000).position(|&b| b == b'\n').ok_or_else(cut)?;
        let line = String::from_utf8_lossy(&rest[..n]).into_owned();
        self.at += n + 1;
        Ok(line)
    }

    fn text(&mut self, n: usize) -> Result<Value> {
        Ok(Value::Text(String::from_utf8_lossy(self.take(n)?).into_owned()))
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or_else(|| odd("its stack is empty"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark)).ok_or_else(|| odd("a mark is missing"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn remember(&mut self, key: u32) -> Result<()> {
        let top = self.stack.last().cloned().ok_or_else(|| odd("its stack is empty"))?;
        // A dict or list that is still being filled would be remembered empty; nothing in a state dict refers back to one.
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let value = self.memo.get(&key).cloned().ok_or_else(|| odd("it recalls what it never remembered"))?;
        self.stack.push(value);
        Ok(())
    }

    fn global(module: &str, name: &str) -> Result<Value> {
        let full = format!("{module} {name}");
        let storage = matches!(module, "torch" | "torch.storage") && STORAGES.iter().any(|(s, _)| *s == name);
        if storage || ALLOWED.contains(&full.as_str()) {
            return Ok(Value::Global(full));
        }
        Err(Error::data(format!("the pickle refers to {module}.{name}, which weights have no need of; it was not run"))
            .with_help("save plain weights with torch.save(model.state_dict(), path), or as safetensors"))
    }

    /// `put` sets items on the dict or list under them.
    fn set_items(&mut self, items: Vec<Value>) -> Result<()> {
        let Some(Value::Dict(dict)) = self.stack.last_mut() else { return Err(odd("items are set on what is not a dict")) };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.push((key, value));
        }
        Ok(())
    }

    fn append(&mut self, mut items: Vec<Value>) -> Result<()> {
        let Some(Value::List(list)) = self.stack.last_mut() else { return Err(odd("items are added to what is not a list")) };
        list.append(&mut items);
        Ok(())
    }

    /// Calls the few things that may be called.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let (Value::List(arguments), Value::Global(name)) = (arguments, callee) else { return Err(odd("a call of what is no function")) };
        let value = match name.as_str() {
            "collections OrderedDict" => Value::Dict(vec![]),
            "torch Size" => arguments.into_iter().next().unwrap_or(Value::List(vec![])),
            "torch._utils _rebuild_parameter" => arguments.into_iter().next().ok_or_else(|| odd("an empty parameter"))?,
            "torch._utils _rebuild_tensor_v2" => match arguments.get(..4) {
                Some([Value::Storage { key, kind, elements }, Value::Int(offset), Value::List(size), Value::List(stride)]) => Value::Tensor {
                    key: key.clone(),
                    kind: *kind,
                    elements: *elements,
                    offset: usize::try_from(*offset).map_err(|_| odd("a negative offset"))?,
                    size: integers(size)?,
                    stride: integers(stride)?,
                },
                _ => return Err(odd("a tensor of another form")),
            },
            _ => return Err(odd(&format!("a call of {name}"))),
        };
        self.stack.push(value);
        Ok(())
    }

    /// `('storage', class, key, location, elements, ...)`.
    fn persistent(&mut self) -> Result<()> {
        let Value::List(id) = self.pop()? else { return Err(odd("a storage of another form")) };
        let Some([Value::Text(tag), Value::Global(class), Value::Text(key), _, Value::Int(elements)]) = id.get(..5) else {
            return Err(odd("a storage of another form"));
        };
        let class = class.split(' ').next_back().unwrap_or_default();
        let kind = STORAGES.iter().find(|(name, _)| *name == class).map(|(_, kind)| *kind);
        let (true, Some(kind), Ok(elements)) = (tag == "storage", kind, usize::try_from(*elements)) else {
            return Err(odd(&format!("a storage of class {class}")));
        };
        self.stack.push(Value::Storage { key: key.clone(), kind, elements });
        Ok(())
    }

    /// Runs one pickle to its end and gives its value.
    fn run(&mut self) -> Result<Value> {
        loop {
            if self.stack.len() > 10_000_000 {
                return Err(odd("it is too large"));
            }
            match self.byte()? {
                0x80 => drop(self.byte()?),
                0x95 => drop(self.take(8)?),
                b'}' => self.stack.push(Value::Dict(vec![])),
                b']' | b')' => self.stack.push(Value::List(vec![])),
                b'(' => self.stack.push(Value::Mark),
                b'N' => self.stack.push(Value::Other),
                0x88 => self.stack.push(Value::Other),
                0x89 => self.stack.push(Value::Other),
                b'K' => {
                    let n = self.byte()?;
                    self.stack.push(Value::Int(i64::from(n)));
                }
                b'M' => {
                    let b = self.take(2)?;
                    self.stack.push(Value::Int(i64::from(u16::from_le_bytes([b[0], b[1]]))));
                }
                b'J' => {
                    let n = self.u32()?;
                    self.stack.push(Value::Int(i64::from(n as i32)));
                }
                0x8a => {
                    // Only the magic number is longer than 8 bytes; its value is not needed.
                    let n = self.byte()? as usize;
                    let b = self.take(n)?;
                    let negative = b.last().is_some_and(|&b| b >= 128);
                    let mut whole = [if negative { 0xff } else { 0 }; 8];
                    b.iter().take(8).enumerate().for_each(|(i, &b)| whole[i] = b);
                    self.stack.push(Value::Int(i64::from_le_bytes(whole)));
                }
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Other);
                }
                b'X' | b'T' | b'B' => {
                    let n = self.u32()? as usize;
                    let text = self.text(n)?;
                    self.stack.push(text);
                }
                0x8c | b'U' | b'C' => {
                    let n = self.byte()? as usize;
                    let text = self.text(n)?;
                    self.stack.push(text);
                }
                b'q' => {
                    let key = u32::from(self.byte()?);
                    self.remember(key)?;
                }
                b'r' => {
                    let key = self.u32()?;
                    self.remember(key)?;
                }
                0x94 => self.remember(self.memo.len() as u32)?,
                b'h' => {
                    let key = u32::from(self.byte()?);
                    self.recall(key)?;
                }
                b'j' => {
                    let key = self.u32()?;
                    self.recall(key)?;
                }
                b't' | b'l' => {
                    let items = self.pop_to_mark()?;
                    self.stack.push(Value::List(items));
                }
                n @ 0x85..=0x87 => {
                    let from = self.stack.len().checked_sub((n - 0x84) as usize).ok_or_else(|| odd("its stack is empty"))?;
                    let items = self.stack.split_off(from);
                    self.stack.push(Value::List(items));
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.stack.push(Value::Dict(vec![]));
                    self.set_items(items)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Self::global(&module, &name)?);
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(name), Value::Text(module)) = (name, module) else { return Err(odd("a name that is no text")) };
                    self.stack.push(Self::global(&module, &name)?);
                }
                b'R' | 0x81 => self.reduce()?,
                // The state of an OrderedDict (its `_metadata`): not needed.
                b'b' => drop(self.pop()?),
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(vec![key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.set_items(items)?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.append(items)?;
                }
                b'Q' => self.persistent()?,
                b'0' => drop(self.pop()?),
                b'2' => {
                    let top = self.stack.last().cloned().ok_or_else(|| odd("its stack is empty"))?;
                    self.stack.push(top);
                }
                b'.' => return self.pop(),
                other => return Err(odd(&format!("opcode 0x{other:02x} at byte {}", self.at - 1))),
            }
        }
    }
}

fn integers(values: &[Value]) -> Result<Vec<i64>> {
    values
        .iter()
        .map(|v| match v {
            Value::Int(n) if *n >= 0 => Ok(*n),
            _ => Err(odd("a size that is no number")),
        })
        .collect()
}

/// The older form: magic number, protocol, system, object, storage keys, then each storage with its length.
fn read_legacy(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    if bytes.len() < 16 || !bytes[..16].windows(MAGIC.len()).any(|w| w == MAGIC) {
        return Err(odd("it is no PyTorch file").with_help("a .pth file written by torch.save is expected"));
    }
    let mut at = 0;
    let mut next = || -> Result<Value> {
        let mut machine = Machine::new(bytes, at);
        let value = machine.run()?;
        at = machine.at;
        Ok(value)
    };
    for _ in 0..3 {
        next()?;
    }
    let object = next()?;
    let Value::List(keys) = next()? else { return Err(odd("it has no list of storages")) };
    let mut sizes = HashMap::new();
    walk(&object, &mut |_, tensor| {
        if let Value::Tensor { key, kind, elements, .. } = tensor {
            sizes.insert(key.clone(), elements * kind.elt_size_in_bytes());
        }
        Ok(())
    })?;
    let mut storages: HashMap<String, &[u8]> = HashMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err(odd("a storage key that is no text")) };
        let n = sizes.get(&key).copied().ok_or_else(|| odd("a storage that no tensor uses"))?;
        let start = at + 8;
        storages.insert(key, bytes.get(start..start + n).ok_or_else(cut)?);
        at = start + n;
    }
    tensors(&object, &storages)
}

/// The zip form: `*/data.pkl`, and each storage as `*/data/<key>`.
fn read_zip(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let entries = zip::entries(bytes)?;
    let (_, pickle) = entries.iter().find(|(name, _)| name.ends_with("/data.pkl")).ok_or_else(|| odd("it has no data.pkl"))?;
    let object = Machine::new(pickle, 0).run()?;
    let storages = entries.iter().filter_map(|(name, data)| name.split_once("/data/").map(|(_, key)| (key.to_string(), *data))).collect();
    tensors(&object, &storages)
}

/// Calls `visit` on every tensor of the state dict.
fn walk(object: &Value, visit: &mut dyn FnMut(&str, &Value) -> Result<()>) -> Result<()> {
    let Value::Dict(dict) = object else { return Err(odd("it is no dict")) };
    let is_tensor = |v: &Value| matches!(v, Value::Tensor { .. });
    if !dict.iter().any(|(_, v)| is_tensor(v)) {
        for wanted in ["state_dict", "model", "ema", "state_dict_ema"] {
            if let Some((_, inner)) = dict.iter().find(|(k, _)| matches!(k, Value::Text(t) if t == wanted)) {
                return walk(inner, visit);
            }
        }
        return Err(odd("there is no tensor in it"));
    }
    for (key, value) in dict {
        if let (Value::Text(name), true) = (key, is_tensor(value)) {
            visit(name, value)?;
        }
    }
    Ok(())
}

fn tensors(object: &Value, storages: &HashMap<String, &[u8]>) -> Result<Vec<(String, Tensor)>> {
    let mut all = Vec::new();
    walk(object, &mut |name, value| {
        let Value::Tensor { key, kind, offset, size, stride, .. } = value else { return Ok(()) };
        let storage = storages.get(key).ok_or_else(cut)?;
        let width = kind.elt_size_in_bytes();
        let whole = (storage.len() / width) as i64;
        let reach: i64 = size.iter().zip(stride).map(|(n, s)| (n - 1).max(0).saturating_mul(*s)).fold(0, i64::saturating_add);
        let empty = size.contains(&0);
        if size.len() != stride.len() || (!empty && reach.saturating_add(*offset as i64) >= whole) {
            return Err(odd(&format!("tensor \"{name}\" reaches outside of its storage")));
        }
        let flat = Tensor::f_from_data_size(&storage[..whole as usize * width], &[whole], *kind)?;
        all.push((name.to_string(), flat.f_as_strided(size.as_slice(), stride.as_slice(), *offset as i64)?.f_contiguous()?));
        Ok(())
    })?;
    Ok(all)
}
