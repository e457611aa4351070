//! Several labels in a cell: `a|b`, `a;b`, `sea, beach`, `clear primary`, `['cat', 'dog']`, `{'cat', 'dog'}`.

use std::collections::{HashMap, HashSet};

use polars::prelude::PlHashSet;
use serde_json::Value;

use super::Field;
use super::truth::{Truth, is_missing};
use crate::labels::names::trimmed;

/// How the cells of a column of labels are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cells {
    /// A cell is one label.
    One,
    /// Labels are separated by this text; blanks around them do not count. A blank separates by any run of blanks.
    Split(String),
    /// A cell is a list, as JSON or Python writes it, or a set or tuple of Python.
    List,
}

/// Separators that are recognised, in order of preference.
const SEPARATORS: [&str; 4] = ["|", ";", ",", " "];

/// How the cells of a column are taken for read, and a sentence where another reading is possible.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub cells: Cells,
    pub note: Option<String>,
}

impl Cells {
    /// Tells from the distinct cells of column `name` how they are read.
    ///
    /// `plural`: the column is called labels, tags or the like, so several labels are expected. `repeated`: an image has
    /// several rows, so a cell is one label. Otherwise cells hold several labels if parts of them are known labels:
    /// cells of their own, or parts of other cells.
    pub fn tell(name: &str, values: &PlHashSet<String>, plural: bool, repeated: bool) -> Told {
        let told = |cells, note| Told { cells, note };
        let filled: Vec<&str> = values.iter().map(|v| trimmed(v)).filter(|v| !v.is_empty()).collect();
        let lists = filled.iter().filter(|value| list(value).is_some()).count();
        if lists > 0 && lists == filled.len() {
            let note =
                format!("the cells of column \"{name}\" are lists of labels (option separator: \"\" keeps them whole)");
            return told(Cells::List, Some(note));
        }
        if let Some(example) = filled.iter().filter(|value| is_plainly_list(value)).min() {
            let note = format!(
                "column \"{name}\": {lists} of {} different cells are lists of labels, for example {example}; the others are one label \
                 each (option separator: \"\" keeps all whole)",
                filled.len()
            );
            return told(Cells::List, Some(note));
        }
        if let Some(example) = filled.iter().filter(|value| is_broken(value)).min() {
            // Reading it gives the error, with its place.
            let note = format!("column \"{name}\" holds what looks like a list and cannot be read as one: {example}");
            return told(Cells::List, Some(note));
        }
        for separator in SEPARATORS {
            let several: Vec<&&str> = filled.iter().filter(|value| value.contains(separator)).collect();
            let Some(example) = several.iter().min() else { continue };
            let shown = if separator == " " { "blanks".to_string() } else { format!("\"{separator}\"") };
            let whole = Cells::Split(separator.into());
            let known = known_parts(&filled, separator);
            // Numbers of labels, as in "16 0": a number holds no blank.
            let numbers = separator == " "
                && filled.iter().all(|value| value.split_whitespace().all(|part| part.parse::<u64>().is_ok()));
            let split = !repeated
                && match separator {
                    _ if numbers => true,
                    "|" | ";" => plural || known.parts > 0,
                    "," => plural || known.cells > 0,
                    _ => plural && 2 * known.several >= several.len(),
                };
            let of_all =
                format!("column \"{name}\": {} of {} different cells hold {shown}", several.len(), filled.len());
            if split {
                let note = format!("{of_all} and are read as several labels (option separator: \"\" keeps them whole)");
                return told(whole, Some(note));
            }
            // Words of a name are the usual reason for a blank.
            if separator != " " || plural || known.cells > 0 {
                let note = format!(
                    "{of_all}, for example \"{example}\", and are read as one label each (option separator: \"{separator}\" reads several)"
                );
                return told(Cells::One, Some(note));
            }
        }
        told(Cells::One, None)
    }

    /// How the cells are cut, and into how many, if each is one 0 or 1 for every label, as `0,1,0,0` or `[0, 1, 0, 0]`.
    ///
    /// `named`: how many labels the options name.
    pub fn flags(values: &PlHashSet<String>, named: Option<usize>) -> Option<(Cells, usize)> {
        let filled: Vec<&str> = values.iter().map(|v| trimmed(v)).filter(|v| !v.is_empty()).collect();
        let forms = std::iter::once(Cells::List).chain(SEPARATORS.map(|s| Cells::Split(s.into())));
        forms.into_iter().find_map(|cells| {
            let mut flags = Flags::default();
            for cell in &filled {
                flags.add(&cells.split(cell)?);
            }
            Some((cells, flags.width(named)?))
        })
    }

    /// The labels of a cell. Errors: a cell that is no list where lists are expected.
    pub fn split(&self, cell: &str) -> Option<Vec<String>> {
        let cell = trimmed(cell);
        match self {
            _ if cell.is_empty() => Some(Vec::new()),
            Cells::One => Some(vec![cell.to_string()]),
            Cells::List => match list(cell) {
                None if cell.starts_with('[') || is_broken(cell) => None,
                None => Some(vec![cell.to_string()]),
                items => items,
            },
            Cells::Split(separator) if separator == " " => Some(cell.split_whitespace().map(str::to_string).collect()),
            Cells::Split(separator) => Some(
                cell.split(separator.as_str()).map(trimmed).filter(|p| !p.is_empty()).map(str::to_string).collect(),
            ),
        }
    }

    /// Whether a text is a list that the separator cuts, as a blank cuts `[cat dog]`: each part would have one of its brackets.
    pub fn cuts_list(&self, text: &str) -> bool {
        matches!(self, Cells::Split(_)) && list(text).is_some() && self.split(text).is_some_and(|parts| parts.len() > 1)
    }
}

/// Whether lists are flags: as long as each other, of 0, 1 and -1 (or true and false) alone, and one holds a value twice,
/// which no list of labels does.
#[derive(Default)]
pub struct Flags {
    lists: usize,
    width: usize,
    other: bool,
    repeated: bool,
}

impl Flags {
    pub fn add<S: AsRef<str>>(&mut self, items: &[S]) {
        if self.lists == 0 {
            self.width = items.len();
        }
        self.lists += 1;
        let truths = items.iter().map(|item| Truth::of(&Field::Text(item.as_ref())).ok());
        let Some(truths) = truths.collect::<Option<Vec<Truth>>>() else {
            self.other = true;
            return;
        };
        let count = |truth: Truth| truths.iter().filter(|t| **t == truth).count();
        self.other |= items.len() != self.width || truths.iter().all(|truth| *truth == Truth::Empty);
        self.repeated |= [Truth::Absent, Truth::Present, Truth::Unknown].into_iter().any(|truth| count(truth) > 1);
    }

    /// The number of labels, if the lists are flags, for which `named` labels have names.
    pub fn width(&self, named: Option<usize>) -> Option<usize> {
        let plain = self.repeated || named == Some(self.width);
        (self.looks_so() && self.width > 1 && plain).then_some(self.width)
    }

    /// Whether the lists may be flags and may be lists of labels called 0 and 1.
    pub fn looks_so(&self) -> bool {
        self.lists > 0 && !self.other
    }
}

/// How well the parts of cells are known.
struct Known {
    /// Parts that are in another cell too.
    parts: usize,
    /// Parts that are cells of their own.
    cells: usize,
    /// Cells of several parts of which one is in another cell too.
    several: usize,
}

fn known_parts(cells: &[&str], separator: &str) -> Known {
    let split = |cell: &str| -> HashSet<String> {
        cell.split(separator).map(trimmed).filter(|p| !p.is_empty()).map(str::to_string).collect()
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    let parts: Vec<HashSet<String>> = cells.iter().map(|cell| split(cell)).collect();
    parts.iter().flatten().for_each(|part| *seen.entry(part.clone()).or_default() += 1);
    let whole: HashSet<&str> = cells.iter().copied().collect();
    let several = parts.iter().filter(|parts| parts.len() > 1);
    Known {
        parts: seen.values().filter(|&&times| times > 1).count(),
        cells: several.clone().flatten().filter(|part| whole.contains(part.as_str())).count(),
        several: several
            .filter(|parts| parts.iter().any(|part| seen.get(part).is_some_and(|&times| times > 1)))
            .count(),
    }
}

/// The brackets of lists.
const BRACKETS: [(char, char); 3] = [('[', ']'), ('{', '}'), ('(', ')')];

/// Quotes around items.
const QUOTES: [char; 2] = ['\'', '"'];

/// Whether a text looks like a list of Python, numpy or torch, or like an object.
fn is_bracketed(text: &str) -> bool {
    let starts = ["array(", "tensor(", "frozenset(", "set("];
    let inside = starts.iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
    BRACKETS.iter().any(|(open, close)| inside.starts_with(*open) && text.ends_with([*close, ')']))
}

/// The bracket that a list lacks, as `[1, 2`, `1, 2]` and `{'cat'` do: a text with one square bracket of a pair, a quote beside the
/// only bracket, or a list of quoted or several items but for its bracket. A bracket alone, `(cat`, `1)` and the smile `:)` may
/// be labels.
pub fn missing_bracket(text: &str) -> Option<char> {
    // A bracket alone lacks nothing.
    text.chars().nth(1)?;
    BRACKETS.into_iter().find_map(|(open, close)| {
        let is_list = |inside: &str| {
            let whole = format!("{open}{inside}{close}");
            match list(&whole) {
                Some(items) => items.len() > 1 || whole.contains(QUOTES),
                None => other_separator(&whole).is_some(),
            }
        };
        let opened = text.strip_prefix(open).filter(|_| !text.ends_with(close));
        if let Some(inside) = opened
            && ((open == '[' || inside.starts_with(QUOTES)) && !text.contains(close) || is_list(inside))
        {
            return Some(close);
        }
        let closed = text.strip_suffix(close).filter(|_| !text.starts_with(open));
        closed
            .filter(|inside| (open == '[' || inside.ends_with(QUOTES)) && !text.contains(open) || is_list(inside))
            .map(|_| open)
    })
}

/// The sign that stands between the items of a list in place of commas, as in `[cat|dog]`.
pub fn other_separator(text: &str) -> Option<char> {
    let separates = |sign: &char| {
        text.contains(*sign)
            && !text.contains(',')
            && list(&text.replace(*sign, ",")).is_some_and(|items| items.len() > 1)
    };
    ['|', ';'].into_iter().find(separates)
}

/// Whether a text looks like a list, as a whole one or as half of one, and cannot be read as one.
pub fn is_broken(text: &str) -> bool {
    missing_bracket(text).is_some() || is_bracketed(text) && list(text).is_none()
}

/// Whether the name of a label may be read as a list, as a whole one or as one that is broken.
pub fn may_be_list(name: &str) -> bool {
    let name = trimmed(name);
    name.starts_with('[') || is_bracketed(name) || list(name).is_some() || missing_bracket(name).is_some()
}

/// Whether a text can hardly be the name of a label: a list, set or tuple of several items, of quoted ones or numbers, or of nothing.
pub fn is_plainly_list(text: &str) -> bool {
    list(text).is_some_and(|items| items.len() > 1 || are_values(text, &items))
}

/// Whether a text among lists is one too, written as JSON or Python writes it. `(rock, pop)` may be a name there.
pub fn is_written_list(text: &str) -> bool {
    is_plainly_list(text) && (text.starts_with('[') || text.contains(QUOTES))
}

/// What to say of a cell of column `name` that should be a list of labels and is none.
pub fn not_a_list(name: &str, cell: &str) -> String {
    let text = trimmed(cell);
    if let Some(bracket) = missing_bracket(text) {
        return format!("the list of labels in column \"{name}\" lacks its \"{bracket}\"; got \"{cell}\"");
    }
    if let Some(sign) = other_separator(text) {
        return format!(
            "the list of labels in column \"{name}\" must have commas between its items, not \"{sign}\"; got \"{cell}\""
        );
    }
    format!("column \"{name}\" must be a list of labels, for example ['cat', 'dog']; got \"{cell}\"")
}

/// Whether the items of a list are quoted or numbers.
fn are_values(text: &str, items: &[String]) -> bool {
    text.contains(QUOTES) || items.iter().all(|item| item.parse::<f64>().is_ok())
}

/// The items of a list as JSON, Python or numpy writes it: `["cat"]`, `['cat', 'dog']`, `['cat' 'dog']`, `{'cat'}`,
/// `(1, 2)`, `set()`. None too for `[cat|dog]`: no tool separates the items of a list so.
pub fn list(text: &str) -> Option<Vec<String>> {
    let text = trimmed(text);
    if matches!(text, "set()" | "frozenset()") {
        return Some(Vec::new());
    }
    let (_, close) = BRACKETS.into_iter().find(|(open, _)| text.starts_with(*open))?;
    if let Ok(items) = serde_json::from_str::<Vec<Value>>(text) {
        return items.iter().map(scalar).collect();
    }
    let mut rest = text.get(1..)?.strip_suffix(close)?.trim();
    let words: Vec<&str> = rest.split_whitespace().collect();
    if words.len() > 1 && words.iter().all(|word| word.parse::<f64>().is_ok()) {
        // numpy's print of an array of numbers.
        return Some(words.into_iter().map(str::to_string).collect());
    }
    let mut items = Vec::new();
    while !rest.is_empty() {
        if items.len() == MOST_ITEMS {
            return None;
        }
        let (item, behind) = item(rest)?;
        items.push(item);
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            // numpy writes no comma.
            None if rest.is_empty() || rest.starts_with(QUOTES) => {}
            None => return None,
        }
    }
    Some(items)
}

/// Labels of a cell at most.
pub const MOST_ITEMS: usize = 1 << 20;

/// The first item of a list and the text behind it: quoted, bare, or in numpy's form `np.str_('cat')`. A missing value is an
/// empty item.
fn item(text: &str) -> Option<(String, &str)> {
    if let Some(inner) = text.strip_prefix("np.").and_then(|rest| rest.split_once('(')) {
        let (item, behind) = item_inside(inner.1)?;
        return Some((item, behind.trim_start().strip_prefix(')')?));
    }
    item_inside(text)
}

fn item_inside(text: &str) -> Option<(String, &str)> {
    // Prefixes of Python's literals for bytes and texts.
    let literal = text.strip_prefix(['b', 'u', 'r']).filter(|rest| rest.starts_with(QUOTES)).unwrap_or(text);
    if literal.starts_with(QUOTES) {
        return quoted(literal);
    }
    let end = text.find([',', '[', ']', '(', ')', '{', '}', ':', '\'', '"']).unwrap_or(text.len());
    let bare = text[..end].trim();
    if bare.is_empty() || bare.contains("...") || bare.contains(['|', ';']) {
        return None;
    }
    let item = if is_missing(bare) { String::new() } else { bare.to_string() };
    Some((item, &text[end..]))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The character of an escape of so many hexadecimal digits.
fn escaped(characters: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let hex: String = characters.take(digits).map(|(_, c)| c).collect();
    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
}

/// A quoted item at the start, without its quotes and escapes, and the text behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next()?;
    let mut item = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next()?.1 {
                'n' => item.push('\n'),
                't' => item.push('\t'),
                'r' => item.push('\r'),
                'x' => item.push(escaped(&mut characters, 2)?),
                'u' => item.push(escaped(&mut characters, 4)?),
                'U' => item.push(escaped(&mut characters, 8)?),
                other => item.push(other),
            },
            _ if character == quote => return Some((item, &text[at + character.len_utf8()..])),
            _ => item.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(plural: bool, repeated: bool, cells: &[&str]) -> (Cells, bool) {
        let told = Cells::tell("x", &cells.iter().map(|c| c.to_string()).collect(), plural, repeated);
        (told.cells, told.note.is_some())
    }

    fn by(separator: &str) -> Cells {
        Cells::Split(separator.into())
    }

    #[test]
    fn several_labels_are_told_where_it_is_plain() {
        assert_eq!(tell(true, false, &["Cardiomegaly|Effusion", "No Finding"]), (by("|"), true));
        assert_eq!(tell(false, false, &["Cardiomegaly|Effusion", "Cardiomegaly"]), (by("|"), true));
        assert_eq!(tell(true, false, &["a;b", "c"]), (by(";"), true));
        assert_eq!(tell(false, false, &["beach, sea", "sea"]), (by(","), true));
        assert_eq!(tell(true, false, &["haze primary", "clear primary"]), (by(" "), true));
        assert_eq!(tell(true, false, &["scab frog_eye complex", "healthy", "scab"]), (by(" "), true));
        assert_eq!(tell(false, false, &["['cat', 'dog']", "['cat']", "[]", ""]), (Cells::List, true));
        assert_eq!(tell(true, true, &["['cat', 'dog']", "cat"]), (Cells::List, true));
        assert_eq!(tell(true, false, &["[cat]", "dog"]), (Cells::One, false));
        assert_eq!(tell(true, false, &["[cat, dog]", "dog"]), (Cells::List, true));
        assert_eq!(tell(true, false, &["tensor([1, 0])", "dog"]), (Cells::List, true));
        for cell in ["{'cat', 'dog'}", "('cat', 'dog')", "(cat, dog)", "{cat, dog}", "('cat',)", "set()", "()", "{}"] {
            for plural in [true, false] {
                assert_eq!(tell(plural, false, &[cell, "dog", "bird"]), (Cells::List, true), "{cell}");
                assert_eq!(tell(plural, false, &[cell, "['bird']"]), (Cells::List, true), "{cell}");
            }
        }
        assert_eq!(tell(true, false, &["(cat)", "{dog}", "bird"]), (Cells::One, false));
        // Read as a list, which gives the error: half of one, and one without commas.
        for cell in
            ["{'cat'", "('cat', 'd", "(cat, dog", "'cat'}", "(cat|dog", "[cat|dog]", "{cat;dog}", "set(['cat', 'dog'])"]
        {
            assert_eq!(tell(true, false, &[cell, "cat", "dog"]), (Cells::List, true), "{cell}");
        }
        assert_eq!(tell(true, false, &["[1, 2", "3"]), (Cells::List, true));
        assert_eq!(tell(true, false, &["1, 2]", "3"]), (Cells::List, true));
    }

    #[test]
    fn names_stay_whole_and_doubt_is_said() {
        assert_eq!(tell(false, false, &["bear, brown", "dog"]), (Cells::One, true));
        assert_eq!(tell(false, false, &["ant, red", "ant, black"]), (Cells::One, true));
        assert_eq!(tell(false, false, &["traffic light", "red light"]), (Cells::One, false));
        assert_eq!(tell(false, false, &["x y", "x", "y"]), (Cells::One, true));
        assert_eq!(tell(false, false, &["16 0", "7 1 2 0", "5"]), (by(" "), true));
        assert_eq!(tell(true, false, &["traffic light", "dog"]), (Cells::One, true));
        assert_eq!(tell(false, false, &["x|y", "z"]), (Cells::One, true));
        // Several rows per image: a cell is one label.
        assert_eq!(tell(true, true, &["a|b", "a"]), (Cells::One, true));
        assert_eq!(tell(false, false, &["cat", "dog"]), (Cells::One, false));
        // Brackets inside a text.
        assert_eq!(tell(false, false, &["person (adult)", "dog {small}", "(wild) cat"]), (Cells::One, false));
        assert_eq!(tell(true, false, &["person (adult), cat", "cat"]), (by(","), true));
        assert_eq!(tell(true, false, &["", " "]), (Cells::One, false));
    }

    #[test]
    fn flags_are_told_from_labels() {
        let of = |cells: &[&str]| Cells::flags(&cells.iter().map(|c| c.to_string()).collect(), None);
        assert_eq!(of(&["0,1,0,0", "1,0,0,1"]), Some((by(","), 4)));
        assert_eq!(of(&["0 1 1", "", "0 0 0"]), Some((by(" "), 3)));
        assert_eq!(of(&["[0, 1, 0]", "[1, 1, 0]"]), Some((Cells::List, 3)));
        assert_eq!(of(&["[0 1 0]", "[1. -1. 0.]"]), Some((Cells::List, 3)));
        assert_eq!(of(&["[False, True, False]", "[True, False, False]"]), Some((Cells::List, 3)));
        // Labels called 0 and 1: no cell holds one twice.
        assert_eq!(of(&["0,1", "1,0"]), None);
        assert_eq!(
            (of(&["0,1,1", "0,1"]), of(&["0,2,2", "1,1,1"]), of(&["0", "1"]), of(&[])),
            (None, None, None, None)
        );
    }

    #[test]
    fn half_a_list_is_told_from_a_name() {
        for half in ["[1, 2", "[cat", "['cat', 'd", "['cat [wild]', 'dog'", "[1, 2)"] {
            assert_eq!(missing_bracket(half), Some(']'), "{half}");
        }
        assert_eq!((missing_bracket("1, 2]"), missing_bracket("cat]")), (Some('['), Some('[')));
        for half in ["(1, 2", "(cat, dog", "('cat'", "('cat', 'd", "(cat|dog"] {
            assert_eq!(missing_bracket(half), Some(')'), "{half}");
        }
        for half in ["'a', 'b'}", "'a'}", "a', 'b'}", "cat, dog}", "cat;dog}"] {
            assert_eq!(missing_bracket(half), Some('{'), "{half}");
        }
        for name in ["[1, 2]", "[wild] cat", "cat [wild]", "cat (wild)", "[", "]", ":)", "(cat", "1)", "a, b", ""] {
            assert_eq!(missing_bracket(name), None, "{name}");
        }
        for name in ["('cat')", "(cat) dog", "{small} dog", "cat, dog (wild)", "happy ;)", "cat, happy :)", "(cat's"] {
            assert_eq!(missing_bracket(name), None, "{name}");
        }
    }

    #[test]
    fn lists_as_tools_write_them() {
        let of = |text: &str| list(text);
        let items = |items: &[&str]| Some(items.iter().map(|i| i.to_string()).collect::<Vec<_>>());
        assert_eq!(of("['cat', 'dog']"), items(&["cat", "dog"]));
        assert_eq!(of("[\"it's\", 'a \"b\"', 'c\\'d']"), items(&["it's", "a \"b\"", "c'd"]));
        assert_eq!(of("['cat' 'dog']"), items(&["cat", "dog"]));
        assert_eq!(of("['cat'\n 'dog']"), items(&["cat", "dog"]));
        assert_eq!(of("[3, 14]"), items(&["3", "14"]));
        assert_eq!(of("(1,)"), items(&["1"]));
        assert_eq!(of("[0 1  0]"), items(&["0", "1", "0"]));
        assert_eq!(of("{'a', 'b, c'}"), items(&["a", "b, c"]));
        assert_eq!(of("[cat, big dog]"), items(&["cat", "big dog"]));
        assert_eq!(of("['sea\\xa0lion', 'caf\\u00e9', b'x']"), items(&["sea\u{a0}lion", "café", "x"]));
        assert_eq!(of("[np.str_('cat'), np.int64(3)]"), items(&["cat", "3"]));
        assert_eq!(of("['cat', None, nan]"), items(&["cat", "", ""]));
        assert_eq!(of("[true, false]"), items(&["true", "false"]));
        assert_eq!((of("[0 1 ... 1 0]"), of("[['a'], ['b']]"), of("tensor([1, 0])")), (None, None, None));
        assert_eq!((of("[]"), of("set()"), of("{}")), (items(&[]), items(&[]), items(&[])));
        assert_eq!((of("('cat', 'dog')"), of("(cat, big dog)")), (items(&["cat", "dog"]), items(&["cat", "big dog"])));
        assert_eq!((of("[cat|dog]"), of("(cat;dog)"), of("['cat|dog']")), (None, None, items(&["cat|dog"])));
        assert_eq!((of("(a) or (b)"), of("(a) b"), of("a (b, c)")), (None, None, None));
        assert_eq!(
            (of("cat"), of("['cat'"), of("['cat"), of("{'a': 1}"), of("[[1], [2]]"), of("[")),
            (None, None, None, None, None, None)
        );
        assert_eq!((Cells::List.split("a, b"), Cells::List.split("['a'")), (items(&["a, b"]), None));
        assert_eq!((Cells::List.split("3]"), Cells::List.split("(1, 2")), (None, None));
        assert_eq!(
            (Cells::List.split("{'a'"), Cells::List.split("[a|b]"), Cells::List.split("[a] b")),
            (None, None, None)
        );
        assert_eq!(
            (Cells::List.split("frozenset()"), Cells::List.split("a (b, c)")),
            (items(&[]), items(&["a (b, c)"]))
        );
        assert!(by(" ").cuts_list("(cat dog)") && !by(" ").cuts_list("cat dog") && !by("|").cuts_list("(cat dog)"));
        assert_eq!(by(" ").split(" a  b "), items(&["a", "b"]));
        assert_eq!(by("|").split("a| b||"), items(&["a", "b"]));
        assert_eq!(by(" - ").split("a - b-c"), items(&["a", "b-c"]));
    }
}
