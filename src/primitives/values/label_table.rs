//! `LabelTable` in scripts.

use rhai::{Array, Dynamic, Engine, Map};

use super::super::glue;
use super::expr::ExprValue;
use super::table::TableValue;
use crate::error::{Error, Result};
use crate::labels::{LabelTable, Statistics, stratified_split};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;
use crate::tables::Table;

impl KindOfValue for LabelTable {
    const NAME: &'static str = "LabelTable";
    const SUMMARY: &'static str = "Which image has which labels: N images by m labels.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the label names, in order"),
        Member::new("images", "the image names, in order"),
        Member::new("len()", "number of images"),
        Member::new("counts()", "a Table: label, images, share"),
        Member::new("row(image)", "the labels of one image, by its position"),
        Member::same("take_labels(names)", "all images with only these labels, in this order"),
        Member::same("take_images(positions)", "only these images"),
        Member::new(
            "statistics()",
            "a map: images, labels, cardinality, density, unlabelled, imbalance_ratio, tail_share, ...",
        ),
        Member::new(
            "split(shares, #{seed})",
            "parts with their share of every label (Sechidis 2011): [0.8, 0.2] gives two tables",
        ),
        Member::same(
            "filter(expr)",
            "the images where it is true: labels.filter((col(\"dog\") == 1) & (col(\"cat\") == 0))",
        ),
        Member::same("select(names)", "the same as take_labels"),
        Member::same("with_any(names)", "the images with at least one of these labels"),
        Member::same("with_all(names)", "the images with all of these labels"),
        Member::same("head(n)", "the first n images"),
        Member::same("sample(n, #{seed})", "n images by chance"),
        Member::same("rename(#{old: new})", "labels under other names"),
        Member::same("merge(#{new: names})", "one label in place of several: #{vehicle: [\"car\", \"bus\"]}"),
        Member::same("drop(names)", "without these labels"),
        Member::same("drop_rare(n)", "without the labels that fewer than n images have"),
        Member::same("drop_unlabelled()", "without the images that have no label"),
        Member::new("a + b", "the images of two tables; labels by name"),
        Member::new("to_table()", "a long Table: image, label"),
        Member::new("to_wide_table()", "a wide Table: image, and a column of 0 and 1 for every label"),
        Member::new("write_csv(path)", "write a long CSV, image,label"),
        Member::new("write_parquet(path)", "write a long Parquet file"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(LabelTable);

fn register(engine: &mut Engine) {
    engine
        .register_get("labels", |t: &mut LabelTable| strings(t.labels()))
        .register_get("images", |t: &mut LabelTable| strings(t.images()))
        .register_fn("len", |t: &mut LabelTable| t.num_images() as i64)
        .register_fn("counts", |t: &mut LabelTable| -> Fallible<TableValue> { counts(t) })
        .register_fn("row", |t: &mut LabelTable, image: i64| -> Fallible<Array> {
            let i = usize::try_from(image).ok().filter(|&i| i < t.num_images()).ok_or_else(|| {
                crate::script::errors::raise(crate::error::Error::argument(format!(
                    "row: the image must be an integer from 0 to {}; got {image}",
                    t.num_images().saturating_sub(1)
                )))
            })?;
            Ok(t.row(i).iter().map(|&l| t.labels()[l as usize].clone().into()).collect())
        })
        .register_fn("take_labels", |t: &mut LabelTable, names: Array| -> Fallible<LabelTable> {
            t.take_labels(&glue::names("take_labels", "the labels", &names).or_raise()?).or_raise()
        })
        .register_fn("take_images", |t: &mut LabelTable, at: Array| -> Fallible<LabelTable> {
            t.take_images(&positions("take_images", &at, t.num_images())?).or_raise()
        })
        .register_fn("to_table", |t: &mut LabelTable| -> Fallible<TableValue> { long(t).map(TableValue).or_raise() })
        .register_fn("to_wide_table", |t: &mut LabelTable| -> Fallible<TableValue> {
            t.to_frame_wide().map(|frame| TableValue(Table { frame })).or_raise()
        })
        .register_fn("write_csv", |t: &mut LabelTable, path: &str| -> Fallible<()> {
            long(t).and_then(|t| t.write_csv(path)).or_raise()
        })
        .register_fn("write_parquet", |t: &mut LabelTable, path: &str| -> Fallible<()> {
            long(t).and_then(|t| t.write_parquet(path)).or_raise()
        })
        .register_fn("statistics", |t: &mut LabelTable| -> Fallible<Dynamic> { statistics(t) })
        .register_fn("split", |t: &mut LabelTable, shares: Array| -> Fallible<Array> {
            split(t, &shares, &Map::new()).or_raise()
        })
        .register_fn("split", |t: &mut LabelTable, shares: Array, map: Map| -> Fallible<Array> {
            split(t, &shares, &map).or_raise()
        })
        .register_fn("filter", |t: &mut LabelTable, e: ExprValue| -> Fallible<LabelTable> { t.filter(e.0).or_raise() })
        .register_fn("select", |t: &mut LabelTable, names: Array| -> Fallible<LabelTable> {
            named("select", &names, |names| t.take_labels(names))
        })
        .register_fn("with_any", |t: &mut LabelTable, names: Array| -> Fallible<LabelTable> {
            named("with_any", &names, |names| t.with_any(names))
        })
        .register_fn("with_all", |t: &mut LabelTable, names: Array| -> Fallible<LabelTable> {
            named("with_all", &names, |names| t.with_all(names))
        })
        .register_fn("drop", |t: &mut LabelTable, names: Array| -> Fallible<LabelTable> {
            named("drop", &names, |names| t.drop_labels(names))
        })
        .register_fn("head", |t: &mut LabelTable, n: i64| -> Fallible<LabelTable> {
            let n = glue::count("head", "n", n).or_raise()?.min(t.num_images());
            t.take_images(&(0..n).collect::<Vec<_>>()).or_raise()
        })
        .register_fn("sample", |t: &mut LabelTable, n: i64| -> Fallible<LabelTable> {
            glue::count("sample", "n", n).and_then(|n| t.sample(n, 0)).or_raise()
        })
        .register_fn("sample", |t: &mut LabelTable, n: i64, map: Map| -> Fallible<LabelTable> {
            let seed = glue::only_seed("sample", &map).or_raise()?;
            glue::count("sample", "n", n).and_then(|n| t.sample(n, seed)).or_raise()
        })
        .register_fn("rename", |t: &mut LabelTable, map: Map| -> Fallible<LabelTable> {
            glue::renames("rename", &map).and_then(|names| t.rename(&names)).or_raise()
        })
        .register_fn("merge", |t: &mut LabelTable, map: Map| -> Fallible<LabelTable> { merge(t, &map).or_raise() })
        .register_fn("drop_rare", |t: &mut LabelTable, n: i64| -> Fallible<LabelTable> {
            glue::count("drop_rare", "n", n).and_then(|n| t.drop_rare(n as u64)).or_raise()
        })
        .register_fn("drop_unlabelled", |t: &mut LabelTable| -> Fallible<LabelTable> { t.drop_unlabelled().or_raise() })
        .register_fn("+", |a: LabelTable, b: LabelTable| -> Fallible<LabelTable> { a.concat(&b).or_raise() });
}

fn long(t: &LabelTable) -> Result<Table> {
    Ok(Table { frame: t.to_frame_long()? })
}

/// A table made of this one and an array of label names.
fn named(word: &str, names: &Array, make: impl FnOnce(&[String]) -> Result<LabelTable>) -> Fallible<LabelTable> {
    glue::names(word, "the labels", names).and_then(|names| make(&names)).or_raise()
}

fn statistics(t: &LabelTable) -> Fallible<Dynamic> {
    let all = serde_json::to_value(Statistics::of(t)).map_err(|e| Error::internal(e.to_string())).or_raise()?;
    Ok(options::from_json(&all))
}

fn split(t: &LabelTable, shares: &Array, map: &Map) -> Result<Array> {
    let shares = glue::numbers("split", "the shares", shares)?;
    let parts = stratified_split(t, &shares, glue::only_seed("split", map)?)?;
    parts.iter().map(|images| Ok(Dynamic::from(t.take_images(images)?))).collect()
}

fn merge(t: &LabelTable, map: &Map) -> Result<LabelTable> {
    let group = |(name, members): (&rhai::Identifier, &Dynamic)| match members.as_array_ref() {
        Ok(members) => Ok((name.to_string(), glue::names("merge", "the labels of a group", &members)?)),
        Err(_) => Err(Error::argument(format!(
            "merge: \"{name}\" must be given an array of label names; got {}",
            crate::script::show::a_type(members)
        ))),
    };
    t.merge(&map.iter().map(group).collect::<Result<Vec<_>>>()?)
}

/// Names as a script array.
pub fn strings(names: &[String]) -> Array {
    names.iter().map(|n| Dynamic::from(n.clone())).collect()
}

/// An array of positions below `n`.
pub fn positions(word: &str, array: &Array, n: usize) -> Fallible<Vec<usize>> {
    array
        .iter()
        .map(|item| {
            item.as_int().ok().and_then(|i| usize::try_from(i).ok()).filter(|&i| i < n).ok_or_else(|| {
                crate::script::errors::raise(crate::error::Error::argument(format!(
                    "{word}: positions must be integers from 0 to {}; got {}",
                    n.saturating_sub(1),
                    crate::script::show::show(item)
                )))
            })
        })
        .collect()
}

fn counts(t: &LabelTable) -> Fallible<TableValue> {
    let n = t.num_images().max(1) as f64;
    let rows = t
        .labels()
        .iter()
        .zip(t.counts())
        .map(|(label, count)| vec![label.as_str().into(), (count as i64).into(), (count as f64 / n).into()])
        .collect();
    TableValue::from_rows(&["label", "images", "share"], rows).or_raise()
}
