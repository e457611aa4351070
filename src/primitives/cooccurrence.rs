//! `cooccurrence`: how often labels appear together.

use rhai::Engine;

use super::{Chapter, Example, Word};
use crate::graph::Cooccurrence;
use crate::images::Dataset;
use crate::labels::LabelTable;
use crate::script::errors::{Fallible, OrRaise};

pub const WORD: Word = Word {
    name: "cooccurrence",
    chapter: Chapter::Graph,
    signatures: &["cooccurrence(labels) -> Cooccurrence", "cooccurrence(dataset) -> Cooccurrence"],
    summary: "Counts how many images have each label (n_i) and each pair of labels (e_ij).",
    details: "Counts of shards add up: cooccurrence(a) + cooccurrence(b) is the count of both tables together.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet c = cooccurrence(data.train);\nc.count(\"person\") >= c.pair(\"person\", \"dog\")",
        prints: "true",
    }],
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("cooccurrence", |labels: LabelTable| count(&labels));
    engine.register_fn("cooccurrence", |dataset: Dataset| count(&dataset.labels));
}

fn count(labels: &LabelTable) -> Fallible<Cooccurrence> {
    let (offsets, indices) = labels.csr();
    Cooccurrence::count(labels.labels(), offsets, indices).or_raise()
}
