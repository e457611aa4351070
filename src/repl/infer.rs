//! Infers the kind of the expression being typed, without evaluating it.

use super::input::{ending, last_word, signs};
use crate::script::tokens::is_word;
use crate::script::vocabulary;

/// The kinds of the values in scope: `data` is a map, `data.train` a Dataset, `teachers[]` a Model.
pub type Scope = [(String, String)];

/// So many calls, fields and elements behind each other are followed. Each reads the text before it.
const LONGEST: usize = 50;

/// The kind of the expression that `text` ends with, if names and signatures determine it.
pub fn kind(text: &str, scope: &Scope) -> Option<String> {
    follow(text, scope, LONGEST)
}

fn follow(text: &str, scope: &Scope, longest: usize) -> Option<String> {
    let longest = longest.checked_sub(1)?;
    let text = text.trim_end();
    match text.chars().next_back()? {
        ')' => {
            let open = opening(text)?;
            let callee = &text[..open];
            let name = last_word(callee);
            match callee[..callee.len() - name.len()].strip_suffix('.') {
                Some(receiver) => member(&follow(receiver, scope, longest)?, name),
                // What a function of a library gives is not known.
                None if callee.ends_with(&format!("::{name}")) => None,
                None => result(name),
            }
        }
        ']' => {
            let inner = &text[..opening(text)?];
            element(&follow(inner, scope, longest)?).or_else(|| variable(&format!("{}[]", path(inner)?), scope))
        }
        _ => {
            let name = last_word(text);
            if name.is_empty() {
                return None;
            }
            match text[..text.len() - name.len()].strip_suffix('.') {
                // A field of a map that is in scope, or of a kind.
                Some(receiver) => {
                    let known = path(text).and_then(|path| variable(&path, scope));
                    known
                        .or_else(|| of_map(&follow(receiver, scope, longest)?))
                        .or_else(|| member(&follow(receiver, scope, longest)?, name))
                }
                None => variable(name, scope),
            }
        }
    }
}

/// `a.b.c`, if `text` ends with nothing but names and dots.
fn path(text: &str) -> Option<String> {
    let path = ending(text, |c| is_word(c) || c == '.');
    (!path.is_empty() && !path.starts_with('.')).then(|| path.to_string())
}

fn variable(name: &str, scope: &Scope) -> Option<String> {
    scope.iter().find(|(known, _)| known == name).map(|(_, kind)| kind.clone())
}

/// The kind that a word returns, from its signature.
fn result(word: &str) -> Option<String> {
    let signature = vocabulary::find(word)?.signatures.last()?;
    let kind = signature.split("-> ").nth(1)?.trim();
    (kind != "value").then(|| kind.to_string())
}

/// The kind of a field or of a method's result, if its line begins with it: "a Table: label, AP", "an array of Models".
fn member(kind: &str, name: &str) -> Option<String> {
    let members = vocabulary::find_kind(kind)?.members;
    let member = members.iter().find(|m| m.name() == name)?;
    let words: Vec<&str> = member.doc.split(|c: char| !c.is_alphanumeric()).collect();
    match words.as_slice() {
        _ if member.same => Some(kind.to_string()),
        ["a" | "an" | "the", "array", "of", of, ..] => element_kind(of).map(|kind| format!("array of {kind}")),
        ["a" | "an" | "the", of, ..] => element_kind(of),
        _ => None,
    }
}

/// `Model` of `Model` or `Models`.
fn element_kind(word: &str) -> Option<String> {
    vocabulary::find_kind(word)
        .or_else(|| vocabulary::find_kind(word.strip_suffix('s')?))
        .map(|kind| kind.name.to_string())
}

fn element(kind: &str) -> Option<String> {
    kind.strip_prefix("array of ").and_then(inner)
}

/// What an array or a map is of: a kind, or again `map of Tensor`.
fn inner(kind: &str) -> Option<String> {
    if kind.contains(" of ") { Some(kind.to_string()) } else { element_kind(kind) }
}

/// `Dataset` of `map of Dataset`.
fn of_map(kind: &str) -> Option<String> {
    kind.strip_prefix("map of ").and_then(inner)
}

/// The place of the bracket that the last one closes.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in signs(text).rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '(' | '[' | '{' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_known_through_fields_calls_and_elements() {
        crate::primitives::install();
        let scope: Vec<(String, String)> =
            [("data", "map"), ("data.train", "Dataset"), ("p", "Partition"), ("many", "array"), ("many[]", "Model")]
                .map(|(a, b)| (a.into(), b.into()))
                .into();
        let of = |text: &str| kind(text, &scope);
        assert_eq!(of("p").as_deref(), Some("Partition"));
        assert_eq!(of("let x = data.train").as_deref(), Some("Dataset"));
        assert_eq!(of("print(many[0]").as_deref(), Some("Model"));
        assert_eq!(of("affinity(c, \"co\")").as_deref(), Some("Affinity"));
        assert_eq!(of("train_teachers(data, p)[f(1)]").as_deref(), Some("Model"));
        assert_eq!(of("dataset(\"a)\").train").as_deref(), Some("Dataset"));
        assert_eq!(of("data.train.labels").as_deref(), Some("LabelTable"));
        assert_eq!(of("data.train.labels.head(3).counts()").as_deref(), Some("Table"));
        assert_eq!(of("merge(teachers).teachers[1]").as_deref(), Some("Model"));
        assert_eq!(of(&format!("data.train.labels{}", ".head(3)".repeat(100_000))), None);
        assert_eq!(of("nothing"), None);
        assert_eq!(of("m::affinity(c, \"co\")"), None);
        assert_eq!(of("1 + "), None);
        assert_eq!(of(")"), None);
    }
}
