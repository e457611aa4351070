//! `folder`: a folder of pictures with a label file in any format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::downloaded::named;
use super::held_out::Share;
use super::missing::{Missing, some};
use super::{DatasetKind, OnBadImage, Request, folder_pictures, need_root};
use crate::activity::console;
use crate::error::{Error, Result, nearest};
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::{LoadOptions, layout_of, load};
use crate::options::{OptionDocs, Range};

pub const FOLDER: DatasetKind = DatasetKind {
    name: "folder",
    summary: "pictures in a folder with labels.csv or another label file, which is read as load_labels does; options val and test are shares",
    options: OptionDocs::of::<FolderOptions>(),
    open,
};

const LAYOUT: &str = "the folder holds labels.csv, or one other label file, and the pictures that it names, in the folder or in one below; file: names the label file, folder: where the pictures are, extension: their ending";

crate::options! {
    /// The options of a folder: its own, and those of label files.
    pub struct FolderOptions extends labels: LoadOptions {
        /// share of the pictures that is the validation split; 0 holds none out
        pub val: f64 = 0.1, in Range::FromBelow(0.0, 1.0);
        /// share of the pictures that is the test split; 0 holds none out
        pub test: f64 = 0.2, in Range::FromBelow(0.0, 1.0);
        /// decides which pictures these are
        pub seed: u64 = 0;
        /// the label file, relative to root; () takes labels.csv, or else the only label file or the known layout there
        pub file: Option<String> = None;
        /// where the pictures are, relative to root; () finds them in root or the folder below that holds them
        pub folder: Option<String> = None;
        /// the ending of image names that have none, for example ".jpg"; () finds it
        pub extension: Option<String> = None;
    }
}

fn open(request: &Request) -> Result<Vec<(String, Dataset)>> {
    let options: FolderOptions = super::options("folder", request.options)?;
    let (val, test, seed) = (options.val, options.test, options.seed);
    if val + test >= 1.0 {
        let sum = ((val + test) * 1e6).round() / 1e6;
        return Err(Error::argument(format!(
            "options \"val\" and \"test\" of dataset \"folder\" are shares of all pictures and must leave some to train on; \
             got {val} and {test}, together {sum}"
        ))
        .about_option("val"));
    }
    let root = need_root("folder", request.root, LAYOUT)?;
    let file = label_file(root, &options)?;
    let mut labels = load(&file, &options.labels)?;
    let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
    let shown = if shown.is_empty() { "the label file".to_string() } else { shown };
    let mut paths = folder_pictures::locate(root, &file, &shown, labels.images(), &options)?;
    let missing = Missing::find(root, &paths)?;
    if (request.on_bad_image == OnBadImage::Error || missing.at.len() == paths.len())
        && let Some(error) = missing.error(&format!("dataset \"folder\" that {shown} names"))
    {
        return Err(error.about_name("folder").with_help(
            "folder: and extension: say where the pictures are; on_bad_image: \"skip\" leaves out those that are missing",
        ));
    }
    let kept = missing.leave_out("folder");
    if kept.len() < paths.len() {
        labels = labels.take_images(&kept)?;
        paths = kept.iter().map(|&i| paths[i].clone()).collect();
    }
    let all = Dataset::new("folder", "all", labels, Arc::new(Files::new(root, paths)))?;
    let share = |option, given| Share { option, given, of: "folder" };
    let (rest, test_split) = share("test", test).hold_out(&all, test, seed)?;
    let (train, val_split) = share("val", val).hold_out(&rest, val / (1.0 - test), seed)?;
    Ok(vec![named("train", train), named("val", val_split), named("test", test_split)])
}

/// The file or folder from which the labels are read. Errors: there is none, or there are several, with their names.
fn label_file(root: &Path, options: &FolderOptions) -> Result<PathBuf> {
    let refused = |message: String| Err(Error::data(message).about_name("folder").with_help(LAYOUT));
    let place = root.display();
    if !root.is_dir() {
        let what = if root.exists() { "is a file, not a folder" } else { "is not there" };
        return refused(format!("dataset \"folder\": its root {place} {what}"));
    }
    let files = label_files(root);
    let names: Vec<String> = files.iter().filter_map(|f| Some(f.file_name()?.to_string_lossy().into_owned())).collect();
    if let Some(file) = &options.file {
        let path = root.join(file);
        if path.exists() {
            return Ok(path);
        }
        let near = nearest(file, names.iter().map(String::as_str)).map(|near| format!("; did you mean \"{near}\"?"));
        let message = format!("option \"file\" of dataset \"folder\": there is no {}", path.display());
        return Err(Error::argument(format!("{message}{}", near.unwrap_or_default())).about_option("file"));
    }
    let usual = root.join("labels.csv");
    if usual.is_file() {
        return Ok(usual);
    }
    if layout_of(root, &options.labels).is_some() {
        return Ok(root.to_path_buf());
    }
    match &files[..] {
        [only] => {
            console::log(&format!("dataset \"folder\": labels from {} (there is no labels.csv)", names[0]));
            Ok(only.clone())
        }
        // The format says that the folder itself is in a layout.
        [] if options.labels.format.is_some() => Ok(root.to_path_buf()),
        [] => match folder_pictures::subfolders_with_pictures(root) {
            classes if classes.len() > 1 => {
                let few: Vec<String> = classes.iter().take(3).map(|c| format!("{c}/")).collect();
                refused(format!(
                    "dataset \"folder\": there is no label file in {place}. Its folders {} hold pictures: a folder per \
                     class gives every picture one label, and here a table names the labels of each picture",
                    some(&few, classes.len())
                ))
            }
            _ => refused(format!("dataset \"folder\": there is no label file in {place}")),
        },
        several => {
            let few: Vec<String> = names.iter().take(6).cloned().collect();
            refused(format!(
                "dataset \"folder\": there is no labels.csv in {place}, and {} other label files: {}; file: takes one",
                several.len(),
                some(&few, several.len())
            ))
        }
    }
}

/// Files of `root` that may name labels, in order.
fn label_files(root: &Path) -> Vec<PathBuf> {
    const ENDINGS: [&str; 6] = ["csv", "tsv", "parquet", "json", "jsonl", "ndjson"];
    let entries = std::fs::read_dir(root).into_iter().flatten();
    let is_table = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().and_then(|e| e.to_str());
        !hidden && ending.is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known))) && path.is_file()
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_table).collect();
    files.sort();
    files
}
