//! Statements that are nothing but a name: `total;`. Rhai's optimiser drops them, and with them the error of a name that is not there.

use std::collections::BTreeSet;

use super::tokens::{self, Piece};

/// Words that are whole statements.
const STATEMENTS: &[&str] = &["break", "continue", "return", "throw", "this", "true", "false"];

/// So many tokens are looked through for parameters.
const FAR: usize = 200;

/// The names that are made in a block.
#[derive(Default)]
struct Block<'t> {
    names: BTreeSet<&'t str>,
    /// It is the body of a function, which sees nothing outside.
    function: bool,
}

/// Whether a text may have such a statement with a name that is not there; `is_known` says which variables are there before it runs.
///
/// Names are followed roughly: where this is wrong, a text runs without being optimised, or a statement is dropped as before.
pub fn may_be_unknown(text: &str, is_known: impl Fn(&str) -> bool) -> bool {
    let pieces = tokens::pieces(text);
    let word = |i: usize| pieces.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let is_word = |i: usize| pieces.get(i).is_some_and(|(_, piece)| *piece == Piece::Word);
    // The words from one token on, to one of these.
    let words = |from: usize, ends: &'static [&'static str]| {
        (from..pieces.len().min(from + FAR))
            .take_while(move |&i| !ends.contains(&word(i)))
            .filter(move |&i| is_word(i))
            .map(word)
    };
    let mut blocks = vec![Block::default()];
    // What is known in the next block: the parameters of a function, the variables of a loop.
    let mut next = Block::default();
    for i in 0..pieces.len() {
        match word(i) {
            "fn" => next = Block { names: words(i + 2, &[")", "{"]).collect(), function: true },
            "for" => next.names.extend(words(i + 1, &["in", "{"])),
            "catch" => next.names.extend(words(i + 1, &[")", "{"])),
            "|" => next.names.extend(words(i + 1, &["|", "{", ";"])),
            "let" | "const" => {
                if let Some(block) = blocks.last_mut() {
                    block.names.insert(word(i + 1));
                }
            }
            "{" => blocks.push(std::mem::take(&mut next)),
            "}" if blocks.len() > 1 => drop(blocks.pop()),
            ";" => next = Block::default(),
            name if is_word(i)
                && !STATEMENTS.contains(&name)
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && i.checked_sub(1).is_none_or(|before| [";", "{", "}"].contains(&word(before)))
                && [";", "}"].contains(&word(i + 1)) =>
            {
                let body = blocks.iter().rposition(|block| block.function);
                let is_made = blocks[body.unwrap_or(0)..].iter().any(|block| block.names.contains(name));
                if !is_made && (body.is_some() || !is_known(name)) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_name_that_is_not_there_are_found() {
        let of = |text: &str| may_be_unknown(text, |name| name == "known");
        for text in [
            "xyz; 3",
            "let a = 1; b; 3",
            "if true { let a = 1; } a; 3",
            "while true { xyz }",
            "fn f() { known; 3 }",
            "let a = 1; fn f(b) { a; b }",
            "for x in [1] { y; } 3",
            "exit;",
        ] {
            assert!(of(text), "{text}");
        }
        for text in [
            "",
            "known; 3",
            "let a = 1; a; 3",
            "let a = 1; if true { a; } 3",
            "fn f(a, b) { a; b }",
            "for (x, i) in [1] { x; i; }",
            "try { 1 } catch (e) { e; 2 }",
            "[1].map(|x| { x; 2 })",
            "loop { break; }",
            "fn f() { return; }",
            "#{a: b}; f(x); x.y; 1; \"xyz\"; `xyz`; // xyz;",
            // The last one is not dropped.
            "xyz",
        ] {
            assert!(!of(text), "{text}");
        }
    }
}
