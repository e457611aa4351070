//! `voc2007` and `voc2012`: folders of VOCdevkit.

use std::path::Path;

use super::DatasetKind;
use super::downloaded::{self, Options, split, splits};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{Difficult, LoadOptions, load};

pub const VOC2007: DatasetKind = DatasetKind {
    name: "voc2007",
    summary: "PASCAL VOC 2007: train and val from trainval, test; option difficult: false leaves out objects marked so",
    open: |root, given| open("voc2007", "2007", ["trainval", "test"], root, &super::options("voc2007", given)?),
};

/// The annotations of 2012's test split were never published.
pub const VOC2012: DatasetKind = DatasetKind {
    name: "voc2012",
    summary: "PASCAL VOC 2012: train and val from its train split, test is its val split; option difficult as in voc2007",
    open: |root, given| open("voc2012", "2012", ["train", "val"], root, &super::options("voc2012", given)?),
};

fn open(
    name: &str,
    year: &str,
    official: [&str; 2],
    root: Option<&Path>,
    options: &Options,
) -> Result<Vec<(String, Dataset)>> {
    let folder = format!("VOCdevkit/VOC{year}");
    let lists = official.map(|split| format!("{folder}/ImageSets/Main/{split}.txt"));
    let needed = [format!("{folder}/Annotations"), format!("{folder}/JPEGImages")];
    let (root, card) = downloaded::root(name, root, &[&lists[0], &lists[1], &needed[0], &needed[1]])?;
    let read = |official: &str| -> Result<Dataset> {
        let difficult = if options.difficult { Difficult::Keep } else { Difficult::Drop };
        let load_options = LoadOptions {
            format: Some("voc".into()),
            split: Some(official.into()),
            difficult,
            ..LoadOptions::default()
        };
        let table = load(&root.join(&folder), &load_options)?;
        split(card, official, &table, options, &root.join(&folder).join("JPEGImages"), str::to_string)
    };
    let (train, test) = (read(official[0])?, read(official[1])?);
    // Classes of both lists, in the card's order.
    let both: Vec<&String> =
        card.labels.iter().filter(|l| train.labels.labels().contains(l) && test.labels.labels().contains(l)).collect();
    splits(train.take_labels(&both)?, test.take_labels(&both)?, options)
}
