//! `CsvRecords`: the records of a CSV file, one at a time, with errors that name the line.

use csv::{ReaderBuilder, StringRecord, Terminator};

use super::text_file::{TextFile, trimmed};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result, counted};

/// The records of a CSV file (RFC 4180). Blank lines are skipped.
///
/// A quoted field may hold separators, line ends and doubled quotes.
pub struct CsvRecords<'a> {
    file: &'a TextFile,
    text: &'a str,
    delimiter: u8,
    /// Lines of the file above `text`.
    above: usize,
    reader: csv::Reader<&'a [u8]>,
    record: StringRecord,
    /// Whether the last field of the record holds the carriage return of its line end.
    carriage_return: bool,
    /// The fields of the record that are quoted: blanks at their ends belong to them.
    quoted: Vec<bool>,
    /// The place in the text at which a stop was last looked for.
    looked: u64,
    progress: Option<Progress>,
    shown: u64,
}

/// Reading a file of this size takes a second or more.
const LARGE: usize = 64 << 20;
/// Bytes between two looks whether a stop was asked for.
const LOOK: u64 = 1 << 20;
pub(super) const NOT_CLOSED: &str = "a quote is not closed";

impl<'a> CsvRecords<'a> {
    /// The records of `text`, which begins `above` lines below the start of `file`. No text has no records.
    pub(super) fn new(file: &'a TextFile, text: &'a str, delimiter: u8, above: usize) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            // A lone carriage return is part of a field.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_reader(text.as_bytes());
        CsvRecords {
            file,
            text,
            delimiter,
            above,
            reader,
            record: StringRecord::new(),
            carriage_return: false,
            quoted: Vec::new(),
            looked: 0,
            progress: None,
            shown: 0,
        }
    }

    /// Shows progress if the text is large.
    pub(super) fn with_progress(mut self) -> Self {
        self.progress = (self.text.len() > LARGE).then(|| {
            let name = self.file.path.file_name().unwrap_or_default().to_string_lossy();
            Progress::new(format!("reading {name}"), self.text.len() as u64, "bytes")
        });
        self
    }

    /// The records of a whole file with this delimiter.
    pub fn separated_by(file: &'a TextFile, delimiter: u8) -> Self {
        Self::new(file, file.content(), delimiter, 0).with_progress()
    }

    /// The names in the first record and its line. Errors: no record at all.
    pub fn header(&mut self, expected: &str) -> Result<(Vec<String>, usize)> {
        let line = self.next()?.ok_or_else(|| Error::in_file(&self.file.path, format!("expected {expected}")))?;
        Ok(((0..self.len()).map(|i| self.name(i).to_string()).collect(), line))
    }

    /// Moves to the next record and returns the number of its first line; `None` at the end.
    ///
    /// Errors: a quote that is not closed or not at a field's end (with its line), Interrupted.
    #[allow(clippy::should_implement_trait)] // a lending iterator with errors
    pub fn next(&mut self) -> Result<Option<usize>> {
        let place = self.reader.position().byte();
        // By bytes: a record may have any number of fields.
        if place - self.looked >= LOOK {
            self.looked = place;
            interrupt::check()?;
            if let Some(progress) = &self.progress {
                progress.advance(place - self.shown);
                self.shown = place;
            }
        }
        loop {
            let position = self.reader.position();
            let (start, line) = (position.byte() as usize, position.line() as usize + self.above);
            let read = self.reader.read_record(&mut self.record);
            if !read.map_err(|_| self.file.at(line, "no record of a CSV file"))? {
                // The last bytes were not counted.
                self.progress.take().into_iter().for_each(Progress::finish);
                return Ok(None);
            }
            // The reader starts at the blank lines before a record. It takes one with a carriage return for a record.
            let read = &self.text[start..self.reader.position().byte() as usize];
            let raw = read.trim_start_matches(['\r', '\n']);
            if raw.is_empty() {
                continue;
            }
            let line = line + newlines(&read[..read.len() - raw.len()]);
            let raw = raw.strip_suffix('\n').unwrap_or(raw);
            self.carriage_return = raw.ends_with('\r');
            let raw = raw.strip_suffix('\r').unwrap_or(raw);
            self.quoted.clear();
            if memchr::memchr(b'"', raw.as_bytes()).is_some() {
                self.check_quotes(raw, line)?;
            }
            return Ok(Some(line));
        }
    }

    /// Notes which fields are quoted. Errors: a field that begins with a quote and does not end with one, which the csv
    /// crate accepts.
    fn check_quotes(&mut self, raw: &str, line: usize) -> Result<()> {
        let mut rest = raw.as_bytes();
        loop {
            self.quoted.push(rest.starts_with(b"\""));
            if let Some(mut inside) = rest.strip_prefix(b"\"") {
                rest = loop {
                    let quote = inside.iter().position(|&b| b == b'"');
                    let behind = &inside[quote.ok_or_else(|| self.at(line, NOT_CLOSED))? + 1..];
                    match behind.strip_prefix(b"\"") {
                        Some(more) => inside = more,
                        None => break behind,
                    }
                };
                if rest.first().is_some_and(|&b| b != self.delimiter) {
                    let line = line + newlines(&raw[..raw.len() - rest.len()]);
                    return Err(self.at(line, "a closing quote must be at the end of its field"));
                }
            }
            match rest.iter().position(|&b| b == self.delimiter) {
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
    #[inline]
    pub fn field(&self, i: usize) -> &str {
        let field = self.record.get(i).unwrap_or("");
        if self.carriage_return && i + 1 == self.len() { field.strip_suffix('\r').unwrap_or(field) } else { field }
    }

    /// Whether a field of the current record was written in quotes.
    pub(super) fn is_quoted(&self, i: usize) -> bool {
        self.quoted.get(i) == Some(&true)
    }

    /// The place in the text behind the current record.
    pub(super) fn end(&self) -> usize {
        self.reader.position().byte() as usize
    }

    /// A name in the current record: blanks around it belong to it only within quotes.
    #[inline]
    pub fn name(&self, i: usize) -> &str {
        let field = self.field(i);
        if self.is_quoted(i) { field } else { trimmed(field) }
    }

    /// Errors: another number of fields than `expected`.
    pub fn expect_fields(&self, expected: usize, line: usize) -> Result<()> {
        match self.len() {
            len if len == expected => Ok(()),
            len => Err(self.at(line, format!("expected {}; got {len}", counted(expected, "field")))),
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
        let csv = super::super::CsvFile::new(&text, None)?;
        let mut records = csv.records();
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
        // Lines are counted through line ends within quotes, from where the quote opens or closes.
        assert!(records("x\n1,\"a\nb\"c").unwrap_err().message.contains("line 3: a closing quote"));
        assert!(records("x,y\r\n1,\"a\nb\"\"").unwrap_err().message.contains("line 2: a quote is not closed"));
        assert_eq!(records(" \n\n").unwrap_err().message, "x.csv: the file is empty");
    }
}
