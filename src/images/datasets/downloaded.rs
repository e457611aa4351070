//! The parts that downloaded data sets share: options, folder and card, tables with their pictures, splits.

use std::path::Path;
use std::sync::Arc;

use super::card::{Card, card};
use crate::error::Result;
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::LabelTable;

crate::options! {
    /// The options of all downloaded data sets.
    pub struct Options {
        /// share of the training pictures that is the validation split
        pub val: f64 = 0.1;
        /// decides which pictures these are
        pub seed: u64 = 0;
        /// keep pictures without any label
        pub unlabelled: bool = false;
        /// count objects that VOC marks as difficult
        pub difficult: bool = true;
    }
}

/// The folder of a data set, and its card.
///
/// Errors: no folder was given, or a needed file is missing, with the expected layout.
pub fn root<'a>(name: &str, root: Option<&'a Path>, needed: &[&str]) -> Result<(&'a Path, &'static Card)> {
    let card = card(name)?;
    let root = super::need_root(name, root, &card.help())?;
    super::need_all(name, root, needed, &card.help())?;
    Ok((root, card))
}

/// A split of the download: its table with labels in the card's order, and its pictures. Pictures without a label are
/// left out unless the options keep them. `path` gives a picture's path under `folder` from its name in the table.
///
/// Errors: a label that the card does not have; a missing picture.
pub fn split(
    card: &Card,
    official: &str,
    table: &LabelTable,
    options: &Options,
    folder: &Path,
    path: impl Fn(&str) -> String,
) -> Result<Dataset> {
    card.check(official, table.num_images(), table.num_images() - table.num_unlabelled());
    let table = card.in_order(table)?;
    let table = if options.unlabelled { table } else { table.drop_unlabelled()? };
    let paths: Vec<String> = table.images().iter().map(|name| path(name)).collect();
    // The first and the last reveal a wrong folder; another missing picture is an error when it is read.
    for path in [paths.first(), paths.last()].into_iter().flatten() {
        if !folder.join(path).is_file() {
            return Err(super::missing(&card.name, &folder.join(path), &card.help()));
        }
    }
    Dataset::new(
        card.name.clone(),
        official,
        table,
        Arc::new(Files::new(folder, paths.into_iter().map(Into::into).collect())),
    )
}

/// The splits of a training: a share of the training pictures becomes the validation split.
pub fn splits(train: Dataset, test: Dataset, options: &Options) -> Result<Vec<(String, Dataset)>> {
    let (train, val) = train.split(options.val, options.seed)?;
    Ok(vec![named("train", train), named("val", val), named("test", test)])
}

pub fn named(name: &str, dataset: Dataset) -> (String, Dataset) {
    (name.to_string(), Dataset { split: name.into(), ..dataset })
}
