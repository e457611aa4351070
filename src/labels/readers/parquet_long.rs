//! Parquet with one row per image-label pair.

use std::fs::File;
use std::path::Path;

use polars::prelude::*;

use super::{LoadOptions, Probe, Reader, columns};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::labels::pairs::{PairBuilder, Repeats};
use crate::labels::{LabelTable, data_frame};
use crate::tables::polars_error;

pub const READER: Reader = Reader {
    name: "parquet-long",
    summary: "Parquet with the columns image and label: one row per pair; a null label is an image without labels",
    lists_labels: false,
    has_splits: false,
    detect: |probe, _| is_parquet(probe) && names(&probe.path).is_ok_and(|names| columns::is_long(&names)),
    read,
};

/// Rows read at once; with the resulting table they bound the memory.
pub const ROWS: usize = 1 << 21;

pub fn is_parquet(probe: &Probe) -> bool {
    probe.head.starts_with(b"PAR1")
}

/// The column names.
pub fn names(path: &Path) -> Result<Vec<String>> {
    let failed = |e| polars_error(format!("{} is no whole Parquet file", path.display()), e).about_file(path);
    let schema = open(path)?.schema().map_err(failed)?;
    Ok(schema.iter_names().map(|n| n.to_string()).collect())
}

pub fn open(path: &Path) -> Result<ParquetReader<File>> {
    Ok(ParquetReader::new(File::open(path).map_err(|e| Error::io(path, e))?))
}

/// Calls `work` with one part of the rows after the other, as a frame of some columns, and the first row of each.
pub fn for_each_part(
    path: &Path,
    columns: &[String],
    mut work: impl FnMut(&DataFrame, usize) -> Result<()>,
) -> Result<()> {
    let failed = |e| polars_error(format!("{} cannot be read", path.display()), e).about_file(path);
    let height = open(path)?.num_rows().map_err(failed)?;
    let progress = (height > ROWS).then(|| Progress::new("reading Parquet", height as u64, "rows"));
    for start in (0..height).step_by(ROWS) {
        interrupt::check()?;
        let reader = open(path)?.with_columns(Some(columns.to_vec())).with_slice(Some((start, ROWS)));
        let frame = reader.finish().map_err(failed)?;
        work(&frame, start)?;
        if let Some(progress) = &progress {
            progress.advance(frame.height() as u64);
        }
    }
    Ok(())
}

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let names = names(path)?;
    let (image, label) = columns::long(path, &names)?;
    let source = path.display().to_string();
    let mut builder = PairBuilder::new();
    for_each_part(path, &[names[image].clone(), names[label].clone()], |part, start| {
        data_frame::push_long(&mut builder, part, &names[image], &names[label], &source, start)
    })?;
    builder.finish(&source, "row", Repeats::Refuse)
}
