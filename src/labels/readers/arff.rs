//! ARFF, the format of Weka, MULAN and MEKA: attributes, then rows, dense or sparse.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::activity::interrupt;
use crate::error::{Result, counted};
use crate::tables::TextFile;

/// A file whose rows are not cut into values yet.
pub struct Arff<'a> {
    pub relation: String,
    pub attributes: Vec<Attribute>,
    /// The number and text of each line of data.
    pub rows: Vec<(usize, &'a str)>,
    text: &'a TextFile,
}

pub struct Attribute {
    pub name: String,
    /// The line that declares it.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug, PartialEq)]
pub enum Kind {
    /// One of these values.
    Nominal(Vec<String>),
    Numeric,
    String,
    Date,
}

/// The values of a row at the wanted attributes.
pub struct Row {
    /// Whether attributes that are not here have their default: 0, or the first nominal value.
    pub sparse: bool,
    /// Position of the attribute, and its value; `None` for a missing value.
    pub values: Vec<(usize, Option<String>)>,
}

/// A mistake in a line.
type Fault = String;

impl<'a> Arff<'a> {
    /// Reads the declarations. Errors name the line: another keyword or type, a name declared twice, no `@data`.
    pub fn new(text: &'a TextFile) -> Result<Self> {
        let mut arff = Arff { relation: String::new(), attributes: Vec::new(), rows: Vec::new(), text };
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut in_data = false;
        let mut last = 1;
        for (i, (line, content)) in text.lines().enumerate() {
            if i % (1 << 16) == 0 {
                interrupt::check()?;
            }
            last = line;
            if content.starts_with('%') {
                continue;
            }
            if in_data {
                arff.rows.push((line, content));
                continue;
            }
            let keyword = content.split(char::is_whitespace).next().unwrap_or("");
            let rest = content[keyword.len()..].trim_start();
            match keyword.to_ascii_lowercase().as_str() {
                "@relation" => {
                    let mut cursor = Cursor(rest);
                    arff.relation = match cursor.quoted().map_err(|e| text.at(line, e))? {
                        Some(name) => name,
                        None => rest.to_string(),
                    };
                }
                "@attribute" => {
                    let (name, kind) = attribute(rest).map_err(|e| text.at(line, e))?;
                    if let Some(first) = seen.insert(name.clone(), line) {
                        let what = format!("attribute \"{name}\" is declared twice, first on line {first}");
                        return Err(text.at(line, what));
                    }
                    arff.attributes.push(Attribute { name, line, kind });
                }
                "@data" => in_data = true,
                _ => {
                    let came: String = content.chars().take(40).collect();
                    let what = format!("expected @relation, @attribute, @data or a comment; got \"{came}\"");
                    return Err(text.at(line, what));
                }
            }
        }
        if !in_data {
            return Err(text.at(last, "an ARFF file needs @data behind its attributes; the file ends before"));
        }
        if arff.attributes.is_empty() {
            return Err(text.at(last, "an ARFF file needs an @attribute before @data"));
        }
        Ok(arff)
    }

    /// The values of a row where `wanted[attribute]`. Errors: another number of values than attributes, an index out of
    /// range or given twice, a quote or brace that is not closed.
    pub fn row(&self, line: usize, content: &str, wanted: &[bool]) -> Result<Row> {
        let row = if content.starts_with('{') { sparse(content, wanted) } else { dense(content, wanted) };
        row.map_err(|what| self.text.at(line, what))
    }
}

/// The name and the type of an attribute.
fn attribute(declaration: &str) -> Result<(String, Kind), Fault> {
    let mut cursor = Cursor(declaration);
    let name = match cursor.quoted()? {
        Some(name) => name,
        None => cursor.until(|c| c.is_whitespace() || c == '{').to_string(),
    };
    if name.is_empty() {
        return Err("the attribute has no name".into());
    }
    cursor.blanks();
    if !cursor.take('{') {
        let word = cursor.until(char::is_whitespace).to_ascii_lowercase();
        let kind = match word.as_str() {
            "numeric" | "real" | "integer" => Kind::Numeric,
            "string" => Kind::String,
            "date" => Kind::Date,
            "relational" => return Err(format!("attribute \"{name}\" is relational, which is not read")),
            other => {
                return Err(format!(
                    "attribute \"{name}\" must be numeric, real, integer, string, date or a list {{a,b}}; got \"{other}\""
                ));
            }
        };
        return Ok((name, kind));
    }
    let mut values = Vec::new();
    loop {
        cursor.blanks();
        if cursor.take('}') {
            break;
        }
        values.push(cursor.value(|c| matches!(c, ',' | '}'))?.0.into_owned());
        cursor.blanks();
        if !cursor.take(',') && !cursor.0.starts_with('}') {
            return Err(format!("the values of attribute \"{name}\" are not closed by }}"));
        }
    }
    if values.is_empty() {
        return Err(format!("attribute \"{name}\" has no values"));
    }
    Ok((name, Kind::Nominal(values)))
}

fn dense(content: &str, wanted: &[bool]) -> Result<Row, Fault> {
    // Commas separate; where there is none, blanks do.
    let commas = content.contains(',');
    let ends = |c: char| if commas { c == ',' } else { c.is_whitespace() };
    let mut cursor = Cursor(content);
    let mut values = Vec::new();
    let mut count = 0;
    loop {
        cursor.blanks();
        if cursor.0.starts_with('{') && count == wanted.len() {
            // A row's weight.
            break;
        }
        let (value, quoted) = cursor.value(ends)?;
        if value.is_empty() && !quoted {
            return Err(format!("value {} is empty", count + 1));
        }
        if wanted.get(count) == Some(&true) {
            values.push((count, (quoted || value != "?").then(|| value.into_owned())));
        }
        count += 1;
        cursor.blanks();
        let more = if commas { cursor.take(',') } else { !cursor.0.is_empty() };
        if !more {
            break;
        }
    }
    if count != wanted.len() {
        return Err(format!("expected {}, one for each attribute; got {count}", counted(wanted.len(), "value")));
    }
    if !cursor.0.is_empty() && !cursor.0.starts_with(['{', '%']) {
        return Err(format!("expected a comma behind value {count}"));
    }
    Ok(Row { sparse: false, values })
}

fn sparse(content: &str, wanted: &[bool]) -> Result<Row, Fault> {
    let mut cursor = Cursor(content);
    cursor.take('{');
    let mut values: Vec<(usize, Option<String>)> = Vec::new();
    let mut last: Option<usize> = None;
    loop {
        cursor.blanks();
        if cursor.take('}') {
            break;
        }
        let word = cursor.until(|c| c.is_whitespace() || matches!(c, ',' | '}'));
        let index: usize = word.parse().map_err(|_| format!("expected an attribute's number; got \"{word}\""))?;
        if index >= wanted.len() {
            return Err(format!("attribute {index}, but there are only {}, counted from 0", wanted.len()));
        }
        if last.is_some_and(|last| index <= last) {
            return Err(format!("attribute {index} comes behind attribute {}; they must ascend", last.unwrap_or(0)));
        }
        last = Some(index);
        cursor.blanks();
        let (value, quoted) = cursor.value(|c| matches!(c, ',' | '}'))?;
        if value.is_empty() && !quoted {
            return Err(format!("attribute {index} has no value"));
        }
        if wanted[index] {
            values.push((index, (quoted || value != "?").then(|| value.into_owned())));
        }
        cursor.blanks();
        if !cursor.take(',') && !cursor.0.starts_with('}') {
            return Err("a sparse row is not closed by }".into());
        }
    }
    // Behind it there may be the row's weight or a comment.
    cursor.blanks();
    match cursor.0.chars().next() {
        None | Some(',' | '%' | '{') => Ok(Row { sparse: true, values }),
        Some(_) => Err("there is text behind the sparse row".into()),
    }
}

/// The rest of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn blanks(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn take(&mut self, sign: char) -> bool {
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// The text up to a sign.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(ends).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        text
    }

    /// A value and whether it was quoted.
    fn value(&mut self, ends: impl Fn(char) -> bool) -> Result<(Cow<'a, str>, bool), Fault> {
        match self.quoted()? {
            Some(text) => Ok((text.into(), true)),
            None => Ok((self.until(ends).trim().into(), false)),
        }
    }

    /// A text in quotes, if one begins here. A backslash escapes the next sign.
    fn quoted(&mut self) -> Result<Option<String>, Fault> {
        let Some(quote) = self.0.chars().next().filter(|c| matches!(c, '\'' | '"')) else { return Ok(None) };
        let mut text = String::new();
        let mut signs = self.0.char_indices().skip(1);
        while let Some((at, c)) = signs.next() {
            match c {
                _ if c == quote => {
                    self.0 = &self.0[at + 1..];
                    return Ok(Some(text));
                }
                '\\' => match signs.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((at, 'u')) => {
                        let digits = self.0.get(at + 1..at + 5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                        match code.and_then(char::from_u32) {
                            Some(c) => {
                                text.push(c);
                                signs.nth(3);
                            }
                            None => text.push('u'),
                        }
                    }
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                _ => text.push(c),
            }
        }
        Err("a quote is not closed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(row: Result<Row, Fault>) -> Vec<(usize, Option<String>)> {
        row.unwrap().values
    }

    fn some(values: &[(usize, &str)]) -> Vec<(usize, Option<String>)> {
        values.iter().map(|(i, v)| (*i, Some(v.to_string()))).collect()
    }

    #[test]
    fn attributes() {
        let of = |text: &str| attribute(text).unwrap();
        let nominal = |values: &[&str]| Kind::Nominal(values.iter().map(|v| v.to_string()).collect());
        assert_eq!(of("a {0,1}"), ("a".into(), nominal(&["0", "1"])));
        assert_eq!(of("a{0, 1 }"), ("a".into(), nominal(&["0", "1"])));
        assert_eq!(of("'a b' REAL"), ("a b".into(), Kind::Numeric));
        assert_eq!(of(r#""it's \"x\"" {'a, b',"c}"}"#), ("it's \"x\"".into(), nominal(&["a, b", "c}"])));
        assert_eq!(of(r"'a\'b\\ é\u00e9' string"), ("a'b\\ éé".into(), Kind::String));
        assert_eq!(of("d date \"yyyy-MM-dd\"").1, Kind::Date);
        for wrong in ["'a", "a", "a {0,1", "a {}", "a relational", "a bool", "", "{0,1}"] {
            assert!(attribute(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows() {
        assert_eq!(values(dense("1, 'x, y' ,?", &[true; 3]))[..2], some(&[(0, "1"), (1, "x, y")]));
        assert_eq!(values(dense("1,'?',?", &[true; 3]))[1..], [(1_usize, Some("?".to_string())), (2, None)]);
        assert_eq!(values(dense("1,0,3,{5}", &[false, true, false])), some(&[(1, "0")]));
        assert_eq!(values(dense("1 0\t3", &[true, false, true])), some(&[(0, "1"), (2, "3")]));
        assert_eq!(values(sparse("{ 0 1,2 0.5 , 3 'a b'}", &[true, true, false, true])), some(&[(0, "1"), (3, "a b")]));
        assert!(values(sparse("{}", &[true])).is_empty());
        for wrong in ["1", "1,,2", "1,2,3,4", "1,'2,3", "1,2,", "1,'a'b,2"] {
            assert!(dense(wrong, &[true; 3]).is_err(), "{wrong}");
        }
        for wrong in ["{0 1", "{3 1}", "{1 1,0 1}", "{0 1,0 1}", "{x 1}", "{0}", "{-1 1}", "{0 1} x"] {
            assert!(sparse(wrong, &[true; 3]).is_err(), "{wrong}");
        }
    }
}
