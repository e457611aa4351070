//! `Cooccurrence` in scripts.

use std::path::PathBuf;

use rhai::ImmutableString;
use serde_json::Value;

use super::table::{CsvOptions, TableValue};
use crate::error::{Error, Result};
use crate::graph::{Cooccurrence, Pair};
use crate::models::LabelGraph;
use crate::primitives::parameters::Names;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};

/// Pairs never seen that are listed by default.
const SHOWN: usize = 100;

impl KindOfValue for Cooccurrence {
    const NAME: &'static str = "Cooccurrence";
    const SUMMARY: &'static str = "Counts of labels (n_i) and of pairs of labels (e_ij).";
    const MEMBERS: &'static [Member] = &[
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
        Member::new("save(path)", "write a square CSV, with n_i on its diagonal"),
        Member::new(
            "save(path, #{spreadsheet: true})",
            "the same for spreadsheets: names that begin with = + - @ get an apostrophe before them, and are read again with it",
        ),
        Member::new("a + b", "the counts of two shards together"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |c: &Self| c.labels().to_vec())
            .get("num_images", |c: &Self| c.num_images())
            .get("num_pairs", |c: &Self| c.num_pairs())
            .method("count", |c: &Self, label: ImmutableString| -> Result<u64> {
                Ok(c.counts()[place(c.labels(), &label)?])
            })
            .method("pair", |c: &Self, a: ImmutableString, b: ImmutableString| -> Result<u64> {
                Ok(c.pair(place(c.labels(), &a)?, place(c.labels(), &b)?))
            })
            .method("conditional", |c: &Self, a: ImmutableString, b: ImmutableString| -> Result<f64> {
                Ok(c.conditional(place(c.labels(), &a)?, place(c.labels(), &b)?))
            })
            .method("top_pairs", |c: &Self, n: i64| pairs(&c.top_pairs(n.max(0) as usize)))
            .method("never_pairs", |c: &Self, n: Option<i64>| {
                pairs(&c.never_pairs(n.map_or(SHOWN, |n| n.max(0) as usize)))
            })
            .method("take_labels", |c: &Self, names: Names| c.take_labels(&names.0))
            .method("save", |c: &Self, path: PathBuf, options: CsvOptions| match options.spreadsheet {
                true => c.save_csv_guarded(path),
                false => c.save_csv(path),
            })
            .method("+", |a: &Self, b: Self| a.checked_add(&b));
    }

    /// All counts.
    fn fingerprint(&self) -> Option<String> {
        let n = self.labels().len();
        let pairs: Vec<u64> =
            (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| self.pair(i, j)).collect();
        Some(format!("{:?} {:?} {:?} {pairs:?}", self.labels(), self.num_images(), self.counts()))
    }

    fn to_json(&self) -> Option<Result<Value, String>> {
        let shares = match self.num_images() {
            Some(images) if images > 0 => self.counts().iter().map(|&n| n as f64 / images as f64).collect(),
            _ => vec![],
        };
        Some(LabelGraph::to_json(self.labels(), |i, j| self.conditional(i, j), shares))
    }
}

kind_value!(Cooccurrence);

/// The position of a label. Errors: none has that name.
pub fn place(labels: &[String], label: &str) -> Result<usize> {
    let at = labels.iter().position(|l| l == label);
    at.ok_or_else(|| Error::unknown("label", label, labels.iter().map(String::as_str)))
}

fn pairs(pairs: &[Pair]) -> Result<TableValue> {
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
    TableValue::from_rows(&["a", "b", "images", "b_given_a", "a_given_b"], rows)
}
