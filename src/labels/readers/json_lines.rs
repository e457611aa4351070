//! JSON lines: one object per image, with its file name and its labels.

use std::path::Path;

use serde_json::Value;

use super::{LoadOptions, list};
use crate::activity::console;
use crate::error::{Error, Result, counted};
use crate::labels::LabelTable;
use crate::labels::records::{self, Form, JsonSource, Layout, columns};
use crate::tables::TextFile;

/// Whether the first line of a text is a record, and the text no COCO file.
pub fn is_record(line: &str, options: &LoadOptions) -> bool {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else { return false };
    let keys: Vec<String> = record.keys().cloned().collect();
    let any = options.image.as_ref().map_or(!columns::images(&keys).is_empty(), |key| keys.contains(key));
    any && !["images", "annotations"].iter().any(|key| record.contains_key(*key))
}

/// Whether a path ends as files of JSON lines do.
pub fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["jsonl", "ndjson"].iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Reads the records of a file by the rules of tables; the column `splits` is no label. Labels that are numbers get the names in a file beside it, if
/// there is one.
///
/// Errors name the file and the line: text that is not JSON, a record without an image, a number without a name where
/// names are given; and no key of labels.
pub fn read(text: &TextFile, options: &LoadOptions, splits: Option<&str>) -> Result<LabelTable> {
    let source = JsonSource::new(text)?.passing_over(splits);
    let mut layout = Layout::find(&source, options, None)?;
    if layout.form == Form::Wide && layout.labels.len() == 1 && options.labels.is_none() {
        // One number per record is that of a class.
        layout = Layout::find(&source, options, Some(Form::Long))?;
    }
    let table = records::read_as(&source, &layout, options)?;
    let numbers: Option<Vec<usize>> = table.labels().iter().map(|label| label.parse().ok()).collect();
    let Some(numbers) = numbers else { return Ok(table) };
    let Some(names) = list::names_beside(&text.path, options)? else {
        console::log(&format!(
            "{}: labels are numbers and stay so; a file classes.txt beside it, with one name per line, names them",
            text.path.display()
        ));
        return Ok(table);
    };
    if let Some(width) = layout.flags.filter(|&width| width != names.len()) {
        let what =
            format!("{} per record, but the file of names beside it has {}", counted(width, "flag"), names.len());
        return Err(Error::in_file(&text.path, what));
    }
    if let Some(beyond) = numbers.iter().find(|&&number| number >= names.len()) {
        let what = format!("there is a label {beyond}, but the file of names beside it has {}", names.len());
        return Err(Error::in_file(&text.path, what));
    }
    let place: Vec<u32> = numbers.iter().map(|&number| number as u32).collect();
    table.with_labels_at(names, &place)
}
