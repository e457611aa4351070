//! `folder`: a folder of pictures with a file `labels.csv`.

use std::path::Path;
use std::sync::Arc;

use super::downloaded::named;
use super::{DatasetKind, need_all, need_root};
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::{LoadOptions, load};

pub const FOLDER: DatasetKind = DatasetKind {
    name: "folder",
    summary: "pictures in a folder with a labels.csv (image,label rows, or one 0/1 column per label); options val and test are shares",
    open: |root, given| open(need_root("folder", root, LAYOUT)?, &super::options("folder", given)?),
};

const LAYOUT: &str =
    "the folder holds labels.csv, whose image names are paths of JPEG or PNG files relative to the folder";

crate::options! {
    /// The options of a folder.
    struct Options {
        /// share of the pictures that is the validation split
        pub val: f64 = 0.1;
        /// share of the pictures that is the test split
        pub test: f64 = 0.2;
        /// decides which pictures these are
        pub seed: u64 = 0;
    }
}

fn open(root: &Path, options: &Options) -> Result<Vec<(String, Dataset)>> {
    need_all("folder", root, &["labels.csv"], LAYOUT)?;
    let labels = load(&root.join("labels.csv"), &LoadOptions::default())?;
    if let Some(missing) = labels.images().iter().find(|name| !root.join(name).is_file()) {
        return Err(Error::data(format!("dataset \"folder\": labels.csv names {missing}, which is not there"))
            .about_name("folder")
            .with_help(LAYOUT));
    }
    let paths = labels.images().iter().map(Into::into).collect();
    let all = Dataset::new("folder", "all", labels, Arc::new(Files::new(root, paths)))?;
    let (rest, test) = all.split(options.test, options.seed)?;
    let (train, val) = rest.split(options.val / (1.0 - options.test), options.seed)?;
    Ok(vec![named("train", train), named("val", val), named("test", test)])
}
