//! `coco2014`: COCO's own folders.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DatasetKind, need_all, need_root};
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::images::source::Files;
use crate::labels::LabelTable;

/// The field trains on train2014 and tests on val2014, pictures without labels left out (82,081 and 40,137 of COCO's).
/// The validation split, which COCO has not, is a tenth of train by seed.
pub const COCO2014: DatasetKind = DatasetKind {
    name: "coco2014",
    summary: "COCO 2014: train (nine tenths of train2014), val (a tenth of it), test (val2014); pictures without labels left out",
    open: |root, given| open(need_root("coco2014", root, LAYOUT)?, &super::options("coco2014", given)?),
};

const LAYOUT: &str = "the folder holds annotations/instances_train2014.json and annotations/instances_val2014.json, and the pictures in \
train2014/ and val2014/, as COCO_train2014_000000000009.jpg";

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Options {
    /// Share of train2014 that is the validation split, and the seed that chooses it.
    val: f64,
    seed: u64,
    /// Keep pictures without any label.
    unlabelled: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { val: 0.1, seed: 0, unlabelled: false }
    }
}

/// What is read of an instances file; everything else in it (segmentations above all) is skipped unread.
#[derive(Deserialize)]
struct Instances {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

fn open(root: &Path, options: &Options) -> Result<Vec<(String, Dataset)>> {
    let needed = ["annotations/instances_train2014.json", "annotations/instances_val2014.json", "train2014", "val2014"];
    need_all("coco2014", root, &needed, LAYOUT)?;
    let (train, val) = read(root, "train2014", "train", options)?.split(options.val, options.seed)?;
    let test = read(root, "val2014", "test", options)?;
    Ok(vec![("train".into(), train), ("val".into(), Dataset { split: "val".into(), ..val }), ("test".into(), test)])
}

fn read(root: &Path, folder: &str, split: &str, options: &Options) -> Result<Dataset> {
    let path = root.join("annotations").join(format!("instances_{folder}.json"));
    let file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
    let instances: Instances = serde_json::from_reader(std::io::BufReader::with_capacity(1 << 20, file))
        .map_err(|e| Error::data(format!("{}: not COCO's instances JSON: {e}", path.display())))?;
    // Label order differs between repositories (names here, ids in others): names decide.
    let mut categories = instances.categories;
    categories.sort_by(|a, b| a.name.cmp(&b.name));
    let place: HashMap<u64, u32> = categories.iter().enumerate().map(|(i, c)| (c.id, i as u32)).collect();
    let at: HashMap<u64, usize> = instances.images.iter().enumerate().map(|(i, image)| (image.id, i)).collect();
    let mut lists = vec![vec![]; instances.images.len()];
    for (n, a) in instances.annotations.iter().enumerate() {
        let label = place.get(&a.category_id).ok_or_else(|| {
            Error::data(format!("{}: annotation number {n} has category {}, which is not among its categories", path.display(), a.category_id))
        })?;
        let image = at.get(&a.image_id).ok_or_else(|| {
            Error::data(format!("{}: annotation number {n} is of image {}, which is not among its images", path.display(), a.image_id))
        })?;
        lists[*image].push(*label);
    }
    let kept: Vec<usize> = (0..lists.len()).filter(|&i| options.unlabelled || !lists[i].is_empty()).collect();
    let names: Vec<String> = kept.iter().map(|&i| instances.images[i].file_name.clone()).collect();
    let rows: Vec<Vec<u32>> = kept.iter().map(|&i| std::mem::take(&mut lists[i])).collect();
    let paths = names.iter().map(|n| root.join(folder).join(n)).collect();
    let labels = LabelTable::from_lists(categories.into_iter().map(|c| c.name).collect(), names, &rows)?;
    Dataset::new("coco2014", split, labels, Arc::new(Files { paths }))
}
