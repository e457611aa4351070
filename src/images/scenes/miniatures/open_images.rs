//! Open Images: human-verified image labels, confirmed and refuted, as CSV with machine ids.

use std::path::Path;

use super::super::catalogue::LABELS;
use super::{SceneOptions, Split, names, pictures, write_text};
use crate::error::Result;

/// Writes class descriptions, the trainable classes, image labels per split, and the pictures in `train`, `validation`, `test`.
pub fn write(options: &SceneOptions, root: &Path) -> Result<()> {
    for (split, folder) in [(Split::Train, "train"), (Split::Val, "validation"), (Split::Test, "test")] {
        let id = |i: usize| format!("{:016x}", (split as u64 + 1) * 0x0101_0000_0000 + i as u64 * 0x9e37);
        let scenes = pictures(options, split, &root.join(folder), true, |i| format!("{}.jpg", id(i)).into())?;
        let mut csv = String::from("ImageID,Source,LabelName,Confidence\n");
        for (i, scene) in scenes.iter().enumerate() {
            let shown = names(scene);
            for name in &shown {
                csv.push_str(&format!("{},verification,{},1\n", id(i), machine_id(name)));
            }
            // A label that people looked for and did not find.
            if let Some(absent) = LABELS.iter().cycle().skip(i).take(LABELS.len()).find(|l| !shown.contains(&l.name)) {
                csv.push_str(&format!("{},verification,{},0\n", id(i), machine_id(absent.name)));
            }
        }
        write_text(
            &root.join(format!(
                "oidv7-{}-annotations-human-imagelabels.csv",
                if folder == "validation" { "val" } else { folder }
            )),
            &csv,
        )?;
    }
    let descriptions: String = LABELS.iter().map(|l| format!("{},{}\n", machine_id(l.name), l.name)).collect();
    // Described, but not one that models are trained on.
    write_text(
        &root.join("oidv7-class-descriptions.csv"),
        &format!("LabelName,DisplayName\n{descriptions}/m/0zzzz,\"Emoji, in general\"\n"),
    )?;
    let trainable: String = LABELS.iter().map(|l| machine_id(l.name) + "\n").collect();
    write_text(&root.join("oidv7-classes-trainable.txt"), &trainable)
}

fn machine_id(name: &str) -> String {
    let code = name.bytes().fold(7u64, |code, byte| (code * 31 + u64::from(byte)) % 0xff_ffff);
    format!("/m/0{code:06x}")
}
