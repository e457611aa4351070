//! `coco2014`: COCO's own folders.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DatasetKind, need_all, need_root};
use crate::error::Result;
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::{Choice, LoadOptions, load};

/// The field trains on train2014 and tests on val2014, pictures without labels left out (82,081 and 40,137 of COCO's).
/// The validation split, which COCO has not, is a tenth of train by seed.
pub const COCO2014: DatasetKind = DatasetKind {
    name: "coco2014",
    summary: "COCO 2014: train (nine tenths of train2014), val (a tenth of it), test (val2014); pictures without labels left out",
    open: |root, given| open(need_root("coco2014", root, LAYOUT)?, &super::options("coco2014", given)?),
};

const LAYOUT: &str = "the folder holds annotations/instances_train2014.json and annotations/instances_val2014.json, and the pictures in \
train2014/ and val2014/, as COCO_train2014_000000000009.jpg";

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Options {
    /// Share of train2014 that is the validation split, and the seed that chooses it.
    val: f64,
    seed: u64,
    /// Keep pictures without any label.
    unlabelled: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { val: 0.1, seed: 0, unlabelled: false }
    }
}

fn open(root: &Path, options: &Options) -> Result<Vec<(String, Dataset)>> {
    let needed = ["annotations/instances_train2014.json", "annotations/instances_val2014.json", "train2014", "val2014"];
    need_all("coco2014", root, &needed, LAYOUT)?;
    let (train, val) = read(root, "train2014", "train", options)?.split(options.val, options.seed)?;
    let test = read(root, "val2014", "test", options)?;
    Ok(vec![("train".into(), train), ("val".into(), Dataset { split: "val".into(), ..val }), ("test".into(), test)])
}

fn read(root: &Path, folder: &str, split: &str, options: &Options) -> Result<Dataset> {
    let path = root.join("annotations").join(format!("instances_{folder}.json"));
    let unlabelled = if options.unlabelled { Choice::Keep } else { Choice::Drop };
    let labels = load(&path, &LoadOptions { format: Some("coco".into()), unlabelled, ..LoadOptions::default() })?;
    let paths = labels.images().iter().map(Into::into).collect();
    Dataset::new("coco2014", split, labels, Arc::new(Files::new(root.join(folder), paths)))
}
