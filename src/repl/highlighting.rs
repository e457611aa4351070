//! Colours of code, and the partner of a bracket.

use colored::Colorize;

use super::input::signs;
use crate::script::tokens::{Piece, with_comments};
use crate::script::vocabulary;

pub const KEYWORDS: &[&str] = &[
    "let", "const", "fn", "if", "else", "for", "in", "while", "loop", "break", "continue", "return", "import", "as",
    "true", "false", "try", "catch", "throw", "switch", "print",
];

/// Strings in backticks are coloured by their parts up to this many bytes: they may be inside each other.
const LONGEST: usize = 10_000;

/// Colours strings, numbers, comments, keywords and the language's words.
pub fn highlight(code: &str) -> String {
    highlight_pair(code, None)
}

/// The same, with a pair of brackets marked.
pub fn highlight_pair(code: &str, pair: Option<(usize, usize)>) -> String {
    let (mut out, mut end) = (String::new(), 0);
    for (range, piece) in with_comments(code) {
        let token = &code[range.clone()];
        out.push_str(&code[end..range.start]);
        out.push_str(&match piece {
            _ if pair.is_some_and(|(a, b)| range.start == a || range.start == b) => {
                token.bold().underline().to_string()
            }
            Piece::Comment => token.dimmed().to_string(),
            // It may hold `${code}`.
            Piece::Text | Piece::Open if token.starts_with('`') && token.len() < LONGEST => {
                format!("`{}", highlight(&token[1..]))
            }
            Piece::Text | Piece::Open => token.yellow().to_string(),
            Piece::Word if token.starts_with(|c: char| c.is_ascii_digit()) => token.magenta().to_string(),
            Piece::Word if KEYWORDS.contains(&token) => token.blue().bold().to_string(),
            Piece::Word if vocabulary::find(token).is_some() => token.cyan().to_string(),
            Piece::Word | Piece::Sign => token.to_string(),
        });
        end = range.end;
    }
    out.push_str(&code[end..]);
    out
}

/// The bracket under the cursor, or else before it, and its partner: their places in the line.
pub fn matching(line: &str, pos: usize) -> Option<(usize, usize)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (at, c) in signs(line) {
        match c {
            '(' | '[' | '{' => open.push((at, c)),
            ')' | ']' | '}' => {
                let partner = open.pop()?;
                if matches!((partner.1, c), ('(', ')') | ('[', ']') | ('{', '}')) {
                    pairs.push((partner.0, at));
                }
            }
            _ => {}
        }
    }
    let around = |at: usize| pairs.iter().copied().find(|&(a, b)| a == at || b == at);
    around(pos).or_else(|| pos.checked_sub(1).and_then(around))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_find_their_partners() {
        assert_eq!(matching("f(a[1], \")\")", 1), Some((1, 11)));
        assert_eq!(matching("f(a[1])", 6), Some((1, 6)));
        assert_eq!(matching("f(a]", 1), None);
    }

    #[test]
    fn colours_change_no_character() {
        for code in ["", "  f(\"a\" , 1.5) // let\n /* x */ `b ${let c` + \"d\n\n", "größe→`"] {
            assert_eq!(console::strip_ansi_codes(&highlight(code)), code);
        }
    }
}
