//! `partition`: tasks given by hand.

use rhai::{Array, Dynamic, Engine};

use crate::error::{Error, Result};
use crate::graph::Partition;
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
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
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("partition", |labels: Dynamic, tasks: Array| -> Fallible<Partition> {
        from_tasks(&labels, &tasks).or_raise()
    });
}

fn from_tasks(labels: &Dynamic, tasks: &Array) -> Result<Partition> {
    let labels = glue::labels_of("partition", labels)?;
    let tasks = tasks
        .iter()
        .map(|task| match task.as_array_ref() {
            Ok(task) => glue::names("partition", "a task", &task),
            Err(came) => Err(Error::argument(format!(
                "partition: a task must be an array of names; got {}",
                crate::script::vocabulary::a_user_name(came)
            ))),
        })
        .collect::<Result<Vec<_>>>()?;
    Partition::from_tasks(&labels, &tasks)
}
