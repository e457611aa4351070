//! Texts made safe for a terminal.

use std::borrow::Cow;

/// The text with its control characters written as escapes, such as `\u{7}`: names in a file or a script could otherwise
/// move the cursor, set the clipboard or the window's title, or turn the direction of writing around. Line ends, tabs and
/// the sequences of colours stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colours = colour_sequence(rest);
        match colours {
            Some(length) => shown.push_str(&rest[..length]),
            None if is_hidden(c) => shown.extend(c.escape_default()),
            None => shown.push(c),
        }
        rest = &rest[colours.unwrap_or(c.len_utf8())..];
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

/// The length of the colour sequence that a text begins with: `ESC [ 1 ; 31 m`. One that conceals text is none.
fn colour_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';').filter(|length| *length <= 32)?;
    let conceals = parameters[..length].split(';').any(|number| number.trim_start_matches('0') == "8");
    (parameters[length..].starts_with('m') && !conceals).then_some(2 + length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_everything_else_is_shown() {
        for plain in ["cat\tdog\nbird", "\u{1b}[1;31mred\u{1b}[0m", "ü 🐈", ""] {
            assert_eq!(visible(plain), plain);
        }
        for (text, shown) in [
            ("\u{1b}]0;title\u{7}x", "\\u{1b}]0;title\\u{7}x"),
            ("\u{1b}]52;c;aGk=\u{1b}\\", "\\u{1b}]52;c;aGk=\\u{1b}\\"),
            ("\u{1b}[2J\u{1b}[31mred", "\\u{1b}[2J\u{1b}[31mred"),
            ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("a\rb\u{8}", "a\\rb\\u{8}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("\u{1b}[", "\\u{1b}["),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
