//! The settings in which two runs differ.

use serde_json::Value;

use super::settings::{NONE, written};
use crate::error::Result;
use crate::options::defaults;
use crate::runs::Run;
use crate::training::{DistillOptions, TrainOptions};

/// A setting with its value in either run, as texts for readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `lr`, `model.backbone`, `distillation.weights`; options have no prefix.
    pub setting: String,
    pub this: String,
    pub other: String,
}

/// Every setting whose value differs, in the order of the specifications. Empty for one and the same run. The values themselves are
/// compared, not their texts. Options that a specification leaves out have their defaults.
///
/// Errors: a specification that is damaged.
pub fn differences(this: &Run, other: &Run) -> Result<Vec<Difference>> {
    Ok(between(&whole(this.spec()?), &whole(other.spec()?)))
}

/// The specification with the options that it leaves out.
fn whole(mut spec: Value) -> Value {
    if let Some(options) = spec.get_mut("options").and_then(Value::as_object_mut) {
        let usual = defaults::<TrainOptions>();
        for (key, value) in usual.as_object().into_iter().flatten().filter(|(key, _)| !BESIDE.contains(&key.as_str())) {
            let _ = options.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    if let Some(distillation) = spec.get_mut("distillation").and_then(Value::as_object_mut) {
        let usual = defaults::<DistillOptions>();
        for (key, option) in [("teacher_weights", "teacher_weights"), ("scale", "distill_scale")] {
            let _ = distillation.entry(key).or_insert_with(|| usual[option].clone());
        }
    }
    spec
}

/// Options that a specification never has.
const BESIDE: [&str; 7] = ["name", "tags", "threads", "workers", "executor", "per_gpu", "deterministic"];

fn between(this: &Value, other: &Value) -> Vec<Difference> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    walk("", this, &mut a);
    walk("", other, &mut b);
    let of =
        |all: &[(String, Value)], key: &str| all.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    let later = b.iter().filter(|(key, _)| a.iter().all(|(known, _)| known != key));
    let keys: Vec<&String> = a.iter().chain(later).map(|(key, _)| key).collect();
    let differing = keys.into_iter().filter_map(|key| {
        let (this, other) = (of(&a, key), of(&b, key));
        // 1 and 1.0 are the same option.
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
        let equal = this == other || number(&this).is_some() && number(&this) == number(&other);
        (!equal).then(|| {
            let (this, other) = told_apart(this.as_ref(), other.as_ref());
            Difference { setting: key.clone(), this, other }
        })
    });
    differing.collect()
}

/// The leaves of a specification with their keys. Arrays are leaves.
fn walk(prefix: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                // Options are known by their own names.
                let key = match prefix {
                    "" | "options" => key.clone(),
                    prefix => format!("{prefix}.{key}"),
                };
                walk(&key, value, leaves);
            }
        }
        _ => leaves.push((prefix.to_string(), value.clone())),
    }
}

/// Two values as texts that differ.
fn told_apart(this: Option<&Value>, other: Option<&Value>) -> (String, String) {
    let text = |value: Option<&Value>| value.map_or(NONE.to_string(), written);
    let (a, b) = (text(this), text(other));
    if a != b {
        return (a, b);
    }
    // Long arrays of one length.
    if let (Some(Value::Array(this)), Some(Value::Array(other))) = (this, other)
        && let Some(at) = this.iter().zip(other).position(|(a, b)| a != b)
    {
        let (one, two) = told_apart(this.get(at), other.get(at));
        return (format!("{a}, [{at}] is {one}"), format!("{b}, [{at}] is {two}"));
    }
    let json = |value: Option<&Value>| value.map_or(NONE.to_string(), Value::to_string);
    (json(this), json(other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(this: Value, other: Value) -> Vec<[String; 3]> {
        between(&whole(this), &whole(other)).into_iter().map(|d| [d.setting, d.this, d.other]).collect()
    }

    #[test]
    fn values_are_compared_and_options_that_are_left_out_have_their_defaults() {
        let base =
            json!({"labels": ["a", "b"], "options": {"lr": 0.1, "model": {"backbone": "x"}}, "distillation": null});
        let with = |key: &str, value: Value| {
            let mut spec = base.clone();
            spec["options"][key] = value;
            spec
        };
        assert!(rows(base.clone(), base.clone()).is_empty());
        // "onecycle" is the default, and 0.1 is 0.1 whatever its form.
        assert!(rows(base.clone(), with("schedule", json!("onecycle"))).is_empty());
        assert!(rows(with("epochs", json!(3)), with("epochs", json!(3.0))).is_empty());
        assert_eq!(
            rows(base.clone(), with("schedule", json!("step"))),
            [["schedule", "onecycle", "step"].map(String::from)]
        );
        assert_eq!(
            rows(base.clone(), with("model", json!({"backbone": "y", "path": "p"}))),
            [["model.backbone", "x", "y"], ["model.path", NONE, "p"]].map(|row| row.map(String::from))
        );
    }

    #[test]
    fn long_arrays_that_differ_in_one_place_differ() {
        let labels = |last: &str| {
            let mut names: Vec<String> = (0..80).map(|i| format!("label {i}")).collect();
            names[79] = last.to_string();
            json!({ "labels": names })
        };
        let all = rows(labels("x"), labels("y"));
        assert_eq!(all, [["labels", "80 values, [79] is x", "80 values, [79] is y"].map(String::from)]);
    }
}
