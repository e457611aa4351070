//! `zeros`, `ones`, `full`, `arange`, `linspace`, `eye`: tensors of a rule.

use rhai::Dynamic;
use tch::{Device, Kind as Element, Tensor};

use super::shape::Shape;
use crate::activity::panics::refusals;
use crate::error::{Error, Result};
use crate::primitives::values::tensor::TensorValue;
use crate::primitives::values::tensor::arithmetic::Exact;
use crate::primitives::values::tensor::checks::{elements_of, room_for, wrap};
use crate::primitives::values::tensor::conversions::dtype_of;
use crate::script::call::{Call, Number};
use crate::script::show;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

crate::options! {
    /// Options of words that make tensors.
    pub struct Made {
        /// the element type, as float32 or int64; () leaves it to the numbers
        pub dtype: Option<String> = None;
    }
}

impl Made {
    /// The element type that is asked for, or `usual`.
    fn kind(&self, call: &Call, usual: Element) -> Result<Element> {
        self.dtype.as_ref().map_or(Ok(usual), |name| dtype_of(call.name, name))
    }
}

/// Declares `zeros` and `ones`.
macro_rules! constant {
    ($($NAME:ident $name:literal $what:literal $code:literal $prints:literal $value:expr;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Tensors,
            signatures: &[concat!($name, "(shape) -> Tensor"), concat!($name, "(shape, #{options}) -> Tensor")],
            summary: concat!("A Tensor of ", $what, "."),
            details: "The shape is an integer or an array of integers. float32, unless dtype says otherwise.",
            options: Some(OptionDocs::of::<Made>()),
            examples: &[Example { code: $code, prints: $prints }],
            register: |word| {
                word.form(|call: &Call, shape: Shape, options: Made| filled(call, &shape.0, $value, options.kind(call, Element::Float)?));
            },
        };
    )*};
}

constant! {
    ZEROS "zeros" "zeros" "zeros([2, 3]).shape" "[2, 3]" 0.0;
    ONES "ones" "ones" "ones(3, #{dtype: \"int64\"})" "[1, 1, 1]" 1.0;
}

fn filled(call: &Call, shape: &[i64], value: f64, kind: Element) -> Result<TensorValue> {
    room_for(call.name, elements_of(call, shape)?, kind)?;
    Ok(refusals(|| Tensor::f_full(shape, value, (kind, Device::Cpu)))?.into())
}

pub const FULL: Word = Word {
    name: "full",
    chapter: Chapter::Tensors,
    signatures: &["full(shape, number) -> Tensor", "full(shape, number, #{options}) -> Tensor"],
    summary: "A Tensor that holds one number everywhere.",
    details: "int64 for an integer, bool for true and false, else float32, unless dtype says otherwise.",
    options: Some(OptionDocs::of::<Made>()),
    examples: &[Example { code: "full([2, 2], 0.5)", prints: "[0.5000, 0.5000]" }],
    register: |word| {
        word.form(full);
    },
};

fn full(call: &Call, shape: Shape, number: Dynamic, options: Made) -> Result<TensorValue> {
    let (x, usual) = match (number.as_int(), number.as_bool(), number.as_float()) {
        (Ok(i), _, _) => {
            let kind = options.kind(call, Element::Int64)?;
            if kind != Element::Bool {
                Exact::Whole(i).fits(call.name, kind)?;
            }
            room_for(call.name, elements_of(call, &shape.0)?, kind)?;
            return Ok(refusals(|| Tensor::f_full(&shape.0[..], i, (kind, Device::Cpu)))?.into());
        }
        (_, Ok(b), _) => (f64::from(b), Element::Bool),
        (_, _, Ok(x)) => (x, Element::Float),
        _ => {
            let came = show::a_type(&number);
            return Err(Error::argument(format!("{}: the number must be one; got {came}", call.name)));
        }
    };
    let kind = options.kind(call, usual)?;
    if kind != Element::Bool {
        Exact::Fraction(x).fits(call.name, kind)?;
    }
    filled(call, &shape.0, x, kind)
}

pub const ARANGE: Word = Word {
    name: "arange",
    chapter: Chapter::Tensors,
    signatures: &["arange(end) -> Tensor", "arange(start, end) -> Tensor", "arange(start, end, step) -> Tensor"],
    summary: "The numbers from start (0) up to, and without, end, in steps of step (1).",
    details: "int64 if all are integers, else float32. step may be negative. An error for a step of 0, or one that leads away from end.",
    options: None,
    examples: &[Example { code: "[arange(4), arange(1, 2, 0.25)]", prints: "[1.0000, 1.2500, 1.5000, 1.7500]" }],
    register: |word| {
        word.form(|call: &Call, end: Dynamic| arange(call, 0.into(), end, 1.into()))
            .form(|call: &Call, start: Dynamic, end: Dynamic| arange(call, start, end, 1.into()))
            .form(arange);
    },
};

fn arange(call: &Call, start: Dynamic, end: Dynamic, step: Dynamic) -> Result<TensorValue> {
    let number = |what: &str, value: &Dynamic| {
        Number::of(value).filter(|x| x.is_finite()).ok_or_else(|| {
            Error::argument(format!("{}: {what} must be a finite number; got {}", call.name, show::show(value)))
        })
    };
    let (from, to, by) = (number("start", &start)?, number("end", &end)?, number("step", &step)?);
    if by == 0.0 || (to - from) / by < 0.0 {
        return Err(Error::argument(format!("{}: steps of {by} do not lead from {from} to {to}", call.name)));
    }
    let whole = start.is_int() && end.is_int() && step.is_int();
    let kind = if whole { Element::Int64 } else { Element::Float };
    if !whole {
        Exact::Fraction(from).fits(call.name, kind)?;
        Exact::Fraction(to).fits(call.name, kind)?;
    }
    let count = ((to - from) / by).ceil();
    if count > 9e15 {
        return Err(Error::argument(format!("{}: {count:e} numbers are more than any memory", call.name)));
    }
    room_for(call.name, count, kind)?;
    let made = refusals(|| match (start.as_int(), end.as_int(), step.as_int()) {
        (Ok(start), Ok(end), Ok(step)) => Tensor::f_arange_start_step(start, end, step, (kind, Device::Cpu)),
        _ => Tensor::f_arange_start_step(from, to, by, (kind, Device::Cpu)),
    });
    wrap(call.name, &[], made)
}

pub const LINSPACE: Word = Word {
    name: "linspace",
    chapter: Chapter::Tensors,
    signatures: &["linspace(start, end, steps) -> Tensor"],
    summary: "So many numbers at equal distances from start to end, both included.",
    details: "float32.",
    options: None,
    examples: &[Example { code: "linspace(0, 1, 5)", prints: "[0.0000, 0.2500, 0.5000, 0.7500, 1.0000]" }],
    register: |word| {
        word.form(|call: &Call, start: Number, end: Number, steps: usize| {
            Exact::Fraction(start.0).fits(call.name, Element::Float)?;
            Exact::Fraction(end.0).fits(call.name, Element::Float)?;
            room_for(call.name, steps as f64, Element::Float)?;
            let steps = i64::try_from(steps).unwrap_or(i64::MAX);
            let made = refusals(|| Tensor::f_linspace(start.0, end.0, steps, (Element::Float, Device::Cpu)));
            wrap(call.name, &[], made)
        });
    },
};

pub const EYE: Word = Word {
    name: "eye",
    chapter: Chapter::Tensors,
    signatures: &["eye(n) -> Tensor", "eye(n, m) -> Tensor"],
    summary: "A matrix [n, n] or [n, m] with ones on its diagonal and zeros elsewhere.",
    details: "float32.",
    options: None,
    examples: &[Example { code: "eye(2).to_array()", prints: "[[1.0, 0.0], [0.0, 1.0]]" }],
    register: |word| {
        word.form(|call: &Call, n: usize| eye(call, n, n)).form(eye);
    },
};

fn eye(call: &Call, n: usize, m: usize) -> Result<TensorValue> {
    let (n, m) = (i64::try_from(n).unwrap_or(i64::MAX), i64::try_from(m).unwrap_or(i64::MAX));
    room_for(call.name, elements_of(call, &[n, m])?, Element::Float)?;
    Ok(Tensor::f_eye_m(n, m, (Element::Float, Device::Cpu))?.into())
}
