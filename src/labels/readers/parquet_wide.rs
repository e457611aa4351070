//! Parquet with one row per image and one column of 0 and 1 per label.

use super::parquet_long::{for_each_part, is_parquet, names};
use super::{LoadOptions, Probe, Reader, csv_wide};
use crate::error::{Error, Result};
use crate::labels::{LabelTable, data_frame};

pub const READER: Reader = Reader {
    name: "parquet-wide",
    summary: "Parquet with one row per image and one column of 0 and 1 (or true and false) per label",
    lists_labels: true,
    has_splits: false,
    detect: |probe, _| is_parquet(probe),
    read,
};

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let names = names(path)?;
    if names.is_empty() {
        return Err(Error::data(format!("{} has no columns", path.display())));
    }
    let (image, labels) = csv_wide::layout(path, &names, options)?;
    let labels: Vec<String> = labels.into_iter().map(|(_, name)| name).collect();
    let columns: Vec<String> = std::iter::once(names[image].clone()).chain(labels.iter().cloned()).collect();
    let source = path.display().to_string();
    let mut rows = data_frame::WideRows::new(labels);
    for_each_part(path, &columns, |part, start| rows.push(part, &names[image], &source, start))?;
    rows.finish(&source)
}
