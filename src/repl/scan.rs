//! What stands where in a line that is being typed, which need not be a whole script yet.

/// The word (letters, digits, underscores) that `text` ends with; empty where it ends otherwise.
pub fn last_word(text: &str) -> &str {
    ending(text, |c| c.is_alphanumeric() || c == '_')
}

/// The longest end of `text` of such characters alone.
pub fn ending(text: &str, such: impl Fn(char) -> bool) -> &str {
    &text[text.trim_end_matches(such).len()..]
}

/// Whether the cursor is inside a string.
pub fn in_string(before: &str) -> bool {
    let mut open = false;
    let mut escaped = false;
    for c in before.chars() {
        match c {
            '\\' if open => escaped = !escaped,
            '"' if !escaped => open = !open,
            _ => escaped = false,
        }
    }
    open
}

/// The characters outside of strings and comments, with their places; a string that is still open gives its backtick.
pub fn code_of(text: &str) -> Vec<(usize, char)> {
    let (mut code, mut string, mut escaped, mut comment) = (Vec::new(), None, false, false);
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (string, c) {
            (None, '\n') => comment = false,
            (_, '\n') => {}
            _ if comment => {}
            (Some(_), '\\') => {
                escaped = !escaped;
                continue;
            }
            (Some((quote, _)), c) if c == quote && !escaped => string = None,
            (Some(_), _) => {}
            (None, '"' | '`') => string = Some((c, at)),
            (None, '/') if previous == '/' => comment = true,
            (None, c) => code.push((at, c)),
        }
        escaped = false;
        previous = c;
    }
    code.extend(string.filter(|(quote, _)| *quote == '`').map(|(quote, at)| (at, quote)));
    code
}

/// How many brackets are still open, outside of strings and comments.
pub fn open_brackets(text: &str) -> i32 {
    code_of(text)
        .into_iter()
        .map(|(_, c)| match c {
            '(' | '[' | '{' | '`' => 1,
            ')' | ']' | '}' => -1,
            _ => 0,
        })
        .sum()
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
    }

    #[test]
    fn words_end_at_anything_else() {
        assert_eq!(last_word("f(größe_2"), "größe_2");
        assert_eq!(last_word("a→b"), "b");
        assert_eq!(last_word("f("), "");
    }
}
