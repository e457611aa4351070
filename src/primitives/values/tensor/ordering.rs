//! Sorted values and the positions of elements.

use rhai::Map;
use tch::{Device, Kind as Element};

use super::TensorValue;
use super::checks::{dimension, room, room_for, size_of, wrap, wrapped};
use super::conversions::{dtype_name, is_integer};
use super::reductions::values_and_indices;
use crate::error::{Error, Result};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::Member;

pub const MEMBERS: &[Member] = &[
    Member::same("argsort(dim, descending)", "the positions that would sort it"),
    Member::new("sort(dim, #{descending})", "a map of the sorted values and their positions: values, indices"),
    Member::new(
        "topk(k, #{dim, largest})",
        "a map of the k greatest values along a dimension (the last), sorted, and their positions: values, indices",
    ),
    Member::same("unique()", "the distinct values, ascending"),
    Member::same("nonzero()", "the positions of the elements that are not 0, a row each [n, dimensions]"),
    Member::same("one_hot(n)", "of integers from 0 to n - 1: a dimension more, of size n, with 1 at their place"),
];

crate::options! {
    /// Options of sort.
    pub struct SortOptions {
        /// the greatest first
        pub descending: bool = false;
    }
}

crate::options! {
    /// Options of topk.
    pub struct TopkOptions {
        /// the dimension
        pub dim: i64 = -1;
        /// the greatest values, or the least
        pub largest: bool = true;
    }
}

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    members
        .method("argsort", |call: &Call, t: &TensorValue, dim: i64, descending: bool| {
            dimension(call, &t.0, dim)?;
            room(call.name, 4.0 * t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_argsort(dim, descending))
        })
        .method("argsort", |call: &Call, t: &TensorValue, dim: i64, options: SortOptions| {
            dimension(call, &t.0, dim)?;
            room(call.name, 4.0 * t.0.numel() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_argsort(dim, options.descending))
        })
        .method("sort", |call: &Call, t: &TensorValue, dim: i64, options: SortOptions| {
            dimension(call, &t.0, dim)?;
            room(call.name, 5.0 * t.0.numel() as f64, &t.0)?;
            wrapped(call.name, &[&t.0], t.0.f_sort(dim, options.descending)).map(values_and_indices)
        })
        .method("topk", topk)
        .method("unique", |call: &Call, t: &TensorValue| {
            room(call.name, 4.0 * t.0.numel() as f64, &t.0)?;
            let unique = t.0.f_detach().and_then(|t| t.f_internal_unique2(true, false, false));
            wrap(call.name, &[&t.0], unique.map(|(values, ..)| values))
        })
        .method("nonzero", |call: &Call, t: &TensorValue| {
            let widened = 8.0 / t.0.kind().elt_size_in_bytes().max(1) as f64;
            room(call.name, widened * t.0.numel() as f64 * t.0.dim() as f64, &t.0)?;
            wrap(call.name, &[&t.0], t.0.f_nonzero())
        })
        .method("one_hot", one_hot);
}

fn topk(call: &Call, t: &TensorValue, k: usize, options: TopkOptions) -> Result<Map> {
    dimension(call, &t.0, options.dim)?;
    let n = size_of(&t.0, options.dim);
    let k = i64::try_from(k).unwrap_or(i64::MAX);
    if k > n {
        let size = t.0.size();
        return Err(Error::argument(format!(
            "{}: k must be at most {n}, the size of dimension {} of a Tensor {size:?}; got {k}",
            call.name, options.dim
        )));
    }
    room(call.name, 5.0 * t.0.numel() as f64, &t.0)?;
    wrapped(call.name, &[&t.0], t.0.f_topk(k, options.dim, options.largest, true)).map(values_and_indices)
}

fn one_hot(call: &Call, t: &TensorValue, n: usize) -> Result<TensorValue> {
    if !is_integer(t.0.kind()) {
        let came = dtype_name(t.0.kind());
        return Err(Error::argument(format!("{}: the Tensor must be of integers; got {came}", call.name)));
    }
    if t.0.device() == Device::Cpu {
        room_for(call.name, t.0.numel() as f64 * n as f64, Element::Int64)?;
    }
    if t.0.numel() > 0 {
        for found in [t.0.f_min()?, t.0.f_max()?] {
            let found = i64::try_from(&found.f_to_kind(Element::Int64)?)?;
            if found < 0 || found >= n as i64 {
                return Err(Error::argument(format!(
                    "{}: the integers must be from 0 to {}; got {found}",
                    call.name,
                    n as i64 - 1
                )));
            }
        }
    }
    let wide = t.0.f_to_kind(Element::Int64)?;
    wrap(call.name, &[&t.0], wide.f_one_hot(n as i64))
}
