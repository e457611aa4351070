//! `Loss` in scripts.

use std::fmt;

use rhai::{Engine, Map};

use super::tensor::TensorValue;
use crate::error::Error;
use crate::losses::{Loss, LossSpec};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise, raise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;

/// A loss with its options as scripts hold it.
#[derive(Clone)]
pub struct LossValue {
    pub spec: LossSpec,
}

impl KindOfValue for LossValue {
    const NAME: &'static str = "Loss";
    const SUMMARY: &'static str = "A loss with its options: an option of a training, or called on tensors.";
    const MEMBERS: &'static [Member] = &[Member::new("of(logits, targets)", "the loss as a scalar Tensor")];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(LossValue);

fn register(engine: &mut Engine) {
    engine.register_fn("of", |loss: &mut LossValue, logits: TensorValue, targets: TensorValue| {
        compute(&loss.spec, &logits, &targets)
    });
}

fn compute(spec: &LossSpec, logits: &TensorValue, targets: &TensorValue) -> Fallible<TensorValue> {
    spec.compute(&logits.0, &targets.0).map(TensorValue::from).or_raise()
}

/// Registers `name()`, `name(#{options})`, `name(logits, targets)` and `name(logits, targets, #{options})`.
pub fn register_loss<L: Loss>(engine: &mut Engine, name: &'static str) {
    let make = move |map: &Map| -> Fallible<LossSpec> {
        let spec: LossSpec = options::parse::<L>(name, map).or_raise()?.into();
        spec.validate().or_raise()?;
        Ok(spec)
    };
    engine
        .register_fn(name, move || -> Fallible<LossValue> { Ok(LossValue { spec: make(&Map::new())? }) })
        .register_fn(name, move |map: Map| -> Fallible<LossValue> { Ok(LossValue { spec: make(&map)? }) })
        .register_fn(name, move |logits: TensorValue, targets: TensorValue| -> Fallible<TensorValue> {
            compute(&make(&Map::new())?, &logits, &targets)
        })
        .register_fn(name, move |logits: TensorValue, targets: TensorValue, map: Map| -> Fallible<TensorValue> {
            compute(&make(&map)?, &logits, &targets)
        });
}

impl fmt::Display for LossValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_value(&self.spec).unwrap_or_default();
        let options: Vec<String> = json
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(k, _)| *k != "name")
            .map(|(k, v)| format!("{k}: {v}"))
            .collect();
        write!(f, "{}(#{{{}}})", self.spec.name(), options.join(", "))
    }
}

/// For words that take a loss but were given something else.
pub fn not_a_loss(word: &str, came: &str) -> Box<rhai::EvalAltResult> {
    raise(Error::argument(format!("{word} takes a Loss such as asl(#{{gamma_neg: 2}}); got a {came}")))
}
