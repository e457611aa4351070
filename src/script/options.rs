//! The `#{...}` of a call into a typed struct, with errors that name the word and the option.

use rhai::{Dynamic, Map};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence};
use crate::models::LabelGraph;

/// Reads the options of `word` into `T`, whose `Default` holds every key.
///
/// Errors name the word, the option, what was expected and what came; an unknown key names the nearest right one.
pub fn parse<T: Serialize + DeserializeOwned + Default>(word: &str, options: &Map) -> Result<T> {
    let mut whole = defaults::<T>();
    let known = whole.as_object_mut().ok_or_else(|| Error::internal(format!("the options of {word} are not a map")))?;
    for (key, value) in options {
        if !known.contains_key(key.as_str()) {
            return Err(unknown_option(word, key, known.keys().map(String::as_str)));
        }
        let value =
            to_json(value).map_err(|what| Error::argument(format!("option \"{key}\" of {word} cannot take {what}")))?;
        // Alone among defaults, so that a failure is this key's.
        let alone: serde_json::Map<String, Value> = [(key.to_string(), value.clone())].into_iter().collect();
        serde_json::from_value::<T>(Value::Object(alone)).map_err(|e| bad_option(word, key, &value, &e.to_string()))?;
        known.insert(key.to_string(), value);
    }
    serde_json::from_value(whole)
        .map_err(|e| Error::argument(format!("options of {word}: {}", expectation(&e.to_string()))))
}

/// Every key with its default, in the struct's order.
pub fn defaults<T: Serialize + Default>() -> Value {
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}

pub fn unknown_option<'a>(word: &str, key: &str, among: impl IntoIterator<Item = &'a str>) -> Error {
    let mut error = Error::unknown("option", key, among);
    error.message = format!("{word} has no option \"{key}\"");
    error
}

fn bad_option(word: &str, key: &str, value: &Value, serde_says: &str) -> Error {
    // A variant of a named choice: `unknown variant `x`, expected one of `a`, `b``.
    if let Some(rest) = serde_says.strip_prefix("unknown variant ") {
        let choices: Vec<&str> = rest.split('`').skip(3).step_by(2).collect();
        // A name may stand for a map that has it: `loss: "bce"`.
        let named = value.as_str().or(value.get("name").and_then(Value::as_str));
        let came = named.map_or_else(|| value.to_string(), str::to_string);
        let choices: Vec<&str> = choices.into_iter().filter(|c| *c != "script").collect();
        let mut error = Error::unknown("value", &came, choices.iter().copied());
        error.message = format!("option \"{key}\" of {word} must be {}; got \"{came}\"", any_of(&choices));
        return error;
    }
    if let Some(rest) = serde_says.strip_prefix("unknown field ") {
        let names: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        if let Some((came, choices)) = names.split_first() {
            let mut error = Error::unknown("option", came, choices.iter().copied());
            error.message = format!("option \"{key}\" of {word} has no key \"{came}\"");
            return error;
        }
    }
    Error::argument(format!("option \"{key}\" of {word} must be {}; got {value}", expectation(serde_says)))
}

/// `"a", "b" or "c"`.
fn any_of(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|c| format!("\"{c}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// `invalid type: string "x", expected usize` → `a non-negative integer`.
fn expectation(serde_says: &str) -> String {
    let expected = match serde_says.split_once("expected ") {
        Some((_, expected)) => expected,
        None => return serde_says.to_string(),
    };
    match expected.split(" at line").next().unwrap_or(expected) {
        "usize" | "u64" | "u32" => "a non-negative integer".into(),
        "i64" | "i32" => "an integer".into(),
        "f64" | "f32" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "an array".into(),
        other => other.to_string(),
    }
}

/// A script value as JSON; `Err` names what has no JSON form.
pub fn to_json(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(i) = value.as_int() {
        return Ok(Value::from(i));
    }
    if let Ok(f) = value.as_float() {
        return Ok(Value::from(f));
    }
    if let Ok(s) = value.as_immutable_string_ref() {
        return Ok(Value::from(s.as_str()));
    }
    if let Some(counts) = value.clone().try_cast::<Cooccurrence>() {
        return graph_json(counts.labels(), |i, j| counts.conditional(i, j));
    }
    if let Some(affinity) = value.clone().try_cast::<Affinity>() {
        return graph_json(affinity.labels(), |i, j| affinity.weight(i, j));
    }
    if let Ok(array) = value.as_array_ref() {
        return array.iter().map(to_json).collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    if let Ok(map) = value.as_map_ref() {
        return map
            .iter()
            .map(|(k, v)| Ok((k.to_string(), to_json(v)?)))
            .collect::<Result<serde_json::Map<_, _>, String>>()
            .map(Value::Object);
    }
    if let Some(loss) = value.clone().try_cast::<crate::primitives::values::loss::LossValue>() {
        return serde_json::to_value(&loss.spec).map_err(|e| e.to_string());
    }
    Err(super::show::a_type(value))
}

/// A label graph as an option holds it.
fn graph_json(labels: &[String], weight: impl Fn(usize, usize) -> f64) -> Result<Value, String> {
    const MOST: usize = 4096;
    let m = labels.len();
    if m > MOST {
        return Err(format!("a label graph of {m} labels; at most {MOST} fit into an option"));
    }
    let rows = (0..m).map(|i| (0..m).map(|j| if i == j { 0.0 } else { weight(i, j) }).collect()).collect();
    serde_json::to_value(LabelGraph { labels: labels.to_vec(), rows }).map_err(|e| e.to_string())
}

/// JSON as a script value.
pub fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => n.as_i64().map_or_else(|| Dynamic::from(n.as_f64().unwrap_or(f64::NAN)), Dynamic::from),
        Value::String(s) => s.into(),
        Value::Array(a) => a.iter().map(from_json).collect::<rhai::Array>().into(),
        Value::Object(o) => o.iter().map(|(k, v)| (k.as_str().into(), from_json(v))).collect::<Map>().into(),
    }
}

/// JSON as one would write it in a script: `#{name: "asl", clip: 0.05}`, `()`.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "()".into(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            format!("#{{{}}}", map.iter().map(|(k, v)| format!("{k}: {}", literal(v))).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        restarts: usize,
        power: f64,
        embedding: Embedding,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Embedding {
        Auto,
        Rw,
    }

    impl Default for Options {
        fn default() -> Self {
            Options { restarts: 50, power: 0.5, embedding: Embedding::Auto }
        }
    }

    fn with(key: &str, value: impl Into<Dynamic>) -> Result<Options> {
        parse("partition", &[(key.into(), value.into())].into_iter().collect())
    }

    #[test]
    fn an_integer_does_for_a_number() {
        assert_eq!(with("power", Dynamic::from(1_i64)).unwrap().power, 1.0);
    }

    #[test]
    fn a_literal_is_what_a_script_would_say() {
        let value = serde_json::json!({"name": "asl", "clip": 0.05, "sides": [1, null], "none": {}});
        let said = literal(&value);
        assert_eq!(said, "#{name: \"asl\", clip: 0.05, sides: [1, ()], none: #{}}");
        let read = rhai::Engine::new().eval::<Dynamic>(&said).unwrap();
        assert_eq!(to_json(&read).unwrap(), value);
    }

    #[test]
    fn errors_name_word_option_expectation_and_what_came() {
        assert_eq!(
            with("restarts", Dynamic::from("ten".to_string())).unwrap_err().message,
            "option \"restarts\" of partition must be a non-negative integer; got \"ten\""
        );
        let error = with("restart", Dynamic::from(1_i64)).unwrap_err();
        assert_eq!(error.message, "partition has no option \"restart\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"restarts\"?"));
        assert_eq!(
            with("embedding", Dynamic::from("rv".to_string())).unwrap_err().message,
            "option \"embedding\" of partition must be \"auto\" or \"rw\"; got \"rv\""
        );
    }
}
