//! `TextFile`: a UTF-8 file in memory, whose errors name the line.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A text file, read whole.
pub struct TextFile {
    pub path: PathBuf,
    pub(super) text: String,
}

impl TextFile {
    /// Reads a file. Errors: Io; text that is not UTF-8 (with its line).
    pub fn read(path: &Path) -> Result<TextFile> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            at(path, 1 + before.iter().filter(|&&b| b == b'\n').count(), "not UTF-8 text")
        })?;
        Ok(TextFile { path: path.to_path_buf(), text })
    }

    /// The text without the byte-order mark that some programs write first.
    pub fn content(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }

    /// The lines that are not blank, trimmed, with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.content().lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.is_empty())
    }

    /// An error at a line of this file.
    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> Error {
        at(&self.path, line, what)
    }
}

fn at(path: &Path, line: usize, what: impl std::fmt::Display) -> Error {
    Error::data(format!("{}, line {line}: {what}", path.display())).about_file(path)
}
