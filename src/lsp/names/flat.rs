//! The tokens of a text in one row: the code inside strings is among them.

use std::ops::Range;

use crate::script::tokens::{self, Piece};

/// Strings in backticks inside each other are looked into so deep.
const DEEPEST: usize = 8;

/// A token of the text. The code inside strings is among them, each part between brackets.
pub struct Token {
    pub range: Range<usize>,
    pub piece: Piece,
}

/// The tokens in `part` of a text, without comments.
pub fn flatten(text: &str, part: Range<usize>, depth: usize, all: &mut Vec<Token>) {
    for (range, piece) in tokens::pieces(&text[part.clone()]) {
        let range = part.start + range.start..part.start + range.end;
        let token = &text[range.clone()];
        if token.starts_with('`') && depth < DEEPEST {
            for code in tokens::interpolations(token) {
                let code = range.start + code.start..range.start + code.end;
                all.push(Token { range: code.start - 1..code.start, piece: Piece::Sign });
                flatten(text, code.clone(), depth + 1, all);
                // (Of a string that is open there is no bracket.)
                if text[code.end..].starts_with('}') {
                    all.push(Token { range: code.end..code.end + 1, piece: Piece::Sign });
                } else {
                    all.push(Token { range: code.end..code.end, piece: Piece::Open });
                }
            }
        }
        all.push(Token { range, piece });
    }
}
