//! The same elements in another shape, and tensors put together and apart.

use rhai::{Array, Dynamic};
use tch::Tensor;

use super::TensorValue;
use super::checks::{Dims, dimension, elements_of, new_dimension, room, size_of, whole, wrap, wrapped};
use crate::error::{Error, ErrorKind, Result};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::Member;
use crate::script::show;
use crate::torch::meeting::together;

pub const MEMBERS: &[Member] = &[
    Member::same("reshape(shape)", "the same elements in another shape; -1 is the size that is left"),
    Member::same("flatten()", "all dimensions as one"),
    Member::same("flatten(start, end)", "the dimensions from start to end as one"),
    Member::same("transpose(a, b)", "two dimensions exchanged"),
    Member::same("t()", "a matrix with its dimensions exchanged"),
    Member::same("permute(dims)", "the dimensions in another order"),
    Member::same("squeeze()", "without the dimensions of size 1"),
    Member::same("squeeze(dim)", "without this dimension, or these, if of size 1"),
    Member::same("unsqueeze(dim)", "with a new dimension of size 1"),
    Member::same("expand(shape)", "dimensions of size 1 repeated without a copy; -1 keeps a size"),
    Member::same("repeat(times)", "a copy that repeats the whole so often per dimension"),
    Member::same("repeat_interleave(n, dim)", "each slice n times in a row"),
    Member::same("flip(dims)", "the order along a dimension, or several, turned around"),
    Member::same("roll(n, dim)", "all slices moved by n along a dimension, the last ones to the front"),
    Member::same("tril()", "a matrix with zeros above its diagonal"),
    Member::same("triu()", "a matrix with zeros below its diagonal"),
    Member::same("diag()", "the diagonal of a matrix, or a matrix with this diagonal"),
    Member::same("cat(other, dim)", "two tensors joined along a dimension, also cat([a, b, c], dim)"),
    Member::new("split(size, dim)", "an array of Tensors of this size along a dimension, or of an array of sizes"),
    Member::new(
        "chunk(n, dim)",
        "an array of n Tensors of equal size along a dimension, the last one smaller; fewer where that does not divide",
    ),
    Member::new("unbind(dim)", "an array of Tensors, the slices along a dimension; for x in t has those of the first"),
];

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    members
        .method("reshape", reshape)
        .method("flatten", |t: &TensorValue| wrap("flatten", &[&t.0], t.0.f_flatten(0, -1)))
        .method("flatten", |call: &Call, t: &TensorValue, start: i64, end: i64| {
            dimension(call, &t.0, start)?;
            dimension(call, &t.0, end)?;
            wrap(call.name, &[&t.0], t.0.f_flatten(start, end))
        })
        .method("transpose", |call: &Call, t: &TensorValue, a: i64, b: i64| {
            dimension(call, &t.0, a)?;
            dimension(call, &t.0, b)?;
            wrap(call.name, &[&t.0], t.0.f_transpose(a, b))
        })
        .method("t", |call: &Call, t: &TensorValue| match t.0.dim() {
            0..=2 => wrap(call.name, &[&t.0], t.0.f_tr()),
            n => Err(Error::argument(format!("{}: a matrix has two dimensions; got {n}", call.name))
                .with_help("transpose(a, b) exchanges any two")),
        })
        .method("permute", |call: &Call, t: &TensorValue, dims: Dims| {
            let dims = dims.of(call, &t.0)?;
            if dims.len() != t.0.dim() {
                let size = t.0.size();
                return Err(Error::argument(format!(
                    "{}: all {} dimensions of a Tensor {size:?} must be named; got {dims:?}",
                    call.name,
                    size.len()
                )));
            }
            wrap(call.name, &[&t.0], t.0.f_permute(&dims[..]))
        })
        .method("squeeze", |t: &TensorValue| wrap("squeeze", &[&t.0], t.0.f_squeeze()))
        .method("squeeze", |call: &Call, t: &TensorValue, dims: Dims| {
            let dims = dims.of(call, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_squeeze_dims(&dims[..]))
        })
        .method("unsqueeze", |call: &Call, t: &TensorValue, dim: i64| {
            new_dimension(call, &t.0, dim)?;
            wrap(call.name, &[&t.0], t.0.f_unsqueeze(dim))
        })
        .method("expand", |call: &Call, t: &TensorValue, shape: Array| {
            let shape = whole(call, "the shape", &shape)?;
            let sizes: Vec<i64> = shape.iter().map(|size| if *size == -1 { 1 } else { *size }).collect();
            elements_of(call, &sizes)?;
            let expanded = t.0.f_expand(&shape[..], false);
            expanded.map(TensorValue::from).map_err(|error| {
                let error = Error::from(error);
                let size = t.0.size();
                let message = format!(
                    "expand: a Tensor {size:?} does not expand to {shape:?}, sizes from the right must be equal, or 1 before"
                );
                if error.kind == ErrorKind::Tensor { Error::new(ErrorKind::Tensor, message) } else { error }
            })
        })
        .method("repeat", repeat)
        .method("repeat_interleave", |call: &Call, t: &TensorValue, n: usize, dim: i64| {
            dimension(call, &t.0, dim)?;
            room(call.name, t.0.numel() as f64 * n as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_repeat_interleave_self_int(n as i64, dim, None))
        })
        .method("flip", |call: &Call, t: &TensorValue, dims: Dims| {
            let dims = dims.of(call, &t.0)?;
            room(call.name, t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_flip(&dims[..]))
        })
        .method("roll", |call: &Call, t: &TensorValue, n: i64, dim: i64| {
            dimension(call, &t.0, dim)?;
            room(call.name, t.0.numel() as f64, &t.0)?;
            // Any number of rounds is none.
            let n = n.checked_rem(size_of(&t.0, dim).max(1)).unwrap_or(0);
            wrap(call.name, &[&t.0], t.0.f_roll([n], [dim]))
        })
        .method("tril", |call: &Call, t: &TensorValue| {
            room(call.name, t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_tril(0))
        })
        .method("triu", |call: &Call, t: &TensorValue| {
            room(call.name, t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_triu(0))
        })
        .method("diag", |call: &Call, t: &TensorValue| {
            let n = t.0.numel() as f64;
            room(call.name, if t.0.dim() == 1 { n * n } else { n }, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_diag(0))
        })
        .method("cat", |call: &Call, a: &TensorValue, b: TensorValue, dim: i64| {
            dimension(call, &a.0, dim)?;
            let (a, b) = &together(call.name, &a.0, &b.0)?;
            room(call.name, a.numel() as f64 + b.numel() as f64, a)?;
            wrap(call.name, &[a, b], Tensor::f_cat(&[a, b], dim))
        })
        .method("split", split)
        .method("chunk", |call: &Call, t: &TensorValue, n: usize, dim: i64| {
            dimension(call, &t.0, dim)?;
            if n == 0 {
                return Err(Error::argument(format!("{}: n must be an integer from 1; got 0", call.name)));
            }
            check_many(call, size_of(&t.0, dim).min(n as i64))?;
            wrapped(call.name, &[&t.0], t.0.f_chunk(n as i64, dim)).map(all)
        })
        .method("unbind", |call: &Call, t: &TensorValue, dim: i64| {
            dimension(call, &t.0, dim)?;
            check_many(call, size_of(&t.0, dim))?;
            wrapped(call.name, &[&t.0], t.0.f_unbind(dim)).map(all)
        });
}

fn all(tensors: Vec<Tensor>) -> Vec<TensorValue> {
    tensors.into_iter().map(TensorValue::from).collect()
}

/// Errors: more tensors than an array holds.
fn check_many(call: &Call, n: i64) -> Result<()> {
    const MOST: i64 = 1_000_000;
    if n <= MOST {
        return Ok(());
    }
    Err(Error::argument(format!("{}: there would be {n} Tensors; at most {MOST}", call.name)))
}

fn reshape(call: &Call, t: &TensorValue, shape: Array) -> Result<TensorValue> {
    let shape = whole(call, "the shape", &shape)?;
    room(call.name, if t.0.is_contiguous() { 0.0 } else { t.0.numel() as f64 }, &t.0)?;
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

fn repeat(call: &Call, t: &TensorValue, times: Array) -> Result<TensorValue> {
    let times = whole(call, "the times", &times)?;
    if times.len() < t.0.dim() {
        let size = t.0.size();
        return Err(Error::argument(format!(
            "{}: a Tensor {size:?} needs a number per dimension; got {}",
            call.name,
            times.len()
        )));
    }
    let repeated = elements_of(call, &times)?;
    room(call.name, t.0.numel() as f64 * repeated, &t.0)?;
    wrap(call.name, &[&t.0], t.0.f_repeat(&times[..]))
}

fn split(call: &Call, t: &TensorValue, sizes: Dynamic, dim: i64) -> Result<Vec<TensorValue>> {
    dimension(call, &t.0, dim)?;
    let n = size_of(&t.0, dim);
    if let Ok(size) = sizes.as_int() {
        if size < 1 {
            return Err(Error::argument(format!("{}: the size must be an integer from 1; got {size}", call.name)));
        }
        check_many(call, n / size)?;
        return wrapped(call.name, &[&t.0], t.0.f_split(size, dim)).map(all);
    }
    let array = sizes.as_array_ref().map_err(|_| {
        let came = show::a_type(&sizes);
        Error::argument(format!("{}: the size must be an integer or an array of integers; got {came}", call.name))
    })?;
    let sizes = whole(call, "the sizes", &array)?;
    let sum = sizes.iter().try_fold(0i64, |sum, size| sum.checked_add(*size).filter(|_| *size >= 0));
    if sum != Some(n) {
        return Err(Error::argument(format!(
            "{}: the sizes must add up to {n}, the size of dimension {dim} of a Tensor {:?}; got {sizes:?}",
            call.name,
            t.0.size()
        )));
    }
    wrapped(call.name, &[&t.0], t.0.f_split_with_sizes(&sizes[..], dim)).map(all)
}
