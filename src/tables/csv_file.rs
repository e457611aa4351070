//! `CsvFile`: a CSV file whose delimiter and quirks are told from its content.

use std::borrow::Cow;

use super::csv_records::{CsvRecords, NOT_CLOSED};
use super::text_file::TextFile;
use crate::error::{Error, Result};

/// The delimiters that are recognised, in order of preference.
pub const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines that decide the delimiter.
const SAMPLE: usize = 200;

/// A CSV file (RFC 4180) with its delimiter.
///
/// These are recognised too: Excel's first line `sep=;`, blanks behind delimiters (as in pandas' `skipinitialspace`),
/// comments (`#`) above the header.
pub struct CsvFile<'a> {
    file: &'a TextFile,
    text: Cow<'a, str>,
    delimiter: u8,
    /// Lines above the header that are no records.
    skipped: usize,
    /// Choices that the reader of the file should know of.
    pub notes: Vec<String>,
}

impl<'a> CsvFile<'a> {
    /// Fields are separated by `delimiter`, or by the comma, semicolon, tab or bar that gives every record the same number
    /// of fields.
    ///
    /// Errors: an empty file, a delimiter that is no single ASCII character.
    pub fn new(file: &'a TextFile, delimiter: Option<&str>) -> Result<Self> {
        // Old Macs end lines with carriage returns alone.
        let content = match file.ends_lines_with_carriage_returns() {
            true => Cow::Owned(file.content().replace('\r', "\n")),
            false => Cow::Borrowed(file.content()),
        };
        let mut text: &str = &content;
        if text.trim().is_empty() {
            return Err(Error::in_file(&file.path, "the file is empty"));
        }
        let given = delimiter.map(one_byte).transpose()?;
        let (mut skipped, mut notes) = (0, Vec::new());
        let mut told = None;
        fn below(text: &str) -> &str {
            text.split_once('\n').map_or("", |(_, rest)| rest)
        }
        let first = text.lines().next().unwrap_or("");
        if let Some(character) = first.trim().trim_matches('"').strip_prefix("sep=")
            && let Ok(byte) = one_byte(character)
        {
            told = Some(byte);
            (text, skipped) = (below(text), skipped + 1);
        }
        let above = skipped;
        while text.trim_start_matches(' ').starts_with('#') {
            let mut lines = text.lines();
            let comment = lines.next().unwrap_or("");
            // A header may begin with #. A comment has no delimiter where the line below it has one.
            let next = lines.find(|line| !line.trim().is_empty()).unwrap_or("");
            let holds = |line: &str, byte: u8| line.as_bytes().contains(&byte);
            if DELIMITERS.iter().any(|&d| holds(comment, d) && holds(next, d)) || next.is_empty() {
                break;
            }
            (text, skipped) = (below(text), skipped + 1);
        }
        match skipped - above {
            0 => {}
            1 => notes.push(format!("line {skipped} is taken for a comment")),
            _ => notes.push(format!("lines {} to {skipped} are taken for comments", above + 1)),
        }
        let start = content.len() - text.len();
        let text = match content {
            Cow::Borrowed(content) => Cow::Borrowed(&content[start..]),
            Cow::Owned(content) => Cow::Owned(content[start..].to_string()),
        };
        let mut csv = CsvFile { file, text, delimiter: b',', skipped, notes };
        csv.delimiter = match given.or(told) {
            Some(byte) => byte,
            None => csv.sniff(),
        };
        if let Some(text) = without_blanks_behind(&csv.text, csv.delimiter) {
            csv.text = Cow::Owned(text);
        }
        Ok(csv)
    }

    /// The delimiter that gives the first records the same number of fields, and more than one.
    fn sniff(&mut self) -> u8 {
        let end = self.text.match_indices('\n').nth(SAMPLE).map_or(self.text.len(), |(at, _)| at + 1);
        let sample = &self.text[..end];
        let widths = |delimiter: u8| -> Option<(usize, bool)> {
            let text = without_blanks_behind(sample, delimiter).map_or(Cow::Borrowed(sample), Cow::Owned);
            let mut records = CsvRecords::new(self.file, &text, delimiter, 0);
            let (mut first, mut equal) = (None, true);
            loop {
                match records.next() {
                    Ok(Some(_)) => equal &= *first.get_or_insert(records.len()) == records.len(),
                    Ok(None) => break,
                    // The sample may end within quotes.
                    Err(error) if end < self.text.len() && error.message.ends_with(NOT_CLOSED) => break,
                    // Where another delimiter stands beside a quote, the quote is misplaced.
                    Err(_) => {
                        equal = false;
                        break;
                    }
                }
            }
            first.map(|fields| (fields, equal)).filter(|&(fields, _)| fields > 1)
        };
        let found: Vec<(u8, usize, bool)> =
            DELIMITERS.iter().filter_map(|&d| widths(d).map(|(fields, equal)| (d, fields, equal))).collect();
        // The one that gives most fields; a comma inside texts gives fewer.
        let mut fitting: Vec<&(u8, usize, bool)> = found.iter().filter(|(.., equal)| *equal).collect();
        fitting.sort_by_key(|(_, fields, _)| std::cmp::Reverse(*fields));
        if let [first, second, ..] = fitting[..] {
            let name = |byte: u8| if byte == b'\t' { "tab".to_string() } else { format!("\"{}\"", byte as char) };
            self.notes.push(format!(
                "fields are separated by {} ({} each); {} would give {} (option delimiter chooses)",
                name(first.0),
                first.1,
                name(second.0),
                second.1
            ));
        }
        fitting.first().copied().or(found.first()).map_or(b',', |(delimiter, ..)| *delimiter)
    }

    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The text of the records, header included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The records from the first, header included.
    pub fn records(&self) -> CsvRecords<'_> {
        CsvRecords::new(self.file, &self.text, self.delimiter, self.skipped).with_progress()
    }
}

fn one_byte(delimiter: &str) -> Result<u8> {
    match delimiter.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(Error::argument(format!(
            "option delimiter must be one ASCII character, as \";\" or \"\\t\"; got \"{delimiter}\""
        ))
        .about_option("delimiter")),
    }
}

/// The text without blanks behind delimiters outside quotes, where a quoted field follows such blanks. Elsewhere names
/// are trimmed anyway, so the text stays as it is.
fn without_blanks_behind(text: &str, delimiter: u8) -> Option<String> {
    let quoted = |at: usize| text[at + 1..].trim_start_matches([' ', '\t']).starts_with('"');
    let pattern = [delimiter, b' '];
    let mut places = memchr::memmem::find_iter(text.as_bytes(), &pattern);
    if delimiter == b' ' || memchr::memchr(b'"', text.as_bytes()).is_none() || !places.any(quoted) {
        return None;
    }
    let mut cleaned = Vec::with_capacity(text.len());
    // Whether the field began with a quote, whether a quote is open, whether only blanks came since the delimiter.
    let (mut quoted, mut open, mut at_start) = (false, false, true);
    for &byte in text.as_bytes() {
        match byte {
            b' ' | b'\t' if at_start && byte != delimiter => continue,
            b'"' if at_start => (quoted, open) = (true, true),
            b'"' if quoted => open = !open,
            _ => {}
        }
        at_start = !open && (byte == delimiter || byte == b'\n');
        quoted &= !at_start;
        cleaned.push(byte);
    }
    String::from_utf8(cleaned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(content: &str, delimiter: Option<&str>) -> Result<(u8, Vec<Vec<String>>)> {
        let text = TextFile { path: "x.csv".into(), text: content.into() };
        let csv = CsvFile::new(&text, delimiter)?;
        let mut records = csv.records();
        let mut rows = Vec::new();
        while records.next()?.is_some() {
            rows.push((0..records.len()).map(|i| records.field(i).to_string()).collect());
        }
        Ok((csv.delimiter(), rows))
    }

    #[test]
    fn the_delimiter_is_told_from_records() {
        let of = |content: &str| all(content, None).unwrap().0;
        assert_eq!(of("a,b\n1,2\n"), b',');
        assert_eq!(of("image;\"Katze, klein\";Hund\na.jpg;1;0\n"), b';');
        assert_eq!(of("\"a, b\"\t\"c; d\"\nx\ty\n"), b'\t');
        assert_eq!(of("image|label\na|b\n"), b'|');
        assert_eq!(of("image,label\na.jpg,cat|dog\n"), b',');
        assert_eq!(of("image;size\na.jpg;1,5\n"), b';');
        assert_eq!(of("image;size, cm;label\na.jpg;1,5;cat\n"), b';');
        assert_eq!(of("sep=;\nimage;label\na,b;c\n"), b';');
        assert_eq!(all("a;b\n1;2\n", Some(",")).unwrap().1[0], ["a;b"]);
        assert!(all("a,b\n", Some(";;")).unwrap_err().message.contains("one ASCII character"));
    }

    #[test]
    fn comments_and_blanks_behind_delimiters() {
        let (_, rows) =
            all("# by hand\n# twice\nimage, label\na.jpg, \"bear, \"\"big\"\" , brown\"\n b.jpg, dog\n", None).unwrap();
        assert_eq!(rows[0], ["image", "label"]);
        assert_eq!(rows[1], ["a.jpg", "bear, \"big\" , brown"]);
        assert_eq!(rows[2], ["b.jpg", "dog"]);
        let (_, rows) = all("a, b\n5\"\" wide, \"x, y\"\n", None).unwrap();
        assert_eq!(rows[1], ["5\"\" wide", "x, y"]);
        assert_eq!(all("#id,label\na,b\n", None).unwrap().1[0], ["#id", "label"]);
        assert_eq!(all(" \n\n", None).unwrap_err().message, "x.csv: the file is empty");
    }
}
