//! COCO instances JSON: images, annotations and categories are read, everything else is skipped unread.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::LoadOptions;
use crate::error::{Error, Result};
use crate::labels::LabelTable;

/// What is read of an instances file; segmentations, which are most of it, are not.
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

pub fn detect(_path: &Path, head: &[u8]) -> bool {
    head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
}

/// Images are named by their files; labels stand in alphabetical order, since orders differ between repositories.
pub fn read(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let what = path.display();
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let instances: Instances = serde_json::from_reader(std::io::BufReader::with_capacity(1 << 20, file))
        .map_err(|e| Error::data(format!("{what}: not COCO's instances JSON: {e}")))?;
    let mut categories = instances.categories;
    categories.sort_by(|a, b| a.name.cmp(&b.name));
    let place: HashMap<u64, u32> = categories.iter().enumerate().map(|(i, c)| (c.id, i as u32)).collect();
    let at: HashMap<u64, usize> = instances.images.iter().enumerate().map(|(i, image)| (image.id, i)).collect();
    let mut lists = vec![vec![]; instances.images.len()];
    for (n, a) in instances.annotations.iter().enumerate() {
        let label = place.get(&a.category_id).ok_or_else(|| {
            Error::data(format!("{what}: annotation number {n} has category {}, which is not among its categories", a.category_id))
        })?;
        let image = at.get(&a.image_id).ok_or_else(|| {
            Error::data(format!("{what}: annotation number {n} is of image {}, which is not among its images", a.image_id))
        })?;
        lists[*image].push(*label);
    }
    let images = instances.images.into_iter().map(|i| i.file_name).collect();
    let table = LabelTable::from_lists(categories.into_iter().map(|c| c.name).collect(), images, &lists)?;
    match &options.labels {
        Some(order) => table.take_labels(order),
        None => Ok(table),
    }
}
