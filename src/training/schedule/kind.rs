//! Which schedule a training has.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::losses::Script;

/// How the learning rate changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// A rise and a fall along half cosines, per update (Smith and Topin 2018).
    OneCycle,
    /// Multiplied by `gamma` at the beginning of some epochs.
    Step,
    /// A fall along half a cosine (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    Constant,
    /// A closure of a script that gives a factor on `lr`, identified by its code.
    Script(Script),
    /// A closure of a script that gives the rate itself, identified by its code.
    Rate(Script),
}

impl<'de> Deserialize<'de> for ScheduleKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ScheduleKind, D::Error> {
        const NAMES: &[&str] = &["onecycle", "step", "cosine", "constant"];
        let value = Value::deserialize(deserializer)?;
        if let Some(name) = value.as_str() {
            return match name {
                "onecycle" => Ok(ScheduleKind::OneCycle),
                "step" => Ok(ScheduleKind::Step),
                "cosine" => Ok(ScheduleKind::Cosine),
                "constant" => Ok(ScheduleKind::Constant),
                other => Err(D::Error::unknown_variant(other, NAMES)),
            };
        }
        let script = |key: &str| serde_json::from_value(value.get(key)?.clone()).ok();
        let script = script("script").map(ScheduleKind::Script).or_else(|| script("rate").map(ScheduleKind::Rate));
        script.ok_or_else(|| {
            D::Error::custom("\"onecycle\", \"step\", \"cosine\", \"constant\" or a closure, |step, total| or |now|")
        })
    }
}
