//! The tokens of a text that need not be a whole script, for underlining, checking and the prompt.

use std::borrow::Cow;
use std::ops::Range;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A name, keyword or number.
    Word,
    /// A string with its quotes, or a character with its own.
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
            '\'' if let Some(length) = character(rest) => (length, Piece::Text),
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
    match (is_for_system(text), text.as_bytes().get(2)) {
        // Three signs would begin a comment of documentation.
        (true, Some(b'/' | b'!')) => format!("// {}", &text[3..]).into(),
        (true, _) => format!("//{}", &text[2..]).into(),
        (false, _) => text.into(),
    }
}

/// The contents of the strings in a text, as they are written.
pub fn texts(text: &str) -> Vec<String> {
    let is_string = |range: &Range<usize>| !text[range.start..].starts_with('\'');
    let texts = pieces(text).into_iter().filter(|(range, piece)| *piece == Piece::Text && is_string(range));
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
    if quote == '`' {
        let scan = Interpolated::of(text);
        return (scan.end, if scan.open.is_empty() { Piece::Text } else { Piece::Open });
    }
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return (i, Piece::Open),
            c if c == quote => return (i + 1, Piece::Text),
            _ => {}
        }
    }
    (text.len(), Piece::Open)
}

/// The length of the character in single quotes that `text` begins with, if it is one.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let length = match inside.strip_prefix('\\') {
        Some(escape) => {
            let kind = escape.chars().next()?;
            let digits = match kind {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            1 + escape.char_indices().nth(digits).map(|(at, c)| at + c.len_utf8())?
        }
        None => inside.chars().next().filter(|c| !matches!(c, '\'' | '\n'))?.len_utf8(),
    };
    inside.get(length..)?.starts_with('\'').then_some(length + 2)
}

/// The bytes of code inside a string in backticks, without the `${` and the `}` around each; of a string that nothing closes the last may
/// be open. Code inside further strings in that code is a part of it.
pub fn interpolations(text: &str) -> Vec<Range<usize>> {
    if !text.starts_with('`') {
        return vec![];
    }
    let scan = Interpolated::of(text);
    // (A string that nothing closes inside the code is open too.)
    let open = scan.open.iter().find_map(|part| match part {
        Inside::Code { from, .. } => Some(*from..scan.end),
        Inside::Words => None,
    });
    scan.code.into_iter().chain(open).collect()
}

/// Where the code begins that is typed at the end of `text`: 0, or behind the `${` of a string in backticks. None among the words of a
/// string in backticks, and in a comment.
pub fn typed_code(text: &str) -> Option<usize> {
    let Some((range, piece)) = with_comments(text).last().filter(|(range, _)| range.end == text.len()) else {
        return Some(0);
    };
    let last = &text[range.clone()];
    match piece {
        Piece::Comment if last.starts_with("/*") => comment(last).map(|_| 0),
        Piece::Comment => None,
        Piece::Open if last.starts_with('`') => match Interpolated::of(last).open.last() {
            // (In the innermost code no further string in backticks is open.)
            Some(Inside::Code { from, .. }) => {
                let code = &last[*from..];
                let comment_is_open = with_comments(code).last().is_some_and(|(range, piece)| {
                    let of_line = code[range.clone()].starts_with("//");
                    piece == Piece::Comment && range.end == code.len() && (of_line || open_comment(code).is_some())
                });
                (!comment_is_open).then_some(range.start + from)
            }
            _ => None,
        },
        _ => Some(0),
    }
}

/// What of a string in backticks is open.
enum Inside {
    Words,
    /// Behind `${`, with so many brackets open since.
    Code {
        from: usize,
        brackets: usize,
    },
}

/// A string in backticks, which may hold `${code}`, in which there may be more such strings.
struct Interpolated {
    end: usize,
    /// Outermost first; empty if it is closed.
    open: Vec<Inside>,
    /// The code of its own, as far as it is closed.
    code: Vec<Range<usize>>,
}

impl Interpolated {
    /// The string that `text` begins with. Nothing here calls itself: strings may be inside each other however deep.
    fn of(text: &str) -> Self {
        let mut scan = Interpolated { end: 1, open: vec![Inside::Words], code: vec![] };
        while let Some(c) = text[scan.end..].chars().next() {
            let rest = &text[scan.end..];
            let mut length = c.len_utf8();
            match scan.open.last_mut() {
                None => break,
                Some(Inside::Words) => match c {
                    '`' => drop(scan.open.pop()),
                    '$' if rest.starts_with("${") => {
                        length = 2;
                        scan.open.push(Inside::Code { from: scan.end + 2, brackets: 0 });
                    }
                    _ => {}
                },
                Some(Inside::Code { from, brackets }) => match c {
                    '{' => *brackets += 1,
                    '}' if *brackets == 0 => {
                        let code = *from..scan.end;
                        let _ = scan.open.pop();
                        if scan.open.len() == 1 {
                            scan.code.push(code);
                        }
                    }
                    '}' => *brackets -= 1,
                    '`' => scan.open.push(Inside::Words),
                    '"' => length = quoted(rest, '"').0,
                    '\'' => length = character(rest).unwrap_or(1),
                    _ if rest.starts_with("//") => length = rest.find('\n').unwrap_or(rest.len()),
                    _ if rest.starts_with("/*") => length = comment(rest).unwrap_or(rest.len()),
                    _ => {}
                },
            }
            scan.end += length;
        }
        scan
    }
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
    fn characters_are_one_token() {
        let of = |text: &str| pieces(text).into_iter().map(|(r, p)| (text[r].to_string(), p)).collect::<Vec<_>>();
        for c in ["'a'", "'\"'", "'`'", "'\\''", "'\\\\'", "'ö'", "'\\u00e9'", "'\\x41'"] {
            assert_eq!(of(&format!("{c}(")), [(c.to_string(), Piece::Text), ("(".to_string(), Piece::Sign)]);
        }
        for open in ["'", "''", "'a", "'ab'", "'\\", "'\\u1'"] {
            assert_eq!(of(open)[0], ("'".to_string(), Piece::Sign), "{open}");
        }
    }

    #[test]
    fn code_inside_strings_may_hold_strings() {
        let text = "`a ${f(`b ${c} }`, \"}\", '}', #{d: 1})} e ${g /* } */}` h";
        let all = pieces(text);
        assert_eq!((all.len(), &text[all[1].0.clone()]), (2, "h"));
        let code: Vec<&str> = interpolations(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(code, ["f(`b ${c} }`, \"}\", '}', #{d: 1})", "g /* } */"]);
        let open = "`a ${b} ${c(`d ${";
        assert_eq!(interpolations(open).into_iter().map(|range| &open[range]).collect::<Vec<_>>(), ["b", "c(`d ${"]);
        let deep = "`${".repeat(100_000);
        assert_eq!(pieces(&deep).len(), 1);
    }

    #[test]
    fn the_code_that_is_typed_begins_behind_its_bracket() {
        assert_eq!(typed_code("f(a"), Some(0));
        assert_eq!(typed_code("f(\"a"), Some(0));
        assert_eq!(typed_code("f(`a"), None);
        assert_eq!(typed_code("f(`a ${"), Some(7));
        assert_eq!(typed_code("f(`a ${b(`c ${d"), Some(14));
        assert_eq!(typed_code("f(`a ${b(`c "), None);
        assert_eq!(typed_code("f(`a ${b} "), None);
        assert_eq!(typed_code("f() // a"), None);
        assert_eq!(typed_code("f() // a\n"), Some(0));
        assert_eq!(typed_code("f() /* a"), None);
        assert_eq!(typed_code("f() /* a */"), Some(0));
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
