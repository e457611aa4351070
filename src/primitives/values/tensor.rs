//! `Tensor` in scripts: the operations that a loss or a metric needs.

use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine};
use tch::{Kind as Element, TchError, Tensor};

use super::super::glue;
use crate::error::{Error, ErrorKind, Result};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::explain::lower_first;
use crate::script::kind::{KindOfValue, Member, kind_value};

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
        Member::new("mean(dim)", "mean along a dimension"),
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
        register(members.engine)
    }
}

kind_value!(TensorValue);

type Unary = fn(&Tensor) -> Result<Tensor, TchError>;
type Binary = fn(&Tensor, &Tensor) -> Result<Tensor, TchError>;

/// Operations on one tensor: a line each.
const UNARY: &[(&str, Unary)] = &[
    ("sigmoid", Tensor::f_sigmoid),
    ("log", Tensor::f_log),
    ("exp", Tensor::f_exp),
    ("abs", Tensor::f_abs),
    ("sqrt", Tensor::f_sqrt),
    ("max", Tensor::f_max),
    ("min", Tensor::f_min),
    ("detach", Tensor::f_detach),
    ("sum", |t| t.f_sum(None)),
    ("mean", |t| t.f_to_kind(Element::Float)?.f_mean(None)),
    ("-", Tensor::f_neg),
];

/// Operations on two tensors, or a tensor and a number on either side: a line each.
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
    ("pow", Tensor::f_pow),
];

fn register(engine: &mut Engine) {
    for &(name, operation) in UNARY {
        engine.register_fn(name, move |t: &mut TensorValue| wrap(name, &[&t.0], operation(&t.0)));
    }
    for &(name, operation) in BINARY {
        let apply = move |a: &Tensor, b: &Tensor| wrap(name, &[a, b], operation(a, b));
        engine
            .register_fn(name, move |a: TensorValue, b: TensorValue| apply(&a.0, &b.0))
            .register_fn(name, move |a: TensorValue, b: f64| apply(&a.0, &number(b, &a.0)?))
            .register_fn(name, move |a: TensorValue, b: i64| apply(&a.0, &number(b as f64, &a.0)?))
            .register_fn(name, move |a: f64, b: TensorValue| apply(&number(a, &b.0)?, &b.0))
            .register_fn(name, move |a: i64, b: TensorValue| apply(&number(a as f64, &b.0)?, &b.0));
    }
    engine
        .register_get("shape", |t: &mut TensorValue| -> Array { t.0.size().into_iter().map(Dynamic::from).collect() })
        .register_get("dtype", |t: &mut TensorValue| format!("{:?}", t.0.kind()).to_lowercase())
        .register_fn("clamp", |t: &mut TensorValue, low: Dynamic, high: Dynamic| -> Fallible<TensorValue> {
            let double = t.0.kind() == tch::Kind::Double;
            // libtorch panics on a bound that a single-precision number cannot hold; beyond them is no limit.
            let within = |x: f64| if double || x.abs() <= f64::from(f32::MAX) { x } else { x.signum() * f64::INFINITY };
            let bound = |what: &str, value: &Dynamic| glue::number("clamp", what, value).map(within).or_raise();
            wrap("clamp", &[&t.0], t.0.f_clamp(bound("low", &low)?, bound("high", &high)?))
        })
        .register_fn("sum", |t: &mut TensorValue, dim: i64| -> Fallible<TensorValue> {
            dimension("sum", &t.0, dim).or_raise()?;
            wrap("sum", &[&t.0], t.0.f_sum_dim_intlist(Some(&[dim][..]), false, None))
        })
        .register_fn("mean", |t: &mut TensorValue, dim: i64| -> Fallible<TensorValue> {
            dimension("mean", &t.0, dim).or_raise()?;
            wrap(
                "mean",
                &[&t.0],
                t.0.f_to_kind(Element::Float).and_then(|t| t.f_mean_dim(Some(&[dim][..]), false, None)),
            )
        })
        .register_fn("argsort", |t: &mut TensorValue, dim: i64, descending: bool| -> Fallible<TensorValue> {
            dimension("argsort", &t.0, dim).or_raise()?;
            wrap("argsort", &[&t.0], t.0.f_argsort(dim, descending))
        })
        .register_fn("matmul", |a: &mut TensorValue, b: TensorValue| wrap("matmul", &[&a.0, &b.0], a.0.f_matmul(&b.0)))
        .register_fn("transpose", |t: &mut TensorValue, a: i64, b: i64| -> Fallible<TensorValue> {
            dimension("transpose", &t.0, a).and_then(|()| dimension("transpose", &t.0, b)).or_raise()?;
            wrap("transpose", &[&t.0], t.0.f_transpose(a, b))
        })
        .register_fn("cat", |a: &mut TensorValue, b: TensorValue, dim: i64| -> Fallible<TensorValue> {
            dimension("cat", &a.0, dim).or_raise()?;
            wrap("cat", &[&a.0, &b.0], Tensor::f_cat(&[a.0.as_ref(), b.0.as_ref()], dim))
        })
        .register_fn("reshape", |t: &mut TensorValue, shape: Array| -> Fallible<TensorValue> {
            let shape = whole("reshape", "the shape", &shape).or_raise()?;
            let result = t.0.f_reshape(&shape[..]).map_err(|_| {
                Error::new(
                    ErrorKind::Tensor,
                    format!("reshape: a Tensor {:?} of {} elements has no shape {shape:?}", t.0.size(), t.0.numel()),
                )
            });
            result.map(TensorValue::from).or_raise()
        })
        .register_fn("index", |t: &mut TensorValue, dim: i64, at: Array| -> Fallible<TensorValue> {
            let at = whole("index", "the positions", &at).or_raise()?;
            let n = dimension("index", &t.0, dim)
                .and_then(|()| Ok(t.0.size()[usize::try_from(dim.rem_euclid(t.0.dim().max(1) as i64)).unwrap_or(0)]))
                .or_raise()?;
            if let Some(outside) = at.iter().find(|at| !(0..n).contains(at)) {
                return Err(Error::argument(format!(
                    "index: there is no position {outside} along dimension {dim} of a Tensor {:?}",
                    t.0.size()
                )))
                .or_raise();
            }
            wrap("index", &[&t.0], Tensor::f_from_slice(&at).and_then(|at| t.0.f_index_select(dim, &at)))
        })
        .register_fn("item", |t: &mut TensorValue| -> Fallible<f64> { item(&t.0).or_raise() })
        .register_fn("to_array", |t: &mut TensorValue| -> Fallible<Dynamic> { to_array(&t.0).or_raise() });
}

/// What libtorch made of the operands, or its refusal with the operation and their shapes.
fn wrap(operation: &str, operands: &[&Tensor], result: Result<Tensor, TchError>) -> Fallible<TensorValue> {
    let refused = |error: TchError| {
        let error = Error::from(error);
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
    result.map(TensorValue::from).map_err(refused).or_raise()
}

/// Errors unless the tensor has that dimension; negative ones count from the last.
fn dimension(operation: &str, t: &Tensor, dim: i64) -> Result<()> {
    let n = t.dim() as i64;
    // A single number counts as having one dimension, as in PyTorch.
    if (-n.max(1)..n.max(1)).contains(&dim) {
        return Ok(());
    }
    Err(Error::argument(format!("{operation}: a Tensor {:?} has no dimension {dim}", t.size()))
        .with_help(format!("its dimensions are 0 to {}, or -1 for the last", n.max(1) - 1)))
}

/// An array of integers.
fn whole(word: &str, what: &str, array: &Array) -> Result<Vec<i64>> {
    let one = |item: &Dynamic| {
        item.as_int().map_err(|_| {
            Error::argument(format!(
                "{word}: {what} must be an array of integers; got {} in it",
                crate::script::show::a_type(item)
            ))
        })
    };
    array.iter().map(one).collect()
}

/// A number beside a tensor takes the tensor's own element type, as in PyTorch, unless it would lose its fraction.
fn number(x: f64, beside: &Tensor) -> Fallible<Tensor> {
    let kind = match beside.kind() {
        Element::Float | Element::Double | Element::Half | Element::BFloat16 => beside.kind(),
        kind if x.fract() == 0.0 && kind != Element::Bool => kind,
        _ => Element::Float,
    };
    let scalar = || Tensor::f_from_slice(&[x])?.f_to_kind(kind)?.f_squeeze()?.f_to_device(beside.device());
    scalar().map_err(Error::from).or_raise()
}

fn item(t: &Tensor) -> Result<f64> {
    if t.numel() != 1 {
        return Err(Error::argument(format!("item needs a tensor of one element; got shape {:?}", t.size())));
    }
    Ok(f64::try_from(t.f_to_kind(Element::Double)?.f_reshape([-1])?.f_squeeze()?)?)
}

fn to_array(t: &Tensor) -> Result<Dynamic> {
    let whole = matches!(
        t.kind(),
        Element::Int64 | Element::Int | Element::Int16 | Element::Int8 | Element::Uint8 | Element::Bool
    );
    if t.numel() > 10_000_000 {
        return Err(Error::argument(format!(
            "to_array of {} elements is too large; take a part with index",
            t.numel()
        )));
    }
    let flat =
        t.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Element::Double)?.f_contiguous()?.f_reshape([-1])?;
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

/// A tensor from a number or nested arrays of numbers of one length a level.
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
                crate::script::show::a_type(value)
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
        match to_array(&self.0) {
            Ok(values) if self.0.numel() <= 64 => write!(f, " {}", crate::script::show::show(&values)),
            Ok(_) if self.0.kind() != Element::Bool => {
                let summary = |op: Unary| op(&self.0).map_err(Error::from).and_then(|t| item(&t)).unwrap_or(f64::NAN);
                write!(
                    f,
                    " (min {}, mean {}, max {})",
                    crate::script::show::number(summary(Tensor::f_min)),
                    crate::script::show::number(summary(|t| t.f_to_kind(Element::Double)?.f_mean(None))),
                    crate::script::show::number(summary(Tensor::f_max))
                )
            }
            _ => Ok(()),
        }
    }
}
