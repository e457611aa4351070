//! A text with a syntax error: that error, and what is certain of the statements in front of it.

use std::ops::Range;

use super::finding::{Finding, Severity};
use super::text::Text;
use crate::script::errors::Failure;
use crate::script::tokens::{self, Piece};

/// So many ends of statements are tried: one that seems to end there may go on.
const TRIES: usize = 3;

/// The findings of a text that cannot be parsed, because of `failure`. `check` checks a part of it, from its beginning to a byte.
pub fn findings(
    text: &str,
    name: &str,
    failure: &Failure,
    check: impl Fn(&str) -> Result<Vec<Finding>, Failure>,
) -> Vec<Finding> {
    let span = failure.span().unwrap_or(0..0);
    let position = Text::new(name, text).position(span.start);
    let (message, help) = (failure.message.clone(), failure.help.clone());
    let error = Finding { severity: Severity::Error, position, open: failure.open(), message, help, span };
    let ends = statement_ends(text, error.span.start);
    let before = ends.into_iter().rev().take(TRIES).find_map(|end| {
        let found = check(&text[..end]).ok()?;
        let rest = Rest::of(&text[end..]);
        Some(found.into_iter().filter(|finding| rest.leaves(finding, text)).collect::<Vec<_>>())
    });
    before.unwrap_or_default().into_iter().chain([error]).collect()
}

/// The bytes in front of `before` where a statement of the top level ends.
fn statement_ends(text: &str, before: usize) -> Vec<usize> {
    /// What may follow a block and is no new statement.
    const GOING_ON: &[&str] = &["else", "catch", "while", "until", "in", "as"];
    let pieces = tokens::pieces(text);
    let word = |range: &Range<usize>| &text[range.clone()];
    let (mut depth, mut ends) = (0_usize, vec![]);
    for (i, (range, piece)) in pieces.iter().enumerate() {
        if range.start >= before {
            break;
        }
        if *piece != Piece::Sign {
            continue;
        }
        match word(range) {
            "(" | "[" | "{" => depth += 1,
            sign @ (")" | "]" | "}") => {
                // One that closes nothing is the mistake.
                let Some(outside) = depth.checked_sub(1) else { break };
                depth = outside;
                let next = pieces.get(i + 1).filter(|(_, piece)| *piece == Piece::Word);
                if depth == 0 && sign == "}" && next.is_some_and(|(range, _)| !GOING_ON.contains(&word(range))) {
                    ends.push(range.end);
                }
            }
            ";" if depth == 0 => ends.push(range.end),
            _ => {}
        }
    }
    ends
}

/// What is behind the statements that could be checked.
struct Rest<'t> {
    pieces: Vec<&'t str>,
}

impl<'t> Rest<'t> {
    fn of(text: &'t str) -> Self {
        let mut pieces = Vec::new();
        let mut waiting = vec![text];
        while let Some(text) = waiting.pop() {
            for (range, _) in tokens::pieces(text) {
                let piece = &text[range];
                if piece.starts_with('`') {
                    waiting.extend(tokens::interpolations(piece).into_iter().map(|code| &piece[code]));
                }
                pieces.push(piece);
            }
        }
        Rest { pieces }
    }

    /// Whether a finding is one whatever the rest says.
    fn leaves(&self, finding: &Finding, text: &str) -> bool {
        let name = text.get(finding.span.clone()).unwrap_or_default();
        let is_unused = ["is never read", "is used"].iter().any(|end| finding.message.ends_with(end));
        match is_unused {
            true => !["eval", name].iter().any(|word| self.pieces.contains(word)),
            false => !self.makes(name),
        }
    }

    /// Whether something of this name is made in it: a function, also of one kind of value, a variable, a library, a key of a map.
    fn makes(&self, name: &str) -> bool {
        let word = |i: Option<usize>| i.and_then(|i| self.pieces.get(i)).copied().unwrap_or_default();
        let is_made = |i: usize| {
            ["fn", "let", "const", "as"].contains(&word(i.checked_sub(1)))
                || word(i.checked_sub(1)) == "." && word(i.checked_sub(3)) == "fn"
                || word(Some(i + 1)) == ":"
        };
        (0..self.pieces.len()).any(|i| self.pieces[i] == name && is_made(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_outside_of_brackets() {
        fn ends(text: &str) -> Vec<&str> {
            let at = text.find('@').unwrap_or(text.len());
            statement_ends(text, at).into_iter().map(|end| &text[..end]).collect()
        }
        assert_eq!(ends("a; b; @"), ["a;", "a; b;"]);
        assert_eq!(ends("a; f(1; @"), ["a;"]);
        assert_eq!(ends("fn f() { a; } b @"), ["fn f() { a; }"]);
        assert_eq!(ends("if a { b; } else { c; } d; @"), ["if a { b; } else { c; }", "if a { b; } else { c; } d;"]);
        assert_eq!(ends("let a = #{b: 1} + 2; @"), ["let a = #{b: 1} + 2;"]);
        assert_eq!(ends("a; } b; @"), ["a;"]);
        assert_eq!(ends("let a = \"; @"), [""; 0]);
        assert_eq!(ends(""), [""; 0]);
    }
}
