//! NUS-WIDE: one file of 0 and 1 per concept and split, lists of pictures with Windows' separators, pictures in folders.

use std::path::Path;

use super::super::layout::Scene;
use super::{SceneOptions, Split, names, picture_id, pictures, write_text};
use crate::error::Result;
use crate::images::datasets::concepts;

/// COCO's names of the concepts that emoji-scenes can show.
const CONCEPTS: [(&str, &str); 13] = [
    ("airplane", "plane"),
    ("bear", "bear"),
    ("bird", "birds"),
    ("boat", "boats"),
    ("book", "book"),
    ("car", "cars"),
    ("bus", "vehicle"),
    ("cat", "cat"),
    ("cow", "cow"),
    ("dog", "dog"),
    ("horse", "horses"),
    ("person", "person"),
    ("train", "train"),
];

/// Writes `ImageList/ImageList`, `Groundtruth/TrainTestLabels`, `ConceptsList/Concepts81.txt` and the pictures in `Flickr`.
pub fn write(options: &SceneOptions, root: &Path) -> Result<()> {
    let all = concepts();
    let mut list_of_all = String::new();
    for (split, name) in [(Split::Train, "Train"), (Split::Test, "Test")] {
        let path = |i: usize| format!("{}/{:04}_{}.jpg", folder(i), i + 1, picture_id(split, i));
        let scenes = pictures(options, split, &root.join("Flickr"), true, |i| path(i).into())?;
        let list: String = (0..scenes.len()).map(|i| path(i).replace('/', "\\") + "\r\n").collect();
        list_of_all.push_str(&list);
        write_text(&root.join("ImageList/ImageList").join(format!("{name}Imagelist.txt")), &list)?;
        for concept in &all {
            let flags: String = scenes.iter().map(|scene| if shows(scene, concept) { "1\n" } else { "0\n" }).collect();
            write_text(&root.join("Groundtruth/TrainTestLabels").join(format!("Labels_{concept}_{name}.txt")), &flags)?;
        }
    }
    write_text(&root.join("ImageList/ImageList/Imagelist.txt"), &list_of_all)?;
    write_text(&root.join("ConceptsList/Concepts81.txt"), &(all.join("\n") + "\n"))
}

fn folder(i: usize) -> &'static str {
    ["actor", "bedroom", "city", "dogs"][i % 4]
}

fn shows(scene: &Scene, concept: &str) -> bool {
    names(scene).iter().any(|name| CONCEPTS.iter().any(|(coco, known)| coco == name && *known == concept))
}
