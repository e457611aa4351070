//! `random_partition`: k even tasks by chance, to compare with.

use rhai::{Dynamic, Engine, Map};
use serde::{Deserialize, Serialize};

use crate::graph::{self, Partition};
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    seed: u64,
}

pub const WORD: Word = Word {
    name: "random_partition",
    chapter: Chapter::Graph,
    signatures: &["random_partition(labels, k) -> Partition", "random_partition(labels, k, #{seed}) -> Partition"],
    summary: "Divides labels into k tasks of even size by chance: the control for any other partition.",
    details: "labels is an array of names, or anything that has labels: a LabelTable, Cooccurrence, Affinity or Partition.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || crate::options::list(&[("seed", "decides the draw")]),
    }),
    examples: &[Example {
        code: "random_partition([\"a\", \"b\", \"c\", \"d\"], 2, #{seed: 1}).sizes",
        prints: "[2, 2]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("random_partition", |labels: Dynamic, k: i64| random(labels, k, Map::new()));
    engine.register_fn("random_partition", random);
}

fn random(labels: Dynamic, k: i64, map: Map) -> Fallible<Partition> {
    let options: Options = options::parse("random_partition", &map).or_raise()?;
    let labels = glue::labels_of("random_partition", &labels).or_raise()?;
    let k = glue::task_count("random_partition", k, labels.len()).or_raise()?;
    graph::random_partition(&labels, k, options.seed).or_raise()
}
