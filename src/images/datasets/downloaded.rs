//! The parts that downloaded data sets share: options, folder and card, tables with their pictures, splits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::card::{Card, card};
use super::held_out::Share;
use super::missing::Missing;
use super::{OnBadImage, Request};
use crate::activity::console;
use crate::error::Result;
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::LabelTable;
use crate::options::Range;

crate::options! {
    /// The options of all downloaded data sets.
    pub struct Options {
        /// share of the training pictures that is the validation split; 0 holds none out
        pub val: f64 = 0.1, in Range::FromBelow(0.0, 1.0);
        /// decides which pictures these are
        pub seed: u64 = 0;
        /// keep pictures without any label
        pub unlabelled: bool = false;
        /// count objects that VOC marks as difficult
        pub difficult: bool = true;
    }
}

/// A download that is being opened.
pub struct Download<'a> {
    pub root: &'a Path,
    pub card: &'static Card,
    pub options: Options,
    on_bad_image: OnBadImage,
}

impl<'a> Download<'a> {
    /// Errors: an unknown option; no folder was given, or a needed file is missing, with the expected layout.
    pub fn new(name: &str, request: &Request<'a>, needed: &[&str]) -> Result<Self> {
        let options = super::options(name, request.options)?;
        let card = card(name)?;
        let root = super::need_root(name, request.root, &card.help())?;
        super::need_all(name, root, needed, &card.help())?;
        Ok(Download { root, card, options, on_bad_image: request.on_bad_image })
    }

    /// A split of the download: its table with labels in the card's order, and its pictures. Pictures without a label are
    /// left out unless the options keep them. `path` gives a picture's path under `folder` from its name in the table.
    ///
    /// Errors: a label that the card does not have; a missing picture.
    pub fn split(
        &self,
        official: &str,
        table: &LabelTable,
        folder: &Path,
        path: impl Fn(&str) -> String,
    ) -> Result<Dataset> {
        let card = self.card;
        card.check(official, table.num_images(), table.num_images() - table.num_unlabelled());
        let table = card.in_order(table)?;
        let none = table.num_unlabelled();
        if none > 0 {
            let what = if self.options.unlabelled { "kept" } else { "left out (unlabelled: true keeps them)" };
            let (name, all) = (&card.name, table.num_images());
            console::log(&format!("dataset \"{name}\": {none} of {all} pictures of {official} have no label; {what}"));
        }
        let mut table = if self.options.unlabelled { table } else { table.drop_unlabelled()? };
        let mut paths: Vec<PathBuf> = table.images().iter().map(|name| path(name).into()).collect();
        let is_missing = |path: &PathBuf| !folder.join(path).is_file();
        // The first and the last reveal a wrong folder; another missing picture is an error when it is read.
        let look = self.on_bad_image == OnBadImage::Skip
            || [paths.first(), paths.last()].into_iter().flatten().any(is_missing);
        if look {
            let missing = Missing::find(folder, &paths)?;
            let what = format!("split {official} of dataset \"{}\"", card.name);
            if (self.on_bad_image == OnBadImage::Error || missing.at.len() == paths.len())
                && let Some(error) = missing.error(&what)
            {
                return Err(error.about_name(&card.name).with_help(card.help()));
            }
            let kept = missing.leave_out(&format!("{} {official}", card.name));
            table = table.take_images(&kept)?;
            paths = kept.iter().map(|&i| paths[i].clone()).collect();
        }
        Dataset::new(card.name.clone(), official, table, Arc::new(Files::new(folder, paths)))
    }

    /// The splits of a training: a share of the training pictures becomes the validation split.
    pub fn splits(&self, train: Dataset, test: Dataset) -> Result<Vec<(String, Dataset)>> {
        let share = Share { option: "val", given: self.options.val, of: &self.card.name };
        let (train, val) = share.hold_out(&train, self.options.val, self.options.seed)?;
        Ok(vec![named("train", train), named("val", val), named("test", test)])
    }
}

pub fn named(name: &str, dataset: Dataset) -> (String, Dataset) {
    (name.to_string(), Dataset { split: name.into(), ..dataset })
}
