//! `Loss` in scripts.

use std::fmt;

use serde_json::Value;

use super::tensor::TensorValue;
use super::tensor::checks::work;
use crate::error::Result;
use crate::losses::LossSpec;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::torch::meeting::together;

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
        members.method("of", |loss: &Self, logits: TensorValue, targets: TensorValue| loss.compute(&logits, &targets));
    }

    fn to_json(&self) -> Option<Result<Value, String>> {
        Some(serde_json::to_value(&self.spec).map_err(|e| e.to_string()))
    }
}

kind_value!(LossValue);

impl LossValue {
    /// The loss as a scalar tensor.
    pub fn compute(&self, logits: &TensorValue, targets: &TensorValue) -> Result<TensorValue> {
        let (logits, targets) = together(self.spec.name(), &logits.0, &targets.0)?;
        work(self.spec.name(), &logits)?;
        work(self.spec.name(), &targets)?;
        self.spec.compute(&logits, &targets).map(TensorValue::from)
    }
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
