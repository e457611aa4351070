//! `LabelTable` in scripts.

use std::path::PathBuf;

use rhai::{Array, Dynamic, Identifier, Map};
use tch::Tensor;

use super::expr::ExprValue;
use super::table::{CsvOptions, SPREADSHEET, TableValue};
use super::tensor::TensorValue;
use crate::error::{Error, Result};
use crate::labels::{LabelTable, Statistics, stratified_split};

use crate::memory;
use crate::primitives::parameters::{Names, OnlySeed, Renames, numbers, strings};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;
use crate::tables::{Cell, Table};

impl KindOfValue for LabelTable {
    const NAME: &'static str = "LabelTable";
    const SUMMARY: &'static str = "Which image has which labels: N images by m labels. An entry is present, absent or unknown; unknown ones \
follow every operation, are left out of losses and metrics, and count as absent elsewhere.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the label names, in order"),
        Member::new("images", "the image names, in order"),
        Member::new("len()", "number of images"),
        Member::new("counts()", "a Table: label, images, share; unknown, where entries are: how many of each label"),
        Member::new("row(image)", "the labels of one image, by its position"),
        Member::new("unknown", "how many entries are of unknown truth"),
        Member::new("unknown_row(image)", "the labels of one image whose truth is unknown"),
        Member::same("take_labels(names)", "all images with only these labels, in this order"),
        Member::same("take_images(positions)", "only these images"),
        Member::new(
            "statistics()",
            "a map: images, labels, cardinality, density, unlabelled, unknown, imbalance_ratio, tail_share, ...",
        ),
        Member::new(
            "split(shares, #{seed})",
            "parts with their share of every label (Sechidis 2011): [0.8, 0.2] gives two tables",
        ),
        Member::same(
            "filter(expr)",
            "the images where it is true: labels.filter((col(\"dog\") == 1) & (col(\"cat\") == 0)); col(\"dog\").is_null() where it is unknown",
        ),
        Member::same("select(names)", "the same as take_labels"),
        Member::same("with_any(names)", "the images with at least one of these labels"),
        Member::same("with_all(names)", "the images with all of these labels"),
        Member::same("head(n)", "the first n images"),
        Member::same("sample(n, #{seed})", "n images by chance"),
        Member::same("rename(#{old: new})", "labels under other names"),
        Member::same(
            "merge(#{new: names})",
            "one label in place of several, #{vehicle: [\"car\", \"bus\"]}: present where one is, else unknown where one is",
        ),
        Member::same("drop(names)", "without these labels"),
        Member::same("drop_rare(n)", "without the labels that fewer than n images have"),
        Member::same("drop_unlabelled()", "without the images that have no label"),
        Member::new("a + b", "the images of two tables; labels by name"),
        Member::new(
            "to_tensor()",
            "a Tensor [N, m] in float32: 1 present, 0 absent, -1 unknown; label_table(tensor, labels) is the way back",
        ),
        Member::new(
            "to_table()",
            "a long Table: image, label; value (1, or -1 for unknown), where entries are unknown",
        ),
        Member::new(
            "to_wide_table()",
            "a wide Table: image, and a column of 0 and 1 for every label, empty where unknown",
        ),
        Member::new(
            "write_csv(path)",
            "write a long CSV: image,label; and value (1, 0, -1) where that is needed to read the same table back",
        ),
        Member::new("write_csv(path, #{spreadsheet: true})", SPREADSHEET),
        Member::new("write_parquet(path)", "the same as Parquet"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |t: &Self| t.labels().to_vec())
            .get("images", |t: &Self| t.images().to_vec())
            .method("len", |t: &Self| t.num_images())
            .method("counts", counts)
            .method("row", row)
            .get("unknown", |t: &Self| t.num_unknown())
            .method("unknown_row", unknown_row)
            .method("take_labels", |t: &Self, names: Names| t.take_labels(&names.0))
            .method("take_images", |call: &Call, t: &Self, at: Array| {
                t.take_images(&positions(call, &at, t.num_images())?)
            })
            .method("to_tensor", label_tensor)
            .method("to_table", long)
            .method("to_wide_table", |t: &Self| t.to_frame_wide().map(Table::of))
            .method("write_csv", |t: &Self, path: PathBuf, options: CsvOptions| {
                options.of(&for_files(t)?)?.write_csv(path)
            })
            .method("write_parquet", |t: &Self, path: PathBuf| for_files(t)?.write_parquet(path))
            .method("statistics", |t: &Self| {
                serde_json::to_value(Statistics::of(t)).map_err(|e| Error::internal(e.to_string()))
            })
            .method("split", split)
            .method("filter", |t: &Self, condition: ExprValue| t.filter(condition.0))
            .method("select", |t: &Self, names: Names| t.take_labels(&names.0))
            .method("with_any", |t: &Self, names: Names| t.with_any(&names.0))
            .method("with_all", |t: &Self, names: Names| t.with_all(&names.0))
            .method("drop", |t: &Self, names: Names| t.drop_labels(&names.0))
            .method("head", |t: &Self, n: usize| t.take_images(&(0..n.min(t.num_images())).collect::<Vec<_>>()))
            .method("sample", |t: &Self, n: usize, options: OnlySeed| t.sample(n, options.seed))
            .method("rename", |t: &Self, names: Renames| t.rename(&names.0))
            .method("merge", merge)
            .method("drop_rare", |t: &Self, n: usize| t.drop_rare(n as u64))
            .method("drop_unlabelled", |t: &Self| t.drop_unlabelled())
            .method("+", |a: &Self, b: Self| a.concat(&b));
    }

    /// Names of images and labels, and all entries.
    fn fingerprint(&self) -> Option<String> {
        let mut hasher = blake3::Hasher::new_derive_key("cpsd label table 1");
        self.hash_entries(&mut hasher);
        for image in self.images() {
            let _ = hasher.update(&(image.len() as u64).to_le_bytes()).update(image.as_bytes());
        }
        Some(hasher.finalize().to_hex().to_string())
    }
}

kind_value!(LabelTable);

/// `[N, m]`: 1 present, 0 absent, -1 unknown.
pub fn label_tensor(t: &LabelTable) -> Result<TensorValue> {
    memory::check("the tensor of labels", 8 * t.num_images() as u64 * t.num_labels() as u64)?;
    let size = [t.num_images() as i64, t.num_labels() as i64];
    Ok(Tensor::f_from_slice(&t.targets()?)?.f_view(size)?.into())
}

fn row(call: &Call, t: &LabelTable, image: i64) -> Result<Vec<String>> {
    Ok(names(t, t.row(position(call, t, image)?)))
}

fn unknown_row(call: &Call, t: &LabelTable, image: i64) -> Result<Vec<String>> {
    Ok(names(t, t.unknown_row(position(call, t, image)?)))
}

fn position(call: &Call, t: &LabelTable, image: i64) -> Result<usize> {
    usize::try_from(image).ok().filter(|&i| i < t.num_images()).ok_or_else(|| {
        let last = t.num_images().saturating_sub(1);
        Error::argument(format!("{}: the image must be an integer from 0 to {last}; got {image}", call.name))
    })
}

fn names(t: &LabelTable, row: &[u32]) -> Vec<String> {
    row.iter().map(|&label| t.labels()[label as usize].clone()).collect()
}

fn long(t: &LabelTable) -> Result<Table> {
    Ok(Table::of(t.to_frame_long()?))
}

fn for_files(t: &LabelTable) -> Result<Table> {
    Ok(Table::of(t.to_frame_for_files()?))
}

fn split(call: &Call, t: &LabelTable, shares: Array, options: OnlySeed) -> Result<Vec<LabelTable>> {
    let parts = stratified_split(t, &numbers(&shares, call, "the shares")?, options.seed)?;
    parts.iter().map(|images| t.take_images(images)).collect()
}

fn merge(call: &Call, t: &LabelTable, groups: Map) -> Result<LabelTable> {
    let group = |(name, members): (&Identifier, &Dynamic)| match members.as_array_ref() {
        Ok(members) => Ok((name.to_string(), strings(&members, call, "the labels of a group")?)),
        Err(_) => Err(Error::argument(format!(
            "{}: \"{name}\" must be given an array of label names; got {}",
            call.name,
            show::a_type(members)
        ))
        .about_name(name.as_str())),
    };
    t.merge(&groups.iter().map(group).collect::<Result<Vec<_>>>()?)
}

/// An array of positions below `n`.
pub fn positions(call: &Call, array: &Array, n: usize) -> Result<Vec<usize>> {
    let position = |item: &Dynamic| {
        item.as_int().ok().and_then(|i| usize::try_from(i).ok()).filter(|&i| i < n).ok_or_else(|| {
            let (last, came) = (n.saturating_sub(1), show::show(item));
            Error::argument(format!("{}: positions must be integers from 0 to {last}; got {came}", call.name))
        })
    };
    array.iter().map(position).collect()
}

fn counts(t: &LabelTable) -> Result<TableValue> {
    let n = t.num_images().max(1) as f64;
    let with_unknown = t.num_unknown() > 0;
    let rows = t.labels().iter().zip(t.counts()).zip(t.unknown_counts()).map(|((label, count), unknown)| {
        let mut cells = vec![label.as_str().into(), (count as i64).into(), (count as f64 / n).into()];
        cells.extend(with_unknown.then_some(Cell::from(unknown as i64)));
        cells
    });
    let columns = ["label", "images", "share", "unknown"];
    TableValue::from_rows(if with_unknown { &columns } else { &columns[..3] }, rows.collect())
}
