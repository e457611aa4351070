//! `t[0]`, `t[1..3]`, `t[.., 3]`, `t[mask]`: parts of a tensor and assignments to them, by PyTorch's rules.
//!
//! Each position is for the next dimension: an integer takes a slice and the dimension goes, a range takes a part, `..` all of
//! it, `...` as many dimensions as are left, `()` makes a new one. Integers in an array or Tensor take slices in their order, a mask
//! those where it is true.

use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, INT};
use tch::{Kind as Element, Tensor};

use super::TensorValue;
use super::arithmetic::{Exact, range};
use super::checks::{dimension, room, size_of, whole, work, wrap};
use super::conversions::{dtype_name, from_value, is_integer};
use crate::error::{Error, Result};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::Member;
use crate::script::show;
use crate::script::subscripts::{ALL, REST, Subscripts};
use crate::torch::meeting::{follow, together};
use crate::torch::upload;

pub const MEMBERS: &[Member] = &[
    Member::same("index(dim, positions)", "the slices at these positions"),
    Member::same("slice(dim, start, end, step)", "every step-th slice from start up to, and without, end"),
    Member::same("narrow(dim, start, length)", "so many slices from start"),
    Member::same("gather(dim, index)", "along a dimension, the elements at the positions in a Tensor of integers"),
];

pub fn register(members: &mut MemberRegistrar<TensorValue>) {
    members
        .index(
            |t: &TensorValue, at: &Dynamic| part(&t.0, at),
            |t: &TensorValue, at: &Dynamic, value: &Dynamic| assigned(&t.0, at, value),
        )
        .method("index", index)
        .method("slice", |call: &Call, t: &TensorValue, dim: i64, start: i64, end: i64, step: i64| {
            dimension(call, &t.0, dim)?;
            if step < 1 {
                return Err(Error::argument(format!("{}: step must be an integer from 1; got {step}", call.name))
                    .with_help("flip(dim) turns the order around"));
            }
            wrap(call.name, &[&t.0], t.0.f_slice(dim, start, end, step))
        })
        .method("narrow", |call: &Call, t: &TensorValue, dim: i64, start: i64, length: i64| {
            dimension(call, &t.0, dim)?;
            let n = size_of(&t.0, dim);
            if start < 0 || length < 0 || start.checked_add(length).is_none_or(|end| end > n) {
                return Err(Error::argument(format!(
                    "{}: {length} slices from {start} are not within dimension {dim} of a Tensor {:?}",
                    call.name,
                    t.0.size()
                )));
            }
            wrap(call.name, &[&t.0], t.0.f_narrow(dim, start, length))
        })
        .method("gather", gather);
}

/// The part of a tensor at a position, or at several.
fn part(t: &Tensor, at: &Dynamic) -> Result<TensorValue> {
    let place = Place::of(t, at)?;
    match place.indexed() {
        false => Ok(place.view.into()),
        true => {
            room("index", place.elements(), &place.view)?;
            wrap("index", &[t], place.view.f_index(&place.positions))
        }
    }
}

/// The tensor with other values at a position, or at several. It is a copy: nobody else who holds its numbers sees the change.
fn assigned(t: &Tensor, at: &Dynamic, value: &Dynamic) -> Result<TensorValue> {
    room("index", t.numel() as f64, t)?;
    let mut whole = t.f_detach()?.f_zeros_like()?;
    whole.f_copy_(t)?;
    let value = value_for(&whole, value)?;
    let mut place = Place::of(&whole, at)?;
    let size = if place.indexed() { place.size() } else { place.view.size() };
    let given = value.size();
    if !fits_into(&given, &size) {
        return Err(Error::argument(format!(
            "index: the part of a Tensor {:?} has the shape {size:?}; got a Tensor {given:?}",
            t.size()
        ))
        .with_help("sizes from the right must be equal or 1"));
    }
    let value = value.f_reshape(&given[given.len().saturating_sub(size.len())..])?;
    match place.indexed() {
        false => place.view.f_copy_(&value)?,
        true => drop(place.view.f_index_put_(&place.positions, &value, false)?),
    }
    Ok(whole.into())
}

/// Whether a shape broadcasts to another. As in PyTorch, sizes of 1 in front may be more than there are dimensions.
fn fits_into(from: &[i64], to: &[i64]) -> bool {
    let front = from.len().saturating_sub(to.len());
    from[..front].iter().all(|n| *n == 1)
        && from.iter().rev().zip(to.iter().rev()).all(|(from, to)| from == to || *from == 1)
}

/// The value of an assignment in the tensor's type and on its device. Errors: the type cannot hold it.
fn value_for(t: &Tensor, value: &Dynamic) -> Result<Tensor> {
    if let Some(number) = Exact::of(value) {
        number.fits("index", t.kind())?;
        return Ok(number.tensor()?.f_to_kind(t.kind())?.f_to_device(t.device())?);
    }
    let given = match value.read_lock::<TensorValue>() {
        Some(tensor) => tensor.0.shallow_clone(),
        None => from_value("index", value)?,
    };
    let rank = |kind: Element| match kind {
        Element::Bool => 0,
        kind if is_integer(kind) => 1,
        _ => 2,
    };
    if rank(given.kind()) > rank(t.kind()) {
        let (given, kind) = (dtype_name(given.kind()), dtype_name(t.kind()));
        return Err(Error::argument(format!("index: {given} does not fit into a Tensor of {kind}"))
            .with_help(format!("t.to(\"{given}\") can hold it")));
    }
    work("index", &given)?;
    let held = follow(&given, t.device())?.f_to_kind(t.kind())?;
    check_held(&given, &held)?;
    Ok(held)
}

/// Errors: a number that its tensor's new type does not have. libtorch takes an integer without its upper bits then, and a number with a
/// decimal point as infinite.
fn check_held(given: &Tensor, held: &Tensor) -> Result<()> {
    if given.kind() == held.kind() || given.numel() == 0 {
        return Ok(());
    }
    if range(given.kind()).is_some() {
        for found in [given.f_min()?, given.f_max()?] {
            Exact::Whole(i64::try_from(&found.f_to_kind(Element::Int64)?)?).fits("index", held.kind())?;
        }
        return Ok(());
    }
    let lost = given.f_isfinite()?.f_to_device(held.device())?.f_logical_and(&held.f_isinf()?)?;
    if i64::try_from(&lost.f_any()?.f_to_kind(Element::Int64)?)? != 0 {
        let (from, to) = (dtype_name(given.kind()), dtype_name(held.kind()));
        let message = format!("index: a Tensor of {to} cannot hold every number of this one of {from}");
        return Err(Error::argument(message).with_help(format!("t.to(\"{from}\") can")));
    }
    Ok(())
}

/// The slices, parts and new dimensions of an index taken, and the positions that are left to look up.
struct Place {
    view: Tensor,
    /// Per dimension of the view, as far as they reach.
    positions: Vec<Option<Tensor>>,
}

impl Place {
    /// Errors: too many positions, one outside, or one of another kind.
    fn of(t: &Tensor, at: &Dynamic) -> Result<Place> {
        let one = [at.clone()];
        let several = at.read_lock::<Subscripts>();
        let items: &[Dynamic] = several.as_ref().map_or(&one, |several| &several.0);
        let is = |item: &Dynamic, text: &str| item.as_immutable_string_ref().is_ok_and(|s| s.as_str() == text);
        let takes = |item: &Dynamic| match item.read_lock::<TensorValue>() {
            Some(mask) if mask.0.kind() == Element::Bool => mask.0.dim(),
            _ if item.is_unit() || is(item, REST) => 0,
            _ => 1,
        };
        let taken: usize = items.iter().map(takes).sum();
        if taken > t.dim() {
            let message = format!("index: a Tensor {:?} has {} dimensions; got {taken} positions", t.size(), t.dim());
            return Err(Error::argument(message));
        }
        if items.iter().filter(|item| is(item, REST)).count() > 1 {
            return Err(Error::argument("index: ... can be there once"));
        }
        // `of` is the dimension of the tensor that a position is for, `dim` that of the view.
        let (mut view, mut dim, mut of, mut positions) = (t.shallow_clone(), 0i64, 0i64, vec![]);
        for item in items {
            let n = view.size().get(dim as usize).copied().unwrap_or(1);
            if let Ok(i) = item.as_int() {
                if i < -n || i >= n {
                    return Err(outside(i, of, t));
                }
                view = view.f_select(dim, i)?;
            } else if item.is_unit() {
                view = view.f_unsqueeze(dim)?;
                dim += 1;
            } else if is(item, ALL) {
                dim += 1;
            } else if is(item, REST) {
                dim += (t.dim() - taken) as i64;
            } else if let Some(range) = item.read_lock::<Range<INT>>() {
                view = view.f_slice(dim, range.start, range.end, 1)?;
                dim += 1;
            } else if let Some(range) = item.read_lock::<RangeInclusive<INT>>() {
                // -1 is the last one, and so there is no end.
                let end = range.end().checked_add(1).filter(|end| *end != 0).unwrap_or(INT::MAX);
                view = view.f_slice(dim, *range.start(), end, 1)?;
                dim += 1;
            } else {
                for place in looked_up(item, &view, dim, of, t)? {
                    positions.resize_with(dim as usize, || None);
                    positions.push(Some(place));
                    dim += 1;
                }
            }
            of += if is(item, REST) { (t.dim() - taken) as i64 } else { takes(item) as i64 };
        }
        Ok(Place { view, positions })
    }

    fn indexed(&self) -> bool {
        !self.positions.is_empty()
    }

    /// The shape of the positions together.
    fn of_positions(&self) -> Vec<i64> {
        let shapes: Vec<Vec<i64>> = self.positions.iter().flatten().map(Tensor::size).collect();
        let dims = shapes.iter().map(Vec::len).max().unwrap_or(0);
        let size = |back: usize| {
            let of = |shape: &Vec<i64>| shape.len().checked_sub(back).map_or(1, |at| shape[at]);
            shapes.iter().map(of).find(|n| *n != 1).unwrap_or(1)
        };
        (1..=dims).rev().map(size).collect()
    }

    /// The shape of the part: that of the positions is in place of their dimensions if these are neighbours, else in front.
    fn size(&self) -> Vec<i64> {
        let given: Vec<usize> = (0..self.positions.len()).filter(|&i| self.positions[i].is_some()).collect();
        let neighbours = given.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let at = if neighbours { given.first().copied().unwrap_or(0) } else { 0 };
        let mut size: Vec<i64> =
            self.view.size().into_iter().enumerate().filter(|(i, _)| !given.contains(i)).map(|(_, n)| n).collect();
        let at = at.min(size.len());
        size.splice(at..at, self.of_positions());
        size
    }

    fn elements(&self) -> f64 {
        self.size().iter().map(|n| *n as f64).product()
    }
}

fn outside(i: i64, dim: i64, t: &Tensor) -> Error {
    Error::argument(format!("index: there is no position {i} along dimension {dim} of a Tensor {:?}", t.size()))
}

/// The positions per dimension of a view, from `dim` on, that an array or a Tensor names. It is dimension `of` of the tensor `t`.
fn looked_up(item: &Dynamic, view: &Tensor, dim: i64, of: i64, t: &Tensor) -> Result<Vec<Tensor>> {
    let given = match item.read_lock::<TensorValue>() {
        Some(tensor) => tensor.0.shallow_clone(),
        None if item.is_array() => match item.as_array_ref().is_ok_and(|array| array.is_empty()) {
            true => Tensor::f_from_slice(&[0i64; 0])?,
            false => from_value("index", item)?,
        },
        None => {
            let what =
                "a position is an integer, a range, .., ..., (), a Tensor of integers or booleans, or an array of them";
            return Err(Error::argument(format!("index: {what}; got {}", show::a_type(item))));
        }
    };
    let size = view.size();
    if given.kind() == Element::Bool {
        let part = &size[dim as usize..(dim as usize + given.dim()).min(size.len())];
        if given.size() != part {
            let message =
                format!("index: a mask {:?} does not suit the dimensions {part:?} of a Tensor {size:?}", given.size());
            return Err(Error::argument(message));
        }
        room("index", given.numel() as f64 * given.dim() as f64 * 8.0, &given)?;
        let places = given.f_nonzero()?;
        return (0..given.dim() as i64).map(|i| follow(&places.f_select(1, i)?, view.device())).collect();
    }
    if !is_integer(given.kind()) {
        let message = format!("index: positions are integers or a mask; got a Tensor of {}", dtype_name(given.kind()));
        return Err(Error::argument(message).with_help("t.to(\"int64\") converts, and t > 0.5 is a mask"));
    }
    work("index", &given)?;
    let given = given.f_to_kind(Element::Int64)?;
    let n = size.get(dim as usize).copied().unwrap_or(1);
    check_positions(&given, n, of, t)?;
    Ok(vec![follow(&given, view.device())?])
}

/// Errors: a position outside. (On a GPU it would end CUDA for the process.)
fn check_positions(given: &Tensor, n: i64, dim: i64, t: &Tensor) -> Result<()> {
    if given.numel() == 0 {
        return Ok(());
    }
    for found in [given.f_min()?, given.f_max()?] {
        let found = i64::try_from(&found)?;
        if found < -n || found >= n {
            return Err(outside(found, dim, t));
        }
    }
    Ok(())
}

fn index(call: &Call, t: &TensorValue, dim: i64, at: Array) -> Result<TensorValue> {
    let at = whole(call, "the positions", &at)?;
    dimension(call, &t.0, dim)?;
    // A single number is indexed as if it had one dimension.
    let n = size_of(&t.0, dim);
    if let Some(i) = at.iter().find(|at| !(0..n).contains(at)) {
        return Err(outside(*i, dim, &t.0));
    }
    room(call.name, t.0.numel() as f64 / n.max(1) as f64 * at.len() as f64, &t.0)?;
    let at = upload(&Tensor::f_from_slice(&at)?, t.0.device())?;
    wrap(call.name, &[&t.0], t.0.f_index_select(dim, &at))
}

fn gather(call: &Call, t: &TensorValue, dim: i64, at: TensorValue) -> Result<TensorValue> {
    dimension(call, &t.0, dim)?;
    let (t, at) = &together(call.name, &t.0, &at.0)?;
    if !is_integer(at.kind()) {
        let came = dtype_name(at.kind());
        return Err(Error::argument(format!("{}: the positions must be a Tensor of integers; got {came}", call.name)));
    }
    room(call.name, at.numel() as f64, t)?;
    let at = &at.f_to_kind(Element::Int64)?;
    let n = size_of(t, dim);
    if at.numel() > 0 {
        for found in [at.f_min()?, at.f_max()?] {
            let found = i64::try_from(&found)?;
            if !(0..n).contains(&found) {
                return Err(outside(found, dim, t));
            }
        }
    }
    wrap(call.name, &[t, at], t.f_gather(dim, at, false))
}
