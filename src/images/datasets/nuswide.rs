//! `nuswide`: NUS-WIDE's own folders.

use super::downloaded::{Download, Options};
use super::{DatasetKind, Request, card::card};
use crate::error::Result;
use crate::images::Dataset;
use crate::labels::{LoadOptions, load_with_unlabelled};
use crate::options::OptionDocs;

pub const NUSWIDE: DatasetKind = DatasetKind {
    name: "nuswide",
    summary: "NUS-WIDE, 81 concepts: train and val from its train list, test; pictures without any concept left out",
    options: OptionDocs::of::<Options>(),
    open: |request| open(request),
};

/// The 81 concepts in the order of Concepts81.txt.
pub fn concepts() -> Vec<String> {
    card("nuswide").map(|card| card.labels.clone()).unwrap_or_default()
}

fn open(request: &Request) -> Result<Vec<(String, Dataset)>> {
    let needed = [
        "ImageList/ImageList/TrainImagelist.txt",
        "ImageList/ImageList/TestImagelist.txt",
        "Groundtruth/TrainTestLabels",
        "Flickr",
    ];
    let download = Download::new("nuswide", request, &needed)?;
    let read = |official: &str| -> Result<Dataset> {
        let table = load_with_unlabelled(
            download.root,
            &LoadOptions { format: Some("nuswide".into()), split: Some(official.into()), ..LoadOptions::default() },
        )?;
        download.split(official, &table, &download.root.join("Flickr"), str::to_string)
    };
    download.splits(read("train")?, read("test")?)
}
