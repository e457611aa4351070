//! `merge`: teachers back into label order.

use rhai::{Array, Engine, Map};
use serde::{Deserialize, Serialize};

use crate::primitives::glue;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::model::ModelValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Ensemble;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    labels: Option<Vec<String>>,
}

pub const WORD: Word = Word {
    name: "merge",
    chapter: Chapter::Training,
    signatures: &["merge(teachers) -> Ensemble", "merge(teachers, #{labels}) -> Ensemble"],
    summary: "Concatenates teachers' outputs and puts them back into label order: the paper's ρ.",
    details: "Every label of the data set must belong to exactly one teacher: gaps and overlaps are refused by name.",
    options: Some(OptionDocs {
        defaults: options::defaults::<Options>,
        docs: || crate::options::list(&[("labels", "the order to merge into; () is the data set's own")]),
    }),
    examples: &[Example {
        code: "let a = model(\"small_cnn\", #{labels: [\"dog\"]});\nlet b = model(\"small_cnn\", #{labels: [\"cat\"]});\nmerge([a, b], #{labels: [\"cat\", \"dog\"]}).labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("merge", |teachers: Array| merge(&teachers, Map::new()));
    engine.register_fn("merge", |teachers: Array, map: Map| merge(&teachers, map));
}

fn merge(teachers: &Array, map: Map) -> Fallible<EnsembleValue> {
    let options: Options = options::parse("merge", &map).or_raise()?;
    let teachers = teachers
        .iter()
        .map(|t| glue::expect::<ModelValue>("merge", "every teacher", "a Model", t).map(|m| m.0))
        .collect::<Result<Vec<_>, _>>()
        .or_raise()?;
    Ensemble::merge(teachers, options.labels).map(EnsembleValue).or_raise()
}
