//! Sums, means and their like, of all elements or along dimensions.

use rhai::{Dynamic, Map};
use tch::{TchError, Tensor};

use super::TensorValue;
use super::checks::{Dims, Reduced, dimension, float, room, size_of, work, wrap, wrapped};
use crate::activity::panics::refusals;
use crate::error::{Error, Result};
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::kind::Member;

pub const MEMBERS: &[Member] = &[
    Member::same("sum()", "sum of all elements"),
    Member::same("sum(dim, #{keepdim})", "sum along a dimension, or several: sum([2, 3])"),
    Member::same("mean()", "mean of all elements; of integers in single precision"),
    Member::same("mean(dim, #{keepdim})", "mean along a dimension, or several"),
    Member::same(
        "std(#{correction})",
        "standard deviation of all elements; divided by their number minus correction, which is 1 as for arrays",
    ),
    Member::same(
        "std(dim, #{correction, keepdim})",
        "standard deviation along a dimension, or several (of an array the second argument is the correction)",
    ),
    Member::same("var(#{correction})", "variance of all elements"),
    Member::same("var(dim, #{correction, keepdim})", "variance along a dimension, or several"),
    Member::same("prod()", "product of all elements"),
    Member::same("prod(dim, #{keepdim})", "product along a dimension"),
    Member::same("max()", "the greatest element"),
    Member::new("max(dim, #{keepdim})", "a map of values and their positions along a dimension: values, indices"),
    Member::same("min()", "the least element"),
    Member::new("min(dim, #{keepdim})", "a map of values and their positions along a dimension: values, indices"),
    Member::same("amax(dim, #{keepdim})", "the greatest elements along a dimension, or several"),
    Member::same("amin(dim, #{keepdim})", "the least elements along a dimension, or several"),
    Member::same("argmax()", "the position of the greatest element, of all in a row"),
    Member::same("argmax(dim, #{keepdim})", "the positions of the greatest elements along a dimension"),
    Member::same("argmin()", "the position of the least element, of all in a row"),
    Member::same("argmin(dim, #{keepdim})", "the positions of the least elements along a dimension"),
    Member::same("median()", "the median of all elements, of two in the middle the lesser"),
    Member::new("median(dim, #{keepdim})", "a map of medians and their positions along a dimension: values, indices"),
    Member::same("norm()", "2-norm of all elements"),
    Member::same("norm(p)", "p-norm of all elements"),
    Member::same("norm(p, dim, #{keepdim})", "p-norm along a dimension, or several"),
    Member::same("logsumexp(dim, #{keepdim})", "log of the sum of exp(x) along a dimension, or several"),
    Member::same("any()", "whether an element is not 0"),
    Member::same("any(dim, #{keepdim})", "the same along a dimension, or several"),
    Member::same("all()", "whether no element is 0"),
    Member::same("all(dim, #{keepdim})", "the same along a dimension, or several"),
    Member::same("count_nonzero()", "how many elements are not 0"),
    Member::same("count_nonzero(dim)", "the same along a dimension, or several"),
    Member::same("cumsum(dim)", "the sums of all elements up to each, along a dimension"),
    Member::same("cumprod(dim)", "the products of all elements up to each, along a dimension"),
];

crate::options! {
    /// Options of std and var.
    pub struct Spread {
        /// the squared distances are divided by the number of elements minus this
        pub correction: f64 = 1.0, in crate::options::Range::AtLeast(0.0);
        /// the dimensions stay, each of size 1
        pub keepdim: bool = false;
    }
}

type Whole = fn(&Tensor) -> Result<Tensor, TchError>;
type Along = fn(&Tensor, &[i64], bool) -> Result<Tensor, TchError>;
type Pair = fn(&Tensor, i64, bool) -> Result<(Tensor, Tensor), TchError>;
type Spreading = fn(&Tensor, Option<&[i64]>, f64, bool) -> Result<Tensor, TchError>;

/// Of all elements.
const WHOLE: &[(&str, Whole)] = &[
    ("sum", |t| t.f_sum(None)),
    ("mean", |t| t.f_mean(None)),
    ("prod", |t| t.f_prod(None)),
    ("max", Tensor::f_max),
    ("min", Tensor::f_min),
    ("argmax", |t| t.f_argmax(None, false)),
    ("argmin", |t| t.f_argmin(None, false)),
    ("median", Tensor::f_median),
    ("any", Tensor::f_any),
    ("all", Tensor::f_all),
    ("count_nonzero", |t| t.f_count_nonzero(None)),
    ("norm", |t| refusals(|| t.f_norm_scalaropt_dim(2.0, [0i64; 0], false))),
];

/// Along one or several dimensions; of none, all elements.
const ALONG: &[(&str, Along)] = &[
    ("sum", |t, dims, keep| t.f_sum_dim_intlist(Some(dims), keep, None)),
    ("mean", |t, dims, keep| t.f_mean_dim(Some(dims), keep, None)),
    ("amax", |t, dims, keep| t.f_amax(dims, keep)),
    ("amin", |t, dims, keep| t.f_amin(dims, keep)),
    ("any", |t, dims, keep| t.f_any_dims(Some(dims), keep)),
    ("all", |t, dims, keep| t.f_all_dims(Some(dims), keep)),
    ("logsumexp", |t, dims, keep| t.f_logsumexp(dims, keep)),
];

/// Along one dimension.
const ALONG_ONE: &[(&str, fn(&Tensor, i64, bool) -> Result<Tensor, TchError>)] = &[
    ("prod", |t, dim, keep| t.f_prod_dim_int(dim, keep, None)),
    ("argmax", |t, dim, keep| t.f_argmax(dim, keep)),
    ("argmin", |t, dim, keep| t.f_argmin(dim, keep)),
];

/// Values and their positions along one dimension.
const PAIRS: &[(&str, Pair)] =
    &[("max", Tensor::f_max_dim), ("min", Tensor::f_min_dim), ("median", Tensor::f_median_dim)];

const SPREADS: &[(&str, Spreading)] = &[
    ("std", |t, dims, correction, keep| match is_spread(t, dims, correction) {
        true => refusals(|| t.f_std_correction(dims, correction, keep)),
        false => undetermined(t, dims, keep)?.f_sqrt(),
    }),
    ("var", |t, dims, correction, keep| match is_spread(t, dims, correction) {
        true => refusals(|| t.f_var_correction(dims, correction, keep)),
        false => undetermined(t, dims, keep),
    }),
];

/// Whether there are elements, and more than the correction are reduced to one.
fn is_spread(t: &Tensor, dims: Option<&[i64]>, correction: f64) -> bool {
    let reduced = match dims {
        None | Some([]) => t.numel() as f64,
        Some(dims) => dims.iter().map(|&dim| size_of(t, dim) as f64).product(),
    };
    t.numel() > 0 && reduced > correction
}

/// The variance where it is divided by 0, as PyTorch gives it: nan, or infinite of elements that differ. Its own function writes a warning
/// to standard error.
fn undetermined(t: &Tensor, dims: Option<&[i64]>, keep: bool) -> Result<Tensor, TchError> {
    let all: Vec<i64> = (0..t.dim() as i64).collect();
    let dims = dims.filter(|dims| !dims.is_empty()).unwrap_or(&all);
    let squares =
        t.f_sub(&t.f_mean_dim(Some(dims), true, None)?)?.f_square()?.f_sum_dim_intlist(Some(dims), keep, None)?;
    squares.f_div(&squares.f_zeros_like()?)
}

/// Those that libtorch has of floating point alone; integers are taken in single precision.
const OF_FLOATS: &[&str] = &["mean", "std", "var", "norm", "logsumexp"];
/// Those that have no answer for no elements.
const OF_SOME: &[&str] = &["max", "min", "argmax", "argmin", "amax", "amin", "median"];

/// Those that make a copy of the operand as they work.
const COPYING: &[&str] = &["logsumexp", "median"];

/// The operand of a reduction along dimensions, none for all: in single precision where it must be, with elements where it must have some.
fn operand(name: &str, t: &Tensor, dims: &[i64]) -> Result<Tensor> {
    if OF_SOME.contains(&name) && is_none(t, dims) {
        return Err(Error::argument(format!("{name}: a Tensor {:?} has no elements", t.size()))
            .with_help("where it may be empty, ask before: if t.numel() > 0 { ... }"));
    }
    work(name, t)?;
    if COPYING.contains(&name) {
        room(name, t.numel() as f64, t)?;
    }
    if OF_FLOATS.contains(&name) { float(name, t) } else { Ok(t.shallow_clone()) }
}

/// Whether no element is reduced to each of the results.
fn is_none(t: &Tensor, dims: &[i64]) -> bool {
    match dims {
        [] => t.numel() == 0,
        dims => dims.iter().any(|&dim| size_of(t, dim) == 0),
    }
}

/// The p-norm along dimensions, or of all elements.
fn norm(call: &Call, t: &TensorValue, p: f64, dims: &[i64], keep: bool) -> Result<TensorValue> {
    let t = operand(call.name, &t.0, dims)?;
    if is_none(&t, dims) && (p.is_infinite() || p < 0.0) {
        let (name, size) = (call.name, t.size());
        return Err(Error::argument(format!("{name}: no elements have no norm of p = {p}; got a Tensor {size:?}")));
    }
    wrap(call.name, &[&t], refusals(|| t.f_norm_scalaropt_dim(p, dims, keep)))
}

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    for &(name, operation) in WHOLE {
        members.method(name, move |t: &TensorValue| {
            let t = operand(name, &t.0, &[])?;
            wrap(name, &[&t], operation(&t))
        });
    }
    for &(name, operation) in ALONG {
        members.method(name, move |call: &Call, t: &TensorValue, dims: Dims, options: Reduced| {
            let dims = dims.of(call, &t.0)?;
            let t = operand(name, &t.0, &dims)?;
            wrap(name, &[&t], operation(&t, &dims, options.keepdim))
        });
    }
    for &(name, operation) in ALONG_ONE {
        members.method(name, move |call: &Call, t: &TensorValue, dim: i64, options: Reduced| {
            dimension(call, &t.0, dim)?;
            let t = operand(name, &t.0, &[dim])?;
            wrap(name, &[&t], operation(&t, dim, options.keepdim))
        });
    }
    for &(name, operation) in PAIRS {
        members.method(name, move |call: &Call, t: &TensorValue, dim: i64, options: Reduced| {
            dimension(call, &t.0, dim)?;
            let t = operand(name, &t.0, &[dim])?;
            wrapped(name, &[&t], operation(&t, dim, options.keepdim)).map(values_and_indices)
        });
    }
    for &(name, operation) in SPREADS {
        members
            .method(name, move |t: &TensorValue, options: Spread| {
                let t = operand(name, &t.0, &[])?;
                room(name, t.numel() as f64, &t)?;
                wrap(name, &[&t], operation(&t, None, options.correction, options.keepdim))
            })
            .method(name, move |call: &Call, t: &TensorValue, dims: Dims, options: Spread| {
                let dims = dims.of(call, &t.0)?;
                let t = operand(name, &t.0, &dims)?;
                room(name, t.numel() as f64, &t)?;
                wrap(name, &[&t], operation(&t, Some(&dims[..]), options.correction, options.keepdim))
            });
    }
    members
        .method("norm", |call: &Call, t: &TensorValue, p: Number| norm(call, t, p.0, &[], false))
        .method("norm", |call: &Call, t: &TensorValue, p: Number, dims: Dims, options: Reduced| {
            let dims = dims.of(call, &t.0)?;
            norm(call, t, p.0, &dims, options.keepdim)
        })
        .method("count_nonzero", |call: &Call, t: &TensorValue, dims: Dims| {
            let dims = dims.of(call, &t.0)?;
            work(call.name, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_count_nonzero_dim_intlist(&dims[..]))
        })
        .method("cumsum", |call: &Call, t: &TensorValue, dim: i64| {
            dimension(call, &t.0, dim)?;
            room_of_sums(call, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_cumsum(dim, None))
        })
        .method("cumprod", |call: &Call, t: &TensorValue, dim: i64| {
            dimension(call, &t.0, dim)?;
            room_of_sums(call, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_cumprod(dim, None))
        });
}

/// Sums of integers are int64.
fn room_of_sums(call: &Call, t: &Tensor) -> Result<()> {
    let widened = if t.is_floating_point() { 1.0 } else { 8.0 / t.kind().elt_size_in_bytes().max(1) as f64 };
    room(call.name, widened * t.numel() as f64, t)
}

/// The two as PyTorch names them.
pub fn values_and_indices((values, indices): (Tensor, Tensor)) -> Map {
    let entry = |name: &str, t: Tensor| (name.into(), Dynamic::from(TensorValue::from(t)));
    Map::from_iter([entry("values", values), entry("indices", indices)])
}
