//! `load_labels`: a label table from a file or folder.

use std::path::PathBuf;

use crate::labels::{LoadOptions, load};
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "load_labels",
    chapter: Chapter::Labels,
    signatures: &["load_labels(path) -> LabelTable", "load_labels(path, #{options}) -> LabelTable"],
    summary: "Reads which image has which labels from a file or folder.",
    details: "Formats: CSV and Parquet, long (columns image,label; one row per pair) or wide (one 0/1 column per label), COCO \
instances JSON, NUS-WIDE lists, VOC (XML and class lists), YOLO folders, ARFF of MULAN and MEKA, Hugging Face metadata and JSON lines, \
text lists. The format is told from the content unless it is given. Errors name the file, the \
line or record, and what was expected.",
    options: Some(OptionDocs::of::<LoadOptions>()),
    examples: &[Example {
        code: "table([#{image: \"1.jpg\", label: \"cat\"}, #{image: \"1.jpg\", label: \"sofa\"}, #{image: \"2.jpg\", label: \"cat\"}]).write_csv(\"out/example/labels.csv\");\nlet labels = load_labels(\"out/example/labels.csv\");\nlabels.labels",
        prints: "\"cat\", \"sofa\"",
    }],
    register: |word| {
        word.form(|path: PathBuf, options: LoadOptions| load(&path, &options));
    },
};
