//! `single_label_partition`: every label a task of its own.

use crate::error::Result;
use crate::graph::Partition;
use crate::primitives::parameters::LabelsOf;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "single_label_partition",
    chapter: Chapter::Graph,
    signatures: &["single_label_partition(labels) -> Partition"],
    summary: "Every label as a task of its own: as many binary teachers as labels, the far end of decomposition.",
    details: "labels is an array of names, or anything that has labels: a LabelTable, Cooccurrence, Affinity or Partition.",
    options: None,
    examples: &[Example { code: "single_label_partition([\"a\", \"b\", \"c\"]).sizes", prints: "[1, 1, 1]" }],
    register: |word| {
        word.form(single_label_partition);
    },
};

fn single_label_partition(labels: LabelsOf) -> Result<Partition> {
    let tasks: Vec<Vec<&String>> = labels.0.iter().map(|label| vec![label]).collect();
    Partition::from_tasks(&labels.0, &tasks)
}
