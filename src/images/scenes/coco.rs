//! The scenes as JPEG folders and instances JSON in the exact layout of COCO 2014.

use std::path::Path;
use std::sync::Mutex;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::catalogue::LABELS;
use super::layout::{Scene, scene};
use super::paint::paint;
use super::{SceneOptions, Split};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::{files, task};

/// COCO's folders and the split that fills each.
const FOLDERS: [(&str, Split); 2] = [("train2014", Split::Train), ("val2014", Split::Test)];

/// Writes `annotations/instances_{train,val}2014.json` and `{train,val}2014/COCO_*.jpg` under `root`: train from the
/// train split, val from the test split. Files appear whole; interrupted, the annotations are not written.
///
/// Errors: Io, Interrupted.
pub fn write_coco(options: &SceneOptions, root: &Path) -> Result<()> {
    // The options are checked where the splits are made.
    super::splits(&SceneOptions { train: 1, val: 0, test: 0, test_shifted: 0, ..options.clone() })?;
    for (folder, split) in FOLDERS {
        let n = split.len(options);
        let pictures = root.join(folder);
        std::fs::create_dir_all(&pictures).map_err(|e| Error::io(&pictures, e))?;
        let progress = Progress::new(format!("writing {folder}"), n as u64, "images");
        let annotated: Mutex<Vec<(usize, Value, Vec<Value>)>> = Mutex::new(Vec::with_capacity(n));
        let task = task::current();
        (0..n).into_par_iter().try_for_each(|i| -> Result<()> {
            task.check()?;
            let scene = scene(options.seed, split, i);
            let id = image_id(split, i);
            let name = format!("COCO_{folder}_{id:012}.jpg");
            files::write(&pictures.join(&name), &paint(&scene, options.size).to_jpeg(92)?)?;
            let image = json!({
                "license": 1, "file_name": name, "height": options.size, "width": options.size, "id": id, "date_captured": "2013-11-14 17:02:52"
            });
            let boxes = annotations(&scene, options.size, id);
            annotated.lock().unwrap_or_else(|e| e.into_inner()).push((i, image, boxes));
            progress.advance(1);
            Ok(())
        })?;
        let mut annotated = annotated.into_inner().unwrap_or_else(|e| e.into_inner());
        annotated.sort_by_key(|(i, _, _)| *i);
        let (mut images, mut boxes) = (Vec::new(), Vec::new());
        for (_, image, of_image) in annotated {
            images.push(image);
            for mut one in of_image {
                one["id"] = json!(boxes.len() * 7 + 1001);
                boxes.push(one);
            }
        }
        let instances = json!({
            "info": { "description": "emoji-scenes in the layout of COCO 2014", "version": "1.0", "year": 2014 },
            "images": images,
            "licenses": [{ "id": 1, "name": "CC-BY 4.0 (Twemoji graphics)", "url": "https://creativecommons.org/licenses/by/4.0/" }],
            "annotations": boxes,
            "categories": categories(),
        });
        let path = root.join("annotations").join(format!("instances_{folder}.json"));
        files::write(&path, instances.to_string().as_bytes())?;
    }
    Ok(())
}

/// Ids with gaps, as COCO's are, and none shared between the folders.
fn image_id(split: Split, i: usize) -> u64 {
    9 + i as u64 * 17 + (i as u64 % 3) * 4 + if split == Split::Train { 0 } else { 1_000_000_000 }
}

fn categories() -> Vec<Value> {
    let mut all: Vec<&super::catalogue::Label> = LABELS.iter().collect();
    all.sort_by_key(|l| l.id);
    all.iter().map(|l| json!({ "supercategory": l.supercategory, "id": l.id, "name": l.name })).collect()
}

/// A box and an area for every object with a label, in pixels.
fn annotations(scene: &Scene, size: u32, image: u64) -> Vec<Value> {
    let n = f64::from(size);
    scene
        .objects
        .iter()
        .filter_map(|o| {
            let label = &LABELS[o.label? as usize];
            let half = o.side * 0.5 * n;
            let (left, top) = ((o.x * n - half).max(0.0), (o.y * n - half).max(0.0));
            let (right, bottom) = ((o.x * n + half).min(n), (o.y * n + half).min(n));
            let (w, h) = (right - left, bottom - top);
            let r = |x: f64| (x * 100.0).round() / 100.0;
            Some(json!({
                "segmentation": [[r(left), r(top), r(right), r(top), r(right), r(bottom), r(left), r(bottom)]],
                "area": r(w * h), "iscrowd": 0, "image_id": image, "bbox": [r(left), r(top), r(w), r(h)], "category_id": label.id, "id": 0
            }))
        })
        .collect()
}
