//! A stack machine that reads Python's pickles as data: numbers, texts, lists, dicts and references to tensors. It
//! calls nothing and knows only the names listed here.

use std::collections::HashMap;
use std::rc::Rc;

use tch::Kind;

use super::shape;
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// A value on the stack. Lists and dicts are indices into an [`Object`], so that copies are small, shared ones stay
/// shared, and nesting needs no recursion.
#[derive(Clone, Debug)]
pub enum Value {
    /// A value without use for tensors: None, a boolean, a float, an object of an inert class.
    Other,
    Int(i64),
    Text(Rc<str>),
    /// Tuples and lists alike: an index into [`Object::lists`].
    List(usize),
    /// An index into [`Object::dicts`].
    Dict(usize),
    Global(Rc<str>),
    Storage(Rc<Storage>),
    Tensor(Rc<TensorView>),
    Mark,
}

/// A run of elements in the file, by its key.
#[derive(Debug)]
pub struct Storage {
    pub key: Rc<str>,
    pub kind: Kind,
    pub elements: usize,
}

/// A tensor as a view of a storage.
#[derive(Debug)]
pub struct TensorView {
    pub storage: Rc<Storage>,
    pub offset: usize,
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
    /// The number of its elements.
    pub elements: usize,
}

/// The contents of one pickle.
#[derive(Debug, Default)]
pub struct Object {
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    /// Every storage to which something refers.
    pub storages: Vec<Rc<Storage>>,
}

/// Storage classes and their element types.
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

/// Names that are interpreted, other than storages.
const DICTS: &[&str] = &["collections OrderedDict"];
const TENSORS: &[&str] = &["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor"];
const PARAMETERS: &[&str] = &["torch._utils _rebuild_parameter"];
const SIZES: &[&str] = &["torch Size"];

/// Other classes in checkpoints: options, counters, types. Their objects are skipped, never made.
const INERT: &[&str] = &[
    "argparse Namespace",
    "_codecs encode",
    "numpy dtype",
    "numpy ndarray",
    "numpy.core.multiarray scalar",
    "numpy.core.multiarray _reconstruct",
    "numpy._core.multiarray scalar",
    "numpy._core.multiarray _reconstruct",
    "collections defaultdict",
    "collections Counter",
    "__builtin__ set",
    "__builtin__ list",
    "__builtin__ dict",
    "__builtin__ int",
    "__builtin__ float",
    "builtins set",
    "builtins list",
    "builtins dict",
    "builtins int",
    "builtins float",
    "pathlib Path",
    "pathlib PosixPath",
    "pathlib PurePosixPath",
    "pathlib WindowsPath",
    "datetime datetime",
    "datetime timedelta",
    "torch device",
    "torch float16",
    "torch bfloat16",
    "torch float32",
    "torch float64",
    "torch int64",
];

/// The most steps; a pickle of more is not a state dict. Each makes one value of some 70 bytes at most, so this bounds memory too:
/// a step copies no list and no text.
const STEPS: usize = 10_000_000;
/// Steps between two looks at Ctrl-C.
const PART: usize = 1 << 16;
/// The most parts of a storage's name in the file.
const FIELDS: usize = 16;

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: HashMap<u32, Value>,
    object: Object,
    steps: usize,
}

pub fn cut() -> Error {
    Error::data("the file is cut short")
}

pub fn odd(what: &str) -> Error {
    Error::data(format!("not a state dict: {what}"))
}

/// Reads the pickle that starts at `at`: its value, the objects to which it refers, and the end of the pickle.
///
/// Errors: Data for a pickle that is cut short, has another form than state dicts, or refers to a name that is not
/// listed here. Nothing is ever called.
pub fn read(bytes: &[u8], at: usize) -> Result<(Value, Object, usize)> {
    let mut machine = Machine { bytes, at, stack: vec![], memo: HashMap::new(), object: Object::default(), steps: 0 };
    let value = machine.run()?;
    Ok((value, machine.object, machine.at))
}

impl<'a> Machine<'a> {
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

    fn line(&mut self) -> Result<&'a str> {
        let rest = self.bytes.get(self.at..).ok_or_else(cut)?;
        let n = rest.iter().take(10_000).position(|&b| b == b'\n').ok_or_else(cut)?;
        self.at += n + 1;
        std::str::from_utf8(&rest[..n]).map_err(|_| odd("a name that is no text"))
    }

    fn text(&mut self, n: usize) -> Result<()> {
        let text = String::from_utf8_lossy(self.take(n)?).into();
        self.push(Value::Text(text))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(value);
        Ok(())
    }

    fn push_list(&mut self, items: Vec<Value>) -> Result<()> {
        self.object.lists.push(items);
        self.push(Value::List(self.object.lists.len() - 1))
    }

    fn push_dict(&mut self) -> Result<()> {
        self.object.dicts.push(vec![]);
        self.push(Value::Dict(self.object.dicts.len() - 1))
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or_else(|| odd("its stack is empty"))
    }

    fn pop_many(&mut self, n: usize) -> Result<Vec<Value>> {
        let from = self.stack.len().checked_sub(n).ok_or_else(|| odd("its stack is empty"))?;
        Ok(self.stack.split_off(from))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark)).ok_or_else(|| odd("a mark is missing"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn remember(&mut self, key: u32) -> Result<()> {
        let top = self.stack.last().cloned().ok_or_else(|| odd("its stack is empty"))?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let value = self.memo.get(&key).cloned().ok_or_else(|| odd("it recalls a value that it never stored"))?;
        self.push(value)
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let full = format!("{module} {name}");
        let storage = matches!(module, "torch" | "torch.storage") && STORAGES.iter().any(|(s, _)| *s == name);
        if storage || [DICTS, TENSORS, PARAMETERS, SIZES, INERT].iter().any(|list| list.contains(&full.as_str())) {
            return self.push(Value::Global(full.into()));
        }
        Err(Error::data(format!("the pickle refers to {module}.{name}, which weights have no need of; it was not run"))
            .with_help("save plain weights with torch.save(model.state_dict(), path), or as safetensors"))
    }

    /// Sets items of the dict below them on the stack; those of a skipped object are skipped too.
    fn set_items(&mut self, items: Vec<Value>) -> Result<()> {
        match self.stack.last() {
            Some(Value::Dict(dict)) => {
                let dict = self.object.dicts.get_mut(*dict).ok_or_else(|| odd("a dict that is not there"))?;
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    dict.push((key, value));
                }
                Ok(())
            }
            Some(Value::Other) => Ok(()),
            _ => Err(odd("items are set on a value that is not a dict")),
        }
    }

    fn append(&mut self, mut items: Vec<Value>) -> Result<()> {
        match self.stack.last() {
            Some(Value::List(list)) => {
                self.object.lists.get_mut(*list).ok_or_else(|| odd("a list that is not there"))?.append(&mut items);
                Ok(())
            }
            Some(Value::Other) => Ok(()),
            _ => Err(odd("items are added to a value that is not a list")),
        }
    }

    fn list(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::List(list) => self.object.lists.get(*list).map(Vec::as_slice),
            _ => None,
        }
    }

    fn integers(&self, value: &Value) -> Result<Vec<i64>> {
        let values = self.list(value).ok_or_else(|| odd("a tensor of another form"))?;
        let whole = |v: &Value| match v {
            Value::Int(n) if *n >= 0 => Ok(*n),
            _ => Err(odd("a size that is no number")),
        };
        // One more than a shape may have, since one list can be the shape of any number of tensors.
        values.iter().take(shape::DIMENSIONS + 1).map(whole).collect()
    }

    /// Replaces a call of one of the known names by its result.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Global(name) = callee else {
            return match callee {
                Value::Other => self.push(Value::Other),
                _ => Err(odd("a call of a value that is no function")),
            };
        };
        let arguments = self.list(&arguments).ok_or_else(|| odd("a call without arguments"))?;
        let arguments: Vec<Value> = arguments.iter().take(FIELDS).cloned().collect();
        let is = |list: &[&str]| list.contains(&&*name);
        if is(DICTS) {
            return self.push_dict();
        }
        if is(SIZES) {
            return match arguments.into_iter().next() {
                Some(size) => self.push(size),
                None => self.push_list(vec![]),
            };
        }
        if is(PARAMETERS) {
            let tensor = arguments.into_iter().next().ok_or_else(|| odd("an empty parameter"))?;
            return self.push(tensor);
        }
        if is(TENSORS) {
            let Some([Value::Storage(storage), Value::Int(offset), size, stride]) = arguments.get(..4) else {
                return Err(odd("a tensor of another form"));
            };
            let (size, elements) = shape::checked(&self.integers(size)?)?;
            // The lists are copied.
            self.steps += 2 * size.len();
            let view = TensorView {
                storage: storage.clone(),
                offset: usize::try_from(*offset).map_err(|_| odd("a negative offset"))?,
                size,
                stride: self.integers(stride)?,
                elements,
            };
            return self.push(Value::Tensor(Rc::new(view)));
        }
        if is(INERT) {
            return self.push(Value::Other);
        }
        Err(odd(&format!("a call of {name}")))
    }

    /// `('storage', class, key, location, elements, ...)`.
    fn persistent(&mut self) -> Result<()> {
        let form = || odd("a storage of another form");
        let id = self.pop()?;
        let id = self.list(&id).ok_or_else(form)?;
        let Some([Value::Text(tag), Value::Global(class), Value::Text(key), _, Value::Int(elements)]) = id.get(..5)
        else {
            return Err(form());
        };
        if matches!(id.get(5), Some(Value::List(_))) {
            return Err(odd("a storage that is part of another"));
        }
        let class = class.split(' ').next_back().unwrap_or_default();
        let kind = STORAGES.iter().find(|(name, _)| *name == class).map(|(_, kind)| *kind);
        let (true, Some(kind), Ok(elements)) = (&**tag == "storage", kind, usize::try_from(*elements)) else {
            return Err(odd(&format!("a storage of class {class}")));
        };
        let storage = Rc::new(Storage { key: key.clone(), kind, elements });
        self.object.storages.push(storage.clone());
        self.push(Value::Storage(storage))
    }

    /// Runs one pickle to its end and returns its value.
    fn run(&mut self) -> Result<Value> {
        let mut looked = 0;
        while self.steps < STEPS {
            if self.steps >= looked {
                interrupt::check()?;
                looked = self.steps + PART;
            }
            self.steps += 1;
            match self.byte()? {
                0x80 => drop(self.byte()?),
                0x95 => drop(self.take(8)?),
                b'}' => self.push_dict()?,
                b']' | b')' => self.push_list(vec![])?,
                // A set: its items follow like those of a list.
                0x8f => self.push_list(vec![])?,
                b'(' => self.push(Value::Mark)?,
                b'N' | 0x88 | 0x89 => self.push(Value::Other)?,
                b'K' => {
                    let n = self.byte()?;
                    self.push(Value::Int(i64::from(n)))?;
                }
                b'M' => {
                    let b = self.take(2)?;
                    self.push(Value::Int(i64::from(u16::from_le_bytes([b[0], b[1]]))))?;
                }
                b'J' => {
                    let n = self.u32()?;
                    self.push(Value::Int(i64::from(n as i32)))?;
                }
                0x8a => {
                    // Only the magic number is longer than 8 bytes; its value is not needed.
                    let n = self.byte()? as usize;
                    let b = self.take(n)?;
                    let negative = b.last().is_some_and(|&b| b >= 128);
                    let mut whole = [if negative { 0xff } else { 0 }; 8];
                    b.iter().take(8).enumerate().for_each(|(i, &b)| whole[i] = b);
                    self.push(Value::Int(i64::from_le_bytes(whole)))?;
                }
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Other)?;
                }
                b'X' | b'T' | b'B' => {
                    let n = self.u32()? as usize;
                    self.text(n)?;
                }
                0x8c | b'U' | b'C' => {
                    let n = self.byte()? as usize;
                    self.text(n)?;
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
                b't' | b'l' | 0x91 => {
                    let items = self.pop_to_mark()?;
                    self.push_list(items)?;
                }
                n @ 0x85..=0x87 => {
                    let items = self.pop_many((n - 0x84) as usize)?;
                    self.push_list(items)?;
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.push_dict()?;
                    self.set_items(items)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(name), Value::Text(module)) = (name, module) else {
                        return Err(odd("a name that is no text"));
                    };
                    self.global(&module, &name)?;
                }
                b'R' | 0x81 => self.reduce()?,
                // The state of an OrderedDict (its `_metadata`) or of a skipped object.
                b'b' => drop(self.pop()?),
                b's' => {
                    let items = self.pop_many(2)?;
                    self.set_items(items)?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.set_items(items)?;
                }
                b'a' => {
                    let items = self.pop_many(1)?;
                    self.append(items)?;
                }
                b'e' | 0x90 => {
                    let items = self.pop_to_mark()?;
                    self.append(items)?;
                }
                b'Q' => self.persistent()?,
                b'0' => drop(self.pop()?),
                b'2' => {
                    let top = self.stack.last().cloned().ok_or_else(|| odd("its stack is empty"))?;
                    self.push(top)?;
                }
                b'.' => return self.pop(),
                other => return Err(odd(&format!("opcode 0x{other:02x} at byte {}", self.at - 1))),
            }
        }
        Err(odd(&format!("its pickle has more than {STEPS} steps")))
    }
}
