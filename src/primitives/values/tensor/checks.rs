//! Arguments of operations on tensors, the memory that these take, and the sentences of their errors.

use rhai::{Array, Dynamic};
use tch::{Device, Kind as Element, TchError, Tensor};

use super::TensorValue;
use super::conversions::{dtype_name, from_value};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::script::call::{Call, Parameter};
use crate::script::explain::lower_first;
use crate::script::show;

/// One dimension or an array of them; negative ones count from the last.
pub struct Dims(pub Vec<i64>);

impl Parameter for Dims {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(dim) = value.as_int() {
            return Ok(Dims(vec![dim]));
        }
        match value.as_array_ref() {
            Ok(array) => whole(call, "the dimensions", &array).map(Dims),
            Err(_) => Err(Error::argument(format!(
                "{}: the dimension must be an integer or an array of integers; got {}",
                call.name,
                show::a_type(&value)
            ))),
        }
    }
}

impl Dims {
    /// Errors: a dimension that the tensor does not have, or one twice.
    pub fn of(self, call: &Call, t: &Tensor) -> Result<Vec<i64>> {
        let n = t.dim().max(1) as i64;
        let mut seen = vec![];
        for &dim in &self.0 {
            dimension(call, t, dim)?;
            if seen.contains(&dim.rem_euclid(n)) {
                return Err(Error::argument(format!("{}: dimension {dim} is there twice", call.name)));
            }
            seen.push(dim.rem_euclid(n));
        }
        Ok(self.0)
    }
}

/// A Tensor, a number or nested arrays of numbers.
pub struct AnyTensor(pub Tensor);

impl Parameter for AnyTensor {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        match value.read_lock::<TensorValue>() {
            Some(tensor) => Ok(AnyTensor(tensor.0.shallow_clone())),
            None => from_value(call.name, &value).map(AnyTensor),
        }
    }
}

/// An array of Tensors.
pub struct Tensors(pub Vec<Tensor>);

impl Parameter for Tensors {
    type Value = Array;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let array: Array = value.cast();
        if array.is_empty() {
            return Err(Error::argument(format!("{}: the array has no Tensor", call.name)));
        }
        array.iter().map(|item| tensor_in(call, item)).collect::<Result<_>>().map(Tensors)
    }
}

/// The tensor that an item of an array is.
pub fn tensor_in(call: &Call, item: &Dynamic) -> Result<Tensor> {
    item.read_lock::<TensorValue>().map(|t| t.0.shallow_clone()).ok_or_else(|| {
        let came = show::a_type(item);
        Error::argument(format!("{}: the items must be Tensors; got {came}", call.name))
    })
}

crate::options! {
    /// Options of reductions.
    pub struct Reduced {
        /// the dimensions stay, each of size 1
        pub keepdim: bool = false;
    }
}

/// Errors: a result of so many elements, of the kind of `like`, is more than the memory that is left. (Beyond this, libtorch
/// takes what it is granted, and the system ends the process once it is used.)
pub fn room(operation: &str, elements: f64, like: &Tensor) -> Result<()> {
    if like.device() != Device::Cpu {
        return Ok(());
    }
    room_for(operation, elements, like.kind())
}

/// The same for a tensor of that kind on the CPU.
pub fn room_for(operation: &str, elements: f64, kind: Element) -> Result<()> {
    let bytes = elements * kind.elt_size_in_bytes().max(1) as f64;
    memory::check(operation, bytes as u64)
}

/// Errors: the tensor repeats its elements, as `expand` does, so often that they would not fit into the memory that is left. To look at
/// each of them once may take hours, in which nothing can stop libtorch.
pub fn work(operation: &str, t: &Tensor) -> Result<()> {
    match t.size().iter().zip(t.stride()).any(|(size, stride)| *size > 1 && stride == 0) {
        true => room_for(operation, t.numel() as f64, t.kind()),
        false => Ok(()),
    }
}

/// The elements of two shapes broadcast to each other.
pub fn broadcast(a: &[i64], b: &[i64]) -> f64 {
    (1..=a.len().max(b.len())).map(|back| from_end(a, back).max(from_end(b, back)) as f64).product()
}

/// The size that is `back` from the end of a shape; 1 before its beginning.
pub fn from_end(shape: &[i64], back: usize) -> i64 {
    shape.len().checked_sub(back).map_or(1, |at| shape[at])
}

/// The tensor itself, or its numbers in single precision where it has no fractions. Errors: no memory.
pub fn float(operation: &str, t: &Tensor) -> Result<Tensor> {
    if t.is_floating_point() {
        return Ok(t.shallow_clone());
    }
    if t.device() == Device::Cpu {
        room_for(operation, t.numel() as f64, Element::Float)?;
    }
    Ok(t.f_to_kind(Element::Float)?)
}

/// The result, or libtorch's refusal with the operation and the shapes of its operands.
pub fn wrap(operation: &str, operands: &[&Tensor], result: Result<Tensor, TchError>) -> Result<TensorValue> {
    result.map(TensorValue::from).map_err(|error| refused(operation, operands, error))
}

/// The same for an operation with any result.
pub fn wrapped<T>(operation: &str, operands: &[&Tensor], result: Result<T, TchError>) -> Result<T> {
    result.map_err(|error| refused(operation, operands, error))
}

fn refused(operation: &str, operands: &[&Tensor], error: TchError) -> Error {
    let error = Error::from(error);
    if error.kind != ErrorKind::Tensor {
        return Error { message: format!("{operation}: {}", error.message), ..error };
    }
    let shapes: Vec<String> = operands.iter().map(|t| format!("{:?}", t.size())).collect();
    let several = operands.windows(2).any(|pair| pair[0].kind() != pair[1].kind());
    if several && error.message.contains("same dtype") {
        let kinds: Vec<&str> = operands.iter().map(|t| dtype_name(t.kind())).collect();
        let message = format!("{operation} of Tensors of {}: they must be of one dtype", joined_plain(&kinds));
        return Error { message, ..error }.with_help("t.to(\"float32\") converts");
    }
    if error.message.contains("bool tensor") {
        let message = format!("{operation}: it is not defined for booleans");
        return Error { message, ..error }
            .with_help("!m is the opposite of a mask, and a ^ b is true where two masks differ");
    }
    let message = match (operation, &shapes[..]) {
        ("matmul", [a, b]) if operands.iter().any(|t| t.dim() == 0) => {
            format!("matmul of Tensors {a} and {b}: a single number has no rows or columns, and is multiplied with *")
        }
        ("matmul", [a, b]) => {
            format!("matmul of Tensors {a} and {b}: the columns of the first must be as many as the rows of the second")
        }
        ("cat", [_, ..]) => {
            format!("cat of Tensors {}: all other sizes must be equal, and the kinds of element too", joined(&shapes))
        }
        ("stack", [_, ..]) => format!("stack of Tensors {}: all must have one shape", joined(&shapes)),
        (_, [_, _, ..]) if error.message.contains("must match the size") => format!(
            "{operation} of Tensors {}: the shapes do not broadcast, sizes from the right must be equal or 1",
            joined(&shapes)
        ),
        (_, shapes) => {
            let kinds: Vec<&str> = operands.iter().map(|t| dtype_name(t.kind())).collect();
            let message = lower_first(error.message.trim_end_matches('.'));
            // libtorch names the kinds as C++ does: "not implemented for 'Long'".
            let message = match message.split_once(" not implemented for ") {
                Some(_) => format!("it is not defined for {}", joined_plain(&kinds)),
                None => message,
            };
            match shapes.len() {
                0 => format!("{operation}: {message}"),
                1 => format!("{operation} of a Tensor {}: {message}", joined(shapes)),
                _ => format!("{operation} of Tensors {}: {message}", joined(shapes)),
            }
        }
    };
    Error { message, ..error }
}

/// The first few shapes, with "and".
fn joined(shapes: &[String]) -> String {
    let shown: Vec<&str> = shapes.iter().take(4).map(String::as_str).collect();
    let text = shown.join(" and ");
    if shapes.len() > 4 { format!("{text} and others") } else { text }
}

fn joined_plain(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.dedup();
    names.join(" and ")
}

/// Errors unless the tensor has that dimension; negative ones count from the last.
pub fn dimension(call: &Call, t: &Tensor, dim: i64) -> Result<()> {
    within(call, t, dim, t.dim() as i64)
}

/// The same for a result that has one dimension more.
pub fn new_dimension(call: &Call, t: &Tensor, dim: i64) -> Result<()> {
    within(call, t, dim, t.dim() as i64 + 1)
}

fn within(call: &Call, t: &Tensor, dim: i64, n: i64) -> Result<()> {
    // A single number counts as having one dimension, as in PyTorch.
    if (-n.max(1)..n.max(1)).contains(&dim) {
        return Ok(());
    }
    Err(Error::argument(format!("{}: a Tensor {:?} has no dimension {dim}", call.name, t.size()))
        .with_help(format!("its dimensions are 0 to {}, or -1 for the last", n.max(1) - 1)))
}

/// The size of a dimension that the tensor has; 1 for a single number.
pub fn size_of(t: &Tensor, dim: i64) -> i64 {
    let size = t.size();
    size.get(usize::try_from(dim.rem_euclid(t.dim().max(1) as i64)).unwrap_or(0)).copied().unwrap_or(1)
}

/// An array of integers.
pub fn whole(call: &Call, what: &str, array: &Array) -> Result<Vec<i64>> {
    let one = |item: &Dynamic| {
        item.as_int().map_err(|_| {
            let came = show::a_type(item);
            Error::argument(format!("{}: {what} must be an array of integers; got {came} in it", call.name))
        })
    };
    array.iter().map(one).collect()
}

/// The elements of a shape, each size 0 or more.
///
/// Errors: a negative size, more elements than any memory has, too many dimensions.
pub fn elements_of(call: &Call, shape: &[i64]) -> Result<f64> {
    if let Some(size) = shape.iter().find(|size| **size < 0) {
        return Err(Error::argument(format!("{}: a size must be 0 or more; got {size}", call.name)));
    }
    if shape.len() > 64 {
        return Err(Error::argument(format!("{}: a Tensor has at most 64 dimensions; got {}", call.name, shape.len())));
    }
    // libtorch computes strides also of tensors without elements.
    let strides: f64 = shape.iter().map(|size| (*size).max(1) as f64).product();
    if strides > (i64::MAX / 16) as f64 {
        return Err(Error::argument(format!("{}: the shape {shape:?} is larger than any memory", call.name)));
    }
    Ok(shape.iter().map(|size| *size as f64).product())
}
