//! `write_miniature`: a small stand-in for a public data set, made from emoji-scenes.

use std::path::Path;

use rhai::{Engine, Map};
use serde::{Deserialize, Serialize};

use crate::images::scenes::{self, SceneOptions};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "write_miniature",
    chapter: Chapter::Labels,
    signatures: &["write_miniature(name, folder)", "write_miniature(name, folder, #{options})"],
    summary: "Writes a small stand-in for a public data set in its exact layout, from emoji-scenes.",
    details: "name is that of dataset(...): \"coco2014\", \"coco2017\", \"voc2007\", \"voc2012\", \"nuswide\", \"openimages\" or \"visual-genome-500\". Annotation \
files, folders and file names are the download's own; grey-scale and CMYK pictures, pictures without any label, gaps between ids, crowds, difficult \
objects and refuted labels are there too. A script that runs on it runs on the real one.",
    options: Some(OptionDocs {
        defaults: options::defaults::<MiniatureOptions>,
        docs: || {
            crate::options::list(&[
                ("train", "number of training pictures"),
                ("test", "number of test pictures"),
                ("size", "side of the square pictures, in pixels"),
                ("seed", "decides every picture"),
            ])
        },
    }),
    examples: &[Example {
        code: "write_miniature(\"voc2007\", \"out/example/voc\", #{train: 20, test: 10, size: 64});\ndataset(\"voc2007\", #{root: \"out/example/voc\"}).keys()",
        prints: "[\"test\", \"train\", \"val\"]",
    }],
    register: |r| register(r.engine),
};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MiniatureOptions {
    train: usize,
    test: usize,
    size: u32,
    seed: u64,
}

impl Default for MiniatureOptions {
    fn default() -> Self {
        MiniatureOptions { train: 120, test: 60, size: 96, seed: 0 }
    }
}

fn register(engine: &mut Engine) {
    engine.register_fn("write_miniature", |name: &str, folder: &str| write_miniature(name, folder, Map::new()));
    engine.register_fn("write_miniature", write_miniature);
}

fn write_miniature(name: &str, folder: &str, map: Map) -> Fallible<()> {
    let MiniatureOptions { train, test, size, seed } = options::parse("write_miniature", &map).or_raise()?;
    let options = SceneOptions { seed, train, val: test, test, test_shifted: 0, size };
    scenes::write_miniature(name, &options, Path::new(folder)).or_raise()
}
