//! What makes names: statements, functions, closures, loops, imports.

use super::walker::{Frame, Walker};
use super::{Kind, Of};
use crate::script::tokens::Piece;

/// Those that begin a statement wherever they are: whatever is open there was never closed.
const BEGINNINGS: &[&str] = &["let", "const", "fn", "import", "export", "private"];

impl Walker<'_> {
    /// A closure from its first bar on; returns the token behind its parameters.
    pub fn closure(&mut self, i: usize) -> usize {
        let mut parameters = Vec::new();
        let mut at = i + 1;
        while at < self.tokens.len() && !self.is(at, "|") {
            match self.is_name(at) {
                true => parameters.push(at),
                // These are no parameters: half of a closure, or no closure.
                false if !self.is(at, ",") => break,
                false => {}
            }
            at += 1;
        }
        let body = if self.is(at, "|") { at + 1 } else { at };
        let is_block = self.is(body, "{");
        self.open(if is_block { '{' } else { '|' });
        let from = self.start(i);
        for parameter in parameters {
            let number = self.define(parameter, Kind::Parameter, from);
            self.show(number, self.start(body));
        }
        if is_block { body + 1 } else { body }
    }

    pub fn word(&mut self, i: usize) -> usize {
        let word = self.token(i).to_string();
        let is_range = i > 1 && self.is_twice(i - 2, ".");
        if i > 0 && self.is(i - 1, ".") && !is_range {
            if self.is_name(i) {
                self.used(i, Of::Member);
            }
            return i + 1;
        }
        let is_key = self.top() == 'm' && self.is(i + 1, ":") && !self.is_twice(i + 1, ":");
        if is_key && i > 0 && (self.is(i - 1, "{") || self.is(i - 1, ",")) {
            self.used(i, Of::Key);
            return i + 1;
        }
        if BEGINNINGS.contains(&word.as_str()) {
            self.begin_statement(i, &word);
        }
        match word.as_str() {
            "let" | "const" => {
                if self.is_name(i + 1) {
                    let kind = if word == "let" { Kind::Variable } else { Kind::Constant };
                    let number = self.define(i + 1, kind, self.start(i));
                    let is_given = self.is(i + 2, "=");
                    let from = if is_given { self.end(i + 2) } else { self.end(i + 1) };
                    self.names.definitions[number].value = from..from;
                    self.lets.push((number, self.frames.len()));
                    return if is_given { i + 3 } else { i + 2 };
                }
                i + 1
            }
            "fn" => self.function_head(i),
            "for" => self.loop_head(i),
            "catch" if self.is(i + 1, "(") && self.is_name(i + 2) && self.is(i + 3, ")") && self.is(i + 4, "{") => {
                self.open('{');
                let number = self.define(i + 2, Kind::Caught, self.start(i));
                self.show(number, self.start(i + 4));
                i + 5
            }
            "import" => self.import(i),
            "export" => {
                // export x as y: y is a name for others.
                if self.is_name(i + 1) && self.token(i + 2) == "as" {
                    self.read(i + 1);
                    return i + 4;
                }
                i + 1
            }
            "this" => {
                if let Some(&function) = self.functions.last() {
                    self.names.definitions[function].is_method = true;
                }
                i + 1
            }
            "global" if self.is_twice(i + 1, ":") => {
                if self.is_name(i + 3) {
                    self.constant(i + 3);
                }
                i + 4
            }
            _ if !self.is_name(i) => i + 1,
            _ if self.is_twice(i + 1, ":") => {
                let library = self.resolve(&word, |kind| kind == Kind::Library);
                self.used(i, library.map_or(Of::Other, Of::Symbol));
                if self.is_name(i + 3) {
                    self.used(i + 3, library.map_or(Of::Other, Of::InLibrary));
                    return i + 4;
                }
                i + 3
            }
            _ => {
                self.read(i);
                i + 1
            }
        }
    }

    /// Ends what the statement before left open.
    fn begin_statement(&mut self, i: usize, word: &str) {
        // (`export let`, `private fn`.)
        let continues = i > 0 && ["export", "private"].contains(&self.token(i - 1));
        if continues {
            return;
        }
        let at = self.start(i);
        // A function is inside nothing, but code in a string may look like one.
        let is_base = word == "fn" || word == "private";
        while self.frames.len() > 1 && (self.top() != '{' || is_base) {
            self.close(at);
        }
        self.end_lets(self.frames.len(), at);
    }

    /// `fn name(a, b) {` or `fn kind.name(a, b) {`.
    fn function_head(&mut self, i: usize) -> usize {
        let is_of_kind = self.is(i + 2, ".") && self.is_name(i + 3);
        let name = if is_of_kind { i + 3 } else { i + 1 };
        // (A string names a kind too: fn "i64".name().)
        if !self.is_name(name) {
            return i + 1;
        }
        let from = if i > 0 && self.token(i - 1) == "private" { self.start(i - 1) } else { self.start(i) };
        let number = self.define(name, Kind::Function, from);
        self.names.definitions[number].is_method = is_of_kind;
        if !self.is(name + 1, "(") {
            return name + 1;
        }
        let mut parameters = Vec::new();
        let mut at = name + 2;
        while self.is_name(at) || self.is(at, ",") {
            if self.is_name(at) {
                parameters.push(at);
            }
            at += 1;
        }
        if self.is(at, ")") {
            at += 1;
        }
        let signature = self.text[self.start(name)..self.end(at - 1)].to_string();
        let definition = &mut self.names.definitions[number];
        definition.signature = signature.split_whitespace().collect::<Vec<_>>().join(" ");
        definition.whole.end = definition.at.end;
        if !self.is(at, "{") {
            return at;
        }
        self.frames.push(Frame { sign: '{', names: vec![], function: Some(number) });
        self.functions.push(number);
        for parameter in parameters {
            let number = self.define(parameter, Kind::Parameter, from);
            self.show(number, self.start(at));
        }
        at + 1
    }

    /// `for x in`, `for (x, i) in`: what is gone over does not see the names, the block behind it does.
    fn loop_head(&mut self, i: usize) -> usize {
        let names: Vec<usize> = match (self.is(i + 1, "("), self.is_name(i + 1)) {
            (true, _) => [i + 2, i + 4].into_iter().filter(|&at| self.is_name(at)).collect(),
            (_, true) => vec![i + 1],
            _ => return i + 1,
        };
        let close = if self.is(i + 1, "(") { i + 5 } else { i + 1 };
        let within = close + 1;
        if self.token(within) != "in" {
            return i + 1;
        }
        // The block: the first bracket of one that nothing else is open at.
        let mut depth = 0;
        let mut at = within + 1;
        while at < self.tokens.len() {
            match self.token(at) {
                "{" if depth == 0 && !self.is(at - 1, "#") => break,
                "(" | "[" | "{" if self.tokens[at].piece == Piece::Sign => depth += 1,
                ")" | "]" | "}" if self.tokens[at].piece == Piece::Sign => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
            // A closure with a body in brackets is deeper; anything else that ends a statement ends the search.
            if depth < 0 || depth == 0 && (BEGINNINGS.contains(&self.token(at)) || self.token(at) == "for") {
                break;
            }
            at += 1;
        }
        let value = self.end(within)..self.start(at);
        let mut numbers = Vec::new();
        for (n, name) in names.into_iter().enumerate() {
            let number = self.define(name, Kind::Loop, self.start(i));
            let definition = &mut self.names.definitions[number];
            (definition.value, definition.is_item) = (value.clone(), n == 0);
            definition.whole.end = value.end;
            numbers.push(number);
        }
        // The value is walked first.
        let mut next = within + 1;
        while next < at {
            next = match self.tokens[next].piece {
                Piece::Sign => self.sign(next),
                Piece::Word => self.word(next),
                _ => next + 1,
            };
        }
        if next == at && self.is(at, "{") {
            self.open('{');
            for number in numbers {
                self.show(number, self.start(at));
            }
            return at + 1;
        }
        next
    }

    /// `import "path" as name;`
    fn import(&mut self, i: usize) -> usize {
        // A path is one string, as a rule; what is computed is walked.
        let is_text = self.tokens.get(i + 1).is_some_and(|t| matches!(t.piece, Piece::Text | Piece::Open));
        if is_text && self.token(i + 2) == "as" && self.is_name(i + 3) {
            let number = self.define(i + 3, Kind::Library, self.start(i));
            self.names.definitions[number].value = self.tokens[i + 1].range.clone();
            self.show(number, self.end(i + 3));
            return i + 4;
        }
        i + 1
    }
}
