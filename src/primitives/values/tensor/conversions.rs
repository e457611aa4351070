//! From the values of a script to tensors and back, and element types.

use rhai::{Array, Dynamic};
use tch::{Device, Kind as Element, Tensor};

use super::TensorValue;
use super::checks::{room_for, wrap};
use crate::error::{Error, Result};
use crate::memory;
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::Member;
use crate::script::limits::DEPTH;
use crate::script::show;

pub const MEMBERS: &[Member] = &[
    Member::new("shape", "the sizes, as an array"),
    Member::new("dtype", "the element type: \"float32\", \"int64\", \"bool\", ..."),
    Member::new(
        "item()",
        "the value of a tensor of one element: true, false or a number with a decimal point; an integer where that cannot hold it",
    ),
    Member::new("to_array()", "nested arrays"),
    Member::same(
        "to(dtype)",
        "the same numbers of another element type: float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8 or bool",
    ),
    Member::same("detach()", "the same values without a gradient"),
    Member::new("numel()", "the number of elements"),
    Member::new("dim()", "the number of dimensions"),
    Member::new("len()", "the size of the first dimension"),
];

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    members
        .get("shape", |t: &TensorValue| t.0.size())
        .get("dtype", |t: &TensorValue| dtype_name(t.0.kind()))
        .method("item", |t: &TensorValue| item_value(&t.0))
        .method("to_array", |t: &TensorValue| to_array(&t.0))
        .method("detach", |t: &TensorValue| wrap("detach", &[&t.0], t.0.f_detach()))
        .method("numel", |t: &TensorValue| t.0.numel())
        .method("dim", |t: &TensorValue| t.0.dim())
        .method("len", |call: &Call, t: &TensorValue| match t.0.size().first() {
            Some(n) => Ok(*n),
            None => Err(Error::argument(format!("{}: a single number has no length", call.name))),
        })
        .method("to", |call: &Call, t: &TensorValue, dtype: String| {
            let kind = dtype_of(call.name, &dtype)?;
            if t.0.device() == Device::Cpu {
                room_for(call.name, t.0.numel() as f64, kind)?;
            }
            wrap(call.name, &[&t.0], t.0.f_to_kind(kind))
        });
}

/// Element types by PyTorch's names; the first of a type is how it is printed.
const DTYPES: &[(&str, Element)] = &[
    ("float32", Element::Float),
    ("float", Element::Float),
    ("float64", Element::Double),
    ("double", Element::Double),
    ("float16", Element::Half),
    ("half", Element::Half),
    ("bfloat16", Element::BFloat16),
    ("int64", Element::Int64),
    ("long", Element::Int64),
    ("int32", Element::Int),
    ("int", Element::Int),
    ("int16", Element::Int16),
    ("short", Element::Int16),
    ("int8", Element::Int8),
    ("uint8", Element::Uint8),
    ("bool", Element::Bool),
];

/// PyTorch's name of an element type.
pub fn dtype_name(kind: Element) -> &'static str {
    DTYPES.iter().find(|(_, of)| *of == kind).map_or("of another type", |(name, _)| name)
}

/// The element type of that name. Errors: an unknown name, with the nearest.
pub fn dtype_of(word: &str, name: &str) -> Result<Element> {
    DTYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind).ok_or_else(|| {
        let mut error = Error::unknown("dtype", name, DTYPES.iter().map(|(name, _)| *name));
        error.message = format!("{word}: there is no dtype \"{name}\"");
        error
    })
}

/// The number in a tensor of one element.
pub fn item(t: &Tensor) -> Result<f64> {
    if t.numel() != 1 {
        return Err(Error::argument(format!("item needs a tensor of one element; got shape {:?}", t.size())));
    }
    Ok(f64::try_from(t.f_detach()?.f_to_kind(Element::Double)?.f_reshape([-1])?.f_squeeze()?)?)
}

/// True or false of a tensor of booleans, else a number with a decimal point: divisions of items keep their fraction. An integer above
/// 2^53 that is no such number stays what it is.
fn item_value(t: &Tensor) -> Result<Dynamic> {
    if t.kind() == Element::Int64 && t.numel() == 1 {
        let whole = i64::try_from(&t.f_detach()?.f_reshape([-1])?.f_squeeze()?)?;
        let x = whole as f64;
        return Ok(if x as i128 == i128::from(whole) { x.into() } else { whole.into() });
    }
    let x = item(t)?;
    Ok(if t.kind() == Element::Bool { Dynamic::from(x != 0.0) } else { x.into() })
}

pub fn is_integer(kind: Element) -> bool {
    matches!(kind, Element::Int64 | Element::Int | Element::Int16 | Element::Int8 | Element::Uint8)
}

/// Values and arrays that `to_array` makes at most.
const LARGEST_ARRAY: f64 = 10_000_000.0;

pub fn to_array(t: &Tensor) -> Result<Dynamic> {
    let size = t.size();
    if size.len() > DEPTH {
        return Err(Error::argument(format!("to_array of {} dimensions would be nested too deeply", size.len())));
    }
    // Without elements there can be arrays without end: [1000000000, 0] are a billion empty ones.
    let mut arrays = 1.0;
    let all = size.iter().fold(1.0, |all, n| {
        arrays *= *n as f64;
        all + arrays
    });
    if all > LARGEST_ARRAY {
        let message =
            format!("to_array of a Tensor {size:?} would be {all:.0} values and arrays; at most {LARGEST_ARRAY:.0}");
        return Err(Error::argument(message).with_help("t[0..100] and index(dim, positions) take a part"));
    }
    memory::check("to_array", (all * 64.0) as u64)?;
    let integers = is_integer(t.kind()) || t.kind() == Element::Bool;
    let wide = if integers { Element::Int64 } else { Element::Double };
    let flat = t.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(wide)?.f_contiguous()?.f_reshape([-1])?;
    if integers {
        return Ok(nest(&size, &mut Vec::<i64>::try_from(&flat)?.into_iter().map(Dynamic::from)));
    }
    Ok(nest(&size, &mut Vec::<f64>::try_from(&flat)?.into_iter().map(Dynamic::from)))
}

fn nest(shape: &[i64], values: &mut impl Iterator<Item = Dynamic>) -> Dynamic {
    match shape.split_first() {
        None => values.next().unwrap_or(Dynamic::UNIT),
        Some((&n, rest)) => (0..n).map(|_| nest(rest, values)).collect::<Array>().into(),
    }
}

/// The numbers of nested arrays, as they are found.
#[derive(Default)]
struct Numbers {
    shape: Vec<i64>,
    floats: Vec<f64>,
    /// The same, of arrays of whole numbers: above 2^53 not every one is a float.
    integers: Vec<i64>,
    fraction: bool,
    boolean: bool,
    whole: bool,
}

/// A tensor from a number or nested arrays of numbers of one length per level.
pub fn from_value(word: &str, value: &Dynamic) -> Result<Tensor> {
    let mut all = Numbers::default();
    flatten(word, value, 0, &mut all)?;
    let Numbers { shape, floats, integers, fraction, boolean, whole } = all;
    if fraction || floats.is_empty() {
        return Ok(Tensor::f_from_slice(&floats)?.f_to_kind(Element::Float)?.f_reshape(shape)?);
    }
    let kind = if boolean && !whole { Element::Bool } else { Element::Int64 };
    Ok(Tensor::f_from_slice(&integers)?.f_to_kind(kind)?.f_reshape(shape)?)
}

fn flatten(word: &str, value: &Dynamic, depth: usize, all: &mut Numbers) -> Result<()> {
    if let Ok(array) = value.as_array_ref() {
        let n = array.len() as i64;
        match all.shape.get(depth) {
            None if all.floats.is_empty() => all.shape.push(n),
            Some(&expected) if expected == n => {}
            _ => {
                return Err(Error::argument(format!(
                    "{word}: arrays at one level must have the same length; got one of {n} at level {}",
                    depth + 1
                )));
            }
        }
        return array.iter().try_for_each(|item| flatten(word, item, depth + 1, all));
    }
    if all.shape.len() != depth {
        return Err(Error::argument(format!("{word}: numbers and arrays are mixed at level {}", depth + 1)));
    }
    match (value.as_int(), value.as_float(), value.as_bool()) {
        (Ok(i), _, _) => {
            all.whole = true;
            all.floats.push(i as f64);
            all.integers.push(i);
        }
        (_, Ok(x), _) => {
            all.fraction = true;
            all.floats.push(x);
            all.integers.push(0);
        }
        (_, _, Ok(b)) => {
            all.boolean = true;
            all.floats.push(f64::from(b));
            all.integers.push(i64::from(b));
        }
        _ => {
            return Err(Error::argument(format!(
                "{word} takes numbers or arrays of numbers; got {}",
                show::a_type(value)
            )));
        }
    }
    Ok(())
}
