//! Operators on two tensors, or a tensor and a number on either side.

use rhai::Dynamic;
use tch::{Device, Kind as Element, TchError, Tensor};

use super::TensorValue;
use super::checks::{broadcast, from_end, room, wrap};
use super::conversions::{dtype_name, is_integer};
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
    Member::same("clamp(low, high)", "limited to a range"),
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
            let (low, high) = (bound(call, "low", &low, &t.0)?, bound(call, "high", &high, &t.0)?);
            room(call.name, t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_clamp(low, high))
        })
        .method("matmul", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            let (x, y) = (a.size(), b.size());
            let batch = |of: &[i64]| of[..of.len().saturating_sub(2)].to_vec();
            let rows = if x.len() > 1 { from_end(&x, 2) } else { 1 };
            let columns = if y.len() > 1 { from_end(&y, 1) } else { 1 };
            room(call.name, broadcast(&batch(&x), &batch(&y)) * rows as f64 * columns as f64, a)?;
            wrap(call.name, &[a, b], a.f_matmul(b))
        })
        .method("dot", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            wrap(call.name, &[a, b], a.f_dot(b))
        })
        .method("outer", |call: &Call, a: &TensorValue, b: TensorValue| {
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            room(call.name, a.numel() as f64 * b.numel() as f64, a)?;
            wrap(call.name, &[a, b], a.f_outer(b))
        })
        .method("masked_fill", |call: &Call, t: &TensorValue, mask: TensorValue, number: Number| {
            let (t, mask) = &together(call.name, &t.0, &mask.0)?;
            if mask.kind() != Element::Bool {
                let came = dtype_name(mask.kind());
                return Err(Error::argument(format!(
                    "{}: the mask must be a Tensor of booleans; got {came}",
                    call.name
                )));
            }
            fits(call.name, number.0, t)?;
            room(call.name, broadcast(&t.size(), &mask.size()), t)?;
            wrap(call.name, &[t, mask], t.f_masked_fill(mask, number.0))
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

/// A bound of `clamp`. libtorch panics on one that a single-precision number cannot hold; beyond them is no limit.
fn bound(call: &Call, what: &str, value: &Dynamic, t: &Tensor) -> Result<f64> {
    let x = Number::of(value).ok_or_else(|| {
        Error::argument(format!("{}: {what} must be a number; got {}", call.name, show::a_type(value)))
    })?;
    let held = t.kind() == Element::Double || x.abs() <= f64::from(f32::MAX);
    Ok(if held { x } else { x.signum() * f64::INFINITY })
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
        fits(operation, x as f64, beside)?;
    }
    Ok(Tensor::f_from_slice(&[x])?.f_to_kind(kind)?.f_squeeze()?)
}

/// Errors: a tensor of this type cannot hold the number.
pub fn fits(operation: &str, x: f64, of: &Tensor) -> Result<()> {
    let (low, high) = match of.kind() {
        Element::Uint8 => (0.0, 255.0),
        Element::Int8 => (-128.0, 127.0),
        Element::Int16 => (-32768.0, 32767.0),
        Element::Int => (f64::from(i32::MIN), f64::from(i32::MAX)),
        Element::Int64 => (i64::MIN as f64, i64::MAX as f64),
        Element::Bool => (0.0, 1.0),
        _ => return Ok(()),
    };
    // Beside a mask, integers become int64.
    let any = of.kind() == Element::Bool && !matches!(operation, "index" | "masked_fill");
    if any || (x >= low && x <= high && x.fract() == 0.0) {
        return Ok(());
    }
    let message = format!("{operation}: a Tensor of {} cannot hold {}", dtype_name(of.kind()), show::number(x));
    let wider = if x.fract() == 0.0 { "int64" } else { "float32" };
    Err(Error::argument(message).with_help(format!("t.to(\"{wider}\") can")))
}
