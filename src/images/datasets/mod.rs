//! The data sets that `dataset(name)` opens: one file and one line in the list per data set.

mod card;
mod coco;
mod downloaded;
mod emoji_scenes;
mod folder;
mod nuswide;
mod open_images;
mod visual_genome;
mod voc;

use std::path::Path;

use serde_json::Value;

pub use card::{Card, card};
pub use nuswide::concepts;

use super::Dataset;
use crate::error::{Error, Result};

/// A data set that can be opened.
pub struct DatasetKind {
    pub name: &'static str,
    pub summary: &'static str,
    /// `options` is a JSON object of the keys that the user gave.
    pub open: fn(root: Option<&Path>, options: &Value) -> Result<Vec<(String, Dataset)>>,
}

/// All data sets.
pub const DATASETS: &[DatasetKind] = &[
    emoji_scenes::EMOJI_SCENES,
    folder::FOLDER,
    coco::COCO2014,
    coco::COCO2017,
    nuswide::NUSWIDE,
    voc::VOC2007,
    voc::VOC2012,
    open_images::OPENIMAGES,
    visual_genome::VISUAL_GENOME_500,
];

/// Opens a data set: its splits by name, in order.
///
/// Errors: an unknown name or option, with the nearest; missing files, with the expected layout.
pub fn open(name: &str, root: Option<&Path>, options: &Value) -> Result<Vec<(String, Dataset)>> {
    let kind = DATASETS
        .iter()
        .find(|d| d.name == name)
        .ok_or_else(|| Error::unknown("data set", name, DATASETS.iter().map(|d| d.name)))?;
    (kind.open)(root, options)
}

/// Reads options into a struct whose `Default` holds every key.
fn options<T: serde::de::DeserializeOwned + serde::Serialize + Default>(name: &str, given: &Value) -> Result<T> {
    let known = serde_json::to_value(T::default()).unwrap_or_default();
    let known: Vec<&str> = known.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
    if let Some((bad, _)) = given.as_object().into_iter().flatten().find(|(k, _)| !known.contains(&k.as_str())) {
        let error = Error::unknown("option", bad, known.iter().copied().chain(["root"]));
        return Err(Error { message: format!("dataset \"{name}\" has no option \"{bad}\""), ..error });
    }
    serde_json::from_value(given.clone()).map_err(|e| Error::argument(format!("options of dataset \"{name}\": {e}")))
}

/// The folder of a data set of files. Errors: none was given, with the expected layout.
fn need_root<'a>(name: &str, root: Option<&'a Path>, layout: &str) -> Result<&'a Path> {
    root.ok_or_else(|| {
        Error::argument(format!("dataset \"{name}\" needs its folder: dataset(\"{name}\", #{{root: \"path\"}})"))
            .with_help(layout.to_string())
    })
}

/// Errors: the first of these that is missing, with the expected layout.
fn need_all(name: &str, root: &Path, needed: &[&str], layout: &str) -> Result<()> {
    match needed.iter().find(|n| !root.join(n).exists()) {
        None => Ok(()),
        Some(missing) => Err(Error::data(format!("dataset \"{name}\": there is no {}", root.join(missing).display()))
            .with_help(layout.to_string())),
    }
}
