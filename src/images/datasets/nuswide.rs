//! `nuswide`: NUS-WIDE's own folders.

use std::path::Path;

use super::downloaded::{self, Options, split, splits};
use super::{DatasetKind, card::card};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{LoadOptions, load};

pub const NUSWIDE: DatasetKind = DatasetKind {
    name: "nuswide",
    summary: "NUS-WIDE, 81 concepts: train and val from its train list, test; pictures without any concept left out",
    open: |root, given| open(root, &super::options("nuswide", given)?),
};

/// The 81 concepts in the order of Concepts81.txt.
pub fn concepts() -> Vec<String> {
    card("nuswide").map(|card| card.labels.clone()).unwrap_or_default()
}

fn open(root: Option<&Path>, options: &Options) -> Result<Vec<(String, Dataset)>> {
    let needed = [
        "ImageList/ImageList/TrainImagelist.txt",
        "ImageList/ImageList/TestImagelist.txt",
        "Groundtruth/TrainTestLabels",
        "Flickr",
    ];
    let (root, card) = downloaded::root("nuswide", root, &needed)?;
    let read = |official: &str| -> Result<Dataset> {
        let table = load(
            root,
            &LoadOptions { format: Some("nuswide".into()), split: Some(official.into()), ..LoadOptions::default() },
        )?;
        split(card, official, &table, options, &root.join("Flickr"), str::to_string)
    };
    splits(read("train")?, read("test")?, options)
}
