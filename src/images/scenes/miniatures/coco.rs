//! COCO 2014 and 2017: instances JSON, and one folder of pictures per split.

use std::path::Path;

use serde_json::{Value, json};

use super::super::catalogue::{LABELS, Label};
use super::super::layout::Scene;
use super::{SceneOptions, Split, boxes, picture_id, pictures, write_text};
use crate::error::Result;

/// Writes `annotations/instances_{train,val}YEAR.json` and the pictures: train from the train split, val from the test split.
/// With `odd`, also pictures without a label, grey and CMYK ones, and crowds.
pub fn write(options: &SceneOptions, root: &Path, year: &str, odd: bool) -> Result<()> {
    for (folder, split) in [(format!("train{year}"), Split::Train), (format!("val{year}"), Split::Test)] {
        // 2017 dropped the split from the names.
        let name = |i: usize| {
            let id = picture_id(split, i);
            if year == "2014" { format!("COCO_{folder}_{id:012}.jpg") } else { format!("{id:012}.jpg") }
        };
        let scenes = pictures(options, split, &root.join(&folder), odd, |i| name(i).into())?;
        let (mut images, mut annotations) = (Vec::new(), Vec::new());
        for (i, scene) in scenes.iter().enumerate() {
            let id = picture_id(split, i);
            images.push(json!({
                "license": 1, "file_name": name(i), "height": options.size, "width": options.size, "id": id, "date_captured": "2013-11-14 17:02:52"
            }));
            let first = annotations.len();
            annotations.extend(of_picture(scene, options.size, id));
            // A crowd of the first object, with a mask in run lengths.
            if odd && i % 17 == 2 && annotations.len() > first {
                let mut crowd = annotations[first].clone();
                crowd["iscrowd"] = json!(1);
                crowd["segmentation"] =
                    json!({ "counts": [0, options.size * options.size], "size": [options.size, options.size] });
                annotations.push(crowd);
            }
        }
        for (i, annotation) in annotations.iter_mut().enumerate() {
            annotation["id"] = json!(i * 7 + 1001);
        }
        let instances = json!({
            "info": { "description": format!("emoji-scenes in the layout of COCO {year}"), "version": "1.0", "year": 2014 },
            "images": images,
            "licenses": [{ "id": 1, "name": "CC-BY 4.0 (Twemoji graphics)", "url": "https://creativecommons.org/licenses/by/4.0/" }],
            "annotations": annotations,
            "categories": categories(),
        });
        write_text(&root.join("annotations").join(format!("instances_{folder}.json")), &instances.to_string())?;
    }
    Ok(())
}

fn categories() -> Vec<Value> {
    let mut all: Vec<&Label> = LABELS.iter().collect();
    all.sort_by_key(|l| l.id);
    all.iter().map(|l| json!({ "supercategory": l.supercategory, "id": l.id, "name": l.name })).collect()
}

/// A box and an area for every object with a label, in pixels.
fn of_picture(scene: &Scene, size: u32, image: u64) -> Vec<Value> {
    let r = |x: f64| (x * 100.0).round() / 100.0;
    let one = |(label, [left, top, right, bottom]): (usize, [f64; 4])| {
        let (w, h) = (right - left, bottom - top);
        json!({
            "segmentation": [[r(left), r(top), r(right), r(top), r(right), r(bottom), r(left), r(bottom)]],
            "area": r(w * h), "iscrowd": 0, "image_id": image, "bbox": [r(left), r(top), r(w), r(h)], "category_id": LABELS[label].id, "id": 0
        })
    };
    boxes(scene, size).into_iter().map(one).collect()
}
