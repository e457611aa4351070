//! `cooccurrence`: how often labels appear together.

use std::path::PathBuf;

use crate::error::Result;
use crate::graph::Cooccurrence;
use crate::images::Dataset;
use crate::labels::{LabelTable, count_files};
use crate::primitives::parameters::Paths;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "cooccurrence",
    chapter: Chapter::Graph,
    signatures: &[
        "cooccurrence(labels) -> Cooccurrence",
        "cooccurrence(dataset) -> Cooccurrence",
        "cooccurrence(path) -> Cooccurrence",
        "cooccurrence(paths) -> Cooccurrence",
    ],
    summary: "Counts how many images have each label (n_i) and each pair of labels (e_ij).",
    details: "Counts of shards add up: cooccurrence(a) + cooccurrence(b) is the count of both tables together; a label \
that only one of them has counts 0 in the other. Entries of unknown truth count as absent. A path is a long Parquet file (columns image,label) or a folder of them, which \
is read in parts, so that a table larger than the memory can be counted; anything else goes through load_labels.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet c = cooccurrence(data.train);\nc.count(\"person\") >= c.pair(\"person\", \"dog\")",
        prints: "true",
    }],
    register: |word| {
        word.form(|labels: LabelTable| count(&labels))
            .form(|dataset: Dataset| count(&dataset.labels))
            .form(|path: PathBuf| count_files(std::slice::from_ref(&path)).map_err(|error| error.about_file(&path)))
            .form(|paths: Paths| count_files(&paths.0.into_iter().map(PathBuf::from).collect::<Vec<_>>()));
    },
};

fn count(labels: &LabelTable) -> Result<Cooccurrence> {
    let (offsets, indices) = labels.csr();
    Cooccurrence::count(labels.labels(), offsets, indices)
}
