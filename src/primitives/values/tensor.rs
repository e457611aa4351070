//! `Tensor` in scripts: the operations that a loss or a metric needs.

use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic};
use tch::{Device, Kind as Element, TchError, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::explain::lower_first;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::limits::DEPTH;
use crate::script::show;
use crate::torch::meeting::together;
use crate::torch::{to_vec_f32, upload};

/// A libtorch tensor as scripts hold it.
#[derive(Clone)]
pub struct TensorValue(pub Rc<Tensor>);

impl From<Tensor> for TensorValue {
    fn from(tensor: Tensor) -> Self {
        TensorValue(Rc::new(tensor))
    }
}

impl KindOfValue for TensorValue {
    const NAME: &'static str = "Tensor";
    const SUMMARY: &'static str =
        "An n-dimensional array of libtorch, with broadcasting arithmetic: + - * / and comparisons.";
    const MEMBERS: &'static [Member] = &[
        Member::new("shape", "the sizes, as an array"),
        Member::new("dtype", "the element type"),
        Member::new("item()", "the value of a tensor of one element"),
        Member::new("to_array()", "nested arrays"),
        Member::new("sigmoid()", "1 / (1 + exp(-x))"),
        Member::new("log()", "natural logarithm"),
        Member::new("exp()", "exponential"),
        Member::new("abs()", "absolute value"),
        Member::new("sqrt()", "square root"),
        Member::new("pow(p)", "x to the power p"),
        Member::new("clamp(low, high)", "limited to a range"),
        Member::new("sum()", "sum of all elements"),
        Member::new("sum(dim)", "sum along a dimension"),
        Member::new("mean()", "mean of all elements"),
        Member::new("mean(dim)", "mean along a dimension, or several"),
        Member::new("max()", "the greatest element"),
        Member::new("min()", "the least element"),
        Member::new("argsort(dim, descending)", "the positions that would sort it"),
        Member::new("matmul(other)", "matrix product"),
        Member::new("transpose(a, b)", "two dimensions exchanged"),
        Member::new("reshape(shape)", "the same elements in another shape"),
        Member::new("index(dim, positions)", "the slices at these positions"),
        Member::new("cat(other, dim)", "two tensors joined along a dimension"),
        Member::new("detach()", "the same values without a gradient"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        for &(name, operation) in UNARY {
            members.method(name, move |t: &Self| {
                room(name, t.0.numel() as f64, &t.0)?;
                wrap(name, &[&t.0], operation(&t.0))
            });
        }
        for &(name, operation) in SMALL {
            members.method(name, move |t: &Self| wrap(name, &[&t.0], operation(&t.0)));
        }
        for &(name, operation) in BINARY {
            let apply = move |a: &Tensor, b: &Tensor| {
                let (a, b) = &together(name, a, b)?;
                room(name, broadcast(&a.size(), &b.size()), a)?;
                wrap(name, &[a, b], operation(a, b))
            };
            members
                .method(name, move |a: &Self, b: Self| apply(&a.0, &b.0))
                .method(name, move |a: &Self, b: f64| apply(&a.0, &number(b, &a.0)?))
                .method(name, move |a: &Self, b: i64| apply(&a.0, &number(b as f64, &a.0)?))
                .function(name, move |a: f64, b: Self| apply(&number(a, &b.0)?, &b.0))
                .function(name, move |a: i64, b: Self| apply(&number(a as f64, &b.0)?, &b.0));
        }
        members
            .get("shape", |t: &Self| t.0.size())
            .get("dtype", |t: &Self| format!("{:?}", t.0.kind()).to_lowercase())
            .method("clamp", |call: &Call, t: &Self, low: Dynamic, high: Dynamic| {
                let (low, high) = (bound(call, "low", &low, &t.0)?, bound(call, "high", &high, &t.0)?);
                room(call.name, t.0.numel() as f64, &t.0)?;
                wrap(call.name, &[&t.0], t.0.f_clamp(low, high))
            })
            .method("sum", |call: &Call, t: &Self, dim: i64| {
                dimension(call, &t.0, dim)?;
                wrap(call.name, &[&t.0], t.0.f_sum_dim_intlist(Some(&[dim][..]), false, None))
            })
            .method("mean", |call: &Call, t: &Self, dim: i64| {
                dimension(call, &t.0, dim)?;
                let float = t.0.f_to_kind(Element::Float);
                wrap(call.name, &[&t.0], float.and_then(|t| t.f_mean_dim(Some(&[dim][..]), false, None)))
            })
            .method("mean", |call: &Call, t: &Self, dims: Array| {
                let dims = whole(call, "the dimensions", &dims)?;
                dims.iter().try_for_each(|dim| dimension(call, &t.0, *dim))?;
                let float = t.0.f_to_kind(Element::Float);
                wrap(call.name, &[&t.0], float.and_then(|t| t.f_mean_dim(Some(&dims[..]), false, None)))
            })
            .method("argsort", |call: &Call, t: &Self, dim: i64, descending: bool| {
                dimension(call, &t.0, dim)?;
                room(call.name, 4.0 * t.0.numel() as f64, &t.0)?;
                wrap(call.name, &[&t.0], t.0.f_argsort(dim, descending))
            })
            .method("matmul", |call: &Call, a: &Self, b: Self| {
                let (a, b) = &together(call.name, &a.0, &b.0)?;
                let (x, y) = (a.size(), b.size());
                let batch = |of: &[i64]| of[..of.len().saturating_sub(2)].to_vec();
                let rows = if x.len() > 1 { from_end(&x, 2) } else { 1 };
                let columns = if y.len() > 1 { from_end(&y, 1) } else { 1 };
                room(call.name, broadcast(&batch(&x), &batch(&y)) * rows as f64 * columns as f64, a)?;
                wrap(call.name, &[a, b], a.f_matmul(b))
            })
            .method("transpose", |call: &Call, t: &Self, a: i64, b: i64| {
                dimension(call, &t.0, a)?;
                dimension(call, &t.0, b)?;
                wrap(call.name, &[&t.0], t.0.f_transpose(a, b))
            })
            .method("cat", |call: &Call, a: &Self, b: Self, dim: i64| {
                dimension(call, &a.0, dim)?;
                let (a, b) = &together(call.name, &a.0, &b.0)?;
                room(call.name, a.numel() as f64 + b.numel() as f64, a)?;
                wrap(call.name, &[a, b], Tensor::f_cat(&[a, b], dim))
            })
            .method("reshape", reshape)
            .method("index", index)
            .method("item", |t: &Self| item(&t.0))
            .method("to_array", |t: &Self| to_array(&t.0));
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("{:?} {:?}", self.0.size(), to_vec_f32(&self.0).unwrap_or_default()))
    }
}

kind_value!(TensorValue);

type Unary = fn(&Tensor) -> Result<Tensor, TchError>;
type Binary = fn(&Tensor, &Tensor) -> Result<Tensor, TchError>;

/// Operations on one tensor, one per line.
const UNARY: &[(&str, Unary)] = &[
    ("sigmoid", Tensor::f_sigmoid),
    ("log", Tensor::f_log),
    ("exp", Tensor::f_exp),
    ("abs", Tensor::f_abs),
    ("sqrt", Tensor::f_sqrt),
    ("-", Tensor::f_neg),
];

/// Operations whose result takes no memory worth a look: one number, or a view.
const SMALL: &[(&str, Unary)] = &[
    ("max", Tensor::f_max),
    ("min", Tensor::f_min),
    ("detach", Tensor::f_detach),
    ("sum", |t| t.f_sum(None)),
    ("mean", |t| t.f_to_kind(Element::Float)?.f_mean(None)),
];

/// Operations on two tensors, or a tensor and a number on either side, one per line.
const BINARY: &[(&str, Binary)] = &[
    ("+", Tensor::f_add),
    ("-", Tensor::f_sub),
    ("*", Tensor::f_mul),
    ("/", Tensor::f_div),
    (">", Tensor::f_gt_tensor),
    (">=", Tensor::f_ge_tensor),
    ("<", Tensor::f_lt_tensor),
    ("<=", Tensor::f_le_tensor),
    ("==", Tensor::f_eq_tensor),
    ("pow", pow),
];

/// `a` to the power `b`. On a GPU a single number of the CPU is an argument of the kernels: as a tensor, the backward pass copies it
/// there, and waits.
fn pow(a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let number = b.dim() == 0 && b.device() == Device::Cpu && a.device() != Device::Cpu;
    if number && a.is_floating_point() && !b.requires_grad() {
        return a.f_pow_tensor_scalar(f64::try_from(b)?);
    }
    a.f_pow(b)
}

fn reshape(call: &Call, t: &TensorValue, shape: Array) -> Result<TensorValue> {
    let shape = whole(call, "the shape", &shape)?;
    t.0.f_reshape(&shape[..]).map(TensorValue::from).map_err(|error| {
        let error = Error::from(error);
        if error.kind != ErrorKind::Tensor {
            return error;
        }
        let (size, count) = (t.0.size(), t.0.numel());
        let message = format!("reshape: a Tensor {size:?} of {count} elements has no shape {shape:?}");
        Error::new(ErrorKind::Tensor, message)
    })
}

fn index(call: &Call, t: &TensorValue, dim: i64, at: Array) -> Result<TensorValue> {
    let at = whole(call, "the positions", &at)?;
    dimension(call, &t.0, dim)?;
    let size = t.0.size();
    // A single number is indexed as if it had one dimension.
    let n = size.get(usize::try_from(dim.rem_euclid(t.0.dim().max(1) as i64)).unwrap_or(0)).copied().unwrap_or(1);
    if let Some(outside) = at.iter().find(|at| !(0..n).contains(at)) {
        let message = format!("index: there is no position {outside} along dimension {dim} of a Tensor {size:?}");
        return Err(Error::argument(message));
    }
    room(call.name, t.0.numel() as f64 / n.max(1) as f64 * at.len() as f64, &t.0)?;
    let at = upload(&Tensor::f_from_slice(&at)?, t.0.device())?;
    wrap(call.name, &[&t.0], t.0.f_index_select(dim, &at))
}

/// A bound of `clamp`. libtorch panics on one that a single-precision number cannot hold; beyond them is no limit.
fn bound(call: &Call, what: &str, value: &Dynamic, t: &Tensor) -> Result<f64> {
    let x = Number::of(value).ok_or_else(|| {
        Error::argument(format!("{}: {what} must be a number; got {}", call.name, show::a_type(value)))
    })?;
    let held = t.kind() == Element::Double || x.abs() <= f64::from(f32::MAX);
    Ok(if held { x } else { x.signum() * f64::INFINITY })
}

/// Errors: a result of so many elements, of the kind of `like`, is more than the memory that is left. (Beyond this, libtorch
/// takes what it is granted, and the system ends the process once it is used.)
fn room(operation: &str, elements: f64, like: &Tensor) -> Result<()> {
    if like.device() != Device::Cpu {
        return Ok(());
    }
    let bytes = elements * like.kind().elt_size_in_bytes().max(1) as f64;
    memory::check(operation, bytes as u64)
}

/// The elements of two shapes broadcast to each other.
fn broadcast(a: &[i64], b: &[i64]) -> f64 {
    (1..=a.len().max(b.len())).map(|back| from_end(a, back).max(from_end(b, back)) as f64).product()
}

/// The size that is `back` from the end of a shape; 1 before its beginning.
fn from_end(shape: &[i64], back: usize) -> i64 {
    shape.len().checked_sub(back).map_or(1, |at| shape[at])
}

/// The result, or libtorch's refusal with the operation and the shapes of its operands.
fn wrap(operation: &str, operands: &[&Tensor], result: Result<Tensor, TchError>) -> Result<TensorValue> {
    let refused = |error: TchError| {
        let error = Error::from(error);
        if error.kind != ErrorKind::Tensor {
            return Error { message: format!("{operation}: {}", error.message), ..error };
        }
        let shapes: Vec<String> = operands.iter().map(|t| format!("{:?}", t.size())).collect();
        let message = match (operation, &shapes[..]) {
            ("matmul", [a, b]) => format!(
                "matmul of Tensors {a} and {b}: the columns of the first must be as many as the rows of the second"
            ),
            ("cat", [a, b]) => {
                format!("cat of Tensors {a} and {b}: all other sizes must be equal, and the kinds of element too")
            }
            ("+" | "-" | "*" | "/" | ">" | ">=" | "<" | "<=" | "==" | "pow", [a, b])
                if error.message.contains("must match the size") =>
            {
                format!(
                    "{operation} of Tensors {a} and {b}: the shapes do not broadcast, sizes from the right must be equal or 1"
                )
            }
            (_, shapes) => {
                let operands = if shapes.len() == 1 { "a Tensor" } else { "Tensors" };
                format!("{operation} of {operands} {}: {}", shapes.join(" and "), lower_first(&error.message))
            }
        };
        Error { message, ..error }
    };
    result.map(TensorValue::from).map_err(refused)
}

/// Errors unless the tensor has that dimension; negative ones count from the last.
fn dimension(call: &Call, t: &Tensor, dim: i64) -> Result<()> {
    let n = t.dim() as i64;
    // A single number counts as having one dimension, as in PyTorch.
    if (-n.max(1)..n.max(1)).contains(&dim) {
        return Ok(());
    }
    Err(Error::argument(format!("{}: a Tensor {:?} has no dimension {dim}", call.name, t.size()))
        .with_help(format!("its dimensions are 0 to {}, or -1 for the last", n.max(1) - 1)))
}

/// An array of integers.
fn whole(call: &Call, what: &str, array: &Array) -> Result<Vec<i64>> {
    let one = |item: &Dynamic| {
        item.as_int().map_err(|_| {
            let came = show::a_type(item);
            Error::argument(format!("{}: {what} must be an array of integers; got {came} in it", call.name))
        })
    };
    array.iter().map(one).collect()
}

/// A number beside a tensor takes the tensor's own element type, as in PyTorch, unless it would lose its fraction.
fn number(x: f64, beside: &Tensor) -> Result<Tensor> {
    let kind = match beside.kind() {
        Element::Float | Element::Double | Element::Half | Element::BFloat16 => beside.kind(),
        kind if x.fract() == 0.0 && kind != Element::Bool => kind,
        _ => Element::Float,
    };
    Ok(Tensor::f_from_slice(&[x])?.f_to_kind(kind)?.f_squeeze()?)
}

fn item(t: &Tensor) -> Result<f64> {
    if t.numel() != 1 {
        return Err(Error::argument(format!("item needs a tensor of one element; got shape {:?}", t.size())));
    }
    Ok(f64::try_from(t.f_to_kind(Element::Double)?.f_reshape([-1])?.f_squeeze()?)?)
}

/// Values and arrays that `to_array` makes at most.
const LARGEST_ARRAY: f64 = 10_000_000.0;

fn to_array(t: &Tensor) -> Result<Dynamic> {
    let whole = matches!(
        t.kind(),
        Element::Int64 | Element::Int | Element::Int16 | Element::Int8 | Element::Uint8 | Element::Bool
    );
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
        return Err(Error::argument(message).with_help("index(dim, positions) takes a part"));
    }
    memory::check("to_array", (all * 64.0) as u64)?;
    let flat = t.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Element::Double)?.f_contiguous()?.f_reshape([-1])?;
    let values = Vec::<f64>::try_from(&flat)?;
    let mut at = values.into_iter();
    Ok(nest(&t.size(), &mut at, whole))
}

fn nest(shape: &[i64], values: &mut impl Iterator<Item = f64>, whole: bool) -> Dynamic {
    match shape.split_first() {
        None => values.next().map_or(Dynamic::UNIT, |v| if whole { Dynamic::from(v as i64) } else { Dynamic::from(v) }),
        Some((&n, rest)) => (0..n).map(|_| nest(rest, values, whole)).collect::<Array>().into(),
    }
}

/// A tensor from a number or nested arrays of numbers of one length per level.
pub fn from_value(word: &str, value: &Dynamic) -> Result<Tensor> {
    let (mut shape, mut values, mut whole) = (vec![], vec![], true);
    flatten(word, value, 0, &mut shape, &mut values, &mut whole)?;
    let kind = if whole && !values.is_empty() { Element::Int64 } else { Element::Float };
    Ok(Tensor::f_from_slice(&values)?.f_to_kind(kind)?.f_reshape(shape)?)
}

fn flatten(
    word: &str,
    value: &Dynamic,
    depth: usize,
    shape: &mut Vec<i64>,
    values: &mut Vec<f64>,
    whole: &mut bool,
) -> Result<()> {
    if let Ok(array) = value.as_array_ref() {
        let n = array.len() as i64;
        match shape.get(depth) {
            None if values.is_empty() => shape.push(n),
            Some(&expected) if expected == n => {}
            _ => {
                return Err(Error::argument(format!(
                    "{word}: arrays at one level must have the same length; got one of {n} at level {}",
                    depth + 1
                )));
            }
        }
        return array.iter().try_for_each(|item| flatten(word, item, depth + 1, shape, values, whole));
    }
    if shape.len() != depth {
        return Err(Error::argument(format!("{word}: numbers and arrays are mixed at level {}", depth + 1)));
    }
    let (x, is_whole) = match (value.as_int(), value.as_float(), value.as_bool()) {
        (Ok(i), _, _) => (i as f64, true),
        (_, Ok(x), _) => (x, false),
        (_, _, Ok(b)) => (f64::from(b), true),
        _ => {
            return Err(Error::argument(format!(
                "{word} takes numbers or arrays of numbers; got {}",
                show::a_type(value)
            )));
        }
    };
    *whole &= is_whole;
    values.push(x);
    Ok(())
}

impl fmt::Display for TensorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size: Vec<String> = self.0.size().iter().map(i64::to_string).collect();
        write!(f, "Tensor [{}] {:?}", size.join(", "), self.0.kind())?;
        let small = self.0.numel() <= 64 && self.0.size().iter().all(|n| *n <= 64) && self.0.dim() <= 8;
        match small.then(|| to_array(&self.0)) {
            Some(Ok(values)) => write!(f, " {}", show::show(&values)),
            None if self.0.kind() != Element::Bool && self.0.numel() > 0 => {
                let summary = |op: Unary| op(&self.0).map_err(Error::from).and_then(|t| item(&t)).unwrap_or(f64::NAN);
                write!(
                    f,
                    " (min {}, mean {}, max {})",
                    show::number(summary(Tensor::f_min)),
                    show::number(summary(|t| t.f_to_kind(Element::Double)?.f_mean(None))),
                    show::number(summary(Tensor::f_max))
                )
            }
            _ => Ok(()),
        }
    }
}
