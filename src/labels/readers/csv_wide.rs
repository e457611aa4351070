//! CSV with one row per image and one column of 0 and 1 per label.

use std::collections::HashMap;
use std::path::Path;

use super::{LoadOptions, Probe, Reader, columns, csv_long};
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::tables::{CsvRecords, TextFile};

pub const READER: Reader = Reader {
    name: "csv-wide",
    summary: "CSV with one row per image and one column of 0 and 1 per label; the images' column is called image or comes first",
    lists_labels: true,
    has_splits: false,
    detect: |probe, _| csv_long::header(probe).is_some_and(|names| names.len() > 1),
    read,
};

/// The image column, and the label columns with their names: those in the option `labels`, otherwise all others.
///
/// Errors: no label column, an empty or repeated column name, a label in `labels` without a column.
pub fn layout(path: &Path, names: &[String], options: &LoadOptions) -> Result<(usize, Vec<(usize, String)>)> {
    let image = columns::image(names).unwrap_or(0);
    let others: Vec<(usize, String)> = names.iter().cloned().enumerate().filter(|(i, _)| *i != image).collect();
    for (k, (column, name)) in others.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::in_file(path, format!("column {} has no name", column + 1)));
        }
        if others[..k].iter().any(|(_, other)| other == name) {
            return Err(Error::in_file(path, format!("column \"{name}\" appears twice")));
        }
    }
    if others.is_empty() {
        let only = &names[image];
        let message = format!("a wide label table needs a column of 0 and 1 for each label; it has only \"{only}\"");
        return Err(Error::in_file(path, message));
    }
    let Some(wanted) = &options.labels else { return Ok((image, others)) };
    let chosen = wanted
        .iter()
        .map(|label| {
            let found = others.iter().find(|(_, name)| name == label).cloned();
            found.ok_or_else(|| Error::unknown("label", label, others.iter().map(|(_, name)| name.as_str())))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((image, chosen))
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let text = TextFile::read(path)?;
    let mut records = CsvRecords::new(&text)?;
    let (names, _) = records.header("a column of images and one column per label")?;
    let (image_column, labels) = layout(path, &names, options)?;
    let (mut images, mut offsets, mut indices) = (Vec::new(), vec![0_u64], Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    while let Some(line) = records.next()? {
        records.expect_fields(names.len(), line)?;
        let image = records.field(image_column);
        if image.is_empty() {
            return Err(records.at(line, "the image has no name"));
        }
        if let Some(first) = seen.insert(image.to_string(), line) {
            return Err(records.at(line, format!("image \"{image}\" has a second row, its first is line {first}")));
        }
        images.push(image.to_string());
        for (label, (column, name)) in labels.iter().enumerate() {
            match records.field(*column).trim() {
                "0" | "0.0" => {}
                "1" | "1.0" => indices.push(label as u32),
                other => {
                    return Err(records
                        .at(line, format!("column \"{name}\" must be 0 or 1; got \"{other}\""))
                        .with_help(
                            "option labels names the columns that are labels; a long table has the columns image,label",
                        ));
                }
            }
        }
        offsets.push(indices.len() as u64);
    }
    if images.is_empty() {
        return Err(Error::data(format!("{} has a header, but no rows", path.display())));
    }
    LabelTable::from_csr(labels.into_iter().map(|(_, name)| name).collect(), images, offsets, indices)
}
