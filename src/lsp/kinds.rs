//! The kinds of a text's variables, as far as it tells them without being run: by literals, and by what words and members give.

use std::ops::Range;

use super::names::{Definition, Kind, Names};
use crate::repl::infer;
use crate::script::tokens::{self, Piece};
use crate::script::vocabulary;

/// The kind of a value and, by their paths, of what is inside it: "" → map, ".train" → Dataset; "" → array, "[]" → Model.
type Shape = Vec<(String, String)>;

/// The kinds of a text's variables, by the numbers of their definitions.
#[derive(Debug, Default)]
pub struct Kinds(Vec<Shape>);

/// Of so many definitions the kinds are looked for.
const MOST: usize = 5_000;
/// Values up to so many bytes are looked at.
const LONGEST: usize = 20_000;
/// The splits that a map of data sets has.
const SPLITS: &[&str] = &["train", "val", "test"];

impl Kinds {
    pub fn of(text: &str, names: &Names) -> Kinds {
        // What is known so far, the latest of each name.
        let mut scope: Vec<(String, String)> = Vec::new();
        let mut all = Vec::new();
        for definition in names.definitions.iter().take(MOST) {
            let shape = of_definition(text, definition, &scope);
            if definition.kind != Kind::Function {
                let inside = |path: &str| {
                    path.strip_prefix(definition.name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                };
                scope.retain(|(path, _)| !inside(path));
                scope.extend(shape.iter().map(|(path, kind)| (format!("{}{path}", definition.name), kind.clone())));
            }
            all.push(shape);
        }
        Kinds(all)
    }

    /// The kind of a definition; empty where it is not known.
    pub fn kind(&self, definition: usize) -> &str {
        let shape = self.0.get(definition).and_then(|shape| shape.iter().find(|(path, _)| path.is_empty()));
        shape.map_or("", |(_, kind)| kind)
    }

    /// The kinds of what is seen at a byte, by path: `data`, `data.train`, `models[]`.
    pub fn scope(&self, names: &Names, byte: usize) -> Vec<(String, String)> {
        let mut scope = Vec::new();
        for number in names.seen(byte) {
            let definition = &names.definitions[number];
            if definition.kind == Kind::Library {
                continue;
            }
            let shape = self.0.get(number).map(Vec::as_slice).unwrap_or_default();
            if shape.iter().all(|(path, _)| !path.is_empty()) {
                scope.push((definition.name.clone(), String::new()));
            }
            scope.extend(shape.iter().map(|(path, kind)| (format!("{}{path}", definition.name), kind.clone())));
        }
        scope
    }
}

fn of_definition(text: &str, definition: &Definition, scope: &[(String, String)]) -> Shape {
    let Some(value) = text.get(definition.value.clone()).filter(|value| value.len() <= LONGEST) else { return vec![] };
    match definition.kind {
        Kind::Variable | Kind::Constant => of_value(value, scope, 2),
        Kind::Loop if !definition.is_item => vec![(String::new(), "integer".into())],
        Kind::Loop => {
            let shape = of_value(value, scope, 2);
            let inside =
                shape.into_iter().filter_map(|(path, kind)| Some((path.strip_prefix("[]")?.to_string(), kind)));
            inside.collect()
        }
        Kind::Caught => vec![(String::new(), "map".into())],
        _ => vec![],
    }
}

fn of_value(value: &str, scope: &[(String, String)], depth: usize) -> Shape {
    let pieces = tokens::pieces(value);
    let of = |i: usize| pieces.get(i).map_or("", |(range, _): &(Range<usize>, Piece)| &value[range.clone()]);
    let is_sign = |i: usize| pieces.get(i).is_some_and(|(_, piece)| *piece == Piece::Sign);
    let Some((last, (first, piece))) = pieces.len().checked_sub(1).zip(pieces.first()) else { return vec![] };
    let simple = |kind: &str| vec![(String::new(), kind.to_string())];
    // The pieces between which nothing is open.
    let (mut nested, mut outside) = (0, Vec::new());
    for i in 0..pieces.len() {
        let closes = is_sign(i) && [")", "]", "}"].contains(&of(i));
        nested -= i32::from(closes);
        if nested == 0 {
            outside.push(i);
        }
        nested += i32::from(is_sign(i) && ["(", "[", "{"].contains(&of(i)));
    }
    let whole = |open: usize| outside == if open == 0 { vec![0, last] } else { vec![0, open, last] };
    let is_word = |i: usize| pieces.get(i).is_some_and(|(_, piece)| *piece == Piece::Word);
    let parts = |open: usize| {
        // The commas directly inside.
        let (mut nested, mut commas) = (0, vec![open]);
        for i in open + 1..last {
            match of(i) {
                "(" | "[" | "{" if is_sign(i) => nested += 1,
                ")" | "]" | "}" if is_sign(i) => nested -= 1,
                "," if nested == 0 => commas.push(i),
                _ => {}
            }
        }
        commas.push(last);
        commas.windows(2).map(|pair| pair[0] + 1..pair[1]).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let text_of = |part: &Range<usize>| &value[pieces[part.start].0.start..pieces[part.end - 1].0.end];
    match of(0) {
        "[" if whole(0) && is_sign(0) => {
            let mut shape = simple("array");
            if depth > 0
                && let Some(first) = parts(0).first()
            {
                let inside = of_value(text_of(first), scope, depth - 1);
                shape.extend(inside.into_iter().map(|(path, kind)| (format!("[]{path}"), kind)));
            }
            shape
        }
        "#" if of(1) == "{" && whole(1) => {
            let mut shape = simple("map");
            for part in parts(1).into_iter().take(if depth > 0 { 50 } else { 0 }) {
                if part.len() > 2 && of(part.start + 1) == ":" {
                    let key = of(part.start).trim_matches('"');
                    let inside = of_value(text_of(&(part.start + 2..part.end)), scope, depth - 1);
                    match inside.is_empty() {
                        true => shape.push((format!(".{key}"), String::new())),
                        false => shape.extend(inside.into_iter().map(|(path, kind)| (format!(".{key}{path}"), kind))),
                    }
                }
            }
            shape
        }
        "|" => simple("function"),
        _ if *piece == Piece::Text && last == 0 => {
            simple(if value[first.clone()].starts_with('\'') { "character" } else { "string" })
        }
        "true" | "false" if last == 0 => simple("boolean"),
        number if number.starts_with(|c: char| c.is_ascii_digit()) && last == 0 => simple("integer"),
        number if number.starts_with(|c: char| c.is_ascii_digit()) && last == 2 && of(1) == "." && is_word(2) => {
            simple("number")
        }
        // A range.
        _ if outside.windows(2).any(|pair| of(pair[0]) == "." && of(pair[1]) == "." && pair[0] + 1 == pair[1]) => {
            vec![(String::new(), "range".into()), ("[]".into(), "integer".into())]
        }
        // Operators give other kinds.
        _ if outside.iter().any(|&i| is_sign(i) && "+-*/%<>=!&|^?".contains(of(i))) => vec![],
        _ => {
            // A variable or a field: with all that is inside it.
            let path = value.trim();
            let inside = scope.iter().filter_map(|(known, kind)| {
                let rest = known.strip_prefix(path)?;
                (rest.is_empty() || rest.starts_with(['.', '['])).then(|| (rest.to_string(), kind.clone()))
            });
            let inside: Shape = inside.collect();
            if !inside.is_empty() {
                return inside;
            }
            let Some(kind) = infer::kind(value, scope) else { return vec![] };
            let mut shape = simple(&kind);
            if let Some(of) = kind.strip_prefix("array of ") {
                let one = vocabulary::find_kind(of).or_else(|| vocabulary::find_kind(of.strip_suffix('s')?));
                shape = simple("array");
                shape.push(("[]".into(), one.map_or(of, |kind| kind.name).to_string()));
            } else if let Some(of) = kind.strip_prefix("map of ") {
                shape.extend(SPLITS.iter().map(|split| (format!(".{split}"), of.to_string())));
            }
            shape
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_literals_words_and_members() {
        crate::primitives::install();
        let text = "let data = dataset(\"emoji-scenes\"); let t = data.train.labels; let a = [t, 1]; let m = #{x: data.test, y: [1.5]}; \
                    let c = t.counts(); for l in a { @ } for (p, i) in train_teachers(data, q) { ^ } let n = 1 + t.counts(); \
                    let f = |x| x; fn g(data) { # } let b = a; let s = `x`; for k in 0..3 { $ }";
        let names = Names::of(text);
        let kinds = Kinds::of(text, &names);
        let at = |mark: &str, path: &str| {
            let scope = kinds.scope(&names, text.find(mark).unwrap());
            scope.into_iter().find(|(known, _)| known == path).map(|(_, kind)| kind)
        };
        for (mark, path, kind) in [
            ("@", "data", "map of Dataset"),
            ("@", "data.train", "Dataset"),
            ("@", "t", "LabelTable"),
            ("@", "a", "array"),
            ("@", "a[]", "LabelTable"),
            ("@", "m.x", "Dataset"),
            ("@", "m.y", "array"),
            ("@", "c", "Table"),
            ("@", "l", "LabelTable"),
            ("^", "p", "Model"),
            ("^", "i", "integer"),
            ("$", "n", ""),
            ("$", "f", "function"),
            ("#{x", "a", "array"),
            ("$", "s", "string"),
            ("$", "k", "integer"),
        ] {
            assert_eq!(at(mark, path).as_deref(), Some(kind), "{path} at {mark}");
        }
        // The parameter is not the variable of the same name.
        let inside = text.find("{ # }").unwrap() + 2;
        let scope = kinds.scope(&names, inside);
        assert_eq!(scope, [("data".to_string(), String::new())]);
    }
}
