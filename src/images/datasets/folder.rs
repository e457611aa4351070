//! `folder`: a folder of pictures with a label file in any format.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::downloaded::named;
use super::folder_splits::{Named, Splits, splits_file, unused};
use super::held_out::Share;
use super::missing::{Missing, some};
use super::{DatasetKind, OnBadImage, Request, folder_pictures, need_root};
use crate::activity::console;
use crate::error::{Error, Result, counted, nearest};
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::{LoadOptions, label_files, layout_of, load, own_splits};
use crate::options::{OptionDocs, Range};

pub const FOLDER: DatasetKind = DatasetKind {
    name: "folder",
    summary: "pictures in a folder with labels.csv or another label file, which is read as load_labels does; its own splits, a fixed division by the option splits, or shares by val and test",
    options: OptionDocs::of::<FolderOptions>(),
    open,
};

const LAYOUT: &str = "the folder holds labels.csv, or one other label file, and the pictures that it names, in the folder or in one below; file: names the label file, folder: where the pictures are, extension: their ending";

crate::options! {
    /// The options of a folder: its own, and those of label files.
    pub struct FolderOptions extends labels: LoadOptions {
        /// the fixed division into train, val, test: a table of images and splits (CSV, Parquet, JSON lines), relative to root;
        /// or the column of the label file that holds the split; or "folders" called so; () takes the label files' own, or shares
        pub splits: Option<String> = None;
        /// share of the pictures that is the validation split, unless the division has one; 0 holds none out
        pub val: f64 = 0.1, in Range::FromBelow(0.0, 1.0);
        /// share of the pictures that is the test split, unless the division has one; 0 holds none out
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
    let division = Named::find(root, &file, &options)?;
    let (mut labels, rows) = match &division {
        Some(division) => division.load(&file, &options)?,
        None => (load(&file, &options.labels)?, None),
    };
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
    let splits = match (&division, &options.labels.split) {
        (Some(division), _) => division.split(rows, labels.images(), &paths, &shown)?,
        // The user asked for the pictures of this one.
        (None, Some(_)) => Vec::new(),
        (None, None) => own_splits(&file, &options.labels)?.into_iter().map(|(split, of)| (split.into(), of)).collect(),
    };
    if splits.is_empty()
        && division.is_none()
        && options.labels.split.is_none()
        && let Some(line) = unused(root, &file, &paths)
    {
        console::log(&line);
    }
    let all = Dataset::new("folder", "all", labels, Arc::new(Files::new(root, paths)))?;
    let divides = division.map(|division| division.shown(&shown));
    let own = Own::of(&all, splits, divides.as_deref().unwrap_or(if file == root { "the folder" } else { &shown }))?;
    let share = |option, given| Share { option, given, of: "folder" };
    // Without pictures to train on, there are none to hold out.
    let none = own.train.is_empty() && !own.found.is_empty();
    let hold_out = |rest: &Dataset, option, given: f64, fraction: f64| match none {
        true => Ok((rest.clone(), rest.clone())),
        false => share(option, given).hold_out(rest, fraction, seed),
    };
    let held_out = if own.test.is_some() { 0.0 } else { test };
    let (rest, test_split) = match own.test {
        Some(own_test) => (own.train, own_test),
        None => hold_out(&own.train, "test", test, test)?,
    };
    let (train, val_split) = match own.val {
        Some(own_val) => (rest, own_val),
        None => hold_out(&rest, "val", val, val / (1.0 - held_out))?,
    };
    let mut all = vec![named("train", train), named("val", val_split), named("test", test_split)];
    all.extend(own.further.into_iter().map(|(split, dataset)| named(&split, dataset)));
    Ok(all)
}

/// The pictures by the splits that the label files have themselves.
struct Own {
    /// Those of the split train or, without one, those in no other split.
    train: Dataset,
    val: Option<Dataset>,
    test: Option<Dataset>,
    /// Further test sets.
    further: Vec<(String, Dataset)>,
    /// The splits that there are.
    found: Vec<String>,
}

impl Own {
    /// Says which splits are the folder's own, and how many pictures are in none or in several.
    fn of(all: &Dataset, splits: Splits, shown: &str) -> Result<Own> {
        let found: Vec<String> = splits.iter().map(|(split, _)| split.clone()).collect();
        if found.is_empty() {
            return Ok(Own { train: all.clone(), val: None, test: None, further: Vec::new(), found });
        }
        let has = |split: &str| found.iter().any(|found| found == split);
        let mut split_of: HashMap<&str, &str> = HashMap::new();
        let mut twice = 0;
        // Test pictures stay test pictures: later splits win.
        for (split, images) in &splits {
            for image in images {
                twice += usize::from(split_of.insert(image, split).is_some());
            }
        }
        let of = |wanted: Option<&str>| -> Vec<usize> {
            let images = all.labels.images().iter().enumerate();
            images.filter(|(_, image)| split_of.get(image.as_str()).copied() == wanted).map(|(i, _)| i).collect()
        };
        let own = |split| if has(split) { all.take(of(Some(split))).map(Some) } else { Ok(None) };
        let rest = of(None);
        let n = rest.len();
        let (train, what) = match own("train")? {
            Some(train) => (train, "left out"),
            None => (all.take(rest)?, "the pictures to train on"),
        };
        let splits = if found.len() == 1 { "split" } else { "splits" };
        let mut line = format!("dataset \"folder\": {splits} {} as {shown} divides the pictures", found.join(", "));
        if n > 0 {
            line += &format!("; {} of no split {} {what}", counted(n, "picture"), if n == 1 { "is" } else { "are" });
        }
        if twice > 0 {
            let are = if twice == 1 { "is" } else { "are" };
            let pictures = counted(twice, "picture");
            line += &format!("; {pictures} {are} in two splits and taken for the later one of train, val, test");
        }
        let lacking: Vec<&str> = ["val", "test"].into_iter().filter(|split| !has(split)).collect();
        if train.is_empty() {
            line += "; there are no pictures to train on";
        } else if !lacking.is_empty() {
            line += &format!("; {} by a share of train", lacking.join(" and "));
        }
        console::log(&line);
        let further = found.iter().filter(|split| !["train", "val", "test"].contains(&split.as_str()));
        let further = further.map(|split| Ok((split.clone(), all.take(of(Some(split)))?))).collect::<Result<_>>()?;
        Ok(Own { train, val: own("val")?, test: own("test")?, further, found })
    }
}

/// The file or folder from which the labels are read. Errors: there is none, or there are several, with their names.
fn label_file(root: &Path, options: &FolderOptions) -> Result<PathBuf> {
    let refused = |message: String| Err(Error::data(message).about_name("folder").with_help(LAYOUT));
    let place = root.display();
    if !root.is_dir() {
        let what = if root.exists() { "is a file, not a folder" } else { "is not there" };
        return refused(format!("dataset \"folder\": its root {place} {what}"));
    }
    let splits = splits_file(root, options);
    let mut files = label_files(root);
    files.retain(|file| Some(file) != splits.as_ref());
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
            parts if parts.iter().any(|part| !label_files(&root.join(part)).is_empty()) => {
                let few: Vec<String> = parts.iter().take(3).map(|part| format!("{part}/")).collect();
                refused(format!(
                    "dataset \"folder\": there is no label file in {place}, but in folders below: {}; each is a root of its own",
                    some(&few, parts.len())
                ))
            }
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
