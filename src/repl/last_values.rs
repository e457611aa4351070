//! The last values: `_` and `_3` at the prompt are the variables `ans` and `ans_3` of the language.

use std::ops::Range;

use crate::script::errors::Failure;
use crate::script::tokens::{Piece, is_word, pieces};

/// Whether a variable is one of the numbered values.
pub fn is_numbered(name: &str) -> bool {
    name.strip_prefix("ans_").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The words of a text that mean last values: `_` and `_3`.
fn words(text: &str) -> Vec<Range<usize>> {
    let means_one = |range: &Range<usize>| match text[range.clone()].strip_prefix('_') {
        Some("") => !text[range.end..].trim_start().starts_with("=>"),
        Some(number) => is_number(number),
        None => false,
    };
    pieces(text)
        .into_iter()
        .filter(|(_, piece)| *piece == Piece::Word)
        .map(|(range, _)| range)
        .filter(means_one)
        .collect()
}

/// The variable of a word that means a last value.
fn variable(word: &str) -> String {
    if word == "_" { "ans".into() } else { format!("ans{word}") }
}

/// `text` with `ans` for `_` and `ans_3` for `_3`; `_ =>` of a switch stays.
pub fn with_ans(text: &str) -> String {
    let mut out = text.to_string();
    for range in words(text).into_iter().rev() {
        let variable = variable(&text[range.clone()]);
        out.replace_range(range, &variable);
    }
    out
}

/// The failure of `with_ans(text)`, the text of that name, as one of `text`: it speaks of `_3` where that was typed.
pub fn as_typed(failure: Failure, name: &str, text: &str) -> Failure {
    let words = words(text);
    if words.is_empty() {
        return failure;
    }
    let at = |byte: usize| {
        let mut shift = 0;
        for word in &words {
            let (begin, longer) = (word.start + shift, variable(&text[word.clone()]).len() - word.len());
            if byte <= begin {
                break;
            }
            shift += longer.min(byte - begin);
        }
        byte - shift
    };
    let typed: Vec<&str> = pieces(text).into_iter().map(|(range, _)| &text[range]).collect();
    let sentence = |sentence: &str| {
        let mut out = String::new();
        let mut rest = sentence;
        while let Some(c) = rest.chars().next() {
            let end = rest.find(|c| is_word(c) != is_word(rest.chars().next().unwrap_or(c))).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(if is_word(c) { end } else { c.len_utf8() });
            let short = match word {
                "ans" => Some("_").filter(|_| typed.contains(&"_")),
                word if is_numbered(word) => word.strip_prefix("ans"),
                _ => None,
            };
            out.push_str(short.filter(|_| !typed.contains(&word)).unwrap_or(word));
            rest = behind;
        }
        out
    };
    failure.of_text(name, text, at, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_has_a_short_name() {
        assert_eq!(with_ans("_ + 1"), "ans + 1");
        assert_eq!(with_ans("f(_, a_b, \"_\", _x) // _"), "f(ans, a_b, \"_\", _x) // _");
        assert_eq!(with_ans("_1 + _12.k + a_1 + _1a"), "ans_1 + ans_12.k + a_1 + _1a");
        assert_eq!(with_ans("switch x { 1 => 2, _ => _ }"), "switch x { 1 => 2, _ => ans }");
    }

    #[test]
    fn failures_speak_of_what_was_typed() {
        let mut session = crate::primitives::session();
        for (text, expected, underlined) in
            [("let a = \"ä\"; _3 + 1", "_3", "_3"), ("[1, 2].map(|x| x * _12)", "_12", "_12"), ("_ + 1", "_", "_")]
        {
            let failure = as_typed(session.eval(&with_ans(text), "cell 4").unwrap_err(), "cell 4", text);
            let message = format!("{} {}", failure.message, failure.help.clone().unwrap_or_default());
            let words: Vec<&str> = message.split(|c| !is_word(c)).collect();
            assert!(words.contains(&expected) && !message.contains("ans"), "{message}");
            assert_eq!(&text[failure.span().unwrap()], underlined, "{text}");
            assert!(failure.render(false, 80).contains(text));
        }
        // What was typed as it is stays.
        let text = "ans_3 + _4";
        let failure = as_typed(session.eval(&with_ans(text), "cell 5").unwrap_err(), "cell 5", text);
        assert!(failure.message.contains("ans_3"), "{}", failure.message);
    }
}
