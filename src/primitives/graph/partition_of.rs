//! `partition`: tasks given by hand.

use rhai::{Array, Dynamic};

use crate::error::{Error, Result};
use crate::graph::Partition;
use crate::primitives::parameters::{LabelsOf, strings};
use crate::script::call::Call;
use crate::script::vocabulary;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "partition",
    chapter: Chapter::Graph,
    signatures: &["partition(labels, tasks) -> Partition"],
    summary: "A partition from tasks given by hand: an array of arrays of label names.",
    details: "labels is the order of all labels: names, or anything that has labels. A label in two tasks or in none is an error that names it.",
    options: None,
    examples: &[Example {
        code: "partition([\"a\", \"b\", \"c\"], [[\"a\", \"c\"], [\"b\"]]).sizes",
        prints: "[2, 1]",
    }],
    register: |word| {
        word.form(partition);
    },
};

fn partition(call: &Call, labels: LabelsOf, tasks: Array) -> Result<Partition> {
    let task = |task: &Dynamic| match task.as_array_ref() {
        Ok(task) => strings(&task, call, "a task"),
        Err(came) => Err(Error::argument(format!(
            "{}: a task must be an array of names; got {}",
            call.name,
            vocabulary::a_user_name(came)
        ))),
    };
    Partition::from_tasks(&labels.0, &tasks.iter().map(task).collect::<Result<Vec<_>>>()?)
}
