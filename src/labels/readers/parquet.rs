//! Parquet: long (`image,label`) or wide (one 0/1 column a label).

use std::path::Path;

use polars::prelude::*;

use super::{LoadOptions, from_frame};
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::tables::polars_error;

pub fn detect(_path: &Path, head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

pub fn read(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let frame = ParquetReader::new(file).finish().map_err(|e| polars_error(&path.display().to_string(), &e))?;
    from_frame(&frame, path, options)
}
