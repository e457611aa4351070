//! Visual Genome 500: the label numbers of each picture as JSON, lists of the splits, pictures in two folders.

use std::path::Path;

use serde_json::{Map, json};

use super::{SceneOptions, Split, picture_id, pictures, write_text};
use crate::error::Result;

/// Writes `vg_category_500_labels_index.json`, `train_list_500.txt`, `test_list_500.txt` and the pictures in `VG_100K` and
/// `VG_100K_2`.
pub fn write(options: &SceneOptions, root: &Path) -> Result<()> {
    let mut index = Map::new();
    for (split, name) in [(Split::Train, "train"), (Split::Test, "test")] {
        let file = |i: usize| format!("{}.jpg", picture_id(split, i) + 2_315_000);
        let scenes = pictures(options, split, root, true, |i| {
            Path::new(if i % 3 == 0 { "VG_100K_2" } else { "VG_100K" }).join(file(i))
        })?;
        for (i, scene) in scenes.iter().enumerate() {
            // The catalogue's labels are every twelfth of the five hundred.
            let numbers: Vec<u32> = scene.labels().into_iter().map(|label| label * 12).collect();
            index.insert(file(i), json!(numbers));
        }
        let list: String = (0..scenes.len()).map(|i| file(i) + "\n").collect();
        write_text(&root.join(format!("{name}_list_500.txt")), &list)?;
    }
    write_text(&root.join("vg_category_500_labels_index.json"), &serde_json::Value::Object(index).to_string())
}
