//! `single_label_partition`: every label a task of its own.

use rhai::{Dynamic, Engine};

use crate::graph::Partition;
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "single_label_partition",
    chapter: Chapter::Graph,
    signatures: &["single_label_partition(labels) -> Partition"],
    summary: "Every label as a task of its own: as many binary teachers as labels, the far end of decomposition.",
    details: "labels is an array of names, or anything that has labels: a LabelTable, Cooccurrence, Affinity or Partition.",
    options: None,
    examples: &[Example { code: "single_label_partition([\"a\", \"b\", \"c\"]).sizes", prints: "[1, 1, 1]" }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("single_label_partition", |labels: Dynamic| -> Fallible<Partition> {
        let labels = glue::labels_of("single_label_partition", &labels).or_raise()?;
        let tasks: Vec<Vec<&String>> = labels.iter().map(|label| vec![label]).collect();
        Partition::from_tasks(&labels, &tasks).or_raise()
    });
}
