//! `write_scenes`: emoji-scenes as files in COCO's layout.

use std::path::PathBuf;

use crate::images::scenes::{self, SceneOptions};
use crate::options::{OptionDoc, Options};
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "write_scenes",
    chapter: Chapter::Labels,
    signatures: &["write_scenes(folder)", "write_scenes(folder, #{options})"],
    summary: "Writes emoji-scenes as JPEG folders and instances JSON in the exact layout of COCO 2014.",
    details: "`dataset(\"coco2014\", #{root: folder})` reads it back; write_miniature has other layouts, and the irregular pictures and annotations of real downloads. Category ids, supercategories, id gaps, boxes and areas are \
COCO's. Takes the options of dataset(\"emoji-scenes\").",
    options: Some(OptionDocs {
        // The files hold other splits than the data set.
        docs: || {
            let text = |doc: OptionDoc| match doc.key {
                "train" => "number of pictures in train2014",
                "val" => "not written: coco2014 takes its validation split from train",
                "test" => "number of pictures in val2014",
                "test_shifted" => "not written",
                _ => doc.text,
            };
            SceneOptions::docs().into_iter().map(|doc| OptionDoc { text: text(doc), ..doc }).collect()
        },
        ..OptionDocs::of::<SceneOptions>()
    }),
    examples: &[Example {
        code: "write_scenes(\"out/example/coco\", #{train: 20, test: 5, size: 64});\ndataset(\"coco2014\", #{root: \"out/example/coco\"}).test.len()",
        prints: "5",
    }],
    register: |word| {
        word.form(|folder: PathBuf, options: SceneOptions| scenes::write_coco(&options, &folder));
    },
};
