//! Between values of scripts and JSON.

use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::script::{show, vocabulary};

/// A value of a script as JSON. `Err` names the kind that has no JSON form.
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
    vocabulary::kind_of(value).and_then(|kind| (kind.json)(value)).unwrap_or_else(|| Err(show::a_type(value)))
}

/// The first number in a value that JSON does not have, nan or infinite, and its place there: `.alpha`, `[3]`.
pub fn not_finite(value: &Dynamic) -> Option<(String, f64)> {
    if let Ok(x) = value.as_float() {
        return (!x.is_finite()).then(|| (String::new(), x));
    }
    let within = |at: String, item: &Dynamic| not_finite(item).map(|(place, x)| (format!("{at}{place}"), x));
    if let Ok(array) = value.as_array_ref() {
        return array.iter().enumerate().find_map(|(i, item)| within(format!("[{i}]"), item));
    }
    value.as_map_ref().ok()?.iter().find_map(|(key, item)| within(format!(".{key}"), item))
}

/// JSON as a value of a script.
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

    #[test]
    fn a_literal_is_what_a_script_would_say() {
        let value = serde_json::json!({"name": "asl", "clip": 0.05, "sides": [1, null], "none": {}});
        let said = literal(&value);
        assert_eq!(said, "#{name: \"asl\", clip: 0.05, sides: [1, ()], none: #{}}");
        let read = crate::script::hashing::engine().eval::<Dynamic>(&said).unwrap();
        assert_eq!(to_json(&read).unwrap(), value);
    }
}
