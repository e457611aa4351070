//! JSON lines: one object per image, with its file name and its labels.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value};

use super::{LoadOptions, list};
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::tables::TextFile;

/// Keys of image names.
pub const IMAGE: &[&str] = &["file_name", "filename", "image", "image_path", "path", "file", "image_name", "image_id"];

/// Keys of labels, and keys in objects that records hold.
const LABEL: &[&str] = &[
    "labels",
    "label",
    "tags",
    "tag",
    "classes",
    "class",
    "class_name",
    "categories",
    "category",
    "objects.categories",
    "objects.category",
    "objects.labels",
    "objects.label",
    "objects.classes",
    "objects.class",
    "objects.name",
];

/// Whether the first line of a text is a record, and the text no COCO file.
pub fn is_record(line: &str, options: &LoadOptions) -> bool {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else { return false };
    let names_image = |key: &str| record.contains_key(key);
    let any = options.image.as_deref().map_or(IMAGE.iter().any(|key| names_image(key)), names_image);
    any && !(names_image("images") || names_image("annotations"))
}

/// What a record says.
struct Row {
    line: usize,
    image: String,
    labels: Vec<Label>,
    /// Whether the labels were one text.
    is_text: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Label {
    Text(String),
    Number(i64),
}

/// Reads the records of a file into a table, whose labels are alphabetical. The table has no labels if no record names a
/// key of labels.
///
/// Errors name the file and the line: text that is not JSON, a record without an image, an image that comes twice, a
/// label that is no text or whole number, a number without a name where names are given.
pub fn read(text: &TextFile, options: &LoadOptions) -> Result<LabelTable> {
    let (image, label) = keys(text, options)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut first_line: HashMap<String, usize> = HashMap::new();
    for record in records(text) {
        let (line, record) = record?;
        let name = image_name(text, line, &record, &image)?;
        if let Some(first) = first_line.insert(name.clone(), line) {
            return Err(text.at(line, format!("image \"{name}\" appears twice, first on line {first}")));
        }
        let mut found = Vec::new();
        if let Some(key) = &label {
            values_at(&record, key, &mut found);
        }
        let mut labels = Vec::new();
        found.iter().try_for_each(|value| push_labels(value, &mut labels)).map_err(|came| {
            let key = label.as_deref().unwrap_or_default();
            let what = format!("\"{key}\" must hold texts, whole numbers or lists of them; got {came}");
            text.at(line, what).with_help("the option label names another key, as label: \"objects.categories\"")
        })?;
        let is_text = matches!(found[..], [Value::String(_)]);
        rows.push(Row { line, image: name, labels, is_text });
    }
    let source = text.path.display();
    if rows.is_empty() {
        return Err(Error::data(format!("{source} has no images")));
    }
    if label.is_none() {
        console::log(&format!("{source}: no record has a key of labels; the option label names it"));
    }
    split_texts(text, &mut rows, options)?;
    let labels = named_labels(text, &rows, options)?;
    let names: BTreeSet<&str> = labels.iter().flatten().map(String::as_str).collect();
    let place: HashMap<&str, u32> = names.iter().zip(0..).map(|(name, place)| (*name, place)).collect();
    let lists: Vec<Vec<u32>> =
        labels.iter().map(|row| row.iter().filter_map(|label| place.get(label.as_str()).copied()).collect()).collect();
    let names = names.into_iter().map(String::from).collect();
    LabelTable::from_lists(names, rows.iter().map(|row| row.image.clone()).collect(), &lists)
}

/// The records with their lines.
fn records(text: &TextFile) -> impl Iterator<Item = Result<(usize, Map<String, Value>)>> {
    text.lines().enumerate().map(|(i, (line, content))| {
        if i % 256 == 0 {
            interrupt::check()?;
        }
        match serde_json::from_str(content) {
            Ok(Value::Object(record)) => Ok((line, record)),
            Ok(other) => Err(text.at(line, format!("expected a JSON object per line; got {}", kind(&other)))),
            Err(e) if e.is_eof() => Err(text
                .at(line, "the JSON object ends in the middle of the line")
                .with_help("each line holds one whole object, as metadata.jsonl has it")),
            Err(e) => Err(text.at(line, format!("not well-formed JSON at character {}", e.column().max(1)))),
        }
    })
}

/// The keys of image and labels. Errors: no key of images, a key in the options that no record has.
fn keys(text: &TextFile, options: &LoadOptions) -> Result<(String, Option<String>)> {
    let (mut seen, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for record in records(text) {
        let (_, record) = record?;
        for (key, value) in &record {
            if !seen.contains(key) {
                seen.insert(key.clone());
            }
            if !value.is_null() && !paths.contains(key) {
                paths.insert(key.clone());
            }
            let object = value.as_object().or_else(|| value.as_array()?.first()?.as_object());
            for inner in object.into_iter().flat_map(Map::keys) {
                let path = format!("{key}.{inner}");
                if !paths.contains(&path) {
                    paths.insert(path);
                }
            }
        }
    }
    let among = || seen.iter().chain(paths.iter().filter(|path| !seen.contains(*path))).map(String::as_str);
    let image = match &options.image {
        Some(key) if !seen.is_empty() && !seen.contains(key) => {
            return Err(Error::unknown("key", key, seen.iter().map(String::as_str)).about_file(&text.path));
        }
        Some(key) => key.clone(),
        None => match IMAGE.iter().find(|key| seen.contains(**key)) {
            Some(key) => key.to_string(),
            None if seen.is_empty() => return Err(Error::data(format!("{} has no images", text.path.display()))),
            None => {
                let there: Vec<&str> = seen.iter().take(24).map(String::as_str).collect();
                let what = format!("no record has the key \"file_name\"; their keys are {}", there.join(", "));
                return Err(Error::in_file(&text.path, what).with_help("the option image names the key of file names"));
            }
        },
    };
    let label = match &options.label {
        Some(key) if !among().any(|known| known == key) => return Err(Error::unknown("key", key, among())),
        Some(key) => Some(key.clone()),
        None => {
            let found: Vec<&&str> =
                LABEL.iter().filter(|key| paths.contains(**key) && **key != image.as_str()).collect();
            if let [first, second, ..] = found[..] {
                let path = text.path.display();
                console::log(&format!(
                    "{path}: labels are read from \"{first}\", not from \"{second}\" (label: \"{second}\" does)"
                ));
            }
            found.first().map(|key| key.to_string())
        }
    };
    Ok((image, label))
}

fn image_name(text: &TextFile, line: usize, record: &Map<String, Value>, key: &str) -> Result<String> {
    let name = match record.get(key) {
        Some(Value::String(name)) => trimmed(name).to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(other) => return Err(text.at(line, format!("\"{key}\" must be a text; got {}", kind(other)))),
        None => {
            let keys: Vec<&str> = record.keys().take(24).map(String::as_str).collect();
            return Err(text.at(line, format!("the record has no \"{key}\"; its keys are {}", keys.join(", "))));
        }
    };
    let name = name.replace('\\', "/");
    let name = name.strip_prefix("./").unwrap_or(&name);
    if name.is_empty() { Err(text.at(line, "the image has no name")) } else { Ok(name.to_string()) }
}

/// The values at a key, or at `key.inner` in an object or in each object of a list.
fn values_at<'a>(record: &'a Map<String, Value>, path: &str, found: &mut Vec<&'a Value>) {
    if let Some(value) = record.get(path) {
        return found.push(value);
    }
    let Some((key, inner)) = path.split_once('.') else { return };
    match record.get(key) {
        Some(Value::Object(object)) => values_at(object, inner, found),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_object).for_each(|object| values_at(object, inner, found));
        }
        _ => {}
    }
}

/// Adds the labels in a value. Errors: the kind of a value that is none.
fn push_labels(value: &Value, labels: &mut Vec<Label>) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) if trimmed(text).is_empty() => Ok(()),
        Value::String(text) => {
            labels.push(Label::Text(trimmed(text).to_string()));
            Ok(())
        }
        Value::Number(number) => {
            // As 3.0, which pandas writes where a column has gaps.
            let whole = || number.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 2f64.powi(53)).map(|x| x as i64);
            labels.push(Label::Number(number.as_i64().or_else(whole).ok_or_else(|| number.to_string())?));
            Ok(())
        }
        Value::Array(list) => list.iter().try_for_each(|inner| match inner {
            Value::Null => Err("null in a list".into()),
            _ => push_labels(inner, labels),
        }),
        Value::Bool(_) | Value::Object(_) => Err(kind(value)),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text \"{}\"", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Cuts texts that hold several labels. `|` and `;` are taken for separators; a comma may be part of a name.
fn split_texts(text: &TextFile, rows: &mut [Row], options: &LoadOptions) -> Result<()> {
    let holds = |row: &Row, separator: &str| {
        row.is_text && row.labels.iter().any(|label| matches!(label, Label::Text(text) if text.contains(separator)))
    };
    let path = text.path.display();
    let separator = match options.separator.as_deref() {
        Some("") => return Ok(()),
        Some(separator) => separator,
        None => {
            let is_list = |row: &&Row| {
                row.is_text && matches!(&row.labels[..], [Label::Text(t)] if t.starts_with('[') && t.ends_with(']'))
            };
            if let Some(row) = rows.iter().find(is_list) {
                return Err(text.at(row.line, "a list is written as text; expected a JSON list, as [\"cat\", \"dog\"]"));
            }
            let count = |separator: &str| rows.iter().filter(|row| holds(row, separator)).count();
            match ["|", ";"].into_iter().find(|separator| count(separator) > 0) {
                Some(separator) => {
                    let n = count(separator);
                    console::log(&format!(
                        "{path}: {n} texts hold several labels, cut at \"{separator}\" (separator: \"\" does not)"
                    ));
                    separator
                }
                None => {
                    let n = count(",");
                    if n > 0 {
                        console::log(&format!(
                            "{path}: {n} labels hold a comma and are one label each (separator: \",\" cuts them)"
                        ));
                    }
                    return Ok(());
                }
            }
        }
    };
    for row in rows.iter_mut().filter(|row| row.is_text) {
        let cut = row.labels.iter().flat_map(|label| match label {
            Label::Text(text) => {
                let parts = text.split(separator).map(trimmed).filter(|part| !part.is_empty());
                parts.map(|part| Label::Text(part.to_string())).collect()
            }
            number => vec![number.clone()],
        });
        row.labels = cut.collect();
    }
    Ok(())
}

/// The labels of each row as names. Numbers get the names in a file beside, if there is one; lists of 0 and 1 that are
/// as long as each other are flags.
fn named_labels(text: &TextFile, rows: &[Row], options: &LoadOptions) -> Result<Vec<Vec<String>>> {
    let numbers = || rows.iter().flat_map(|row| &row.labels).filter(|label| matches!(label, Label::Number(_)));
    let plain = |label: &Label| match label {
        Label::Text(text) => text.clone(),
        Label::Number(number) => number.to_string(),
    };
    if numbers().next().is_none() {
        return Ok(rows.iter().map(|row| row.labels.iter().map(plain).collect()).collect());
    }
    let path = text.path.display();
    let mixed = rows.iter().flat_map(|row| &row.labels).any(|label| matches!(label, Label::Text(_)));
    let names = if mixed { None } else { list::names_beside(&text.path, options)? };
    let bits = |row: &Row| -> Option<Vec<bool>> {
        let bit = |label: &Label| match label {
            Label::Number(0) => Some(false),
            Label::Number(1) => Some(true),
            _ => None,
        };
        row.labels.iter().map(bit).collect()
    };
    let width = rows.iter().map(|row| row.labels.len()).max().unwrap_or(0);
    // A list of labels never holds one of them twice.
    let repeated = rows.iter().any(|row| row.labels.iter().collect::<HashSet<_>>().len() < row.labels.len());
    let equal = || rows.iter().all(|row| row.labels.len() == width);
    if width > 1
        && repeated
        && equal()
        && let Some(flags) = rows.iter().map(bits).collect::<Option<Vec<_>>>()
    {
        if let Some(names) = names.as_ref().filter(|names| names.len() != width) {
            let line = rows.first().map_or(1, |row| row.line);
            let n = names.len();
            return Err(text.at(line, format!("{width} flags per record, but the file of names beside it has {n}")));
        }
        console::log(&format!("{path}: the labels are {width} flags of 0 and 1 per record"));
        let digits = (width - 1).max(1).ilog10() as usize + 1;
        let names = names.unwrap_or_else(|| (0..width).map(|label| format!("{label:0digits$}")).collect());
        let row =
            |flags: &Vec<bool>| flags.iter().zip(&names).filter(|(set, _)| **set).map(|(_, n)| n.clone()).collect();
        return Ok(flags.iter().map(row).collect());
    }
    let Some(names) = names else {
        console::log(&format!(
            "{path}: labels are numbers and stay so; a file classes.txt beside it, with one name per line, names them"
        ));
        return Ok(rows.iter().map(|row| row.labels.iter().map(plain).collect()).collect());
    };
    let name_of = |row: &Row, label: &Label| match label {
        Label::Text(text) => Ok(text.clone()),
        Label::Number(number) => usize::try_from(*number)
            .ok()
            .and_then(|at| names.get(at))
            .cloned()
            .ok_or_else(|| text.at(row.line, format!("label {number}, but only {} labels have names", names.len()))),
    };
    rows.iter().map(|row| row.labels.iter().map(|label| name_of(row, label)).collect()).collect()
}

/// Whether a path ends as files of JSON lines do.
pub fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["jsonl", "ndjson"].iter().any(|known| e.eq_ignore_ascii_case(known)))
}
