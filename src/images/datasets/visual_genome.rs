//! `visual-genome-500`: Visual Genome's pictures with the 500 most frequent categories.

use std::collections::HashMap;

use super::downloaded::{Download, Options};
use super::{DatasetKind, Request};
use crate::error::{Error, Result};
use crate::files;
use crate::images::Dataset;
use crate::json;
use crate::labels::LabelTable;
use crate::options::OptionDocs;
use crate::tables::TextFile;

pub const VISUAL_GENOME_500: DatasetKind = DatasetKind {
    name: "visual-genome-500",
    summary: "Visual Genome, the 500 most frequent categories by number: train and val from its train list, test",
    options: OptionDocs::of::<Options>(),
    open: |request| open(request),
};

const INDEX: &str = "vg_category_500_labels_index.json";

fn open(request: &Request) -> Result<Vec<(String, Dataset)>> {
    let download = Download::new(
        "visual-genome-500",
        request,
        &[INDEX, "train_list_500.txt", "test_list_500.txt", "VG_100K", "VG_100K_2"],
    )?;
    let (root, card) = (download.root, download.card);
    let path = root.join(INDEX);
    let bytes = files::read(&path)?;
    let index: HashMap<String, Vec<u32>> = json::parse(&bytes).map_err(|what| {
        Error::in_file(&path, format!("it must be an object with a list of label numbers for each picture: {what}"))
    })?;
    let labels: Vec<String> = (0..card.num_labels).map(|n| format!("{n:03}")).collect();
    let read = |official: &str| -> Result<Dataset> {
        let list = root.join(format!("{official}_list_500.txt"));
        let text = TextFile::read(&list)?;
        let (mut images, mut rows) = (Vec::new(), Vec::new());
        let mut seen = HashMap::new();
        for (line, image) in text.lines() {
            if let Some(first) = seen.insert(image, line) {
                return Err(text.at(line, format!("image \"{image}\" appears twice, first on line {first}")));
            }
            let numbers = index.get(image).ok_or_else(|| text.at(line, format!("{image} is not in {INDEX}")))?;
            if let Some(bad) = numbers.iter().find(|&&n| n as usize >= labels.len()) {
                let message = format!("{image} has label number {bad}, but there are {}", labels.len());
                return Err(Error::in_file(&path, message));
            }
            let mut row = numbers.clone();
            row.sort_unstable();
            row.dedup();
            images.push(image.to_string());
            rows.push(row);
        }
        let table = LabelTable::from_lists(labels.clone(), images, &rows)?;
        let folder = |image: &str| {
            if root.join("VG_100K").join(image).exists() {
                format!("VG_100K/{image}")
            } else {
                format!("VG_100K_2/{image}")
            }
        };
        download.split(official, &table, root, folder)
    };
    download.splits(read("train")?, read("test")?)
}
