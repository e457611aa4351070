//! The text that is checked, with what is looked up in it again and again.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use rhai::Position;

use crate::script::spans::{self, Piece};

/// A text with its lines and tokens, each found once.
pub struct Text<'t> {
    pub name: &'t str,
    pub all: &'t str,
    /// The bytes at which lines begin.
    lines: Vec<usize>,
    tokens: OnceCell<Vec<(Range<usize>, Piece)>>,
    functions: OnceCell<Vec<(String, String)>>,
    signatures: OnceCell<BTreeMap<String, String>>,
    /// The places of the names behind `fn`, among the tokens.
    defined: OnceCell<BTreeMap<String, Vec<usize>>>,
}

impl<'t> Text<'t> {
    pub fn new(name: &'t str, all: &'t str) -> Self {
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', all.as_bytes()).map(|at| at + 1)).collect();
        let (tokens, functions, signatures, defined) = Default::default();
        Text { name, all, lines, tokens, functions, signatures, defined }
    }

    /// The byte of a position, 0 for none.
    pub fn offset(&self, pos: Position) -> usize {
        let at = || {
            let line = pos.line()?;
            let start = *self.lines.get(line - 1)?;
            let end = self.lines.get(line).map_or(self.all.len(), |next| next - 1);
            let before = self.all.get(start..end)?.chars().take(pos.position().unwrap_or(1).saturating_sub(1));
            Some(start + before.map(char::len_utf8).sum::<usize>())
        };
        at().unwrap_or(0)
    }

    /// Line and column of a byte, from 1.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines[line.saturating_sub(1)];
        (line, self.all.get(start..at).unwrap_or_default().chars().count() + 1)
    }

    pub fn tokens(&self) -> &[(Range<usize>, Piece)] {
        self.tokens.get_or_init(|| spans::pieces(self.all))
    }

    /// Token `i`, where there are so many.
    pub fn token(&self, i: usize) -> Option<&'t str> {
        self.tokens().get(i).map(|(range, _)| &self.all[range.clone()])
    }

    /// Name and signature of each function that the text defines.
    pub fn functions(&self) -> &[(String, String)] {
        self.functions.get_or_init(|| spans::functions(self.all))
    }

    /// `mean(a, b)` of a function that the text defines.
    pub fn signature(&self, function: &str) -> Option<&str> {
        let signatures = self.signatures.get_or_init(|| {
            // Of two of one name the first.
            self.functions().iter().rev().cloned().collect()
        });
        signatures.get(function).map(String::as_str)
    }

    /// The places among the tokens of the names behind `fn`.
    pub fn defined(&self, function: &str) -> &[usize] {
        let defined = self.defined.get_or_init(|| {
            let mut all: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for i in 1..self.tokens().len() {
                if self.token(i - 1) == Some("fn") {
                    // A method of one kind of value is written fn kind.name(...).
                    let i = if self.token(i + 1) == Some(".") { i + 2 } else { i };
                    all.entry(self.token(i).unwrap_or_default().to_string()).or_default().push(i);
                }
            }
            all
        });
        defined.get(function).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_whole_text() {
        let all = "let ä = 1;\n\nfn f(a, b) { a }\n  x";
        let text = Text::new("t", all);
        for (at, _) in all.char_indices() {
            let (line, column) = text.position(at);
            let pos = Position::new(line as u16, column as u16);
            assert_eq!((text.offset(pos), Some(at)), (at, spans::offset(all, pos)));
        }
        assert_eq!(text.signature("f"), Some("f(a, b)"));
        assert_eq!(text.token(text.defined("f")[0] + 2), Some("a"));
        assert_eq!(text.offset(Position::NONE), 0);
    }
}
