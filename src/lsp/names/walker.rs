//! The walk over the tokens: what is open, and which names are seen there.

use std::collections::BTreeMap;

use super::flat::{Token, flatten};
use super::{Definition, KEYWORDS, Kind, Names, Of, Use};
use crate::script::tokens::Piece;

/// Those behind which a value is expected.
const BEFORE_VALUES: &[&str] = &["return", "throw", "in", "if", "else", "while", "until", "switch", "break"];

/// Something that is open.
#[derive(Default)]
pub struct Frame {
    /// The bracket, `m` for that of a map, `|` for a closure whose body has none; 0 for the text itself.
    pub sign: char,
    /// The definitions seen in it.
    pub names: Vec<usize>,
    /// It is the body of this function.
    pub function: Option<usize>,
}

/// The tokens of a text, and what is known of its names so far.
pub struct Walker<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token>,
    pub names: Names,
    pub frames: Vec<Frame>,
    /// The definitions that are seen, by name, innermost last.
    pub shown: BTreeMap<String, Vec<usize>>,
    /// The functions around the walk.
    pub functions: Vec<usize>,
    /// Variables whose value has not ended, with the number of frames around the statement.
    pub lets: Vec<(usize, usize)>,
}

impl<'t> Walker<'t> {
    pub fn of(text: &'t str) -> Self {
        let mut tokens = Vec::new();
        flatten(text, 0..text.len(), 0, &mut tokens);
        Walker {
            text,
            tokens,
            names: Names::default(),
            frames: vec![Frame::default()],
            shown: BTreeMap::new(),
            functions: vec![],
            lets: vec![],
        }
    }

    pub fn token(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &self.text[token.range.clone()])
    }

    pub fn is(&self, i: usize, sign: &str) -> bool {
        self.tokens.get(i).is_some_and(|token| token.piece == Piece::Sign) && self.token(i) == sign
    }

    pub fn is_name(&self, i: usize) -> bool {
        self.tokens.get(i).is_some_and(|token| token.piece == Piece::Word)
            && !KEYWORDS.contains(&self.token(i))
            && !self.token(i).starts_with(|c: char| c.is_ascii_digit())
    }

    pub fn start(&self, i: usize) -> usize {
        self.tokens.get(i).map_or(self.text.len(), |token| token.range.start)
    }

    pub fn end(&self, i: usize) -> usize {
        self.tokens.get(i).map_or(self.text.len(), |token| token.range.end)
    }

    /// Whether tokens `i` and the next are this sign twice, such as `::`.
    pub fn is_twice(&self, i: usize, sign: &str) -> bool {
        self.is(i, sign) && self.is(i + 1, sign) && self.end(i) == self.start(i + 1)
    }

    pub fn define(&mut self, i: usize, kind: Kind, from: usize) -> usize {
        let at = self.tokens.get(i).map_or(self.text.len()..self.text.len(), |token| token.range.clone());
        let number = self.names.definitions.len();
        self.names.definitions.push(Definition {
            name: self.text[at.clone()].to_string(),
            kind,
            seen: at.end..at.end,
            whole: from..at.end,
            value: at.end..at.end,
            at,
            signature: String::new(),
            inside: self.functions.last().copied(),
            is_top: self.frames.len() == 1,
            is_item: false,
            is_method: false,
            symbol: number,
        });
        number
    }

    /// Makes a definition seen from a byte on, in the innermost frame.
    pub fn show(&mut self, number: usize, from: usize) {
        self.names.definitions[number].seen = from..from;
        self.put(number, self.frames.len() - 1);
    }

    /// Puts a definition among those that are seen in a frame.
    pub fn put(&mut self, number: usize, frame: usize) {
        if let Some(frame) = self.frames.get_mut(frame) {
            frame.names.push(number);
            let name = self.names.definitions[number].name.clone();
            self.shown.entry(name).or_default().push(number);
        }
    }

    /// Ends the variables whose statement is directly inside `depth` frames or more.
    pub fn end_lets(&mut self, depth: usize, at: usize) {
        while let Some(&(number, of)) = self.lets.last().filter(|(_, of)| *of >= depth) {
            let _ = self.lets.pop();
            let definition = &mut self.names.definitions[number];
            definition.value.end = at.max(definition.value.start);
            definition.whole.end = definition.value.end;
            definition.seen = definition.value.end..definition.value.end;
            self.put(number, of - 1);
        }
    }

    /// Closes the innermost frame at a byte.
    pub fn close(&mut self, at: usize) {
        if self.frames.len() == 1 {
            return;
        }
        self.end_lets(self.frames.len(), at);
        if let Some(frame) = self.frames.pop() {
            for number in frame.names {
                let definition = &mut self.names.definitions[number];
                definition.seen.end = at;
                if let Some(shown) = self.shown.get_mut(&definition.name)
                    && let Some(place) = shown.iter().rposition(|other| *other == number)
                {
                    let _ = shown.remove(place);
                }
            }
            if let Some(function) = frame.function {
                self.names.definitions[function].whole.end = at;
                let _ = self.functions.pop();
            }
        }
    }

    pub fn top(&self) -> char {
        self.frames.last().map_or('\0', |frame| frame.sign)
    }

    /// Closes the bodies of closures that end before a sign.
    pub fn close_bodies(&mut self, at: usize) {
        while self.top() == '|' {
            self.close(at);
        }
    }

    pub fn walk(&mut self) {
        let mut i = 0;
        while i < self.tokens.len() {
            i = match self.tokens[i].piece {
                Piece::Sign => self.sign(i),
                Piece::Word => self.word(i),
                // The end of code in a string that nothing closes.
                Piece::Open if self.tokens[i].range.is_empty() => {
                    self.close_bodies(self.start(i));
                    self.close(self.start(i));
                    i + 1
                }
                _ => i + 1,
            };
        }
    }

    pub fn open(&mut self, sign: char) {
        self.frames.push(Frame { sign, ..Frame::default() });
    }

    pub fn sign(&mut self, i: usize) -> usize {
        let at = self.start(i);
        match self.token(i) {
            "{" if i > 0 && self.is(i - 1, "#") && self.end(i - 1) == at => self.open('m'),
            "{" => self.open('{'),
            "(" => self.open('('),
            "[" => self.open('['),
            ")" | "]" | "}" => {
                self.close_bodies(at);
                // One that closes nothing here closes what it fits, if there is such a thing in this block.
                let fits = |frame: &Frame| match frame.sign {
                    '(' => self.is(i, ")"),
                    '[' => self.is(i, "]"),
                    '{' | 'm' => self.is(i, "}"),
                    _ => false,
                };
                let block = self.frames.iter().rposition(|frame| frame.sign == '{').unwrap_or(0);
                if let Some(open) = self.frames.iter().rposition(fits).filter(|open| *open >= block && *open > 0) {
                    let end = self.end(i);
                    while self.frames.len() > open {
                        self.close(end);
                    }
                }
            }
            ";" => {
                while matches!(self.top(), '|' | '(' | '[' | 'm') {
                    self.close(at);
                }
                self.end_lets(self.frames.len(), at);
            }
            "," => self.close_bodies(at),
            "|" if self.is_before_value(i) => return self.closure(i),
            // The operators | and ||.
            "|" if self.is_twice(i, "|") => return i + 2,
            _ => {}
        }
        i + 1
    }

    /// Whether a value is expected at token `i`, not an operator.
    pub fn is_before_value(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(1) else { return true };
        match self.tokens[before].piece {
            Piece::Sign => !matches!(self.token(before), ")" | "]" | "}"),
            Piece::Word => BEFORE_VALUES.contains(&self.token(before)),
            _ => false,
        }
    }

    pub fn used(&mut self, i: usize, of: Of) {
        let at = self.tokens[i].range.clone();
        self.names.uses.push(Use { at, of });
    }

    /// A variable, or a function if a bracket follows.
    pub fn read(&mut self, i: usize) {
        let name = self.token(i).to_string();
        let called = self.is(i + 1, "(") || self.is(i + 1, "!") && self.is(i + 2, "(");
        let found = self.resolve(&name, |_| true);
        let other = if called { Of::OtherFunction } else { Of::Other };
        self.used(i, found.map_or(other, Of::Symbol));
    }

    /// `global::NAME`: a constant of the top level.
    pub fn constant(&mut self, i: usize) {
        let name = self.token(i).to_string();
        let is_it = |d: &Definition| d.kind == Kind::Constant && d.inside.is_none() && d.name == name;
        let found = self.names.definitions.iter().rposition(is_it);
        // One that comes later is found at the end.
        self.used(i, found.map_or(Of::Other, Of::Symbol));
    }

    /// The innermost definition of this name that is seen here.
    pub fn resolve(&self, name: &str, which: impl Fn(Kind) -> bool) -> Option<usize> {
        let here = self.functions.last().copied();
        self.shown.get(name)?.iter().rev().copied().find(|&number| {
            let definition = &self.names.definitions[number];
            // Of what is outside a function it sees the libraries of the top level alone.
            let seen = definition.inside == here || definition.kind == Kind::Library && definition.is_top;
            seen && which(definition.kind)
        })
    }
}
