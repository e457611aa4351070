//! PASCAL VOC: one XML file per picture, and lists of the splits.

use std::fmt::Write;
use std::path::Path;

use super::super::catalogue::LABELS;
use super::super::layout::Scene;
use super::{SceneOptions, Split, boxes, pictures, write_text};
use crate::error::Result;

/// COCO's names of VOC's classes that are spelled otherwise.
const SPELLED: [(&str, &str); 6] = [
    ("airplane", "aeroplane"),
    ("motorcycle", "motorbike"),
    ("couch", "sofa"),
    ("dining table", "diningtable"),
    ("potted plant", "pottedplant"),
    ("tv", "tvmonitor"),
];
const SAME: [&str; 14] = [
    "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dog", "horse", "person", "sheep",
    "train",
];

/// VOC's name of a COCO label, if it is one of VOC's classes.
fn class(label: &str) -> Option<&str> {
    SAME.contains(&label)
        .then_some(label)
        .or_else(|| SPELLED.iter().find(|(coco, _)| *coco == label).map(|(_, voc)| *voc))
}

/// Writes `VOCdevkit/VOCyear`. 2007 has a test split; of 2012, whose test annotations were never published, the test
/// pictures are the val split.
pub fn write(options: &SceneOptions, root: &Path, year: &str) -> Result<()> {
    let root = root.join("VOCdevkit").join(format!("VOC{year}"));
    let mut ids: [Vec<String>; 2] = Default::default();
    for (split, ids) in [Split::Train, Split::Test].into_iter().zip(&mut ids) {
        *ids = (0..split.len(options)).map(|i| id(split, i, year)).collect();
        let scenes =
            pictures(options, split, &root.join("JPEGImages"), true, |i| format!("{}.jpg", id(split, i, year)).into())?;
        for (i, (scene, id)) in scenes.iter().zip(&*ids).enumerate() {
            write_text(
                &root.join("Annotations").join(format!("{id}.xml")),
                &annotation(scene, options.size, id, year, i),
            )?;
        }
    }
    let [train, test] = ids;
    let half = train.len().div_ceil(2);
    let lists: Vec<(&str, Vec<&String>)> = match year {
        "2007" => vec![
            ("trainval", train.iter().collect()),
            ("train", train[..half].iter().collect()),
            ("val", train[half..].iter().collect()),
            ("test", test.iter().collect()),
        ],
        _ => vec![
            ("trainval", train.iter().chain(&test).collect()),
            ("train", train.iter().collect()),
            ("val", test.iter().collect()),
        ],
    };
    for (name, ids) in lists {
        let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
        write_text(&root.join("ImageSets/Main").join(format!("{name}.txt")), &text)?;
    }
    Ok(())
}

fn id(split: Split, i: usize, year: &str) -> String {
    let n = 5 + i * 2 + i / 3 + if split == Split::Train { 0 } else { 400_000 };
    if year == "2007" { format!("{n:06}") } else { format!("2008_{n:06}") }
}

fn annotation(scene: &Scene, size: u32, id: &str, year: &str, picture: usize) -> String {
    let mut xml = format!(
        "<annotation>\n\t<folder>VOC{year}</folder>\n\t<filename>{id}.jpg</filename>\n\t<source><database>emoji-scenes</database></source>\n\t\
<size><width>{size}</width><height>{size}</height><depth>3</depth></size>\n\t<segmented>0</segmented>\n"
    );
    for (k, (label, [left, top, right, bottom])) in boxes(scene, size).into_iter().enumerate() {
        let Some(class) = class(LABELS[label].name) else { continue };
        // One object in nine is hard to make out.
        let difficult = u8::from((picture + k) % 9 == 4);
        // VOC counts pixels from 1. Writing to a String cannot fail.
        let _ = writeln!(
            xml,
            "\t<object>\n\t\t<name>{class}</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n\t\t<difficult>{difficult}</difficult>\n\t\t\
<bndbox><xmin>{:.0}</xmin><ymin>{:.0}</ymin><xmax>{:.0}</xmax><ymax>{:.0}</ymax></bndbox>\n\t</object>",
            left + 1.0,
            top + 1.0,
            right,
            bottom
        );
    }
    xml + "</annotation>\n"
}
