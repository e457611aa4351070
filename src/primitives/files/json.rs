//! `read_json` and `write_json`: values as JSON files.

use std::path::{Path, PathBuf};

use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;
use crate::json::{self, Lenient};
use crate::script::options;
use crate::script::word::{Chapter, Example, Word};

pub const READ: Word = Word {
    name: "read_json",
    chapter: Chapter::Files,
    signatures: &["read_json(path) -> value"],
    summary: "The value in a JSON file: objects are maps, lists arrays, null is ().",
    details: "The NaN, Infinity and -Infinity that Python writes are read too. Keys of a map are in the order of the alphabet. An error for an \
              integer of more than 64 bits, which would lose digits.",
    options: None,
    examples: &[Example {
        code: r#"let path = temporary_folder() + "/a.json"; write_json(path, #{k: 3, names: ["cat"]}); read_json(path).names"#,
        prints: "[\"cat\"]",
    }],
    register: |word| {
        word.form(|path: PathBuf| read(&path));
    },
};

fn read(path: &Path) -> Result<Dynamic> {
    let bytes = files::read(path)?;
    let wrong = |message: String| Error::data(format!("{}: {message}", path.display())).about_file(path);
    let mut mended = Vec::with_capacity(bytes.len());
    std::io::Read::read_to_end(&mut Lenient::new(bytes.as_slice()), &mut mended).map_err(|e| Error::io(path, e))?;
    let value: Value = json::parse(&mended).map_err(wrong)?;
    match json::large_integer(&mended) {
        Some(number) => Err(wrong(no_integer(number))),
        None => value_of(&value).map_err(wrong),
    }
}

fn no_integer(number: impl std::fmt::Display) -> String {
    format!("{number} is no integer of 64 bits")
}

/// JSON as a value of a script. `Err` says what none can hold.
fn value_of(value: &Value) -> std::result::Result<Dynamic, String> {
    match value {
        Value::Number(n) if n.is_u64() && !n.is_i64() => Err(no_integer(n)),
        Value::String(text) => Ok(match json::not_finite(text) {
            Some("NaN") => f64::NAN.into(),
            Some("Infinity") => f64::INFINITY.into(),
            Some(_) => f64::NEG_INFINITY.into(),
            None => text.into(),
        }),
        Value::Array(items) => Ok(items.iter().map(value_of).collect::<std::result::Result<rhai::Array, _>>()?.into()),
        Value::Object(keys) => {
            let entry = |(key, value): (&String, &Value)| Ok::<_, String>((key.as_str().into(), value_of(value)?));
            Ok(keys.iter().map(entry).collect::<std::result::Result<Map, _>>()?.into())
        }
        other => Ok(options::from_json(other)),
    }
}

pub const WRITE: Word = Word {
    name: "write_json",
    chapter: Chapter::Files,
    signatures: &["write_json(path, value)"],
    summary: "Writes a value as a JSON file, whole or not at all.",
    details: "Maps, arrays, strings, numbers, booleans, () and the kinds of value that can be options. An error for nan and inf, which JSON does \
              not have, and for values without a form in JSON.",
    options: None,
    examples: &[Example {
        code: r#"let path = temporary_folder() + "/b.json"; write_json(path, [1, 2.5, true, ()]); read_text(path).len() > 0"#,
        prints: "true",
    }],
    register: |word| {
        word.form(|path: PathBuf, value: Dynamic| write(&path, &value));
    },
};

fn write(path: &Path, value: &Dynamic) -> Result<()> {
    if let Some((_, x)) = options::not_finite(value) {
        return Err(Error::argument(format!("write_json: {x} is no number of JSON"))
            .with_help("write () in its place, or a string"));
    }
    let json =
        options::to_json(value).map_err(|kind| Error::argument(format!("write_json: {kind} has no form in JSON")))?;
    let mut text = serde_json::to_string_pretty(&json).map_err(|e| Error::internal(format!("JSON: {e}")))?;
    text.push('\n');
    files::write(path, text.as_bytes())
}
