//! `load_partition`: a partition file in the authors' form.

use rhai::{Array, Engine};

use crate::graph::Partition;
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "load_partition",
    chapter: Chapter::Graph,
    signatures: &["load_partition(path, labels) -> Partition"],
    summary: "Reads a partition in the authors' form: a JSON list, one object a task, {\"label index\": position in the teacher's output}.",
    details: "labels is the array of names that the indices count; p.save(path) writes the same form.",
    options: None,
    examples: &[Example {
        code: "let labels = [\"a\", \"b\", \"c\", \"d\"];\nlet p = random_partition(labels, 2);\np.save(\"out/example/tasks.json\");\nload_partition(\"out/example/tasks.json\", labels).ari(p)",
        prints: "1.0",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("load_partition", |path: &str, labels: Array| -> Fallible<Partition> {
        let labels = glue::names("load_partition", "the labels", &labels).or_raise()?;
        Partition::load(path, &labels).or_raise()
    });
}
