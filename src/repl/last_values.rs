//! The last values: `_` and `_3` at the prompt are the variables `ans` and `ans_3` of the language.

use crate::script::tokens::{Piece, pieces};

/// Whether a variable is one of the numbered values.
pub fn is_numbered(name: &str) -> bool {
    name.strip_prefix("ans_").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `text` with `ans` for `_` and `ans_3` for `_3`; `_ =>` of a switch stays.
pub fn with_ans(text: &str) -> String {
    let mut out = text.to_string();
    for (range, _) in pieces(text).into_iter().rev().filter(|(_, piece)| *piece == Piece::Word) {
        match text[range.clone()].strip_prefix('_') {
            Some("") if !text[range.end..].trim_start().starts_with("=>") => out.replace_range(range, "ans"),
            Some(number) if is_number(number) => out.insert_str(range.start, "ans"),
            _ => {}
        }
    }
    out
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
}
