//! A plain reader for small CSV tables: quoted fields, any line end, a byte-order mark.

use std::path::Path;

use crate::error::{Error, Result};

/// One line of a CSV file and its number, counted from 1.
pub(super) struct Line {
    pub number: usize,
    pub fields: Vec<String>,
}

/// All lines that are not empty.
pub(super) fn read(path: &Path) -> Result<Vec<Line>> {
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
    let mut lines = Vec::new();
    let mut chars = text.chars().peekable();
    let mut number = 1;
    while chars.peek().is_some() {
        let start = number;
        let mut fields = vec![String::new()];
        let mut quoted = false;
        loop {
            let field_is_empty = fields.last().is_none_or(String::is_empty);
            match chars.next() {
                None if quoted => return Err((start, "a quote is not closed")),
                None => break,
                Some('"') if quoted => match chars.peek() {
                    Some('"') => push(&mut fields, chars.next()),
                    None | Some(',' | '\r' | '\n') => quoted = false,
                    Some(_) => return Err((number, "text stands behind a closing quote")),
                },
                Some('"') if field_is_empty => quoted = true,
                Some(c) if quoted => {
                    number += usize::from(c == '\n');
                    push(&mut fields, Some(c));
                }
                Some(',') => fields.push(String::new()),
                Some('\r') if chars.peek() == Some(&'\n') => {}
                Some('\n') => {
                    number += 1;
                    break;
                }
                c => push(&mut fields, c),
            }
        }
        if fields.iter().any(|f| !f.is_empty()) {
            lines.push(Line { number: start, fields });
        }
    }
    Ok(lines)
}

fn push(fields: &mut [String], c: Option<char>) {
    if let (Some(field), Some(c)) = (fields.last_mut(), c) {
        field.push(c);
    }
}

/// A count: digits, or what a float table writes for a whole number (`12.0`). Empty is 0.
pub(super) fn count(field: &str) -> Option<u64> {
    let field = field.trim();
    if field.is_empty() {
        return Some(0);
    }
    if let Ok(n) = field.parse() {
        return Some(n);
    }
    let x: f64 = field.parse().ok()?;
    // 2^53: beyond it a float no longer holds every whole number.
    (x >= 0.0 && x.fract() == 0.0 && x <= 9_007_199_254_740_992.0).then_some(x as u64)
}

/// A field as CSV writes it, in quotes where it needs them.
pub(super) fn quote(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) || field.is_empty() {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
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
        assert_eq!(parse("\"a\"b").err(), Some((1, "text stands behind a closing quote")));
        assert_eq!(fields(&format!("{},1", quote("b, \"c\""))), vec![vec!["b, \"c\"", "1"]]);
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!([count("12"), count(" 12.0 "), count("")], [Some(12), Some(12), Some(0)]);
        assert_eq!([count("-1"), count("1.5"), count("x"), count("NaN"), count("1e99")], [None; 5]);
    }
}
