//! Operators on two tensors, or a tensor and a number on either side.

use rhai::Dynamic;
use tch::{Device, Kind as Element, TchError, Tensor};

use super::TensorValue;
use super::checks::{broadcast, float, from_end, room, room_for, work, wrap};
use super::conversions::{dtype_name, is_integer};
use crate::activity::panics::refusals;
use crate::error::{Error, Result};
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::kind::Member;
use crate::script::show;
use crate::torch::meeting::together;

pub const MEMBERS: &[Member] = &[
    Member::same("pow(p)", "x to the power p, also x ** p"),
    Member::same("maximum(other)", "the larger of two numbers at each place"),
    Member::same("minimum(other)", "the smaller of two numbers at each place"),
    Member::same("floor_divide(other)", "the quotient rounded down, as Python's //"),
    Member::same("clamp(low, high)", "limited to a range; integers between integers stay integers"),
    Member::same("matmul(other)", "matrix product, of batches too"),
    Member::same("dot(other)", "the sum of the products of two Tensors of one dimension"),
    Member::same("outer(other)", "the products of all pairs of two Tensors of one dimension"),
    Member::same("masked_fill(mask, number)", "the number where the mask is true"),
];

type Binary = fn(&Tensor, &Tensor) -> Result<Tensor, TchError>;

/// Operations on two tensors, or a tensor and a number on either side, one per line.
const BINARY: &[(&str, Binary)] = &[
    ("+", Tensor::f_add),
    ("-", Tensor::f_sub),
    ("*", Tensor::f_mul),
    ("/", Tensor::f_div),
    ("%", Tensor::f_remainder_tensor),
    (">", Tensor::f_gt_tensor),
    (">=", Tensor::f_ge_tensor),
    ("<", Tensor::f_lt_tensor),
    ("<=", Tensor::f_le_tensor),
    ("==", Tensor::f_eq_tensor),
    ("!=", Tensor::f_ne_tensor),
    ("maximum", Tensor::f_maximum),
    ("minimum", Tensor::f_minimum),
    ("floor_divide", Tensor::f_floor_divide),
    ("pow", pow),
    ("**", pow),
];

/// Of two tensors alone: of masks the logical ones, of integers bit by bit.
const OF_MASKS: &[(&str, Binary)] =
    &[("&", Tensor::f_bitwise_and_tensor), ("|", Tensor::f_bitwise_or_tensor), ("^", Tensor::f_bitwise_xor_tensor)];

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    for &(name, operation) in BINARY {
        members
            .method(name, move |a: &TensorValue, b: TensorValue| binary(name, &a.0, &b.0, operation))
            .method(name, move |a: &TensorValue, b: f64| binary(name, &a.0, &fraction(b, &a.0)?, operation))
            .method(name, move |a: &TensorValue, b: i64| binary(name, &a.0, &integer(name, b, &a.0)?, operation))
            .function(name, move |a: f64, b: TensorValue| binary(name, &fraction(a, &b.0)?, &b.0, operation))
            .function(name, move |a: i64, b: TensorValue| binary(name, &integer(name, a, &b.0)?, &b.0, operation));
    }
    for &(name, operation) in OF_MASKS {
        members
            .method(name, move |call: &Call, a: &TensorValue, b: TensorValue| binary(call.name, &a.0, &b.0, operation));
    }
    members
        .method("clamp", |call: &Call, t: &TensorValue, low: Dynamic, high: Dynamic| {
            match (low.as_int(), high.as_int()) {
                (Ok(low), Ok(high)) if !t.0.is_floating_point() => clamp_integers(call, &t.0, low, high),
                _ => clamp_floats(call, &t.0, bound(call, "low", &low)?, bound(call, "high", &high)?),
            }
        })
        .method("matmul", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            work(call.name, a)?;
            work(call.name, b)?;
            let (x, y) = (a.size(), b.size());
            let batch = |of: &[i64]| of[..of.len().saturating_sub(2)].to_vec();
            let rows = if x.len() > 1 { from_end(&x, 2) } else { 1 };
            let columns = if y.len() > 1 { from_end(&y, 1) } else { 1 };
            room(call.name, broadcast(&batch(&x), &batch(&y)) * rows as f64 * columns as f64, a)?;
            wrap(call.name, &[a, b], a.f_matmul(b))
        })
        .method("dot", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            work(call.name, a)?;
            work(call.name, b)?;
            wrap(call.name, &[a, b], a.f_dot(b))
        })
        .method("outer", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            room(call.name, a.numel() as f64 * b.numel() as f64, a)?;
            wrap(call.name, &[a, b], a.f_outer(b))
        })
        .method("masked_fill", |call: &Call, t: &TensorValue, mask: TensorValue, number: Dynamic| {
            let (t, mask) = &together(call.name, &t.0, &mask.0)?;
            if mask.kind() != Element::Bool {
                let came = dtype_name(mask.kind());
                return Err(Error::argument(format!(
                    "{}: the mask must be a Tensor of booleans; got {came}",
                    call.name
                )));
            }
            let number = Exact::read(call.name, &number)?;
            number.fits(call.name, t.kind())?;
            room(call.name, broadcast(&t.size(), &mask.size()), t)?;
            let filled = refusals(|| match number {
                Exact::Whole(i) => t.f_masked_fill(mask, i),
                Exact::Fraction(x) => t.f_masked_fill(mask, x),
            });
            wrap(call.name, &[t, mask], filled)
        });
}

fn binary(name: &'static str, a: &Tensor, b: &Tensor, operation: Binary) -> Result<TensorValue> {
    let (a, b) = &together(name, a, b)?;
    room(name, broadcast(&a.size(), &b.size()), a)?;
    if matches!(name, "pow" | "**") && is_integer(a.kind()) && is_integer(b.kind()) && has_negative(b)? {
        let message =
            format!("{name}: integers have no negative integer powers; got a Tensor of {}", dtype_name(a.kind()));
        return Err(Error::argument(message).with_help("t.to(\"float32\") has them"));
    }
    let zero = matches!(name, "%" | "floor_divide") && is_integer(a.kind()) && is_integer(b.kind());
    if zero && b.numel() > 0 && i64::try_from(&b.f_eq(0)?.f_any()?.f_to_kind(Element::Int64)?)? != 0 {
        return Err(Error::argument(format!("{name}: an integer cannot be divided by 0")));
    }
    wrap(name, &[a, b], operation(a, b))
}

fn has_negative(t: &Tensor) -> Result<bool> {
    Ok(t.numel() > 0 && t.kind() != Element::Uint8 && i64::try_from(&t.f_min()?.f_to_kind(Element::Int64)?)? < 0)
}

/// `a` to the power `b`. On a GPU a single number of the CPU is an argument of the kernels: as a tensor, the backward pass copies it
/// there, and waits.
fn pow(a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let number = b.dim() == 0 && b.device() == Device::Cpu && a.device() != Device::Cpu;
    if number && a.is_floating_point() && !b.requires_grad() {
        return a.f_pow_tensor_scalar(f64::try_from(b)?);
    }
    a.f_pow(b)
}

/// A bound of `clamp`.
fn bound(call: &Call, what: &str, value: &Dynamic) -> Result<f64> {
    Number::of(value)
        .ok_or_else(|| Error::argument(format!("{}: {what} must be a number; got {}", call.name, show::a_type(value))))
}

/// Integers stay of their type, as in PyTorch; booleans become int64. A bound that the type does not have limits nothing.
///
/// Errors: all numbers would be one that the type does not have.
fn clamp_integers(call: &Call, t: &Tensor, low: i64, high: i64) -> Result<TensorValue> {
    let kind = if t.kind() == Element::Bool { Element::Int64 } else { t.kind() };
    if t.device() == Device::Cpu {
        room_for(call.name, t.numel() as f64, kind)?;
    }
    let t = &t.f_to_kind(kind)?;
    let (least, most) = range(kind).unwrap_or((i64::MIN, i64::MAX));
    // As in PyTorch, the upper bound wins where they cross.
    let low = low.min(high);
    Exact::Whole(low.max(least)).fits(call.name, kind)?;
    Exact::Whole(high.min(most)).fits(call.name, kind)?;
    wrap(call.name, &[t], refusals(|| t.f_clamp(low.max(least), high.min(most))))
}

/// Beside a bound with a decimal point integers become single precision, as in PyTorch. libtorch refuses one that the type cannot hold,
/// and beyond its numbers there is no limit.
fn clamp_floats(call: &Call, t: &Tensor, low: f64, high: f64) -> Result<TensorValue> {
    let t = &float(call.name, t)?;
    room(call.name, t.numel() as f64, t)?;
    let most = largest(t.kind());
    let held = |x: f64| if x.abs() <= most || x.is_nan() { x } else { x.signum() * f64::INFINITY };
    wrap(call.name, &[t], refusals(|| t.f_clamp(held(low), held(high))))
}

/// A number with a decimal point beside a tensor, as in PyTorch: of the tensor's type, or of single precision beside integers.
pub fn fraction(x: f64, beside: &Tensor) -> Result<Tensor> {
    let kind = if beside.is_floating_point() { beside.kind() } else { Element::Float };
    Ok(Tensor::f_from_slice(&[x])?.f_to_kind(kind)?.f_squeeze()?)
}

/// An integer beside a tensor, as in PyTorch: of the tensor's type, or int64 beside booleans.
///
/// Errors: the tensor's type does not have it.
pub fn integer(operation: &str, x: i64, beside: &Tensor) -> Result<Tensor> {
    let kind = if beside.kind() == Element::Bool { Element::Int64 } else { beside.kind() };
    if is_integer(kind) {
        Exact::Whole(x).fits(operation, kind)?;
    }
    Ok(Tensor::f_from_slice(&[x])?.f_to_kind(kind)?.f_squeeze()?)
}

/// A number of a script with all of its digits: above 2^53 not every integer is a number with a decimal point.
#[derive(Clone, Copy, Debug)]
pub enum Exact {
    Whole(i64),
    Fraction(f64),
}

impl Exact {
    /// A value that is a number, if it is one.
    pub fn of(value: &Dynamic) -> Option<Exact> {
        value.as_int().map(Exact::Whole).or_else(|_| value.as_float().map(Exact::Fraction)).ok()
    }

    /// Errors: it is no number.
    pub fn read(operation: &str, value: &Dynamic) -> Result<Exact> {
        Exact::of(value).ok_or_else(|| {
            Error::argument(format!("{operation}: the value must be a number; got {}", show::a_type(value)))
        })
    }

    /// A tensor without dimensions, of int64 or float64.
    pub fn tensor(self) -> Result<Tensor> {
        let one = match self {
            Exact::Whole(i) => Tensor::f_from_slice(&[i])?,
            Exact::Fraction(x) => Tensor::f_from_slice(&[x])?,
        };
        Ok(one.f_squeeze()?)
    }

    /// Errors: a tensor of this type cannot hold the number.
    pub fn fits(self, operation: &str, kind: Element) -> Result<()> {
        let held = match (self, range(kind)) {
            (Exact::Whole(i), Some((least, most))) => (least..=most).contains(&i),
            (Exact::Whole(i), None) => i.unsigned_abs() as f64 <= largest(kind),
            (Exact::Fraction(x), Some((least, most))) => {
                x.fract() == 0.0 && (i128::from(least)..=i128::from(most)).contains(&(x as i128))
            }
            (Exact::Fraction(x), None) => !x.is_finite() || x.abs() <= largest(kind),
        };
        if held {
            return Ok(());
        }
        let (said, wider) = match self {
            Exact::Whole(i) if range(kind).is_some() => (i.to_string(), "int64"),
            Exact::Whole(i) => (i.to_string(), "float32"),
            Exact::Fraction(x) if range(kind).is_some() => {
                let whole = x.fract() == 0.0 && x.abs() < i64::MAX as f64;
                (show::number(x), if whole { "int64" } else { "float32" })
            }
            Exact::Fraction(x) => {
                (show::number(x), if x.abs() <= largest(Element::Float) { "float32" } else { "float64" })
            }
        };
        let message = format!("{operation}: a Tensor of {} cannot hold {said}", dtype_name(kind));
        Err(Error::argument(message).with_help(format!("t.to(\"{wider}\") can")))
    }
}

/// The least and the greatest number of a type of integers or booleans.
pub fn range(kind: Element) -> Option<(i64, i64)> {
    Some(match kind {
        Element::Uint8 => (0, 255),
        Element::Int8 => (i8::MIN.into(), i8::MAX.into()),
        Element::Int16 => (i16::MIN.into(), i16::MAX.into()),
        Element::Int => (i32::MIN.into(), i32::MAX.into()),
        Element::Int64 => (i64::MIN, i64::MAX),
        Element::Bool => (0, 1),
        _ => return None,
    })
}

/// The greatest finite number of a type of floating point.
fn largest(kind: Element) -> f64 {
    match kind {
        Element::Half => 65504.0,
        // 8 bits of significand.
        Element::BFloat16 => (2.0 - 2f64.powi(-7)) * 2f64.powi(127),
        Element::Float => f32::MAX.into(),
        _ => f64::MAX,
    }
}
