//! `emoji-scenes`: the embedded data set.

use super::DatasetKind;
use crate::images::scenes::{self, SceneOptions};

pub const EMOJI_SCENES: DatasetKind = DatasetKind {
    name: "emoji-scenes",
    summary: "scenes of emoji under COCO's label names, made on the fly; splits train, val, test, test_shifted (contexts broken)",
    open: |_, given| scenes::splits(&super::options::<SceneOptions>("emoji-scenes", given)?),
};
