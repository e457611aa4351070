//! Options of words and data sets: keys that they do not have, and literal values that they refuse.

use rhai::{Expr, FnCallExpr, Position};
use serde_json::{Map, Value};

use super::finding::{Finding, Severity};
use super::text::Text;
use crate::error::Error;
use crate::images::DATASETS;
use crate::script::word::{OptionDocs, Word};
use crate::script::{option_parts, options, vocabulary};

/// Finds options that a word does not have.
pub fn unknown(call: &FnCallExpr, text: &Text, findings: &mut Vec<Finding>) {
    let name = call.name.as_str();
    let Some((_, docs)) = word_with_options(call) else { return };
    let Some(Expr::Map(map, _)) = call.args.last() else { return };
    let known = || (docs.docs)().into_iter().map(|doc| doc.key);
    for (key, _) in map.0.iter().filter(|(key, _)| known().all(|k| k != key.name)) {
        let error = options::unknown_option(name, &key.name, known());
        let error = options::belonging(error, &key.name, (docs.part_of)(&key.name).as_deref());
        findings.push(Finding::at(Severity::Error, text, key.pos, error.message).help(error.help));
    }
    // Maps of options that have keys of their own. Which keys head_options has depends on the head.
    for (part, value) in map.0.iter().filter(|(part, _)| known().any(|k| k == part.name)) {
        let Expr::Map(inner, _) = value else { continue };
        let parts = if part.name == "head_options" { vec![] } else { option_parts::parts(&[&part.name]) };
        let has = |name: &str| parts.is_empty() || parts.iter().any(|part| part.key == name);
        for (key, _) in inner.0.iter().filter(|(key, _)| !has(&key.name)) {
            let error = options::unknown_key(name, &part.name, &key.name, parts.iter().map(|part| part.key));
            let error = options::beside(error, name, &part.name, &key.name, known().any(|k| k == key.name));
            findings.push(Finding::at(Severity::Error, text, key.pos, error.message).help(error.help));
        }
    }
}

/// Finds values in a call of a word that its options refuse, each as the call would say it. Only literals are looked at.
pub fn refused(call: &FnCallExpr, text: &Text, findings: &mut Vec<Finding>) {
    let Some(Expr::Map(map, _)) = call.args.last() else { return };
    if call.name == "dataset" {
        return of_dataset(call, text, findings);
    }
    let Some((word, docs)) = word_with_options(call) else { return };
    let mut found = |error: Error, pos: Position| {
        findings.push(Finding::at(Severity::Error, text, pos, error.message).help(error.help));
    };
    for (key, value) in map.0.iter() {
        let key = key.name.as_str();
        if let Some((error, pos)) = unknown_name(word, &[key], value) {
            found(error, pos);
            continue;
        }
        if let Expr::Map(inner, _) = value {
            let wrong = inner.0.iter().find_map(|(part, value)| unknown_name(word, &[key, &part.name], value));
            if let Some((error, pos)) = wrong {
                found(error, pos);
                continue;
            }
        }
        // A queue may be one that cpsd.toml names.
        if key == "executor" {
            continue;
        }
        if let Some(json) = value_of(key, value)
            && let Some(error) = (docs.refused)(word.name, key, &json)
        {
            found(error, value.position());
        }
    }
}

/// The error of a name that is none of those which the option at the end of `path` takes, and where it is.
fn unknown_name(word: &Word, path: &[&str], value: &Expr) -> Option<(Error, Position)> {
    let Expr::StringConstant(came, pos) = value else { return None };
    let (what, names) = option_parts::option_names(word, path)?;
    (!names.contains(&came.as_str())).then(|| (Error::unknown(what, came, names), *pos))
}

/// The options of a data set whose name is written there.
fn of_dataset(call: &FnCallExpr, text: &Text, findings: &mut Vec<Finding>) {
    let (Some(Expr::StringConstant(name, _)), Some(Expr::Map(map, _))) = (call.args.first(), call.args.get(1)) else {
        return;
    };
    let Some(kind) = DATASETS.iter().find(|kind| kind.name == name.as_str()) else { return };
    for (key, value) in map.0.iter() {
        let (error, pos) = match kind.takes(&key.name) {
            false => (kind.unknown_option(&key.name), key.pos),
            true => {
                let refused = literal(value).and_then(|json| (kind.options.refused)(&kind.word(), &key.name, &json));
                let Some(error) = refused else { continue };
                (error, value.position())
            }
        };
        findings.push(Finding::at(Severity::Error, text, pos, error.message).help(error.help));
    }
}

/// The word that is called, if the call's last argument is its options.
fn word_with_options(call: &FnCallExpr) -> Option<(&'static Word, &'static OptionDocs)> {
    let word = vocabulary::find(&call.name)?;
    let docs = word.options.as_ref()?;
    // The options of dataset are those of the data set; cam's and predict's first argument may be a map of models.
    (word.name != "dataset" && call.args.len() > 1 || takes_only_options(word)).then_some((word, docs))
}

/// Whether the only argument of a word may be its options.
fn takes_only_options(word: &Word) -> bool {
    word.signatures.iter().any(|signature| signature.starts_with(&format!("{}(#{{options}})", word.name)))
}

/// What is certain of the value of an option. Of the maps of a model and of augmentation, whose other keys have defaults, that is what
/// is literal in them.
fn value_of(key: &str, value: &Expr) -> Option<Value> {
    match value {
        Expr::Map(map, _) if ["model", "augment"].contains(&key) => {
            // (A key that the map does not have is said at the key.)
            let parts = option_parts::parts(&[key]);
            let known = map.0.iter().filter(|(key, _)| parts.iter().any(|part| part.key == key.name));
            let known = known.filter_map(|(key, value)| Some((key.name.to_string(), literal(value)?)));
            Some(Value::Object(known.collect()))
        }
        _ => literal(value),
    }
}

/// A value that is written out.
fn literal(value: &Expr) -> Option<Value> {
    match value {
        Expr::Unit(_) => Some(Value::Null),
        Expr::BoolConstant(value, _) => Some(Value::Bool(*value)),
        Expr::IntegerConstant(value, _) => Some(Value::from(*value)),
        Expr::FloatConstant(value, _) if value.is_finite() => Some(Value::from(**value)),
        Expr::StringConstant(value, _) => Some(Value::from(value.as_str())),
        Expr::Array(items, _) => items.iter().map(literal).collect::<Option<Vec<_>>>().map(Value::Array),
        Expr::Map(map, _) => {
            let entries = map.0.iter().map(|(key, value)| Some((key.name.to_string(), literal(value)?)));
            entries.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        _ => None,
    }
}
