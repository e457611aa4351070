//! `load_labels`: a label table from a file or folder.

use std::path::PathBuf;

use crate::labels::{LabelTable, LoadOptions, load};
use crate::primitives::values::table::TableValue;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "load_labels",
    chapter: Chapter::Labels,
    signatures: &[
        "load_labels(path) -> LabelTable",
        "load_labels(path, #{options}) -> LabelTable",
        "load_labels(table) -> LabelTable",
        "load_labels(table, #{options}) -> LabelTable",
    ],
    summary: "Reads which image has which labels from a file, a folder or a Table.",
    details: "The format is told from the content unless it is given: CSV and Parquet, long (one row per pair, or several labels in a \
cell: a|b, ['a', 'b'], {'a', 'b'}) or wide (one column of 0 and 1 per label), COCO instances JSON, VOC XML and class lists, NUS-WIDE, YOLO, MULAN's ARFF, \
Hugging Face's metadata files, text lists; docs/labels.md says for each what to type. Where a file can be read in two ways, a line says which \
was taken and which option chooses. A pair that comes twice counts once; one that is given as present and as absent counts as present. \
Errors name the file, the line or record, and what was expected.",
    options: Some(OptionDocs::of::<LoadOptions>()),
    examples: &[Example {
        code: "table([#{image: \"1.jpg\", label: \"cat\"}, #{image: \"1.jpg\", label: \"sofa\"}, #{image: \"2.jpg\", label: \"cat\"}]).write_csv(\"out/example/labels.csv\");\nlet labels = load_labels(\"out/example/labels.csv\");\nlabels.labels",
        prints: "\"cat\", \"sofa\"",
    }],
    register: |word| {
        word.form(|path: PathBuf, options: LoadOptions| load(&path, &options))
            .form(|table: TableValue, options: LoadOptions| LabelTable::from_frame(&table.0.frame, &options));
    },
};
