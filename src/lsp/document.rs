//! An open text. The protocol counts lines from 0 and the places in a line in UTF-16 units; here a place is a byte.

use std::cell::OnceCell;
use std::ops::Range;

use lsp_types::{Position, TextDocumentContentChangeEvent};

use super::kinds::Kinds;
use super::names::Names;
use super::uri;

/// A text that the editor has open, with what is looked up in it again and again.
pub struct Document {
    pub uri: String,
    /// The path, or the address of a text without one.
    pub name: String,
    pub version: i32,
    text: String,
    /// The bytes at which lines begin.
    lines: Vec<usize>,
    names: OnceCell<Names>,
    kinds: OnceCell<Kinds>,
}

impl Document {
    pub fn new(uri: &str, version: i32, text: String) -> Self {
        let name = uri::to_path(uri).map_or_else(|| uri.to_string(), |path| path.display().to_string());
        let lines = lines(&text);
        Document { uri: uri.to_string(), name, version, text, lines, names: OnceCell::new(), kinds: OnceCell::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What each name stands for.
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of(&self.text))
    }

    /// The kinds of its variables.
    pub fn kinds(&self) -> &Kinds {
        self.kinds.get_or_init(|| Kinds::of(&self.text, self.names()))
    }

    /// Applies changes, each to the text that the one before it left.
    pub fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        for change in changes {
            match change.range {
                None => self.text = change.text,
                Some(range) => {
                    let (start, end) = (self.byte(range.start), self.byte(range.end));
                    self.text.replace_range(start.min(end)..start.max(end), &change.text);
                }
            }
            self.lines = lines(&self.text);
        }
        self.version = version;
        (self.names, self.kinds) = (OnceCell::new(), OnceCell::new());
    }

    /// The byte of a place. Behind the end of its line it is that end; inside a character that character's beginning.
    pub fn byte(&self, place: Position) -> usize {
        let Some(&start) = self.lines.get(place.line as usize) else { return self.text.len() };
        let next = self.lines.get(place.line as usize + 1).copied().unwrap_or(self.text.len());
        let line = self.text[start..next].trim_end_matches(['\n', '\r']);
        let (mut at, mut left) = (start, place.character as usize);
        for c in line.chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            at += c.len_utf8();
        }
        at
    }

    /// The place of a byte.
    pub fn place(&self, byte: usize) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= byte).saturating_sub(1);
        let before = &self.text[self.lines[line]..byte];
        Position::new(line as u32, before.chars().map(char::len_utf16).sum::<usize>() as u32)
    }

    pub fn range(&self, bytes: Range<usize>) -> lsp_types::Range {
        lsp_types::Range::new(self.place(bytes.start), self.place(bytes.end))
    }
}

/// The bytes at which lines begin. They end with `\n`, `\r\n` or `\r`.
fn lines(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes)
        .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'))
        .map(|at| at + 1);
    std::iter::once(0).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::new("file:///t.rhai", 1, text.to_string())
    }

    #[test]
    fn places_count_utf_16_units() {
        let document = document("let ä = \"😀😀\"; x\r\nb\rc\n");
        let place = |line, character| Position::new(line, character);
        for (byte, _) in document.text().char_indices() {
            if document.text()[..byte].ends_with('\r') && document.text()[byte..].starts_with('\n') {
                continue;
            }
            assert_eq!(document.byte(document.place(byte)), byte.min(document.text().len()), "{byte}");
        }
        assert_eq!(document.place(document.text().find('x').unwrap()), place(0, 16));
        assert_eq!(document.byte(place(0, 16)), document.text().find('x').unwrap());
        // Half of a character, behind the line, behind the text.
        assert_eq!(document.byte(place(0, 10)), document.byte(place(0, 9)));
        assert_eq!(document.byte(place(0, 99)), document.text().find('\r').unwrap());
        assert_eq!(document.byte(place(9, 0)), document.text().len());
        assert_eq!(document.place(document.text().find('c').unwrap()), place(2, 0));
        assert_eq!(document.place(10_000), place(3, 0));
    }

    #[test]
    fn changes_follow_each_other() {
        let mut document = document("let a = 1;\nlet ö = a;\n");
        let change = |from: (u32, u32), to: (u32, u32), text: &str| TextDocumentContentChangeEvent {
            range: Some(lsp_types::Range::new(Position::new(from.0, from.1), Position::new(to.0, to.1))),
            range_length: None,
            text: text.to_string(),
        };
        document
            .change(2, vec![change((1, 4), (1, 5), "😀b"), change((1, 6), (1, 7), "c"), change((0, 0), (1, 0), "")]);
        assert_eq!(document.text(), "let 😀c = a;\n");
        // Turned round, and far outside.
        document.change(3, vec![change((0, 9), (0, 4), "d"), change((7, 0), (9, 9), "e")]);
        assert_eq!((document.text(), document.version), ("let d a;\ne", 3));
        document.change(4, vec![TextDocumentContentChangeEvent { range: None, range_length: None, text: "f".into() }]);
        assert_eq!(document.text(), "f");
    }
}
