//! The settings of runs, read from their specifications: shared ones and differing ones.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::Result;
use crate::runs::Run;
use crate::tables::{Cell, Table};

/// One setting of a subject. The key of `options.loss.name` is `loss.name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub key: String,
    pub value: String,
}

/// The value of a setting that a subject lacks.
pub(super) const NONE: &str = "–";

/// All settings of a subject's runs, in the order of the specification. Several runs are the teachers of an ensemble;
/// each of their different values is listed once. Empty without a run.
pub fn of(runs: &[Run]) -> Result<Vec<Setting>> {
    let specs = runs.iter().map(|run| Ok(flat(&run.spec()?))).collect::<Result<Vec<_>>>()?;
    let [first, others @ ..] = &specs[..] else { return Ok(specs.into_iter().next().unwrap_or_default()) };
    if others.is_empty() {
        return Ok(first.clone());
    }
    let count = Setting { key: "teachers".into(), value: specs.len().to_string() };
    let joined = keys(specs.iter()).into_iter().map(|key| {
        let mut values: Vec<&str> = specs.iter().map(|spec| value(spec, &key)).collect();
        if key != "labels" {
            values.dedup();
        }
        Setting { value: values.join(if key == "labels" { " + " } else { " / " }), key }
    });
    Ok(std::iter::once(count).chain(joined).collect())
}

/// The value of a setting, or a dash.
pub fn value<'a>(settings: &'a [Setting], key: &str) -> &'a str {
    settings.iter().find(|s| s.key == key).map_or(NONE, |s| &s.value)
}

/// All keys, in order of first appearance.
fn keys<'a>(all: impl Iterator<Item = &'a Vec<Setting>>) -> Vec<String> {
    let (mut seen, mut keys) = (BTreeSet::new(), Vec::new());
    for setting in all.flatten() {
        if seen.insert(&setting.key) {
            keys.push(setting.key.clone());
        }
    }
    keys
}

/// A specification as a list of settings.
fn flat(spec: &Value) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut push = |key: &str, value: String| settings.push(Setting { key: key.into(), value });
    push("data set", spec["data"]["name"].as_str().unwrap_or(NONE).into());
    for (key, at) in [("pictures of train", "train"), ("pictures of val", "val")] {
        push(key, shortened(spec["data"][at].as_str().unwrap_or(NONE)));
    }
    push("labels", label_list(&spec["labels"]));
    push("initial weights", shortened(spec["initial_weights"].as_str().unwrap_or(NONE)));
    if let (Some(repository), Some(revision)) =
        (spec["weights_from"]["repository"].as_str(), spec["weights_from"]["revision"].as_str())
    {
        push("initial weights from", format!("{repository} at {}", shortened(revision)));
    }
    walk("", &spec["options"], &mut push);
    match &spec["distillation"] {
        Value::Null => {}
        distillation => walk("distillation", distillation, &mut push),
    }
    settings
}

/// The number of labels, and the first of them.
fn label_list(labels: &Value) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = labels.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let dots = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}: {}{dots}", names.len(), names[..names.len().min(SHOWN)].join(", "))
}

/// The first characters of a fingerprint, which are enough to distinguish it.
fn shortened(hash: &str) -> String {
    hash.chars().take(10).collect()
}

fn walk(prefix: &str, value: &Value, push: &mut impl FnMut(&str, String)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                walk(&key, value, push);
            }
        }
        _ => push(prefix, written(value)),
    }
}

/// A value as text for readers.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Null => NONE.into(),
        Value::String(s) => s.clone(),
        Value::Array(items) => match items.len() {
            // Too long to read here.
            n if n > 24 => format!("{n} values"),
            _ => items.iter().map(written).collect::<Vec<_>>().join(", "),
        },
        other => other.to_string(),
    }
}

/// The shared settings (setting, value), and the differing ones (setting, then one column per subject).
///
/// Errors: none that a user can cause.
pub fn tables(names: &[String], settings: &[Vec<Setting>]) -> Result<(Table, Table)> {
    let (mut shared, mut differing) = (Vec::new(), Vec::new());
    let (told, dull): (Vec<String>, Vec<String>) = keys(settings.iter()).into_iter().partition(|key| !is_dull(key));
    for key in told.into_iter().chain(dull) {
        let values: Vec<&str> = settings.iter().map(|s| value(s, &key)).collect();
        let row = std::iter::once(Cell::from(key.as_str()));
        match values.iter().all(|v| *v == values[0]) {
            true => shared.push(row.chain([Cell::from(values[0])]).collect()),
            false => differing.push(row.chain(values.into_iter().map(Cell::from)).collect()),
        }
    }
    let columns: Vec<String> = std::iter::once("setting".to_string()).chain(names.iter().cloned()).collect();
    Ok((Table::from_rows(&["setting".into(), "value".into()], shared)?, Table::from_rows(&columns, differing)?))
}

/// Whether a setting follows from others, or is a hash without meaning for a reader.
fn is_dull(key: &str) -> bool {
    key.starts_with("pictures of") || key == "initial weights" || key == "distillation.ensembles"
}

/// Per subject, up to three settings that distinguish it from the others, as in `epochs 8, seed 1`; empty if there are
/// none.
pub fn short_differences(settings: &[Vec<Setting>]) -> Vec<String> {
    const MOST: usize = 3;
    let differing: Vec<String> = keys(settings.iter())
        .into_iter()
        .filter(|key| !is_dull(key) && settings.iter().any(|s| value(s, key) != value(&settings[0], key)))
        .take(MOST)
        .collect();
    settings
        .iter()
        .map(|s| {
            let parts: Vec<String> = differing
                .iter()
                .map(|key| format!("{} {}", key.rsplit('.').next().unwrap_or(key), value(s, key)))
                .collect();
            parts.join(", ")
        })
        .collect()
}
