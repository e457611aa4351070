//! Readers of label files: one file a format, one line in the list, told apart by content.

mod coco;
mod csv;
mod parquet;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::LabelTable;
use crate::error::{Error, Result};

/// How a label file is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// The format's name; told from the content when absent.
    pub format: Option<String>,
    /// Only these labels, in this order.
    pub labels: Option<Vec<String>>,
    pub unlabelled: Unlabelled,
}

/// What becomes of images without a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlabelled {
    #[default]
    Keep,
    Drop,
}

/// A format.
pub struct Reader {
    pub name: &'static str,
    pub summary: &'static str,
    /// Whether a file that begins with these bytes is of this format.
    pub detect: fn(path: &Path, head: &[u8]) -> bool,
    pub read: fn(path: &Path, options: &LoadOptions) -> Result<LabelTable>,
}

/// All formats, asked in this order: a line each.
pub const READERS: &[Reader] = &[
    Reader { name: "parquet", summary: "Parquet, long (image,label) or wide (0/1 columns)", detect: parquet::detect, read: parquet::read },
    Reader { name: "coco", summary: "COCO instances JSON", detect: coco::detect, read: coco::read },
    Reader { name: "csv", summary: "CSV, long (image,label) or wide (0/1 columns)", detect: csv::detect, read: csv::read },
];

/// Reads a label file.
///
/// Errors: Io; an unknown format, with the nearest; Data that names the file, the place and what was expected.
pub fn load(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    use std::io::Read;
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    file.take(4096).read_to_end(&mut head).map_err(|e| Error::io(path, e))?;
    let names = || READERS.iter().map(|r| r.name);
    let reader = match &options.format {
        Some(name) => READERS.iter().find(|r| r.name == name).ok_or_else(|| Error::unknown("label format", name, names()))?,
        None => READERS.iter().find(|r| (r.detect)(path, &head)).ok_or_else(|| {
            Error::data(format!("{}: no label format that is known", path.display()))
                .with_help(format!("known are {}; option \"format\" names one", names().collect::<Vec<_>>().join(", ")))
        })?,
    };
    if head.is_empty() {
        return Err(Error::data(format!("{}: the file is empty", path.display())));
    }
    let table = (reader.read)(path, options)?;
    if table.num_images() == 0 {
        return Err(Error::data(format!("{}: there is no image in it", path.display())));
    }
    match options.unlabelled {
        Unlabelled::Keep => Ok(table),
        Unlabelled::Drop => table.take_images(&(0..table.num_images()).filter(|&i| !table.row(i).is_empty()).collect::<Vec<_>>()),
    }
}

/// Reads a frame in whichever of the two forms its columns show: long when there is a column of labels.
fn from_frame(frame: &polars::prelude::DataFrame, path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let what = path.display().to_string();
    let names: Vec<String> = frame.get_column_names().iter().map(|n| n.to_string()).collect();
    let find = |wanted: &[&str]| names.iter().find(|n| wanted.contains(&n.to_lowercase().as_str()));
    let image = find(&["image", "imageid", "image_id", "image_name", "file", "file_name", "filename", "path", "id"]);
    let label = find(&["label", "labelname", "label_name", "category", "class"]);
    let order = options.labels.as_deref();
    match (image, label) {
        (Some(image), Some(label)) => super::frame::from_long(frame, image, label, order, &what),
        (Some(image), None) if names.len() > 1 => super::frame::from_wide(frame, image, order, &what),
        _ => Err(Error::data(format!("{what}: columns image and label, or image and one 0/1 column a label, are expected; got {}", names.join(", ")))),
    }
}
