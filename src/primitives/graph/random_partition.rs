//! `random_partition`: k even tasks by chance, to compare with.

use crate::error::Result;
use crate::graph::{self, Partition};
use crate::primitives::parameters::{LabelsOf, OnlySeed, TaskCount};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "random_partition",
    chapter: Chapter::Graph,
    signatures: &["random_partition(labels, k) -> Partition", "random_partition(labels, k, #{seed}) -> Partition"],
    summary: "Divides labels into k tasks of even size by chance: the control for any other partition.",
    details: "labels is an array of names, or anything that has labels: a LabelTable, Cooccurrence, Affinity or Partition.",
    options: Some(OptionDocs::of::<OnlySeed>()),
    examples: &[Example {
        code: "random_partition([\"a\", \"b\", \"c\", \"d\"], 2, #{seed: 1}).sizes",
        prints: "[2, 2]",
    }],
    register: |word| {
        word.form(random_partition);
    },
};

fn random_partition(call: &Call, labels: LabelsOf, k: TaskCount, options: OnlySeed) -> Result<Partition> {
    graph::random_partition(&labels.0, k.of(labels.0.len(), call)?, options.seed)
}
