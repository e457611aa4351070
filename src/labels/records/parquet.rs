//! Parquet files: their columns and their rows in parts.

use std::fs::File;
use std::path::Path;

use polars::prelude::*;

use crate::error::{Error, Result};
use crate::files;
use crate::tables::polars_error;

/// Rows read at once; with the resulting table they bound the memory.
pub const ROWS: usize = 1 << 21;
/// Fields read at once in a table of many columns.
pub const FIELDS: usize = 1 << 24;

pub fn open(path: &Path) -> Result<ParquetReader<File>> {
    Ok(ParquetReader::new(files::open(path)?))
}

/// The number of rows.
pub fn height(path: &Path) -> Result<usize> {
    open(path)?.num_rows().map_err(|e| unreadable(path, e))
}

/// Up to `rows` rows of some columns, from row `start` on.
pub fn part(path: &Path, columns: &[String], start: usize, rows: usize) -> Result<DataFrame> {
    let reader = open(path)?.with_columns(Some(columns.to_vec())).with_slice(Some((start, rows)));
    reader.finish().map_err(|e| unreadable(path, e))
}

pub fn unreadable(path: &Path, e: PolarsError) -> Error {
    polars_error(format!("{} cannot be read", path.display()), e).about_file(path)
}
