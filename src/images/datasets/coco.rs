//! `coco2014` and `coco2017`: COCO's own folders.

use std::path::Path;

use super::DatasetKind;
use super::downloaded::{self, Options, split, splits};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{LoadOptions, load};

/// Papers train on train2014 and test on val2014, without pictures that have no label (82,081 and 40,137 remain). The
/// validation split is a tenth of train2014, drawn by seed.
pub const COCO2014: DatasetKind = DatasetKind {
    name: "coco2014",
    summary: "COCO 2014: train (nine tenths of train2014), val (a tenth of it), test (val2014); pictures without labels left out",
    open: |root, given| open("coco2014", "2014", root, &super::options("coco2014", given)?),
};

pub const COCO2017: DatasetKind = DatasetKind {
    name: "coco2017",
    summary: "COCO 2017: the same pictures divided otherwise: train and val from train2017, test is val2017",
    open: |root, given| open("coco2017", "2017", root, &super::options("coco2017", given)?),
};

fn open(name: &str, year: &str, root: Option<&Path>, options: &Options) -> Result<Vec<(String, Dataset)>> {
    let (train, val) = (format!("train{year}"), format!("val{year}"));
    let annotations = [format!("annotations/instances_{train}.json"), format!("annotations/instances_{val}.json")];
    let (root, card) = downloaded::root(name, root, &[&annotations[0], &annotations[1], &train, &val])?;
    let read = |official: &str, file: &str| -> Result<Dataset> {
        let table = load(&root.join(file), &LoadOptions { format: Some("coco".into()), ..LoadOptions::default() })?;
        split(card, official, &table, options, &root.join(official), str::to_string)
    };
    splits(read(&train, &annotations[0])?, read(&val, &annotations[1])?, options)
}
