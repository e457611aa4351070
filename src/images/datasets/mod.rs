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
use crate::error::{About, Error, Result};
use crate::json;
use crate::options::Options;

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

/// The options that were given to the data set `name`, and the defaults of the others.
fn options<T: Options>(name: &str, given: &Value) -> Result<T> {
    let known: Vec<&str> = T::docs().iter().map(|option| option.key).collect();
    let given_keys = || given.as_object().into_iter().flatten();
    if let Some((bad, _)) = given_keys().find(|(key, _)| !known.contains(&key.as_str())) {
        let error = Error::unknown("option", bad, known.iter().copied().chain(["root"]));
        return Err(Error { message: format!("dataset \"{name}\" has no option \"{bad}\""), ..error });
    }
    let word = format!("dataset \"{name}\"");
    let options: T = serde_json::from_value(given.clone()).map_err(|e| {
        // Each alone among the defaults tells which one it is.
        let alone = |(key, value): &(&String, &Value)| {
            let alone = Value::Object([((*key).clone(), (*value).clone())].into_iter().collect());
            serde_json::from_value::<T>(alone).err()
        };
        match given_keys().find_map(|entry| Some((entry, alone(&entry)?))) {
            Some(((key, value), e)) => {
                let expected = json::expected(&e).unwrap_or_else(|| json::fault(&e));
                let error = Error::option(key, &word, expected, value);
                match value.as_str() {
                    Some(text) => {
                        let about = About::Option { key: key.clone(), value: Some(text.to_string()) };
                        Error { about: Some(about), ..error }
                    }
                    None => error,
                }
            }
            None => Error::argument(format!("options of {word}: {}", json::fault(&e))).about_name(name),
        }
    })?;
    options.check(name)?;
    Ok(options)
}

/// The folder of a data set of files. Errors: none was given, with the expected layout.
fn need_root<'a>(name: &str, root: Option<&'a Path>, layout: &str) -> Result<&'a Path> {
    root.ok_or_else(|| {
        Error::argument(format!("dataset \"{name}\" needs its folder: dataset(\"{name}\", #{{root: \"path\"}})"))
            .about_name(name)
            .with_help(layout)
    })
}

/// Errors: the first of these that is missing, with the expected layout.
fn need_all(name: &str, root: &Path, needed: &[&str], layout: &str) -> Result<()> {
    match needed.iter().find(|n| !root.join(n).exists()) {
        None => Ok(()),
        Some(file) => Err(missing(name, &root.join(file), layout)),
    }
}

/// A file of a data set is not there.
fn missing(name: &str, path: &Path, layout: &str) -> Error {
    Error::data(format!("dataset \"{name}\": there is no {}", path.display())).about_name(name).with_help(layout)
}
