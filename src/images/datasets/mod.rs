//! The data sets that `dataset(name)` opens: one file and one line in the list per data set.

mod card;
mod coco;
mod downloaded;
mod emoji_scenes;
mod folder;
mod folder_pictures;
mod folder_splits;
mod held_out;
mod located;
mod missing;
mod nuswide;
mod open_images;
mod visual_genome;
mod voc;

use std::path::Path;

use serde_json::Value;

pub use card::{Card, card};
pub use folder::FolderOptions;
pub use nuswide::concepts;

use super::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{OptionDoc, OptionDocs, Options, known_keys, read, unknown_option};

/// A data set that can be opened.
pub struct DatasetKind {
    pub name: &'static str,
    pub summary: &'static str,
    pub options: OptionDocs,
    pub open: fn(&Request) -> Result<Vec<(String, Dataset)>>,
}

/// Options that every data set takes beside its own.
pub const COMMON: [&str; 3] = ["root", "on_bad_image", "cache"];

impl DatasetKind {
    /// Whether it has an option of this name, its own or one that all have.
    pub fn takes(&self, key: &str) -> bool {
        COMMON.contains(&key) || (self.options.docs)().iter().any(|option| option.key == key)
    }

    /// The name under which errors of its options are said.
    pub fn word(&self) -> String {
        word(self.name)
    }

    /// The error of an option that it does not have.
    pub fn unknown_option(&self, key: &str) -> Error {
        unknown(self.name, key, (self.options.docs)())
    }
}

fn word(name: &str) -> String {
    format!("dataset \"{name}\"")
}

/// The error of an option that the data set `name` does not have.
fn unknown(name: &str, key: &str, docs: Vec<OptionDoc>) -> Error {
    unknown_option(&word(name), key, docs.into_iter().map(|option| option.key).chain(COMMON))
}

/// How a data set is to be opened.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The folder of its files. A relative one is looked for in the working folder, then in the folders of the setting `data` and in
    /// `datasets/`; without one, a folder of the data set's name is.
    pub root: Option<&'a Path>,
    /// A JSON object of the keys that the user gave.
    pub options: &'a Value,
    pub on_bad_image: OnBadImage,
}

/// What becomes of pictures that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadImage {
    Error,
    /// Left out; their number and the first few are logged.
    Skip,
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

/// Opens a data set: its splits by name, in order. A split for which no share is held out has no pictures.
///
/// Errors: an unknown name or option, with the nearest; missing files, with the expected layout.
pub fn open(name: &str, root: Option<&Path>, options: &Value) -> Result<Vec<(String, Dataset)>> {
    open_with(name, &Request { root, options, on_bad_image: OnBadImage::Error })
}

/// As [`open`], with a choice for missing pictures.
pub fn open_with(name: &str, request: &Request) -> Result<Vec<(String, Dataset)>> {
    let kind = DATASETS
        .iter()
        .find(|d| d.name == name)
        .ok_or_else(|| Error::unknown("data set", name, DATASETS.iter().map(|d| d.name)))?;
    let root = located::root(name, request.root);
    let root_exists = root.as_ref().is_some_and(|root| root.exists());
    (kind.open)(&Request { root: root.as_deref(), ..*request }).map_err(|error| match request.root {
        Some(root) if error.kind == ErrorKind::Data && root.is_relative() && !root_exists => {
            let looked = format!("no folder {} is in {}", root.display(), located::places_in_words());
            Error { message: format!("{}; {looked}", error.message), ..error }
        }
        _ => error,
    })
}

/// The options that were given to the data set `name`, and the defaults of the others.
fn options<T: Options>(name: &str, given: &Value) -> Result<T> {
    let word = word(name);
    let Some(given) = given.as_object() else {
        return Err(Error::argument(format!("the options of {word} must be a map; got {given}")));
    };
    if let Some(bad) = given.keys().find(|key| known_keys::<T>(&word, [key.as_str()]).is_err()) {
        return Err(unknown(name, bad, T::docs()));
    }
    read(&word, given)
}

/// The folder of a data set of files. Errors: none was given, with the expected layout.
fn need_root<'a>(name: &str, root: Option<&'a Path>, layout: &str) -> Result<&'a Path> {
    root.ok_or_else(|| {
        let looked = match card(name) {
            Ok(_) => format!("; no folder {name} is in {}", located::places_in_words()),
            Err(_) => String::new(),
        };
        Error::argument(format!(
            "dataset \"{name}\" needs its folder: dataset(\"{name}\", #{{root: \"path\"}}){looked}"
        ))
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
