//! `load_partition`: a partition file in the authors' form.

use std::path::PathBuf;

use crate::error::Result;
use crate::graph::Partition;
use crate::primitives::parameters::Names;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "load_partition",
    chapter: Chapter::Graph,
    signatures: &["load_partition(path, labels) -> Partition"],
    summary: "Reads a partition in the authors' form: a JSON list, one object per task, {\"label index\": position in the teacher's output}.",
    details: "labels is the array of names that the indices count; p.save(path) writes the same form.",
    options: None,
    examples: &[Example {
        code: "let labels = [\"a\", \"b\", \"c\", \"d\"];\nlet p = random_partition(labels, 2);\np.save(\"out/example/tasks.json\");\nload_partition(\"out/example/tasks.json\", labels).ari(p)",
        prints: "1.0",
    }],
    register: |word| {
        word.form(load_partition);
    },
};

fn load_partition(path: PathBuf, labels: Names) -> Result<Partition> {
    Partition::load(&path, &labels.0).map_err(|error| error.about_file(&path))
}
