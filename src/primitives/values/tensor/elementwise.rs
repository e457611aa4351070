//! Operations on one tensor, number by number, and those that normalise along a dimension.

use tch::{TchError, Tensor};

use super::TensorValue;
use super::checks::{dimension, float, room, wrap};
use crate::activity::panics::refusals;
use crate::error::Error;
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::kind::Member;

pub const MEMBERS: &[Member] = &[
    Member::same("abs()", "absolute value"),
    Member::same("exp()", "exponential"),
    Member::same("expm1()", "exp(x) - 1, also of small x"),
    Member::same("log()", "natural logarithm"),
    Member::same("log1p()", "log(1 + x), also of small x"),
    Member::same("log2()", "logarithm to base 2"),
    Member::same("log10()", "logarithm to base 10"),
    Member::same("sqrt()", "square root"),
    Member::same("rsqrt()", "1 / sqrt(x)"),
    Member::same("square()", "x * x"),
    Member::same("reciprocal()", "1 / x"),
    Member::same("sin()", "sine of radians"),
    Member::same("cos()", "cosine of radians"),
    Member::same("tan()", "tangent of radians"),
    Member::same("erf()", "error function"),
    Member::same("sign()", "-1, 0 or 1"),
    Member::same("floor()", "the largest whole number that is not above x"),
    Member::same("ceil()", "the smallest whole number that is not below x"),
    Member::same("trunc()", "without the fraction"),
    Member::same("round()", "the nearest whole number, halves to the even one"),
    Member::same("round(decimals)", "rounded to so many decimals"),
    Member::same("isnan()", "a mask of the numbers that are nan"),
    Member::same("isfinite()", "a mask of the numbers that are neither nan nor infinite"),
    Member::same("logical_not()", "a mask of zeros, also !t"),
    Member::same("sigmoid()", "1 / (1 + exp(-x))"),
    Member::same("logsigmoid()", "log(sigmoid(x))"),
    Member::same("tanh()", "hyperbolic tangent"),
    Member::same("relu()", "x, or 0 for negative x"),
    Member::same("gelu()", "x times the normal distribution function of x (Hendrycks and Gimpel 2016), exact"),
    Member::same("silu()", "x * sigmoid(x)"),
    Member::same("softplus()", "log(1 + exp(x))"),
    Member::same("leaky_relu(slope)", "x, or slope * x for negative x"),
    Member::same("softmax(dim)", "exp(x) divided by its sum along a dimension"),
    Member::same("log_softmax(dim)", "the logarithm of softmax(dim)"),
    Member::same("normalize(dim)", "x divided by its 2-norm along a dimension (1e-12 at least)"),
];

type Unary = fn(&Tensor) -> Result<Tensor, TchError>;

/// One per line. Of integers, those with fractions give single precision.
const UNARY: &[(&str, Unary)] = &[
    ("-", Tensor::f_neg),
    ("!", Tensor::f_logical_not),
    ("abs", Tensor::f_abs),
    ("exp", Tensor::f_exp),
    ("expm1", Tensor::f_expm1),
    ("log", Tensor::f_log),
    ("log1p", Tensor::f_log1p),
    ("log2", Tensor::f_log2),
    ("log10", Tensor::f_log10),
    ("sqrt", Tensor::f_sqrt),
    ("rsqrt", Tensor::f_rsqrt),
    ("square", Tensor::f_square),
    ("reciprocal", Tensor::f_reciprocal),
    ("sin", Tensor::f_sin),
    ("cos", Tensor::f_cos),
    ("tan", Tensor::f_tan),
    ("erf", Tensor::f_erf),
    ("sign", Tensor::f_sign),
    ("floor", Tensor::f_floor),
    ("ceil", Tensor::f_ceil),
    ("trunc", Tensor::f_trunc),
    ("round", Tensor::f_round),
    ("isnan", Tensor::f_isnan),
    ("isfinite", Tensor::f_isfinite),
    ("logical_not", Tensor::f_logical_not),
    ("sigmoid", Tensor::f_sigmoid),
    ("tanh", Tensor::f_tanh),
    ("relu", Tensor::f_relu),
];

/// Those that libtorch has of floating point alone.
const OF_FLOATS: &[(&str, Unary)] = &[
    ("logsigmoid", Tensor::f_log_sigmoid),
    ("gelu", |t| t.f_gelu("none")),
    ("silu", Tensor::f_silu),
    ("softplus", Tensor::f_softplus),
];

/// The same along a dimension.
const ALONG: &[(&str, fn(&Tensor, i64) -> Result<Tensor, TchError>)] = &[
    ("softmax", |t, dim| t.f_softmax(dim, None)),
    ("log_softmax", |t, dim| t.f_log_softmax(dim, None)),
    ("normalize", |t, dim| {
        let norm = t.f_norm_scalaropt_dim(2.0, [dim], true)?;
        t.f_div(&norm.f_clamp_min(1e-12)?)
    }),
];

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    for &(name, operation) in UNARY {
        members.method(name, move |t: &TensorValue| {
            room(name, t.0.numel() as f64, &t.0)?;
            wrap(name, &[&t.0], operation(&t.0))
        });
    }
    for &(name, operation) in OF_FLOATS {
        members.method(name, move |t: &TensorValue| {
            let t = float(name, &t.0)?;
            room(name, t.numel() as f64, &t)?;
            wrap(name, &[&t], operation(&t))
        });
    }
    for &(name, operation) in ALONG {
        members.method(name, move |call: &Call, t: &TensorValue, dim: i64| {
            dimension(call, &t.0, dim)?;
            let t = float(name, &t.0)?;
            room(name, t.numel() as f64, &t)?;
            wrap(name, &[&t], operation(&t, dim))
        });
    }
    members
        .method("round", |call: &Call, t: &TensorValue, decimals: i64| {
            if decimals.unsigned_abs() > 300 {
                return Err(Error::argument(format!("{}: there are no {decimals} decimals", call.name)));
            }
            room(call.name, t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_round_decimals(decimals))
        })
        .method("leaky_relu", |call: &Call, t: &TensorValue, slope: Number| {
            let t = float(call.name, &t.0)?;
            room(call.name, 3.0 * t.numel() as f64, &t)?;
            let below = refusals(|| t.f_clamp_max(0.0)?.f_mul_scalar(slope.0));
            let both = t.f_relu().and_then(|above| above.f_add(&below?));
            wrap(call.name, &[&t], both)
        });
}
