//! From the point that Rhai gives to what a person sees underlined.

use std::ops::Range;

use rhai::Position;

use super::tokens::quoted;
pub use super::tokens::{Piece, pieces};

/// The byte offset of a position.
pub fn offset(text: &str, pos: Position) -> Option<usize> {
    let (line, column) = (pos.line()?, pos.position().unwrap_or(1));
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..)?.split('\n').next()?;
    Some(start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>())
}

/// The word, number or string that starts there, or the one sign.
pub fn token(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let length = match rest.chars().next() {
        None | Some('\n') => 0,
        Some(quote @ ('"' | '`')) => quoted(rest, quote).0,
        Some(c) if c.is_alphanumeric() || c == '_' => {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        }
        Some(c) => c.len_utf8(),
    };
    at..at + length
}

/// Of the call that starts with the name at `at`, the argument that a message speaks of: the option key or the string
/// that it quotes, or the file that it begins with. `None` when it names none that is written there.
pub fn argument(text: &str, at: usize, message: &str) -> Option<Range<usize>> {
    let all = pieces(text);
    let name = all.iter().position(|(range, piece)| range.start == at && *piece == Piece::Word)?;
    let sign = |i: usize, sign: &str| {
        all.get(i).is_some_and(|(range, piece)| *piece == Piece::Sign && &text[range.clone()] == sign)
    };
    if !sign(name + 1, "(") {
        return None;
    }
    let mut depth = 0;
    let inside: Vec<usize> = (name + 1..all.len())
        .take_while(|&i| {
            depth += ["(", "[", "{"].iter().filter(|open| sign(i, open)).count() as i64;
            depth -= [")", "]", "}"].iter().filter(|close| sign(i, close)).count() as i64;
            depth > 0
        })
        .collect();
    let string = |i: usize| match &all[i] {
        (range, Piece::Text) => text[range.clone()].trim_matches(['"', '`']),
        _ => "",
    };
    let spoken_of = |quoted: &str| {
        let key = |i: usize| text[all[i].0.clone()] == *quoted && all[i].1 == Piece::Word && sign(i + 1, ":");
        inside.iter().copied().find(|&i| key(i) || (!quoted.is_empty() && string(i) == quoted))
    };
    let found = message
        .split('"')
        .skip(1)
        .step_by(2)
        .filter_map(spoken_of)
        // What came stands behind what was expected.
        .last()
        .or_else(|| inside.iter().copied().find(|&i| string(i).len() > 1 && message.starts_with(string(i))))?;
    Some(all[found].0.clone())
}

/// The innermost bracket before `at` that is still open there.
pub fn open_bracket(text: &str, at: usize) -> Option<Range<usize>> {
    let mut open: Vec<Range<usize>> = Vec::new();
    for (range, piece) in pieces(text).into_iter().take_while(|(range, _)| range.start < at) {
        match (&text[range.clone()], piece) {
            ("(" | "[" | "{", Piece::Sign) => open.push(range),
            (")" | "]" | "}", Piece::Sign) => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

/// The last token before `at`.
pub fn before(text: &str, at: usize) -> Option<Range<usize>> {
    pieces(text).into_iter().map(|(range, _)| range).take_while(|range| range.end <= at).last()
}

/// Name and parameters of every function that a text defines: `("mean", "mean(a, b)")`.
pub fn functions(text: &str) -> Vec<(String, String)> {
    let all = pieces(text);
    let mut found = Vec::new();
    for (i, (range, piece)) in all.iter().enumerate() {
        if *piece != Piece::Word || &text[range.clone()] != "fn" {
            continue;
        }
        let (Some((name, Piece::Word)), Some(close)) =
            (all.get(i + 1), all[i..].iter().find(|(r, _)| &text[r.clone()] == ")"))
        else {
            continue;
        };
        found.push((text[name.clone()].to_string(), text[name.start..close.0.end].to_string()));
    }
    found
}

/// The names that a text gives to keys of maps: `key: value` and `map.key = value`.
pub fn keys(text: &str) -> Vec<String> {
    let all = pieces(text);
    let sign = |i: usize, sign: &str| all.get(i).is_some_and(|(range, _)| &text[range.clone()] == sign);
    let mut found: Vec<String> = (0..all.len())
        .filter(|&i| all[i].1 == Piece::Word)
        .filter(|&i| {
            (sign(i + 1, ":") && !sign(i + 2, ":"))
                || (i > 0 && sign(i - 1, ".") && sign(i + 1, "=") && !sign(i + 2, "="))
        })
        .map(|i| text[all[i].0.clone()].to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_that_a_message_names_is_found() {
        let text = "let p = f(g(\"x\"), 3, #{ // \"odd\"\n  odd: 1, title: \"odd\" });";
        let at = text.find("f(").unwrap();
        assert_eq!(&text[argument(text, at, "f has no option \"odd\"").unwrap()], "odd");
        assert_eq!(&text[argument(text, at, "unknown letter \"x\"").unwrap()], "\"x\"");
        assert_eq!(argument(text, at, "unknown letter \"y\""), None);
    }

    #[test]
    fn brackets_functions_and_keys() {
        let text = "fn mean(a, b) { a.c = #{ d: 1 }; \"(\" ";
        assert_eq!(open_bracket(text, text.len()).unwrap().start, text.find('{').unwrap());
        assert_eq!(functions(text), [("mean".to_string(), "mean(a, b)".to_string())]);
        assert_eq!(keys(text), ["c", "d"]);
    }
}
