//! A text with a syntax error: that error, and what is certain of the statements in front of it and of the functions and statements behind
//! it.

use std::ops::Range;

use super::finding::{Finding, Severity};
use super::text::Text;
use crate::script::errors::Failure;
use crate::script::tokens::{self, Piece};

/// So many ends of statements are tried: one that seems to end there may go on.
const TRIES: usize = 3;
/// So many functions behind the error are looked at.
const FUNCTIONS: usize = 50;
/// So many statements behind the error are looked at, of so many tokens.
const STATEMENTS: usize = 200;
const TOKENS: usize = 2000;

/// The findings of a text that cannot be parsed, because of `failure`. `parse` and `check` are given the text with blanks in place of parts
/// of it.
pub fn findings(
    text: &str,
    name: &str,
    failure: &Failure,
    parse: impl Fn(&str) -> Result<(), Failure>,
    check: impl Fn(&str) -> Result<Vec<Finding>, Failure>,
) -> Vec<Finding> {
    let lines = Text::new(name, text);
    let error = |failure: &Failure| {
        let span = failure.span().unwrap_or(0..0);
        let position = lines.position(span.start);
        let (message, help) = (failure.message.clone(), failure.help.clone());
        Finding { severity: Severity::Error, position, open: failure.open(), message, help, span }
    };
    let first = error(failure);
    let mut behind = functions_behind(text, first.span.start);
    behind.truncate(FUNCTIONS);
    // Each alone: the first mistake may have opened or closed brackets.
    let mut errors = vec![];
    behind.retain(|function| match parse(&only(text, 0, std::slice::from_ref(function))) {
        Ok(()) => true,
        Err(failure) => {
            let is_inside = |at: Range<usize>| function.start <= at.start && at.end <= function.end && at != first.span;
            let found = failure.span().is_some_and(is_inside);
            errors.extend(found.then(|| error(&failure)));
            false
        }
    });
    let ends = statement_ends(text, first.span.start).into_iter().rev().take(TRIES);
    // The functions alone, if nothing in front can be checked.
    let ends = ends.chain((!behind.is_empty()).then_some(0));
    let mut checked = 0;
    let sure = ends.into_iter().find_map(|end| {
        let found = check(&only(text, end, &behind)).ok()?;
        checked = end;
        let unread = without(text, end, &behind);
        let rest = Rest::of(&unread);
        Some(found.into_iter().filter(|finding| rest.leaves(finding, text)).collect::<Vec<_>>())
    });
    let unknown = unknown_behind(text, checked, &first.span, &behind, parse, check);
    let sure = sure.unwrap_or_default().into_iter();
    let mut all: Vec<Finding> = sure.chain([first]).chain(errors).chain(unknown).collect();
    // (The first has no place where the text ends too early.)
    all.sort_by_key(|finding| if finding.span.is_empty() { usize::MAX } else { finding.span.start });
    all
}

/// The names in statements of the left margin behind a mistake that nothing in the text makes: of another kind, a finding may be wrong if what
/// is not read says more.
fn unknown_behind(
    text: &str,
    end: usize,
    mistake: &Range<usize>,
    functions: &[Range<usize>],
    parse: impl Fn(&str) -> Result<(), Failure>,
    check: impl Fn(&str) -> Result<Vec<Finding>, Failure>,
) -> Vec<Finding> {
    let mut statements = match mistake.is_empty() {
        true => vec![],
        false => statements_behind(text, mistake.end, functions),
    };
    statements.retain(|statement| parse(&text[statement.clone()]).is_ok());
    if statements.is_empty() {
        return vec![];
    }
    let mut parts = [functions, &statements].concat();
    parts.sort_by_key(|part| part.start);
    let Ok(found) = check(&only(text, end, &parts)) else { return vec![] };
    let unread = without(text, end, &parts);
    let rest = Rest::of(&unread).pieces;
    let is_unknown = |finding: &Finding| {
        let name = text.get(finding.span.clone()).unwrap_or_default();
        finding.severity == Severity::Error
            && statements.iter().any(|statement| statement.contains(&finding.span.start))
            && ["there is no variable ", "there is no function "].iter().any(|said| finding.message.starts_with(said))
            && !["eval", name].iter().any(|word| rest.contains(word))
    };
    found.into_iter().filter(is_unknown).collect()
}

/// The statements that begin at the left margin from byte `from` on and outside of these functions, each to its semicolon.
fn statements_behind(text: &str, from: usize, functions: &[Range<usize>]) -> Vec<Range<usize>> {
    let pieces = tokens::pieces(text);
    let begins = |i: usize| {
        let at = pieces[i].0.start;
        pieces[i].1 == Piece::Word && text[..at].ends_with('\n')
    };
    let end = |first: usize| {
        let mut depth = 0_usize;
        for i in first..pieces.len().min(first + TOKENS) {
            match &text[pieces[i].0.clone()] {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                ";" if depth == 0 => return Some(i),
                _ if depth == 0 && i > first && begins(i) => return None,
                _ => {}
            }
        }
        None
    };
    let (mut found, mut at) = (vec![], pieces.partition_point(|(range, _)| range.start < from));
    while at < pieces.len() && found.len() < STATEMENTS {
        let start = pieces[at].0.start;
        let is_inside = || functions.iter().any(|function| function.contains(&start));
        match if begins(at) && !is_inside() { end(at) } else { None } {
            Some(last) => {
                found.push(start..pieces[last].0.end);
                at = last + 1;
            }
            None => at += 1,
        }
    }
    found
}

/// The functions that begin at the left margin from byte `from` on, each to the next one or to its own last bracket.
fn functions_behind(text: &str, from: usize) -> Vec<Range<usize>> {
    let pieces = tokens::pieces(text);
    let word = |i: usize| pieces.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let at_margin = |i: usize| {
        let at = pieces[i].0.start;
        pieces[i].1 == Piece::Word && (at == 0 || text.as_bytes()[at - 1] == b'\n')
    };
    let begins = |i: usize| at_margin(i) && (word(i) == "fn" || (word(i) == "private" && word(i + 1) == "fn"));
    let starts: Vec<usize> = (0..pieces.len()).filter(|&i| pieces[i].0.start >= from && begins(i)).collect();
    let nexts = starts.iter().skip(1).copied().chain([pieces.len()]);
    let of = |(start, next): (usize, usize)| {
        let mut depth = 0_usize;
        let close = (start..next).find(|&i| match word(i) {
            "{" => {
                depth += 1;
                false
            }
            "}" => {
                depth = depth.saturating_sub(1);
                depth == 0
            }
            _ => false,
        });
        pieces[start].0.start..pieces[close.unwrap_or(next - 1)].0.end
    };
    starts.iter().copied().zip(nexts).map(of).collect()
}

/// The text up to `end`, and these parts of the rest; blanks elsewhere, so that every place stays where it is.
fn only(text: &str, end: usize, parts: &[Range<usize>]) -> String {
    let mut out = text[..end].to_string();
    for part in parts.iter().filter(|part| part.start >= end) {
        blank(&text[out.len()..part.start], &mut out);
        out.push_str(&text[part.clone()]);
    }
    out
}

/// The rest.
fn without(text: &str, end: usize, parts: &[Range<usize>]) -> String {
    let (mut out, mut at) = (String::new(), end);
    for part in parts.iter().filter(|part| part.start >= end) {
        out.push_str(&text[at..part.start]);
        at = part.end;
    }
    out + &text[at..]
}

/// Adds as many bytes of blanks, in as many lines.
fn blank(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
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
    fn functions_at_the_margin_are_found_and_stay_in_place() {
        let text = "let ä = (;\nfn f(a) { #{a: a} }\n  fn no() { 1 }\nprivate fn g() { if 1 {\nfn h() { 2 }\n\"\nfn i(";
        let found = functions_behind(text, 3);
        let parts: Vec<&str> = found.iter().map(|part| &text[part.clone()]).collect();
        assert_eq!(parts, ["fn f(a) { #{a: a} }", "private fn g() { if 1 {", "fn h() { 2 }", "fn i("]);
        assert_eq!(functions_behind(text, found[1].start).len(), 3);
        let part = only(text, 4, &found[2..3]);
        assert_eq!((part.len(), &part[..4], &part[found[2].clone()]), (found[2].end, "let ", "fn h() { 2 }"));
        assert_eq!((part.trim_end().lines().count(), part.matches("fn").count()), (5, 1));
        assert!(without(text, 4, &found).starts_with("ä = (;\n\n  fn no() { 1 }\n\n"));
    }

    #[test]
    fn statements_at_the_margin_are_found_behind_a_mistake() {
        let text =
            "f(;\ng(1);\nfn h() {\nh(2);\n}\n  no(3);\nlet a = [\n4,\n];\nb\nc(\nd(5);\nif e { f(6); }\ng(\";\");";
        let functions = functions_behind(text, 2);
        let found = statements_behind(text, 2, &functions);
        let parts: Vec<&str> = found.iter().map(|part| &text[part.clone()]).collect();
        // (What a bracket opens is left to the parser.)
        assert_eq!(parts, ["g(1);", "let a = [\n4,\n];", "d(5);", "g(\";\");"]);
    }

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
