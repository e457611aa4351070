//! Callbacks that may end a training, as options: whether there is one, and whether its code counts.
//!
//! A callback that ends a training decides its result. Its code counts in the run's name where it may end one: where it has the text
//! "stop". One that gives "stop" all the same, put together from other texts, is an error.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Tensor;

use crate::error::Result;
use crate::losses::Script;

/// A callback of a script, as an option of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Hook {
    #[default]
    None,
    /// It only looks on: no part of the run's name.
    Watches,
    /// It may end the training, and is identified by its code.
    MayStop(Script),
}

const WATCHES: &str = "watches";

impl Serialize for Hook {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Hook::None => serializer.serialize_none(),
            Hook::Watches => WATCHES.serialize(serializer),
            Hook::MayStop(script) => json!({ "script": script }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Hook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hook, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let script = || serde_json::from_value(value.get("script")?.clone()).ok().map(Hook::MayStop);
        match &value {
            Value::Null => Ok(Hook::None),
            Value::String(text) if text == WATCHES => Ok(Hook::Watches),
            _ => script().ok_or_else(|| D::Error::custom("a closure of one argument")),
        }
    }
}

impl Hook {
    pub fn is_none(&self) -> bool {
        *self == Hook::None
    }

    pub fn may_stop(&self) -> bool {
        matches!(self, Hook::MayStop(_))
    }
}

/// The numbers of one update, for a callback.
pub struct BatchLine {
    /// The training's name.
    pub name: String,
    /// From 1.
    pub epoch: u64,
    /// Batches of this epoch so far.
    pub step: u64,
    /// Updates of the training so far.
    pub update: u64,
    /// That of the update's last batch.
    pub loss: f64,
    pub lr: f64,
    /// The Euclidean norm of the gradient, before it is clipped.
    pub grad_norm: f64,
    /// Logits and targets `[n, m]` of the last batch, on the training's device, where they are asked for.
    pub outputs: Option<[Tensor; 2]>,
}

/// Receives every update's numbers. An error stops the training.
pub type OnBatch<'a> = &'a dyn Fn(BatchLine) -> Result<()>;

/// Who ended a training before its last epoch, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The option of the callback.
    pub by: String,
    /// The epoch in which or after which it ended, from 1.
    pub epoch: u64,
    /// Batches of that epoch, if it ended within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
}
