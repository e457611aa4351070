//! CSV: long (`image,label`) or wide (one 0/1 column a label).

use std::path::Path;

use polars::prelude::*;

use super::{LoadOptions, from_frame};
use crate::error::{Error, Result};
use crate::labels::LabelTable;
use crate::labels::tables::polars_error;

pub fn detect(path: &Path, head: &[u8]) -> bool {
    let named = path.extension().and_then(|e| e.to_str()).is_some_and(|e| ["csv", "tsv", "txt"].contains(&e));
    named || head.split(|&b| b == b'\n').next().is_some_and(|line| line.contains(&b',') && std::str::from_utf8(line).is_ok())
}

pub fn read(path: &Path, options: &LoadOptions) -> Result<LabelTable> {
    let what = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    if let Err(e) = std::str::from_utf8(&bytes) {
        let line = bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        return Err(Error::data(format!("{what}, line {line}: not UTF-8 text")));
    }
    let header = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let separator = if header.contains(&b'\t') && !header.contains(&b',') { b'\t' } else { b',' };
    // Image names such as 000123 must stay text; numbers are read from text where they are needed.
    let frame = CsvReadOptions::default()
        .with_infer_schema_length(Some(0))
        .map_parse_options(|o| o.with_separator(separator))
        .into_reader_with_file_handle(std::io::Cursor::new(bytes))
        .finish()
        .map_err(|e| polars_error(&what, &e))?;
    from_frame(&frame, path, options)
}
