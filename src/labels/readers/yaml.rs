//! YAML of data sets' descriptions, read by saphyr-parser. Scalars stay texts: a class called `no` or `1.0` is no
//! other value.

use std::collections::HashSet;
use std::path::Path;

use saphyr_parser::{Event, Parser};

use crate::error::{Error, Result};
use crate::tables::TextFile;

/// Limits that no description of a data set reaches.
const MOST_DEPTH: usize = 64;
const MOST_BYTES: usize = 16 << 20;

/// A value and its line, from 1.
#[derive(Debug)]
pub struct Node {
    pub line: usize,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text, unless it is empty or `null`.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if !matches!(text.as_str(), "" | "~" | "null") => Some(text),
            _ => None,
        }
    }
}

/// A value that is being read.
enum Open {
    List(usize, Vec<Node>),
    Map(OpenMap),
}

struct OpenMap {
    line: usize,
    entries: Vec<(String, Node)>,
    keys: HashSet<String>,
    /// The key whose value comes next.
    key: Option<String>,
}

/// Reads the first document of a file.
///
/// Errors: Io; text that is not YAML; an alias, a key that is no text or comes twice, too deep nesting (with the line).
pub fn read(path: &Path, encoding: Option<&str>) -> Result<Node> {
    let file = TextFile::read_as(path, encoding)?;
    if file.content().len() > MOST_BYTES {
        return Err(Error::in_file(path, format!("expected YAML of at most {MOST_BYTES} bytes")));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut line = 1;
    for event in Parser::new_from_str(file.content()) {
        let (event, span) = event.map_err(|e| file.at(e.marker().line().max(1), "not well-formed YAML"))?;
        line = span.start.line().max(1);
        if open.len() > MOST_DEPTH {
            return Err(file.at(line, format!("nested deeper than {MOST_DEPTH}")));
        }
        let done = match event {
            Event::Alias(_) => return Err(file.at(line, "aliases (*name) are not read")),
            Event::Scalar(text, ..) => Node { line, value: Value::Text(text.into_owned()) },
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(OpenMap { line, entries: Vec::new(), keys: HashSet::new(), key: None }));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, list)) => Node { line, value: Value::List(list) },
                Some(Open::Map(map)) => Node { line: map.line, value: Value::Map(map.entries) },
                None => break,
            },
            Event::DocumentEnd => break,
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(done),
            Some(Open::List(_, list)) => list.push(done),
            Some(Open::Map(map)) => match (map.key.take(), done.value) {
                (Some(key), value) => map.entries.push((key, Node { line: done.line, value })),
                (None, Value::Text(text)) => {
                    if !map.keys.insert(text.clone()) {
                        return Err(file.at(line, format!("the key \"{text}\" comes twice")));
                    }
                    map.key = Some(text);
                }
                (None, _) => return Err(file.at(line, "a key must be a text or a number")),
            },
        }
    }
    Err(file.at(line, "expected a map of keys and values"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Node> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        std::fs::write(&path, text).unwrap();
        read(&path, None)
    }

    /// As PyYAML's BaseLoader, which types nothing.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Text(text) => format!("{text:?}"),
            Value::List(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(", ")),
            Value::Map(map) => {
                let entries: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", plain(v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    #[test]
    fn scalars_stay_texts_and_have_lines() {
        let text = "# c\npath: ../x  # root\ntrain: [a, 'b, c']\nnames:\n  0: no\n  1: \"é: 1\"\n  2: 1.0\n";
        let node = parsed(text).unwrap();
        assert_eq!(plain(&node), r#"{path: "../x", train: ["a", "b, c"], names: {0: "no", 1: "é: 1", 2: "1.0"}}"#);
        assert_eq!(node.get("names").and_then(|n| n.get("1")).map(|n| n.line), Some(6));
        assert_eq!(node.get("path").and_then(Node::text), Some("../x"));
        let empty = parsed("a:\nb: null\nc: ~\nd: ''\n").unwrap();
        assert!(["a", "b", "c", "d"].iter().all(|key| empty.get(key).is_some_and(|node| node.text().is_none())));
        assert_eq!(plain(&parsed("- a\n- b: c\n  d: [e]\n").unwrap()), r#"["a", {b: "c", d: ["e"]}]"#);
    }

    #[test]
    fn mistakes_and_bombs_are_refused() {
        let error = |text: &str| parsed(text).unwrap_err().message;
        assert!(error("a: [1, 2\nb: 3\n").contains("not well-formed YAML"));
        assert!(error("a: 1\na: 2\n").ends_with("line 2: the key \"a\" comes twice"));
        assert!(error("a: &x [1]\nb: *x\n").ends_with("line 2: aliases (*name) are not read"));
        assert!(error("").contains("expected a map"));
        assert!(error(&"[".repeat(100_000)).contains("x.yaml, line 1: "));
        assert!(error(&"- ".repeat(1000)).contains("x.yaml, line 1: "));
    }
}
