//! `Dataset` in scripts.

use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;
use rhai::{Array, Dynamic, INT};
use tch::Tensor;

use super::label_table::{label_tensor, positions};
use super::tensor::TensorValue;
use crate::activity;
use crate::error::{Error, Result};
use crate::images::{Dataset, Picture};
use crate::memory;
use crate::primitives::parameters::Names;
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;

impl KindOfValue for Dataset {
    const NAME: &'static str = "Dataset";
    const SUMMARY: &'static str = "Pictures with labels: one split of a data set.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the LabelTable"),
        Member::new("names", "the label names, in order"),
        Member::new("name", "the data set's name"),
        Member::new("split", "the split's name"),
        Member::new(
            "targets",
            "a Tensor [N, m] in float32: 1 where a picture has the label, 0 where not, -1 where that is unknown",
        ),
        Member::new(
            "pictures(positions, #{size})",
            "a Tensor [n, 3, h, w] in uint8, the pictures of a range 0..8 or an array of positions, as their files have them; \
with size: 224 each as a whole resized to a square, as a model sees it, which pictures of different sizes need",
        ),
        Member::new("len()", "number of pictures"),
        Member::same("take(n)", "the first n pictures"),
        Member::same("take(positions)", "only these pictures"),
        Member::same("take_labels(names)", "all pictures, with only these labels as targets"),
        Member::new("divide(share, seed)", "two Datasets, the second with that share of the pictures"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |d: &Self| d.labels.clone())
            .get("names", |d: &Self| d.labels.labels().to_vec())
            .get("name", |d: &Self| d.name.clone())
            .get("split", |d: &Self| d.split.clone())
            .get("targets", |d: &Self| label_tensor(&d.labels))
            .method("pictures", pictures)
            .method("len", |d: &Self| d.len())
            .method("take", |d: &Self, n: i64| d.take((0..n.clamp(0, d.len() as i64) as usize).collect()))
            .method("take", |call: &Call, d: &Self, at: Array| d.take(positions(call, &at, d.len())?))
            .method("take_labels", |d: &Self, names: Names| d.take_labels(&names.0))
            .method("divide", divide);
    }

    /// Pictures and labels, with the names of both.
    fn fingerprint(&self) -> Option<String> {
        Some(format!("{} {} {} {:?}", self.name, self.split, self.fingerprint(), self.labels.images()))
    }
}

kind_value!(Dataset);

fn divide(call: &Call, dataset: &Dataset, share: Dynamic, seed: i64) -> Result<Vec<Dataset>> {
    let number = Number::of(&share).ok_or_else(|| {
        Error::argument(format!("{}: the share must be a number; got {}", call.name, show::a_type(&share)))
    })?;
    let (rest, out) = dataset.split(number, seed as u64)?;
    Ok(vec![rest, out])
}

crate::options! {
    /// Options of the pictures of a data set.
    pub struct Sized {
        /// side of the square that each picture is resized to; () keeps their own sizes, which must be equal
        pub size: Option<u32> = None, in crate::options::Range::FromTo(1.0, 10_000.0);
    }
}

fn pictures(call: &Call, dataset: &Dataset, at: Dynamic, options: Sized) -> Result<TensorValue> {
    let n = dataset.len() as i64;
    // Parts of ranges that are not there are left out, as of a Tensor or an array.
    let place = |i: i64| if i < 0 { (i.saturating_add(n)).max(0) } else { i.min(n) };
    let at: Vec<usize> = if let Some(range) = at.read_lock::<Range<INT>>() {
        (place(range.start) as usize..place(range.end) as usize).collect()
    } else if let Some(range) = at.read_lock::<RangeInclusive<INT>>() {
        let end = if *range.end() == -1 { n } else { place(range.end().saturating_add(1)) };
        (place(*range.start()) as usize..end as usize).collect()
    } else if let Ok(array) = at.as_array_ref() {
        positions(call, &array, dataset.len())?
    } else {
        let came = show::a_type(&at);
        return Err(Error::argument(format!("{}: positions are a range, as 0..8, or an array; got {came}", call.name)));
    };
    let Some(&first) = at.first() else {
        return Err(Error::argument(format!("{}: no picture is meant; {} has {n}", call.name, dataset.split)));
    };
    let of = |i: usize| -> Result<Picture> {
        let picture = dataset.picture(i)?;
        options.size.map_or(Ok(picture.clone()), |side| picture.resize(side, side))
    };
    let one = of(first)?;
    let (width, height) = (one.width, one.height);
    let bytes = 3 * u64::from(width) * u64::from(height) * at.len() as u64;
    // As bytes, as a tensor, and turned to channels first.
    memory::check("the pictures", bytes.saturating_mul(3))?;
    let name = |i: usize| dataset.labels.images().get(i).cloned().unwrap_or_default();
    let activity = activity::current();
    let read = |&i: &usize| -> Result<Vec<u8>> {
        activity.check()?;
        let picture = of(i)?;
        if (picture.width, picture.height) != (width, height) {
            return Err(Error::argument(format!(
                "{}: picture \"{}\" has {width}×{height} pixels, and \"{}\" has {}×{}",
                "pictures",
                name(first),
                name(i),
                picture.width,
                picture.height
            ))
            .with_help("one Tensor holds pictures of one size: #{size: 224} resizes them"));
        }
        Ok(picture.rgb)
    };
    let rgb: Vec<Vec<u8>> = call.unlocked(|| at.par_iter().map(read).collect::<Result<_>>())?;
    let size = [at.len() as i64, i64::from(height), i64::from(width), 3];
    let pixels = Tensor::f_from_slice(&rgb.concat())?.f_view(size)?;
    Ok(pixels.f_permute([0, 3, 1, 2])?.f_contiguous()?.into())
}
