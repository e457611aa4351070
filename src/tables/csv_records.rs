//! `CsvRecords`: the records of a CSV file, one at a time, with errors that name the line.

use csv::{ReaderBuilder, StringRecord, Terminator};

use super::text_file::TextFile;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};

/// The records of a CSV file (RFC 4180). Blank lines are skipped.
///
/// Fields are separated by commas, or by semicolons or tabs where the first line has no comma. A quoted field may hold
/// separators, line ends and doubled quotes.
pub struct CsvRecords<'a> {
    file: &'a TextFile,
    separator: u8,
    reader: csv::Reader<&'a [u8]>,
    record: StringRecord,
    /// Whether the last field of the record holds the carriage return of its line end.
    carriage_return: bool,
    count: u64,
    progress: Option<Progress>,
    shown: u64,
}

/// Reading a file of this size takes a second or more.
const LARGE: usize = 64 << 20;

impl<'a> CsvRecords<'a> {
    /// Errors: an empty file.
    pub fn new(file: &'a TextFile) -> Result<Self> {
        let content = file.content();
        let Some(first) = content.lines().find(|l| !l.trim().is_empty()) else {
            return Err(Error::data(format!("{} is empty", file.path.display())).about_file(&file.path));
        };
        let separator = [b',', b';', b'\t'].into_iter().find(|s| first.as_bytes().contains(s)).unwrap_or(b',');
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            // A lone carriage return is part of a field.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_reader(content.as_bytes());
        let progress = (content.len() > LARGE).then(|| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            Progress::new(format!("reading {name}"), content.len() as u64, "bytes")
        });
        let record = StringRecord::new();
        Ok(CsvRecords { file, separator, reader, record, carriage_return: false, count: 0, progress, shown: 0 })
    }

    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The names in the first record, trimmed, and its line. Errors: no record at all.
    pub fn header(&mut self, expected: &str) -> Result<(Vec<String>, usize)> {
        let line = self.next()?.ok_or_else(|| Error::in_file(&self.file.path, format!("expected {expected}")))?;
        Ok(((0..self.len()).map(|i| self.field(i).trim().to_string()).collect(), line))
    }

    /// Moves to the next record and returns the number of its first line; `None` at the end.
    ///
    /// Errors: a quote that is not closed or not at a field's end (with its line), Interrupted.
    #[allow(clippy::should_implement_trait)] // a lending iterator with errors
    pub fn next(&mut self) -> Result<Option<usize>> {
        self.count += 1;
        if self.count.is_multiple_of(1 << 16) {
            interrupt::check()?;
            if let Some(progress) = &self.progress {
                let place = self.reader.position().byte();
                progress.advance(place - self.shown);
                self.shown = place;
            }
        }
        let file = self.file;
        loop {
            let (start, line) = (self.reader.position().byte() as usize, self.reader.position().line() as usize);
            if !self.reader.read_record(&mut self.record).map_err(|e| file.at(line, e))? {
                return Ok(None);
            }
            // The reader starts at the blank lines before a record. It takes one with a carriage return for a record.
            let read = &file.content()[start..self.reader.position().byte() as usize];
            let raw = read.trim_start_matches(['\r', '\n']);
            if raw.is_empty() {
                continue;
            }
            let line = line + newlines(&read[..read.len() - raw.len()]);
            let raw = raw.strip_suffix('\n').unwrap_or(raw);
            self.carriage_return = raw.ends_with('\r');
            let raw = raw.strip_suffix('\r').unwrap_or(raw);
            if raw.contains('"') {
                self.check_quotes(raw, line)?;
            }
            return Ok(Some(line));
        }
    }

    /// Errors: a field that begins with a quote and does not end with one, which the csv crate accepts.
    fn check_quotes(&self, raw: &str, line: usize) -> Result<()> {
        let mut rest = raw.as_bytes();
        loop {
            if let Some(mut inside) = rest.strip_prefix(b"\"") {
                rest = loop {
                    let quote = inside.iter().position(|&b| b == b'"');
                    let behind = &inside[quote.ok_or_else(|| self.at(line, "a quote is not closed"))? + 1..];
                    match behind.strip_prefix(b"\"") {
                        Some(more) => inside = more,
                        None => break behind,
                    }
                };
                if rest.first().is_some_and(|&b| b != self.separator) {
                    let line = line + newlines(&raw[..raw.len() - rest.len()]);
                    return Err(self.at(line, "a closing quote must be at the end of its field"));
                }
            }
            match rest.iter().position(|&b| b == self.separator) {
                Some(end) => rest = &rest[end + 1..],
                None => return Ok(()),
            }
        }
    }

    /// Number of fields of the current record.
    #[allow(clippy::len_without_is_empty)] // a record has at least one field
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// A field of the current record; empty past the last one.
    pub fn field(&self, i: usize) -> &str {
        let field = self.record.get(i).unwrap_or("");
        if self.carriage_return && i + 1 == self.len() { field.strip_suffix('\r').unwrap_or(field) } else { field }
    }

    /// Errors: another number of fields than `expected`.
    pub fn expect_fields(&self, expected: usize, line: usize) -> Result<()> {
        match self.len() {
            len if len == expected => Ok(()),
            len => Err(self.at(line, format!("expected {expected} fields; got {len}"))),
        }
    }

    /// An error at a line of this file.
    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> Error {
        self.file.at(line, what)
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&b| b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(content: &str) -> Result<Vec<(usize, Vec<String>)>> {
        let text = TextFile { path: "x.csv".into(), text: content.into() };
        let mut records = CsvRecords::new(&text)?;
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
            "x.csv, line 2: a closing quote must be at the end of its field"
        );
        assert_eq!(records(" \n\n").unwrap_err().message, "x.csv is empty");
    }
}
