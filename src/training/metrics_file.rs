//! `metrics.jsonl` of a training that runs: for those who look on. Its lines are kept in the checkpoint, from which they are written
//! again when the training goes on.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::own;
use crate::json;
use crate::runs::Work;

/// The name of the file in its run's folder.
pub const NAME: &str = "metrics.jsonl";

/// The file of a training that runs.
pub struct MetricsFile {
    file: File,
    path: PathBuf,
}

impl MetricsFile {
    /// Writes the file anew from the lines of finished epochs. Errors: Io.
    pub fn replay(work: &Work, lines: &str) -> Result<MetricsFile> {
        let path = work.path(NAME);
        own::write(&path, lines.as_bytes())?;
        let mut file = own::open_or_create(&path)?;
        file.seek(SeekFrom::End(0)).map_err(|e| Error::io(&path, e))?;
        Ok(MetricsFile { file, path })
    }

    /// Appends one epoch. Errors: Io.
    pub fn append(&mut self, line: &Value) -> Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(|e| Error::io(&self.path, e))
    }
}

/// The lines as values.
pub fn parsed(lines: &str) -> Result<Vec<Value>> {
    lines.lines().map(|line| json::parse(line.as_bytes()).map_err(Error::internal)).collect()
}
