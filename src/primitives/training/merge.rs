//! `merge`: teachers back into label order.

use rhai::{Array, Dynamic};

use crate::error::Result;
use crate::primitives::parameters::expect;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::{Ensemble, Trained};

crate::options! {
    struct MergeOptions {
        /// the order to merge into; () is the data set's own
        pub labels: Option<Vec<String>> = None;
    }
}

pub const WORD: Word = Word {
    name: "merge",
    chapter: Chapter::Training,
    signatures: &["merge(teachers) -> Ensemble", "merge(teachers, #{labels}) -> Ensemble"],
    summary: "Concatenates teachers' outputs and puts them back into label order: the paper's ρ.",
    details: "Every label of the data set must belong to exactly one teacher: gaps and overlaps are refused by name.",
    options: Some(OptionDocs::of::<MergeOptions>()),
    examples: &[Example {
        code: "let a = model(\"small_cnn\", #{labels: [\"dog\"]});\nlet b = model(\"small_cnn\", #{labels: [\"cat\"]});\nmerge([a, b], #{labels: [\"cat\", \"dog\"]}).labels",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |word| {
        word.form(merge);
    },
};

/// An array of models.
struct Teachers(Vec<Trained>);

impl Parameter for Teachers {
    type Value = Array;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let teacher = |item: &Dynamic| expect(item, call, "every teacher", "a Model").map(|model: ModelValue| model.0);
        value.cast::<Array>().iter().map(teacher).collect::<Result<_>>().map(Teachers)
    }
}

fn merge(teachers: Teachers, options: MergeOptions) -> Result<EnsembleValue> {
    Ensemble::merge(teachers.0, options.labels).map(EnsembleValue)
}
