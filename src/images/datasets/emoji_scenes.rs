//! `emoji-scenes`: the embedded data set.

use super::DatasetKind;
use crate::images::scenes::{self, SceneOptions};
use crate::options::OptionDocs;

pub const EMOJI_SCENES: DatasetKind = DatasetKind {
    name: "emoji-scenes",
    summary: "scenes of emoji under COCO's label names, made on the fly; splits train, val, test, test_shifted (contexts broken)",
    options: OptionDocs::of::<SceneOptions>(),
    open: |request| scenes::splits(&super::options::<SceneOptions>("emoji-scenes", request.options)?),
};
