//! `write_miniature`: a small stand-in for a public data set, made from emoji-scenes.

use std::path::PathBuf;

use crate::error::Result;
use crate::images::scenes::{self, SceneOptions};
use crate::options;
use crate::options::Range;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "write_miniature",
    chapter: Chapter::Labels,
    signatures: &["write_miniature(name, folder)", "write_miniature(name, folder, #{options})"],
    summary: "Writes a small stand-in for a public data set in its exact layout, from emoji-scenes.",
    details: "name is that of dataset(...): \"coco2014\", \"coco2017\", \"voc2007\", \"voc2012\", \"nuswide\", \"openimages\" or \"visual-genome-500\". Annotation \
files, folders and file names are the download's own; grey-scale and CMYK pictures, pictures without any label, gaps between ids, crowds, difficult \
objects and refuted labels are there too. A script that runs on it runs on the real one.",
    options: Some(OptionDocs::of::<MiniatureOptions>()),
    examples: &[Example {
        code: "write_miniature(\"voc2007\", \"out/example/voc\", #{train: 20, test: 10, size: 64});\ndataset(\"voc2007\", #{root: \"out/example/voc\"}).keys()",
        prints: "[\"test\", \"train\", \"val\"]",
    }],
    register: |word| {
        word.form(write_miniature);
    },
};

options! {
    /// The options of `write_miniature`.
    struct MiniatureOptions {
        /// number of training pictures
        pub train: usize = 120, in Range::FromTo(0.0, 1e6);
        /// number of test pictures
        pub test: usize = 60, in Range::FromTo(0.0, 1e6);
        /// side of the square pictures, in pixels
        pub size: u32 = 96;
        /// decides every picture
        pub seed: u64 = 0;
    }
}

fn write_miniature(name: String, folder: PathBuf, options: MiniatureOptions) -> Result<()> {
    let MiniatureOptions { train, test, size, seed } = options;
    let options = SceneOptions { seed, train, val: test, test, test_shifted: 0, size, ..SceneOptions::default() };
    scenes::write_miniature(&name, &options, &folder)
}
