//! What each name of a text stands for, found from its tokens, so that a text which is half typed has names too.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::script::tokens::{self, Piece};

/// How a name is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Variable,
    Constant,
    /// Of a function or a closure.
    Parameter,
    /// The item or the counter of a loop.
    Loop,
    /// A caught error.
    Caught,
    Function,
    /// The name that an import gives.
    Library,
}

/// A place that makes a name.
#[derive(Debug)]
pub struct Definition {
    pub name: String,
    pub kind: Kind,
    /// Where the name is written.
    pub at: Range<usize>,
    /// Where it is seen. A function is seen everywhere, and a library of the top level in all functions too.
    pub seen: Range<usize>,
    /// The whole function, from `fn` to its last bracket; of others from the keyword to the end of the statement.
    pub whole: Range<usize>,
    /// The value of a variable, what a loop goes over, the path of a library.
    pub value: Range<usize>,
    /// `mean(a, b)` of a function.
    pub signature: String,
    /// The function in which it is made.
    pub inside: Option<usize>,
    /// It is directly in the text, in no block and no function.
    pub is_top: bool,
    /// It is one of the items of a loop; false for the counter.
    pub is_item: bool,
    /// A function that is called as a method: it reads `this`, or is made for one kind of value.
    pub is_method: bool,
    /// Definitions of one number are one thing: functions of one name.
    pub symbol: usize,
}

/// A place that uses a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub at: Range<usize>,
    pub of: Of,
}

/// What is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// What the text itself makes, by its symbol.
    Symbol(usize),
    /// A function or constant of a library, by the symbol of the library's name.
    InLibrary(usize),
    /// A member, behind a dot.
    Member,
    /// A key of a map.
    Key,
    /// A variable or, with a bracket behind it, a function that the text does not make.
    Other,
    OtherFunction,
}

/// The names of a text.
#[derive(Debug, Default)]
pub struct Names {
    /// In the order of the text.
    pub definitions: Vec<Definition>,
    pub uses: Vec<Use>,
}

/// Words that are no names.
pub const KEYWORDS: &[&str] = &[
    "let", "const", "fn", "private", "if", "else", "switch", "do", "while", "until", "loop", "for", "in", "continue",
    "break", "return", "throw", "try", "catch", "import", "export", "as", "true", "false", "this", "global",
];
/// Those that begin a statement wherever they are: whatever is open there was never closed.
const BEGINNINGS: &[&str] = &["let", "const", "fn", "import", "export", "private"];
/// Those behind which a value is expected.
const BEFORE_VALUES: &[&str] = &["return", "throw", "in", "if", "else", "while", "until", "switch", "break"];
/// Strings in backticks inside each other are looked into so deep.
const DEEPEST: usize = 8;

impl Names {
    pub fn of(text: &str) -> Names {
        let mut tokens = Vec::new();
        flatten(text, 0..text.len(), 0, &mut tokens);
        let mut walker = Walker {
            text,
            tokens,
            names: Names::default(),
            frames: vec![Frame::default()],
            shown: BTreeMap::new(),
            functions: vec![],
            lets: vec![],
        };
        walker.walk();
        walker.finish()
    }

    /// The definition whose name is at a byte, or the symbol that is used there, with the bytes of the name.
    pub fn at(&self, byte: usize) -> Option<(Range<usize>, Of)> {
        let touches = |range: &Range<usize>| range.start <= byte && byte <= range.end;
        let made = self.definitions.iter().find(|d| touches(&d.at)).map(|d| (d.at.clone(), Of::Symbol(d.symbol)));
        made.or_else(|| self.uses.iter().find(|used| touches(&used.at)).map(|used| (used.at.clone(), used.of.clone())))
    }

    /// The definitions of a symbol.
    pub fn made(&self, symbol: usize) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(move |definition| definition.symbol == symbol)
    }

    /// The places where a symbol is used.
    pub fn used(&self, symbol: usize) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |used| used.of == Of::Symbol(symbol))
    }

    /// The variables and libraries that are seen at a byte, each name once, by their numbers.
    pub fn seen(&self, byte: usize) -> Vec<usize> {
        let function = self.function_at(byte);
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, definition) in self.definitions.iter().enumerate() {
            let here = match definition.kind {
                Kind::Function => false,
                Kind::Library if definition.inside.is_none() && function.is_some() => true,
                _ => definition.inside == function && definition.seen.start <= byte && byte <= definition.seen.end,
            };
            // The latest of one name hides those before it.
            if here && !definition.name.is_empty() {
                let latest = found.entry(&definition.name).or_insert(i);
                if self.definitions[*latest].seen.start <= definition.seen.start {
                    *latest = i;
                }
            }
        }
        found.into_values().collect()
    }

    /// The function around a byte.
    fn function_at(&self, byte: usize) -> Option<usize> {
        let around = |d: &Definition| d.kind == Kind::Function && d.whole.start <= byte && byte < d.whole.end;
        self.definitions.iter().rposition(around)
    }

    /// The functions of the text.
    pub fn functions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(|d| d.kind == Kind::Function && !d.name.is_empty())
    }

    /// The library that is imported under this name.
    pub fn library(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|d| d.kind == Kind::Library && d.name == name)
    }
}

/// A token of the text. The code inside strings is among them, each part between brackets.
struct Token {
    range: Range<usize>,
    piece: Piece,
}

/// The tokens in `part` of a text, without comments.
fn flatten(text: &str, part: Range<usize>, depth: usize, all: &mut Vec<Token>) {
    for (range, piece) in tokens::pieces(&text[part.clone()]) {
        let range = part.start + range.start..part.start + range.end;
        let token = &text[range.clone()];
        if token.starts_with('`') && depth < DEEPEST {
            for code in tokens::interpolations(token) {
                let code = range.start + code.start..range.start + code.end;
                all.push(Token { range: code.start - 1..code.start, piece: Piece::Sign });
                flatten(text, code.clone(), depth + 1, all);
                // (Of a string that is open there is no bracket.)
                if text[code.end..].starts_with('}') {
                    all.push(Token { range: code.end..code.end + 1, piece: Piece::Sign });
                } else {
                    all.push(Token { range: code.end..code.end, piece: Piece::Open });
                }
            }
        }
        all.push(Token { range, piece });
    }
}

/// Something that is open.
#[derive(Default)]
struct Frame {
    /// The bracket, `m` for that of a map, `|` for a closure whose body has none; 0 for the text itself.
    sign: char,
    /// The definitions seen in it.
    names: Vec<usize>,
    /// It is the body of this function.
    function: Option<usize>,
}

struct Walker<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    names: Names,
    frames: Vec<Frame>,
    /// The definitions that are seen, by name, innermost last.
    shown: BTreeMap<String, Vec<usize>>,
    /// The functions around the walk.
    functions: Vec<usize>,
    /// Variables whose value has not ended, with the number of frames around the statement.
    lets: Vec<(usize, usize)>,
}

impl Walker<'_> {
    fn token(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &self.text[token.range.clone()])
    }

    fn is(&self, i: usize, sign: &str) -> bool {
        self.tokens.get(i).is_some_and(|token| token.piece == Piece::Sign) && self.token(i) == sign
    }

    fn is_name(&self, i: usize) -> bool {
        self.tokens.get(i).is_some_and(|token| token.piece == Piece::Word)
            && !KEYWORDS.contains(&self.token(i))
            && !self.token(i).starts_with(|c: char| c.is_ascii_digit())
    }

    fn start(&self, i: usize) -> usize {
        self.tokens.get(i).map_or(self.text.len(), |token| token.range.start)
    }

    fn end(&self, i: usize) -> usize {
        self.tokens.get(i).map_or(self.text.len(), |token| token.range.end)
    }

    /// Whether tokens `i` and the next are this sign twice, such as `::`.
    fn is_twice(&self, i: usize, sign: &str) -> bool {
        self.is(i, sign) && self.is(i + 1, sign) && self.end(i) == self.start(i + 1)
    }

    fn define(&mut self, i: usize, kind: Kind, from: usize) -> usize {
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
    fn show(&mut self, number: usize, from: usize) {
        self.names.definitions[number].seen = from..from;
        self.put(number, self.frames.len() - 1);
    }

    /// Puts a definition among those that are seen in a frame.
    fn put(&mut self, number: usize, frame: usize) {
        if let Some(frame) = self.frames.get_mut(frame) {
            frame.names.push(number);
            let name = self.names.definitions[number].name.clone();
            self.shown.entry(name).or_default().push(number);
        }
    }

    /// Ends the variables whose statement is directly inside `depth` frames or more.
    fn end_lets(&mut self, depth: usize, at: usize) {
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
    fn close(&mut self, at: usize) {
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

    fn top(&self) -> char {
        self.frames.last().map_or('\0', |frame| frame.sign)
    }

    /// Closes the bodies of closures that end before a sign.
    fn close_bodies(&mut self, at: usize) {
        while self.top() == '|' {
            self.close(at);
        }
    }

    fn walk(&mut self) {
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

    fn open(&mut self, sign: char) {
        self.frames.push(Frame { sign, ..Frame::default() });
    }

    fn sign(&mut self, i: usize) -> usize {
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
    fn is_before_value(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(1) else { return true };
        match self.tokens[before].piece {
            Piece::Sign => !matches!(self.token(before), ")" | "]" | "}"),
            Piece::Word => BEFORE_VALUES.contains(&self.token(before)),
            _ => false,
        }
    }

    /// A closure from its first bar on; returns the token behind its parameters.
    fn closure(&mut self, i: usize) -> usize {
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

    fn word(&mut self, i: usize) -> usize {
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

    fn used(&mut self, i: usize, of: Of) {
        let at = self.tokens[i].range.clone();
        self.names.uses.push(Use { at, of });
    }

    /// A variable, or a function if a bracket follows.
    fn read(&mut self, i: usize) {
        let name = self.token(i).to_string();
        let called = self.is(i + 1, "(") || self.is(i + 1, "!") && self.is(i + 2, "(");
        let found = self.resolve(&name, |_| true);
        let other = if called { Of::OtherFunction } else { Of::Other };
        self.used(i, found.map_or(other, Of::Symbol));
    }

    /// `global::NAME`: a constant of the top level.
    fn constant(&mut self, i: usize) {
        let name = self.token(i).to_string();
        let is_it = |d: &Definition| d.kind == Kind::Constant && d.inside.is_none() && d.name == name;
        let found = self.names.definitions.iter().rposition(is_it);
        // One that comes later is found at the end.
        self.used(i, found.map_or(Of::Other, Of::Symbol));
    }

    /// The innermost definition of this name that is seen here.
    fn resolve(&self, name: &str, which: impl Fn(Kind) -> bool) -> Option<usize> {
        let here = self.functions.last().copied();
        self.shown.get(name)?.iter().rev().copied().find(|&number| {
            let definition = &self.names.definitions[number];
            // Of what is outside a function it sees the libraries of the top level alone.
            let seen = definition.inside == here || definition.kind == Kind::Library && definition.is_top;
            seen && which(definition.kind)
        })
    }

    /// Closes what is open, and finds what is used before it is made: functions, and constants and libraries of functions.
    fn finish(mut self) -> Names {
        let end = self.text.len();
        while self.frames.len() > 1 {
            self.close(end);
        }
        self.end_lets(1, end);
        for number in std::mem::take(&mut self.frames[0].names) {
            self.names.definitions[number].seen.end = end;
        }
        let names = &mut self.names;
        let mut functions: BTreeMap<String, usize> = BTreeMap::new();
        for (number, definition) in names.definitions.iter_mut().enumerate() {
            if definition.kind == Kind::Function {
                definition.symbol = *functions.entry(definition.name.clone()).or_insert(number);
                definition.seen = 0..end;
            }
        }
        let mut top: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for (number, definition) in names.definitions.iter().enumerate() {
            if matches!(definition.kind, Kind::Constant | Kind::Library) && definition.inside.is_none() {
                top.entry((definition.name.clone(), definition.kind == Kind::Library)).or_insert(number);
            }
        }
        let methods: Vec<usize> = names.functions().filter(|d| d.is_method).map(|d| d.symbol).collect();
        let mut library = None;
        for used in &mut names.uses {
            let name = &self.text[used.at.clone()];
            let before = self.text[..used.at.start].trim_end();
            let is_global = before.strip_suffix("::").is_some_and(|before| before.trim_end().ends_with("global"));
            let late = |is_library| top.get(&(name.to_string(), is_library)).copied();
            let before_colons = self.text[used.at.end..].trim_start().starts_with("::");
            match (&used.of, functions.get(name)) {
                (Of::OtherFunction, Some(&function)) => used.of = Of::Symbol(function),
                (Of::Member, Some(&function)) if methods.contains(&function) => used.of = Of::Symbol(function),
                (Of::Other, _) if is_global => used.of = late(false).map_or(Of::Other, Of::Symbol),
                (Of::Other, _) if before_colons => {
                    library = late(true);
                    used.of = library.map_or(Of::Other, Of::Symbol);
                }
                (Of::Other, _) if before.ends_with("::") => used.of = library.map_or(Of::Other, Of::InLibrary),
                _ => {}
            }
        }
        // The name of a function as a text: Fn("name").
        for (i, token) in self.tokens.iter().enumerate() {
            let is_pointer = i > 1 && self.is(i - 1, "(") && self.token(i - 2) == "Fn";
            if is_pointer && token.piece == Piece::Text && token.range.len() > 2 {
                let inside = token.range.start + 1..token.range.end - 1;
                if let Some(&function) = functions.get(&self.text[inside.clone()]) {
                    self.names.uses.push(Use { at: inside, of: Of::Symbol(function) });
                }
            }
        }
        self.names.uses.sort_by_key(|used| used.at.start);
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with each name that the text makes marked by the number of its symbol, those that it uses without making by `?`.
    fn marked(text: &str) -> String {
        let names = Names::of(text);
        let mut marks: Vec<(usize, String)> = Vec::new();
        let mut symbols: Vec<usize> = names.definitions.iter().map(|d| d.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let number = |symbol: usize| symbols.iter().position(|s| *s == symbol).unwrap();
        marks.extend(names.definitions.iter().map(|d| (d.at.end, format!("₁{}", number(d.symbol)))));
        marks.extend(names.uses.iter().filter_map(|used| match used.of {
            Of::Symbol(symbol) => Some((used.at.end, format!("₂{}", number(symbol)))),
            Of::InLibrary(symbol) => Some((used.at.end, format!("₃{}", number(symbol)))),
            Of::Other | Of::OtherFunction => Some((used.at.end, "?".to_string())),
            Of::Member | Of::Key => None,
        }));
        marks.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut out = text.to_string();
        marks.into_iter().for_each(|(at, mark)| out.insert_str(at, &mark));
        out
    }

    #[test]
    fn variables_are_seen_behind_their_statement_to_the_end_of_their_block() {
        assert_eq!(marked("let a = a; a; b"), "let a₁0 = a?; a₂0; b?");
        assert_eq!(marked("let a = 1; { let a = a; a } a"), "let a₁0 = 1; { let a₁1 = a₂0; a₂1 } a₂0");
        assert_eq!(marked("let a = 1; let a = a + 1; a"), "let a₁0 = 1; let a₁1 = a₂0 + 1; a₂1");
        assert_eq!(marked("const A = 1; if A > 0 { A = 2 }"), "const A₁0 = 1; if A₂0 > 0 { A₂0 = 2 }");
        assert_eq!(marked("for (x, i) in x { x; i } i"), "for (x₁0, i₁1) in x? { x₂0; i₂1 } i?");
        assert_eq!(marked("for x in f(|a| { a }, #{b: 1}) { x }"), "for x₁0 in f?(|a₁1| { a₂1 }, #{b: 1}) { x₂0 }");
        assert_eq!(marked("try { e } catch (e) { e } e"), "try { e? } catch (e₁0) { e₂0 } e?");
        assert_eq!(marked("let x; x"), "let x₁0; x₂0");
        assert_eq!(marked("x.a.x; 0..x; a?.x; 1.x5; 'x'"), "x?.a.x; 0..x?; a??.x; 1.x5; 'x'");
        assert_eq!(marked("let a = 1; #{a: a, b: [a]}"), "let a₁0 = 1; #{a: a₂0, b: [a₂0]}");
        assert_eq!(marked("switch a { 1 | 2 => a, b => |c| c }"), "switch a? { 1 | 2 => a?, b? => |c₁0| c₂0 }");
    }

    #[test]
    fn closures_see_what_is_around_them() {
        assert_eq!(marked("let w = 1; |a, b| a * w + b; a"), "let w₁0 = 1; |a₁1, b₁2| a₂1 * w₂0 + b₂2; a?");
        assert_eq!(marked("f(|a| a, a); a || b"), "f?(|a₁0| a₂0, a?); a? || b?");
        assert_eq!(marked("|| 1; |a| |b| a + b"), "|| 1; |a₁0| |b₁1| a₂0 + b₂1");
        assert_eq!(marked("let f = |a| { let b = a; b }; b"), "let f₁0 = |a₁1| { let b₁2 = a₂1; b₂2 }; b?");
        assert_eq!(marked("(a | b) | c"), "(a? | b?) | c?");
    }

    #[test]
    fn functions_see_their_parameters_and_libraries() {
        let text = "import \"m\" as m; let x = 1; const C = 2; fn f(a) { a + x + C + global::C + m::g(n::h) } f(x); f";
        assert_eq!(
            marked(text),
            "import \"m\" as m₁0; let x₁1 = 1; const C₁2 = 2; fn f₁3(a₁4) { a₂4 + x? + C? + global::C₂2 + m₂0::g₃0(n?::h?) } \
             f₂3(x₂1); f?"
        );
        // Functions are known before they are made, and so are the libraries that they use.
        assert_eq!(marked("f(1); fn f(a) { l::g(a) } import \"l\" as l;"), {
            "f₂0(1); fn f₁0(a₁1) { l₂2::g₃2(a₂1) } import \"l\" as l₁2;"
        });
        assert_eq!(marked("fn f() {} fn f(a) { a } f(Fn(\"f\"))"), "fn f₁0() {} fn f₁0(a₁1) { a₂1 } f₂0(Fn?(\"f₂0\"))");
        // Called as a method only if they are made for that.
        assert_eq!(marked("fn up() { this + 1 } fn no() { 1 } 1.up(); a.no()"), {
            "fn up₁0() { this + 1 } fn no₁1() { 1 } 1.up₂0(); a?.no()"
        });
    }

    #[test]
    fn code_in_strings_has_names_too() {
        assert_eq!(marked("let a = 1; `a ${a} ${`b ${a}`} a` + a"), "let a₁0 = 1; `a ${a₂0} ${`b ${a₂0}`} a` + a₂0");
        assert_eq!(marked("let a = 1; `x ${let b = a; b} ${b}`"), "let a₁0 = 1; `x ${let b₁1 = a₂0; b₂1} ${b?}`");
        assert_eq!(marked("\"a ${a}\" // a\n/* a */"), "\"a ${a}\" // a\n/* a */");
    }

    #[test]
    fn half_typed_statements_do_not_swallow_the_next() {
        assert_eq!(marked("let a = f(b, [\nlet c = a; c"), "let a₁0 = f?(b?, [\nlet c₁1 = a₂0; c₂1");
        assert_eq!(marked("if x {\nlet a = 1;\nfn f(b) { b }\nf(a"), {
            "if x? {\nlet a₁0 = 1;\nfn f₁1(b₁2) { b₂2 }\nf₂1(a?"
        });
        assert_eq!(marked("let a = 1; a."), "let a₁0 = 1; a₂0.");
        assert_eq!(marked("let\nlet a = `${a"), "let\nlet a₁0 = `${a?");
        assert_eq!(marked("let a = 1 )]} a"), "let a₁0 = 1 )]} a?");
    }

    #[test]
    fn what_is_seen_at_a_place() {
        let text = "let a = 1; import \"m\" as m; fn f(b) { let c = 2; @ } let a = 3; for x in a { ^ } $";
        let names = Names::of(text);
        let at = |mark: &str| {
            let seen = names.seen(text.find(mark).unwrap());
            let mut seen: Vec<(&str, usize)> =
                seen.into_iter().map(|i| (names.definitions[i].name.as_str(), names.definitions[i].at.start)).collect();
            seen.sort_unstable();
            seen
        };
        let only = |mark: &str| at(mark).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(only("@"), ["b", "c", "m"]);
        assert_eq!(only("^"), ["a", "m", "x"]);
        assert_eq!(at("$")[0], ("a", text.rfind("a = 3").unwrap()));
    }
}
