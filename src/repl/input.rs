//! The input up to the cursor: its last word, its brackets, and whether it ends inside a string.

use crate::script::tokens::{Piece, is_word, open_comment, pieces};

/// The word (letters, digits, underscores) that `text` ends with; empty where it ends otherwise.
pub fn last_word(text: &str) -> &str {
    ending(text, is_word)
}

/// The longest end of `text` that consists of such characters.
pub fn ending(text: &str, such: impl Fn(char) -> bool) -> &str {
    &text[text.trim_end_matches(such).len()..]
}

/// Whether the cursor is inside a string in double quotes.
pub fn in_string(before: &str) -> bool {
    open_string(before) == Some('"')
}

/// The quote of the string that `text` ends in.
fn open_string(text: &str) -> Option<char> {
    let (range, _) = pieces(text).pop().filter(|(range, piece)| *piece == Piece::Open && range.end == text.len())?;
    text[range].chars().next()
}

/// The signs outside strings and comments, with their places.
pub fn signs(text: &str) -> impl DoubleEndedIterator<Item = (usize, char)> + '_ {
    let signs = pieces(text).into_iter().filter(|(_, piece)| *piece == Piece::Sign);
    signs.filter_map(|(range, _)| text[range.start..].chars().next().map(|c| (range.start, c)))
}

/// How many brackets, strings in backticks and comments are still open.
pub fn open_brackets(text: &str) -> i32 {
    let brackets = signs(text).map(|(_, c)| match c {
        '(' | '[' | '{' => 1,
        ')' | ']' | '}' => -1,
        _ => 0,
    });
    let open = open_string(text) == Some('`') || open_comment(text).is_some();
    brackets.sum::<i32>() + i32::from(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        assert_eq!(open_brackets("let a = [1, 2"), 1);
        assert_eq!(open_brackets("print(\"(\\\"[\")"), 0);
        assert_eq!(open_brackets("f() // ("), 0);
        assert_eq!(open_brackets("if true {\n  x"), 1);
        assert_eq!(open_brackets("let s = `a ${"), 1);
        assert_eq!(open_brackets("1 /* ( /* */"), 1);
        assert_eq!(open_brackets("1 /* ( */"), 0);
    }

    #[test]
    fn strings_are_open_until_their_quote() {
        assert!(in_string("f(\"a (") && in_string("f(\"a\\\"") && in_string("\""));
        assert!(!in_string("f(\"a\"") && !in_string("") && !in_string("`a"));
    }

    #[test]
    fn words_end_at_anything_else() {
        assert_eq!(last_word("f(größe_2"), "größe_2");
        assert_eq!(last_word("a→b"), "b");
        assert_eq!(last_word("f("), "");
    }
}
