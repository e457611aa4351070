//! The tokens of a text that need not be a whole script, for underlining, checking and the prompt.

use std::borrow::Cow;
use std::ops::Range;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A name, keyword or number.
    Word,
    /// A string with its quotes.
    Text,
    /// A string that nothing closes: to the end of its line, or of the text for a backtick.
    Open,
    /// One sign.
    Sign,
    Comment,
}

/// The tokens of a text with their byte ranges. Comments and blank space are left out.
pub fn pieces(text: &str) -> Vec<(Range<usize>, Piece)> {
    with_comments(text).filter(|(_, piece)| *piece != Piece::Comment).collect()
}

/// The tokens and comments of a text with their byte ranges.
pub fn with_comments(text: &str) -> impl Iterator<Item = (Range<usize>, Piece)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let c = rest.chars().next()?;
        let (length, piece) = match c {
            _ if rest.starts_with("//") || (at == 0 && is_for_system(rest)) => {
                (rest.find('\n').unwrap_or(rest.len()), Piece::Comment)
            }
            _ if rest.starts_with("/*") => (comment(rest).unwrap_or(rest.len()), Piece::Comment),
            '"' | '`' => quoted(rest, c),
            c if is_word(c) => (rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()), Piece::Word),
            c => (c.len_utf8(), Piece::Sign),
        };
        at += length;
        Some((at - length..at, piece))
    })
}

/// Whether a text begins with a line that says which program runs it, as `#!/usr/bin/env cpsd` does. It is a comment of the language.
fn is_for_system(text: &str) -> bool {
    text.starts_with("#!")
}

/// A text as Rhai reads it: a first line for the system becomes a comment of the same length.
pub fn readable(text: &str) -> Cow<'_, str> {
    match is_for_system(text) {
        true => format!("//{}", &text[2..]).into(),
        false => text.into(),
    }
}

/// The contents of the strings in a text, as they are written.
pub fn texts(text: &str) -> Vec<String> {
    let texts = pieces(text).into_iter().filter(|(_, piece)| *piece == Piece::Text);
    texts.map(|(range, _)| text[range.start + 1..range.end - 1].to_string()).collect()
}

/// The length of the comment that `text` begins with, unless nothing closes it. Comments may contain comments.
fn comment(text: &str) -> Option<usize> {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        at += match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Where the comment begins that nothing closes, if the text ends in one.
pub fn open_comment(text: &str) -> Option<usize> {
    let (range, _) = with_comments(text).last()?;
    let last = &text[range.clone()];
    (range.end == text.len() && last.starts_with("/*") && comment(last).is_none()).then_some(range.start)
}

/// Whether names, keywords and numbers consist of such characters.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The string that `text` begins with: its length, and whether it is closed.
pub fn quoted(text: &str, quote: char) -> (usize, Piece) {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            '\n' if quote == '"' => return (i, Piece::Open),
            c if c == quote => return (i + 1, Piece::Text),
            _ => {}
        }
    }
    (text.len(), Piece::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_rhai_ends_them() {
        let of = |text: &str| pieces(text).into_iter().map(|(r, p)| (text[r].to_string(), p)).collect::<Vec<_>>();
        let piece = |text: &str, piece| (text.to_string(), piece);
        assert_eq!(of("\"a\\\"b\" c"), [piece("\"a\\\"b\"", Piece::Text), piece("c", Piece::Word)]);
        assert_eq!(of("\"a\nb"), [piece("\"a", Piece::Open), piece("b", Piece::Word)]);
        assert_eq!(of("`a\\` /* ` */ ("), [piece("`a\\`", Piece::Text), piece("(", Piece::Sign)]);
        assert_eq!(of("`a\n\"b"), [piece("`a\n\"b", Piece::Open)]);
        assert_eq!(of("/* a /* b */ c */ d /* e"), [piece("d", Piece::Word)]);
        assert_eq!(of("#!/usr/bin/env 'x\nd"), [piece("d", Piece::Word)]);
        assert_eq!(of("\n#!").len(), 2);
    }

    #[test]
    fn comments_are_open_until_each_is_closed() {
        assert_eq!(open_comment("1 /* a /* b */"), Some(2));
        for closed in ["", "1", "/* a /* b */ */", "`/*`", "\"/*", "// /*", "/**/", "/* */ x"] {
            assert_eq!(open_comment(closed), None, "{closed}");
        }
        assert_eq!(open_comment("/*/"), Some(0));
    }
}
