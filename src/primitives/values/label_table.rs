//! `LabelTable` in scripts.

use rhai::{Array, Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::table::TableValue;
use crate::labels::LabelTable;
use crate::script::errors::{Fallible, OrRaise};

pub const KIND: Kind = Kind {
    name: "LabelTable",
    summary: "Which image has which labels: N images by m labels.",
    members: &[
        Member::new("labels", "the label names, in order"),
        Member::new("images", "the image names, in order"),
        Member::new("len()", "number of images"),
        Member::new("counts()", "a Table: label, images, share"),
        Member::new("row(image)", "the labels of one image, by its position"),
        Member::new("take_labels(names)", "all images with only these labels, in this order"),
        Member::new("take_images(positions)", "only these images"),
        Member::new("to_table()", "a long Table: image, label"),
    ],
    is: kind_of!(LabelTable).0,
    show: kind_of!(LabelTable).1,
    rust_name: kind_of!(LabelTable).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<LabelTable>(engine, "LabelTable");
    engine
        .register_get("labels", |t: &mut LabelTable| strings(t.labels()))
        .register_get("images", |t: &mut LabelTable| strings(t.images()))
        .register_fn("len", |t: &mut LabelTable| t.num_images() as i64)
        .register_fn("counts", |t: &mut LabelTable| -> Fallible<TableValue> { counts(t) })
        .register_fn("row", |t: &mut LabelTable, image: i64| -> Fallible<Array> {
            let i = usize::try_from(image).ok().filter(|&i| i < t.num_images()).ok_or_else(|| {
                crate::script::errors::raise(crate::error::Error::argument(format!(
                    "row: the image must be an integer from 0 to {}; got {image}", t.num_images().saturating_sub(1)
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
        .register_fn("to_table", |t: &mut LabelTable| -> Fallible<TableValue> {
            Ok(TableValue(crate::labels::tables::Table { frame: t.to_frame_long().or_raise()? }))
        });
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
                    "{word}: positions must be integers from 0 to {}; got {}", n.saturating_sub(1), crate::script::show::show(item)
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
