//! The `#{...}` of a call into a typed struct, with errors that name the word and the option.
//!
//! - `json`: between values of scripts and JSON
//! - `problem`: the errors of deserialization as data

mod json;
mod problem;

use rhai::Map;
use serde_json::Value;

pub use json::{from_json, literal, to_json};

use self::problem::{Json, Problem};
use crate::error::{About, Error, Result};
use crate::options::Options;

/// Reads the options of `word` into `T`, whose `Default` holds every key, and checks their ranges.
///
/// Errors name the word, the option, the expectation and the value that came; an unknown key names the nearest right one.
pub fn parse<T: Options>(word: &str, options: &Map) -> Result<T> {
    let mut whole = defaults::<T>();
    let known = whole.as_object_mut().ok_or_else(|| Error::internal(format!("the options of {word} are not a map")))?;
    for (key, value) in options {
        if !known.contains_key(key.as_str()) {
            return Err(unknown_option(word, key, known.keys().map(String::as_str)));
        }
        let value = to_json(value).map_err(|what| {
            Error::argument(format!("option \"{key}\" of {word} cannot take {what}")).about_option(key)
        })?;
        // Alone among defaults, so that a failure is this key's.
        let alone = Value::Object([(key.to_string(), value.clone())].into_iter().collect());
        T::deserialize(Json(&alone)).map_err(|problem| bad_option(word, key, &value, problem))?;
        known.insert(key.to_string(), value);
    }
    let read = T::deserialize(Json(&whole))
        .map_err(|problem| Error::argument(format!("options of {word}: {}", problem.expected())))?;
    read.check(word)?;
    Ok(read)
}

/// Every key with its default, in the struct's order.
pub fn defaults<T: Options>() -> Value {
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}

/// `word` has no option `key`; the nearest of those that it has is named.
pub fn unknown_option<'a>(word: &str, key: &str, among: impl IntoIterator<Item = &'a str>) -> Error {
    let mut error = Error::unknown("option", key, among);
    error.message = format!("{word} has no option \"{key}\"");
    error
}

/// The sentence for a value that the option `key` cannot take.
fn bad_option(word: &str, key: &str, value: &Value, problem: Problem) -> Error {
    let about = |value: Option<String>| Some(About::Option { key: key.to_string(), value });
    match problem {
        Problem::UnknownVariant(choices) => {
            // A name may be given for a map that holds it: `loss: "bce"`.
            let named = value.as_str().or(value.get("name").and_then(Value::as_str));
            let came = named.map_or_else(|| value.to_string(), str::to_string);
            let choices: Vec<&str> = choices.iter().copied().filter(|c| *c != "script").collect();
            let mut error = Error::unknown("value", &came, choices.iter().copied());
            error.message = format!("option \"{key}\" of {word} must be {}; got \"{came}\"", any_of(&choices));
            error.about = about(Some(came));
            error
        }
        Problem::UnknownField(came, choices) => {
            let mut error = Error::unknown("option", &came, choices.iter().copied());
            error.message = format!("option \"{key}\" of {word} has no key \"{came}\"");
            error
        }
        problem => {
            let mut error = Error::option(key, word, problem.expected(), value);
            error.about = about(value.as_str().map(str::to_string));
            error
        }
    }
}

/// `"a", "b" or "c"`.
fn any_of(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|c| format!("\"{c}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Range;
    use rhai::Dynamic;
    use serde::{Deserialize, Serialize};

    crate::options! {
        struct Sample {
            /// k-means runs
            pub restarts: usize = 50, in Range::FromTo(1.0, 100.0);
            /// the exponent
            pub power: f64 = 0.5;
            /// the embedding
            pub embedding: Embedding = Embedding::Auto;
        }
    }

    #[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Embedding {
        Auto,
        Rw,
    }

    fn with(key: &str, value: impl Into<Dynamic>) -> Result<Sample> {
        parse("partition", &[(key.into(), value.into())].into_iter().collect())
    }

    #[test]
    fn an_integer_does_for_a_number() {
        assert_eq!(with("power", Dynamic::from(1_i64)).unwrap().power, 1.0);
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
        assert_eq!(
            with("restarts", Dynamic::from(0_i64)).unwrap_err().message,
            "option \"restarts\" of partition must be from 1 to 100; got 0"
        );
    }
}
