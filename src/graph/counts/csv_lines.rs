//! The lines of small CSV files, and the form of their fields.

use std::path::Path;

use crate::error::{Error, Result};

/// One record of a CSV file, and the number of its first line, from 1.
pub struct Line {
    pub number: usize,
    pub fields: Vec<String>,
}

/// All records that have a field that is not empty. A byte-order mark is skipped.
///
/// Errors name the line: text that is not UTF-8, a quote that is not closed or not at the end of its field.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        Error::data(format!("{}, line {line}: not UTF-8 text", path.display()))
    })?;
    parse(text.trim_start_matches('\u{feff}'))
        .map_err(|(line, what)| Error::data(format!("{}, line {line}: {what}", path.display())))
}

fn parse(text: &str) -> Result<Vec<Line>, (usize, &'static str)> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut lines, mut number, mut counted) = (Vec::new(), 1, 0);
    for record in reader.records() {
        let record = record.map_err(|_| (number, "not UTF-8 text"))?;
        // The position of a record lies before the line ends that precede it.
        let position = record.position().map_or(counted, |p| p.byte() as usize);
        let raw = text[position..].trim_start_matches(['\r', '\n']);
        let start = text.len() - raw.len();
        number += text[counted..start].matches('\n').count();
        counted = start;
        check_quotes(raw, &record).map_err(|(line, what)| (number + line, what))?;
        if record.iter().any(|f| !f.is_empty()) {
            lines.push(Line { number, fields: record.iter().map(String::from).collect() });
        }
    }
    Ok(lines)
}

/// Finds quotes that are not closed or not at the end of a field, which the csv crate accepts.
///
/// `raw` begins with the text of `record`. Errors give the line within the record, from 0.
fn check_quotes(mut raw: &str, record: &csv::StringRecord) -> Result<(), (usize, &'static str)> {
    let mut line = 0;
    for field in record {
        let end = if raw.starts_with('"') {
            let expected = in_quotes(field);
            if expected.strip_suffix('"') == Some(raw) {
                return Err((0, "a quote is not closed"));
            }
            line += field.matches('\n').count();
            if !raw.starts_with(&expected) {
                return Err((line, "there is text after a closing quote"));
            }
            expected.len()
        } else {
            field.len()
        };
        // After the separator, where there is one.
        raw = raw.get(end + 1..).unwrap_or_default();
    }
    Ok(())
}

/// A count: digits, or a whole number in the form of a float (`12.0`). An empty field is 0.
pub fn count(field: &str) -> Option<u64> {
    let field = field.trim();
    if field.is_empty() {
        return Some(0);
    }
    if let Ok(n) = field.parse() {
        return Some(n);
    }
    let x: f64 = field.parse().ok()?;
    // Above 2^53 a float does not hold every whole number.
    (x >= 0.0 && x.fract() == 0.0 && x <= 9_007_199_254_740_992.0).then_some(x as u64)
}

/// A field as it is written to a CSV file, in quotes where it needs them.
pub fn quote(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) || field.is_empty() { in_quotes(field) } else { field.to_string() }
}

fn in_quotes(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        parse(text).map_err(|e| e.1).unwrap().into_iter().map(|l| l.fields).collect()
    }

    #[test]
    fn quotes_line_ends_and_empty_lines() {
        assert_eq!(fields("a,\"b, \"\"c\"\"\"\r\n\r\n1,2\n"), vec![vec!["a", "b, \"c\""], vec!["1", "2"]]);
        assert_eq!(fields("a,b"), vec![vec!["a", "b"]]);
        assert_eq!(parse("x\n\"a").err(), Some((2, "a quote is not closed")));
        assert_eq!(parse("\"a\"b").err(), Some((1, "there is text after a closing quote")));
        // Lines are counted through blank lines, \r\n and line ends within quotes.
        let lines = parse("a\r\n\r\n\"b\nc\",d\"\r\n,\r\n\"e\"\"\",\r\nf").unwrap_or_default();
        assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 3, 6, 7]);
        assert_eq!((lines[1].fields.join("|"), lines[2].fields.join("|")), ("b\nc|d\"".into(), "e\"|".into()));
        assert_eq!(parse("x\n1,\"a\nb\"c").err(), Some((3, "there is text after a closing quote")));
        assert_eq!(parse("x\r\n1,\"a\nb\"\"").err(), Some((2, "a quote is not closed")));
        assert_eq!(fields(&format!("{},1", quote("b, \"c\""))), vec![vec!["b, \"c\"", "1"]]);
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!([count("12"), count(" 12.0 "), count("")], [Some(12), Some(12), Some(0)]);
        assert_eq!([count("-1"), count("1.5"), count("x"), count("NaN"), count("1e99")], [None; 5]);
    }
}
