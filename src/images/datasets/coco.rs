//! `coco2014` and `coco2017`: COCO's own folders.

use super::downloaded::{Download, Options};
use super::{DatasetKind, Request};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{LoadOptions, load_with_unlabelled};
use crate::options::OptionDocs;

/// Papers train on train2014 and test on val2014, without pictures that have no label (82,081 and 40,137 remain). The
/// validation split is a tenth of train2014, drawn by seed; `val: 0` holds nothing out.
pub const COCO2014: DatasetKind = DatasetKind {
    name: "coco2014",
    summary: "COCO 2014: train (nine tenths of train2014), val (a tenth of it), test (val2014); pictures without labels left out",
    options: OptionDocs::of::<Options>(),
    open: |request| open("coco2014", "2014", request),
};

pub const COCO2017: DatasetKind = DatasetKind {
    name: "coco2017",
    summary: "COCO 2017: the same pictures divided otherwise: train and val from train2017, test is val2017",
    options: OptionDocs::of::<Options>(),
    open: |request| open("coco2017", "2017", request),
};

fn open(name: &str, year: &str, request: &Request) -> Result<Vec<(String, Dataset)>> {
    let (train, val) = (format!("train{year}"), format!("val{year}"));
    let annotations = [format!("annotations/instances_{train}.json"), format!("annotations/instances_{val}.json")];
    let download = Download::new(name, request, &[&annotations[0], &annotations[1], &train, &val])?;
    let read = |official: &str, file: &str| -> Result<Dataset> {
        let table = load_with_unlabelled(
            &download.root.join(file),
            &LoadOptions { format: Some("coco".into()), ..LoadOptions::default() },
        )?;
        download.split(official, &table, &download.root.join(official), str::to_string)
    };
    download.splits(read(&train, &annotations[0])?, read(&val, &annotations[1])?)
}
