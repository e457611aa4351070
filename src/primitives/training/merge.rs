//! `merge`: teachers back into label order.

use rhai::{Array, Dynamic, FnPtr, Map};
use serde_json::json;

use crate::error::{Error, Result};
use crate::losses::Script;
use crate::primitives::parameters::expect;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{fingerprint, options};
use crate::training::merge_rule::{Combined, Rule, RuleKind};
use crate::training::{Ensemble, Trained};

crate::options! {
    struct MergeOptions {
        /// the order to merge into; () is the data set's own
        pub labels: Option<Vec<String>> = None;
        /// makes one output of those of several teachers of a label: "mean", "max", or a closure |outputs| on a Tensor [teachers, images, labels]
        /// that gives [images, labels]; () allows one teacher per label
        pub rule: Option<RuleKind> = None;
        /// rule: what it combines, "logits" or "probabilities"
        pub of: Combined = Combined::Logits;
    }
}

pub const WORD: Word = Word {
    name: "merge",
    chapter: Chapter::Training,
    signatures: &["merge(teachers) -> Ensemble", "merge(teachers, #{labels, rule, of}) -> Ensemble"],
    summary: "Puts the outputs of teachers back into label order, or combines those of several teachers of a label.",
    details: "The operator ρ of the paper: position j of the merged output is the logit of label j. Without a rule every label must have exactly one \
teacher, and an error names labels that are missing or taught twice. With a rule each has at least one: merge(students, #{rule: \"mean\"}) \
is an ensemble of students, which predict and evaluate take, and distill. The rule combines logits, as distillation compares them; with \
of: \"probabilities\" it combines their sigmoids (the mean is then that of scikit-learn's soft voting), and the result is a logit again. \
\"mean\" and \"max\" leave the label of a single teacher as it is. A closure is called with the outputs of all labels that equally many \
teachers know, single ones included, the teachers in their order; its code is part of the runs that it teaches.",
    options: Some(OptionDocs::of::<MergeOptions>()),
    examples: &[
        Example {
            code: "let a = model(\"small_cnn\", #{labels: [\"dog\"]});\nlet b = model(\"small_cnn\", #{labels: [\"cat\"]});\nmerge([a, b], #{labels: [\"cat\", \"dog\"]}).labels",
            prints: "[\"cat\", \"dog\"]",
        },
        Example {
            code: "let a = model(\"small_cnn\", #{labels: [\"cat\", \"dog\"]});\nlet b = model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], seed: 1});\nmerge([a, b], #{rule: \"mean\", of: \"probabilities\"})",
            prints: "Ensemble of 2 teachers for 2 labels (2 + 2), mean of probabilities",
        },
    ],
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

/// The options, and the closure among them.
#[derive(Default)]
struct Merging {
    options: MergeOptions,
    closure: Option<FnPtr>,
}

impl Parameter for Merging {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        let combines = map.contains_key("of");
        let closure = map.get("rule").and_then(|rule| rule.clone().try_cast::<FnPtr>());
        if let Some(closure) = &closure {
            let script = Script { code: fingerprint::of_closure(closure, call.native, call.host) };
            map.insert("rule".into(), options::from_json(&json!(RuleKind::Script(script))));
        }
        let options = MergeOptions::read(map.into(), call)?;
        if combines && options.rule.is_none() {
            let message = "option \"of\" of merge has no effect without the option \"rule\", which combines outputs";
            return Err(Error::argument(message).about_option("of"));
        }
        Ok(Merging { options, closure })
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(Merging::default())
    }
}

fn merge(teachers: Teachers, Merging { options, closure }: Merging) -> Result<EnsembleValue> {
    let MergeOptions { labels, rule, of } = options;
    let ensemble = Ensemble::merge_by(teachers.0, labels, rule.map(|kind| Rule { kind, of }))?;
    Ok(EnsembleValue(ensemble, closure))
}
