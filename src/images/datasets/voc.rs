//! `voc2007` and `voc2012`: folders of VOCdevkit.

use super::downloaded::{Download, Options};
use super::{DatasetKind, Request};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{Difficult, LoadOptions, load_with_unlabelled};
use crate::options::OptionDocs;

pub const VOC2007: DatasetKind = DatasetKind {
    name: "voc2007",
    summary: "PASCAL VOC 2007: train and val from trainval, test; option difficult: false leaves out objects marked so",
    options: OptionDocs::of::<Options>(),
    open: |request| open("voc2007", "2007", ["trainval", "test"], request),
};

/// The annotations of 2012's test split were never published.
pub const VOC2012: DatasetKind = DatasetKind {
    name: "voc2012",
    summary: "PASCAL VOC 2012: train and val from its train split, test is its val split; option difficult as in voc2007",
    options: OptionDocs::of::<Options>(),
    open: |request| open("voc2012", "2012", ["train", "val"], request),
};

fn open(name: &str, year: &str, official: [&str; 2], request: &Request) -> Result<Vec<(String, Dataset)>> {
    let folder = format!("VOCdevkit/VOC{year}");
    let lists = official.map(|split| format!("{folder}/ImageSets/Main/{split}.txt"));
    let needed = [format!("{folder}/Annotations"), format!("{folder}/JPEGImages")];
    let download = Download::new(name, request, &[&lists[0], &lists[1], &needed[0], &needed[1]])?;
    let folder = download.root.join(folder);
    let read = |official: &str| -> Result<Dataset> {
        let difficult = if download.options.difficult { Difficult::Keep } else { Difficult::Drop };
        let load_options = LoadOptions {
            format: Some("voc".into()),
            split: Some(official.into()),
            difficult,
            ..LoadOptions::default()
        };
        let table = load_with_unlabelled(&folder, &load_options)?;
        download.split(official, &table, &folder.join("JPEGImages"), str::to_string)
    };
    let (train, test) = (read(official[0])?, read(official[1])?);
    // Classes of both lists, in the card's order.
    let both: Vec<&String> = download
        .card
        .labels
        .iter()
        .filter(|l| train.labels.labels().contains(l) && test.labels.labels().contains(l))
        .collect();
    download.splits(train.take_labels(&both)?, test.take_labels(&both)?)
}
