//! `Dataset` in scripts.

use rhai::{Array, Dynamic};

use super::label_table::positions;
use crate::error::{Error, Result};
use crate::images::Dataset;
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
            .method("len", |d: &Self| d.len())
            .method("take", |d: &Self, n: i64| d.take((0..n.clamp(0, d.len() as i64) as usize).collect()))
            .method("take", |call: &Call, d: &Self, at: Array| d.take(positions(call, &at, d.len())?))
            .method("take_labels", |d: &Self, names: Names| d.take_labels(&names.0))
            .method("divide", divide);
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
