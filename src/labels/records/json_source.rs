//! Records of JSON lines: one object per line.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Field, Records, Source};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::json;
use crate::labels::names::trimmed;
use crate::tables::TextFile;

/// A file of JSON lines. Columns are the keys that hold a text, a number, true or false, or a list of these, and
/// `key.inner` for keys in an object or in the objects of a list.
pub struct JsonSource<'a> {
    text: &'a TextFile,
    names: Vec<String>,
    passed_over: Option<usize>,
}

impl<'a> JsonSource<'a> {
    /// Errors: a line that is no JSON object (with its line); a file without records.
    pub fn new(text: &'a TextFile) -> Result<Self> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        let mut add = |name: String| {
            if !seen.contains(&name) {
                seen.insert(name.clone());
                names.push(name);
            }
        };
        let mut lines = text.lines();
        let mut records = 0;
        while let Some((_, record)) = next(text, &mut lines, records)? {
            records += 1;
            for (key, value) in &record {
                let objects: Vec<&Map<String, Value>> = match value {
                    Value::Object(object) => vec![object],
                    Value::Array(list) => list.iter().filter_map(Value::as_object).collect(),
                    _ => vec![],
                };
                if objects.is_empty() {
                    add(key.clone());
                }
                objects.iter().flat_map(|object| object.keys()).for_each(|inner| add(format!("{key}.{inner}")));
            }
        }
        if records == 0 {
            return Err(Error::in_file(&text.path, "there are no records"));
        }
        Ok(JsonSource { text, names, passed_over: None })
    }

    /// The same with a column that is no label.
    pub fn passing_over(self, column: Option<&str>) -> Self {
        let passed_over = self.names.iter().position(|name| Some(name.as_str()) == column);
        JsonSource { passed_over, ..self }
    }
}

type Record = (usize, Map<String, Value>);

/// The next record and its line.
fn next<'t>(
    text: &TextFile,
    lines: &mut impl Iterator<Item = (usize, &'t str)>,
    count: usize,
) -> Result<Option<Record>> {
    if count.is_multiple_of(256) {
        interrupt::check()?;
    }
    let Some((line, content)) = lines.next() else { return Ok(None) };
    match json::parse_lenient(content.as_bytes()) {
        Ok(Value::Object(record)) => Ok(Some((line, record))),
        Ok(other) => Err(text.at(line, format!("expected a JSON object per line; got {}", kind(&other)))),
        Err(what) => {
            // The text is one line.
            let what = what.replace("at line 1 column", "at character");
            Err(text.at(line, what).with_help("each line holds one whole object, as in Hugging Face's metadata.jsonl"))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The value at a key, or the values at `key.inner`.
fn at<'v>(record: &'v Map<String, Value>, path: &str) -> Vec<&'v Value> {
    if let Some(value) = record.get(path) {
        return vec![value];
    }
    let Some((key, inner)) = path.split_once('.') else { return vec![] };
    match record.get(key) {
        Some(Value::Object(object)) => object.get(inner).into_iter().collect(),
        Some(Value::Array(list)) => list.iter().filter_map(|item| item.as_object()?.get(inner)).collect(),
        _ => vec![],
    }
}

/// A text, a number or true and false as a name.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(trimmed(text).to_string()),
        // As 3.0, which pandas writes where a column has gaps.
        Value::Number(number) => Some(match number.as_f64() {
            Some(x) if x.fract() == 0.0 && x.abs() < 9e15 => (x as i64).to_string(),
            _ => number.to_string(),
        }),
        Value::Bool(value) => Some(value.to_string()),
        // A missing item: empty.
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn field<'v>(values: &[&'v Value]) -> Field<'v> {
    match values {
        [] | [Value::Null] => Field::Null,
        [Value::String(text)] => Field::Text(trimmed(text)),
        [Value::Bool(value)] => Field::Bool(*value),
        [Value::Number(number)] => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Field::Int(value),
            (None, Some(value)) => Field::Float(value),
            (None, None) => Field::Null,
        },
        [Value::Array(list)] => match list.iter().map(scalar).collect::<Option<_>>() {
            Some(items) => Field::List(items),
            None => Field::Other("a list of lists or objects"),
        },
        [Value::Object(_)] => Field::Other("an object"),
        several => match several.iter().map(|item| scalar(item)).collect::<Option<_>>() {
            Some(items) => Field::List(items),
            None => Field::Other("a list of lists or objects"),
        },
    }
}

impl Source for JsonSource<'_> {
    type Records<'b>
        = JsonFields<'b>
    where
        Self: 'b;

    fn names(&self) -> &[String] {
        &self.names
    }

    fn records(&self, columns: &[usize], most: usize) -> Result<JsonFields<'_>> {
        let names = columns.iter().map(|&column| self.names[column].as_str()).collect();
        let lines = Box::new(self.text.lines());
        Ok(JsonFields { text: self.text, names, lines, record: Map::new(), count: 0, most })
    }

    fn name(&self) -> String {
        self.text.path.display().to_string()
    }

    fn unit(&self) -> &'static str {
        "line"
    }

    fn error(&self, place: Option<usize>, message: String) -> Error {
        match place {
            Some(line) => self.text.at(line, message),
            None => Error::in_file(&self.text.path, message),
        }
    }

    fn passed_over(&self) -> Option<usize> {
        self.passed_over
    }
}

/// The records of a file of JSON lines as fields.
pub struct JsonFields<'a> {
    text: &'a TextFile,
    names: Vec<&'a str>,
    lines: Box<dyn Iterator<Item = (usize, &'a str)> + 'a>,
    record: Map<String, Value>,
    count: usize,
    most: usize,
}

impl Records for JsonFields<'_> {
    fn next(&mut self) -> Result<Option<usize>> {
        if self.count == self.most {
            return Ok(None);
        }
        let read = next(self.text, &mut self.lines, self.count)?;
        self.count += 1;
        Ok(read.map(|(line, record)| {
            self.record = record;
            line
        }))
    }

    fn field(&self, column: usize) -> Result<Field<'_>> {
        Ok(field(&at(&self.record, self.names[column])))
    }
}
