//! CSV with one row per image-label pair.

use super::{LoadOptions, Probe, Reader, columns};
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::pairs::{PairBuilder, Repeats};
use crate::tables::{CsvRecords, TextFile};

pub const READER: Reader = Reader {
    name: "csv-long",
    summary: "CSV with the columns image,label: one row per pair; an empty label is an image without labels",
    lists_labels: false,
    has_splits: false,
    detect: |probe, _| header(probe).is_some_and(|names| columns::is_long(&names)),
    read,
};

/// The names in the first line of a file that may be CSV.
pub fn header(probe: &Probe) -> Option<Vec<String>> {
    if probe.is_folder || probe.head.contains(&0) {
        return None;
    }
    // JSON and XML have commas too.
    let line = probe.first_line().filter(|line| !line.trim_start().starts_with(['[', '{', '<']))?;
    let separator = [',', ';', '\t'].into_iter().find(|&s| line.contains(s))?;
    Some(line.split(separator).map(|name| name.trim().trim_matches('"').to_string()).collect())
}

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let text = TextFile::read(path)?;
    let mut records = CsvRecords::new(&text)?;
    let (names, _) = records.header("the columns image,label")?;
    let (image, label) = columns::long(path, &names)?;
    let confidence = columns::confidence(&names);
    let mut builder = PairBuilder::new();
    while let Some(line) = records.next()? {
        records.expect_fields(names.len(), line)?;
        let (image, label) = (records.field(image), records.field(label));
        if image.is_empty() {
            return Err(records.at(line, "the image has no name"));
        }
        let absent = match confidence {
            None => false,
            Some(column) => sure(records.field(column)).map_err(|e| records.at(line, e.message))? == 0.0,
        };
        if label.is_empty() || absent {
            builder.image(image)?;
        } else {
            builder.pair(image, label, line)?;
        }
    }
    builder.finish(&path.display().to_string(), "line", Repeats::Refuse)
}

fn sure(field: &str) -> Result<f64> {
    field
        .trim()
        .parse()
        .ok()
        .filter(|x| (0.0..=1.0).contains(x))
        .ok_or_else(|| Error::data(format!("confidence must be a number from 0 to 1; got \"{field}\"")))
}
