//! Text files: UTF-8, lines, and the records of CSV, each error with its line.

use std::path::{Path, PathBuf};

use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};

/// A text file read whole.
pub struct Text {
    pub path: PathBuf,
    content: String,
}

impl Text {
    /// Errors: a file that cannot be read, text that is not UTF-8 (with its line).
    pub fn read(path: &Path) -> Result<Text> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let content = String::from_utf8(bytes).map_err(|e| {
            let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            at(path, line_of(before), "not UTF-8 text")
        })?;
        Ok(Text { path: path.to_path_buf(), content })
    }

    /// Without the byte-order mark that some programs put first.
    pub fn without_mark(&self) -> &str {
        self.content.strip_prefix('\u{feff}').unwrap_or(&self.content)
    }

    /// Lines that are not blank, trimmed, with their numbers from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.without_mark()
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
    }

    /// An error at a line of this file.
    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> Error {
        at(&self.path, line, what)
    }
}

fn at(path: &Path, line: usize, what: impl std::fmt::Display) -> Error {
    Error::data(format!("{}, line {line}: {what}", path.display()))
}

/// The number of the line that follows `before`, from 1.
pub fn line_of(before: &[u8]) -> usize {
    before.iter().filter(|&&b| b == b'\n').count() + 1
}

/// The records of a CSV file (RFC 4180), one at a time; blank lines are passed over.
///
/// Fields are separated by commas, or by semicolons or tabs where the first line has no comma. A quoted field may hold
/// separators, line ends and doubled quotes.
pub struct Records<'a> {
    text: &'a Text,
    bytes: &'a [u8],
    place: usize,
    line: usize,
    separator: u8,
    /// The current record: unquoted bytes of all fields, and where each field ends.
    buffer: Vec<u8>,
    ends: Vec<usize>,
    count: u64,
    progress: Option<Progress>,
    shown: usize,
}

/// A file of this size takes a second or more.
const LARGE: usize = 64 << 20;

impl<'a> Records<'a> {
    /// Errors: an empty file.
    pub fn new(text: &'a Text) -> Result<Records<'a>> {
        let content = text.without_mark();
        let Some(first) = content.lines().find(|l| !l.trim().is_empty()) else {
            return Err(Error::data(format!("{} is empty", text.path.display())));
        };
        let separator = [b',', b';', b'\t'].into_iter().find(|&s| first.as_bytes().contains(&s)).unwrap_or(b',');
        let progress = (content.len() > LARGE).then(|| {
            let name = text.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Progress::new(format!("reading {name}"), content.len() as u64, "bytes")
        });
        Ok(Records {
            text,
            bytes: content.as_bytes(),
            place: 0,
            line: 1,
            separator,
            buffer: Vec::new(),
            ends: Vec::new(),
            count: 0,
            progress,
            shown: 0,
        })
    }

    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The names in the first record, trimmed, and its line. Errors: no record at all.
    pub fn header(&mut self, expected: &str) -> Result<(Vec<String>, usize)> {
        let line =
            self.next()?.ok_or_else(|| Error::data(format!("{}: expected {expected}", self.text.path.display())))?;
        Ok(((0..self.len()).map(|i| self.field(i).trim().to_string()).collect(), line))
    }

    /// Moves to the next record and gives the number of its first line; `None` at the end.
    ///
    /// Errors: a quote that is not closed or not at a field's end (with its line), Interrupted.
    #[allow(clippy::should_implement_trait)] // a lending iterator with errors
    pub fn next(&mut self) -> Result<Option<usize>> {
        self.count += 1;
        if self.count.is_multiple_of(1 << 16) {
            interrupt::check()?;
            if let Some(progress) = &self.progress {
                progress.advance((self.place - self.shown) as u64);
                self.shown = self.place;
            }
        }
        while let Some(&byte) = self.bytes.get(self.place) {
            match byte {
                b'\n' => self.line += 1,
                b'\r' => {}
                _ => break,
            }
            self.place += 1;
        }
        if self.place >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.line;
        self.buffer.clear();
        self.ends.clear();
        loop {
            if self.bytes.get(self.place) == Some(&b'"') {
                self.quoted(start)?;
            } else {
                let rest = &self.bytes[self.place..];
                let end = rest.iter().position(|&b| b == self.separator || b == b'\n').unwrap_or(rest.len());
                let field = &rest[..end];
                // A carriage return belongs to the line's end.
                let at_line_end = rest.get(end) != Some(&self.separator);
                let field = if at_line_end { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
                self.buffer.extend_from_slice(field);
                self.place += end;
            }
            self.ends.push(self.buffer.len());
            match self.bytes.get(self.place) {
                Some(&b) if b == self.separator => self.place += 1,
                _ => break,
            }
        }
        if self.bytes.get(self.place) == Some(&b'\n') {
            self.place += 1;
            self.line += 1;
        }
        Ok(Some(start))
    }

    /// A field that starts with a quote, up to what follows its closing one.
    fn quoted(&mut self, start: usize) -> Result<()> {
        self.place += 1;
        loop {
            let rest = &self.bytes[self.place..];
            let Some(end) = rest.iter().position(|&b| b == b'"') else {
                return Err(self.text.at(start, "a quote is not closed"));
            };
            self.buffer.extend_from_slice(&rest[..end]);
            self.line += rest[..end].iter().filter(|&&b| b == b'\n').count();
            self.place += end + 1;
            match self.bytes.get(self.place) {
                Some(b'"') => {
                    self.buffer.push(b'"');
                    self.place += 1;
                }
                None | Some(b'\n') => return Ok(()),
                Some(b'\r') if matches!(self.bytes.get(self.place + 1), None | Some(b'\n')) => {
                    self.place += 1;
                    return Ok(());
                }
                Some(&b) if b == self.separator => return Ok(()),
                Some(_) => return Err(self.text.at(self.line, "a closing quote must stand at the end of its field")),
            }
        }
    }

    /// Number of fields of the current record.
    #[allow(clippy::len_without_is_empty)] // a record has at least one field
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field of the current record; empty past the last one.
    pub fn field(&self, i: usize) -> &str {
        let Some(&end) = self.ends.get(i) else { return "" };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        // Fields are cut at ASCII bytes of valid UTF-8.
        std::str::from_utf8(&self.buffer[start..end]).unwrap_or("")
    }

    /// Errors: another number of fields than `expected`.
    pub fn expect_fields(&self, expected: usize, line: usize) -> Result<()> {
        match self.len() {
            len if len == expected => Ok(()),
            len => Err(self.text.at(line, format!("expected {expected} fields; got {len}"))),
        }
    }

    /// An error at a line of this file.
    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> Error {
        self.text.at(line, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(content: &str) -> Result<Vec<(usize, Vec<String>)>> {
        let text = Text { path: "x.csv".into(), content: content.into() };
        let mut records = Records::new(&text)?;
        let mut all = Vec::new();
        while let Some(line) = records.next()? {
            all.push((line, (0..records.len()).map(|i| records.field(i).to_string()).collect()));
        }
        Ok(all)
    }

    fn owned(expected: &[(usize, &[&str])]) -> Vec<(usize, Vec<String>)> {
        expected.iter().map(|(line, fields)| (*line, fields.iter().map(|f| f.to_string()).collect())).collect()
    }

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        let came = records("\u{feff}a,b\r\n\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\nlast,\n,\"\"").unwrap();
        assert_eq!(
            came,
            owned(&[(1, &["a", "b"]), (3, &["x, \"y\"", "two\nlines"]), (5, &["last", ""]), (6, &["", ""])])
        );
        assert_eq!(records("a;b\n1,5;2\n").unwrap(), owned(&[(1, &["a", "b"]), (2, &["1,5", "2"])]));
        assert_eq!(records("a\tb\n1\t2").unwrap(), owned(&[(1, &["a", "b"]), (2, &["1", "2"])]));
    }

    #[test]
    fn bad_quotes_and_empty_files_are_named() {
        assert_eq!(records("a,b\n1,\"2").unwrap_err().message, "x.csv, line 2: a quote is not closed");
        assert_eq!(
            records("a,b\n\"1\"x,2").unwrap_err().message,
            "x.csv, line 2: a closing quote must stand at the end of its field"
        );
        assert_eq!(records(" \n\n").unwrap_err().message, "x.csv is empty");
    }
}
