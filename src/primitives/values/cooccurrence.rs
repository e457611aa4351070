//! `Cooccurrence` in scripts.

use rhai::{Array, Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::label_table::strings;
use super::table::TableValue;
use crate::error::{Error, Result};
use crate::graph::{Cooccurrence, Pair};
use crate::script::errors::{Fallible, OrRaise};

pub const KIND: Kind = Kind {
    name: "Cooccurrence",
    summary: "Counts of labels (n_i) and of pairs of labels (e_ij).",
    members: &[
        Member::new("labels", "the label names, in order"),
        Member::new("num_images", "how many images were counted, or ()"),
        Member::new("num_pairs", "how many pairs were ever seen"),
        Member::new("count(label)", "n_i: images with the label"),
        Member::new("pair(a, b)", "e_ij: images with both labels"),
        Member::new("conditional(a, b)", "e_ij / n_i: share of the images with a that have b too"),
        Member::new("top_pairs(n)", "a Table of the n most frequent pairs"),
        Member::new(
            "never_pairs()",
            "a Table of 100 pairs that never appear together, those that chance would bring together most often first",
        ),
        Member::new("never_pairs(n)", "the same with n of them"),
        Member::new("take_labels(names)", "only these labels, in this order"),
        Member::new("save(path)", "write a square CSV, and x_nums.csv beside it"),
        Member::new("a + b", "the counts of two shards together"),
    ],
    is: kind_of!(Cooccurrence).0,
    show: kind_of!(Cooccurrence).1,
    rust_name: kind_of!(Cooccurrence).2,
    register: |engine, _| register(engine),
};

/// Pairs never seen that are listed unless told otherwise.
const SHOWN: usize = 100;

fn register(engine: &mut Engine) {
    glue::register_display::<Cooccurrence>(engine, "Cooccurrence");
    engine
        .register_get("labels", |c: &mut Cooccurrence| strings(c.labels()))
        .register_get("num_images", |c: &mut Cooccurrence| {
            c.num_images().map_or(Dynamic::UNIT, |n| Dynamic::from(n as i64))
        })
        .register_get("num_pairs", |c: &mut Cooccurrence| c.num_pairs() as i64)
        .register_fn("count", |c: &mut Cooccurrence, label: &str| -> Fallible<i64> {
            Ok(c.counts()[place(c, label).or_raise()?] as i64)
        })
        .register_fn("pair", |c: &mut Cooccurrence, a: &str, b: &str| -> Fallible<i64> {
            Ok(c.pair(place(c, a).or_raise()?, place(c, b).or_raise()?) as i64)
        })
        .register_fn("conditional", |c: &mut Cooccurrence, a: &str, b: &str| -> Fallible<f64> {
            Ok(c.conditional(place(c, a).or_raise()?, place(c, b).or_raise()?))
        })
        .register_fn("top_pairs", |c: &mut Cooccurrence, n: i64| pairs(&c.top_pairs(n.max(0) as usize)))
        .register_fn("never_pairs", |c: &mut Cooccurrence| pairs(&c.never_pairs(SHOWN)))
        .register_fn("never_pairs", |c: &mut Cooccurrence, n: i64| pairs(&c.never_pairs(n.max(0) as usize)))
        .register_fn("take_labels", |c: &mut Cooccurrence, names: Array| -> Fallible<Cooccurrence> {
            c.take_labels(&glue::names("take_labels", "the labels", &names).or_raise()?).or_raise()
        })
        .register_fn("save", |c: &mut Cooccurrence, path: &str| -> Fallible<()> { c.save_csv(path).or_raise() })
        .register_fn("+", |a: Cooccurrence, b: Cooccurrence| -> Fallible<Cooccurrence> {
            a.checked_add(&b).or_raise()
        });
}

fn place(c: &Cooccurrence, label: &str) -> Result<usize> {
    c.labels()
        .iter()
        .position(|l| l == label)
        .ok_or_else(|| Error::unknown("label", label, c.labels().iter().map(String::as_str)))
}

fn pairs(pairs: &[Pair]) -> Fallible<TableValue> {
    let rows = pairs
        .iter()
        .map(|p| {
            vec![
                p.a.as_str().into(),
                p.b.as_str().into(),
                (p.count as i64).into(),
                p.b_given_a.into(),
                p.a_given_b.into(),
            ]
        })
        .collect();
    TableValue::from_rows(&["a", "b", "images", "b_given_a", "a_given_b"], rows).or_raise()
}
