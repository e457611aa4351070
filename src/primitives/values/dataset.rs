//! `Dataset` in scripts.

use rhai::Engine;

use super::super::glue;
use super::label_table::{positions, strings};
use crate::images::Dataset;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};

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
        register(members.engine)
    }
}

kind_value!(Dataset);

fn register(engine: &mut Engine) {
    engine
        .register_get("labels", |d: &mut Dataset| d.labels.clone())
        .register_get("names", |d: &mut Dataset| strings(d.labels.labels()))
        .register_get("name", |d: &mut Dataset| d.name.clone())
        .register_get("split", |d: &mut Dataset| d.split.clone())
        .register_fn("len", |d: &mut Dataset| d.len() as i64)
        .register_fn("take", |d: &mut Dataset, n: i64| -> Fallible<Dataset> {
            let n = n.clamp(0, d.len() as i64) as usize;
            d.take((0..n).collect()).or_raise()
        })
        .register_fn("take", |d: &mut Dataset, at: rhai::Array| -> Fallible<Dataset> {
            d.take(positions("take", &at, d.len())?).or_raise()
        })
        .register_fn("take_labels", |d: &mut Dataset, names: rhai::Array| -> Fallible<Dataset> {
            d.take_labels(&glue::names("take_labels", "the labels", &names).or_raise()?).or_raise()
        })
        .register_fn("divide", |d: &mut Dataset, share: rhai::Dynamic, seed: i64| -> Fallible<rhai::Array> {
            let share = glue::number("divide", "the share", &share).or_raise()?;
            let (a, b) = d.split(share, seed as u64).or_raise()?;
            Ok(vec![rhai::Dynamic::from(a), rhai::Dynamic::from(b)])
        });
}
