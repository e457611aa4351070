//! Several positions between the brackets of an index, as in PyTorch: `t[.., 3]`, `t[1.., mask]`, `t[..., 0]`.
//!
//! Rhai's index is one expression. So the commas of such an index reach the parser as an operator of the lowest precedence, which
//! joins its operands to one value, [`Subscripts`]. `..` and `...` without a neighbour reach it as strings, and `2..` before a comma
//! as an operator too, since Rhai knows it before a bracket alone. Places stay as they are in the text.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rhai::{Dynamic, Engine, INT, Position, Token};

use super::tokens::{Piece, interpolations, pieces};

/// All of a dimension, and all dimensions that no other position is for.
pub const ALL: &str = "..";
pub const REST: &str = "...";

/// The tokens that stand for signs. No text can contain them.
const COMMA: &str = "the comma of an index";
const FROM: &str = "a range to the end";
const THEN: &str = "the comma behind a range to the end";

/// An expression ends at an operator of precedence 1.
const LOWEST_PRECEDENCE: u8 = 2;
/// That of ranges.
const PRECEDENCE_OF_RANGES: u8 = 140;

/// The values between the brackets of an index, in order.
#[derive(Clone)]
pub struct Subscripts(pub Vec<Dynamic>);

/// How a sign reaches the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Comma,
    All,
    Rest,
    From,
    Then,
}

thread_local! {
    /// The signs of indices in the text that is being parsed, by line and column.
    static SIGNS: RefCell<BTreeMap<(usize, usize), Sign>> = const { RefCell::new(BTreeMap::new()) };
}

/// Gives `engine` the operators.
pub fn install(engine: &mut Engine) {
    // These fail for names that a text can contain, and for a precedence of 0.
    let _ = engine.register_custom_operator(COMMA, LOWEST_PRECEDENCE).map(drop);
    let _ = engine.register_custom_operator(FROM, PRECEDENCE_OF_RANGES).map(drop);
    engine.register_type_with_name::<Subscripts>("several positions");
    engine.register_fn(COMMA, |a: Dynamic, b: Dynamic| joined(a, b));
    engine.register_fn(FROM, |start: INT, rest: Dynamic| joined((start..INT::MAX).into(), rest));
    engine.register_custom_syntax_with_state_raw(
        THEN,
        |symbols, _, _| Ok((symbols.len() == 1).then(|| "$expr$".into())),
        false,
        |context, inputs, _| {
            // Marks even a single value as a list, so that what is before it stays apart from it.
            let rest = context.eval_expression_tree(&inputs[0])?;
            Ok(Dynamic::from(Subscripts(listed(rest))))
        },
    );
}

fn joined(a: Dynamic, b: Dynamic) -> Dynamic {
    let mut all = listed(a);
    all.extend(listed(b));
    Dynamic::from(Subscripts(all))
}

/// The values of a list, or the one value.
pub fn listed(value: Dynamic) -> Vec<Dynamic> {
    match value.is::<Subscripts>() {
        true => value.cast::<Subscripts>().0,
        false => vec![value],
    }
}

/// The token that the parser gets.
pub fn token(token: Token, place: Position) -> Token {
    if !matches!(token, Token::Comma | Token::ExclusiveRange | Token::Reserved(_)) {
        return token;
    }
    let at = place.line().zip(place.position());
    match at.and_then(|at| SIGNS.with_borrow(|signs| signs.get(&at).copied())) {
        None => token,
        Some(Sign::All) => Token::StringConstant(Box::new(ALL.into())),
        Some(Sign::Rest) => Token::StringConstant(Box::new(REST.into())),
        Some(Sign::Comma) => Token::Custom(Box::new(COMMA.into())),
        Some(Sign::From) => Token::Custom(Box::new(FROM.into())),
        Some(Sign::Then) => Token::Custom(Box::new(THEN.into())),
    }
}

/// Calls `parse`, which parses `text`, such that it may have several positions in an index.
pub fn during<R>(text: &str, parse: impl FnOnce() -> R) -> R {
    let signs = if text.contains('[') { places(text) } else { BTreeMap::new() };
    let before = SIGNS.replace(signs);
    let parsed = parse();
    SIGNS.set(before);
    parsed
}

/// The signs of indices by line and column, both from 1.
fn places(text: &str) -> BTreeMap<(usize, usize), Sign> {
    let mut found = Vec::new();
    signs(text, 0, 0, &mut found);
    found.sort_unstable_by_key(|(at, _)| *at);
    let (mut line, mut column, mut next) = (1, 0, found.into_iter().peekable());
    let mut places = BTreeMap::new();
    for (at, c) in text.char_indices() {
        column += 1;
        if let Some((_, sign)) = next.next_if(|(of, _)| *of == at) {
            places.insert((line, column), sign);
        }
        if c == '\n' {
            (line, column) = (line + 1, 0);
        }
        if next.peek().is_none() {
            break;
        }
    }
    places
}

/// A bracket that is open.
struct Open {
    sign: char,
    /// The number of the piece.
    piece: usize,
    /// It is behind a value, so it holds an index.
    index: bool,
    /// The signs directly in it, in case that it is one.
    found: Vec<(usize, Sign)>,
}

/// Strings in backticks inside each other are looked into so deep.
const DEEPEST: usize = 32;

/// The signs of the indices of a text that begins at byte `from` of the whole, `depth` strings deep.
fn signs(text: &str, from: usize, depth: usize, all: &mut Vec<(usize, Sign)>) {
    let pieces = pieces(text);
    let of = |i: usize| pieces.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let adjacent = |i: usize| pieces.get(i + 1).is_some_and(|next| pieces[i].0.end == next.0.start);
    let mut open: Vec<Open> = Vec::new();
    let mut i = 0;
    while i < pieces.len() {
        let (range, piece) = &pieces[i];
        let at = from + range.start;
        match (of(i), piece) {
            (string, Piece::Text | Piece::Open) if string.starts_with('`') && depth < DEEPEST => {
                for code in interpolations(string) {
                    let begin = range.start + code.start;
                    signs(&string[code], from + begin, depth + 1, all);
                }
            }
            (sign @ ("(" | "[" | "{"), _) => {
                let index = sign == "[" && i > 0 && is_value(of(i - 1), pieces[i - 1].1);
                let sign = sign.chars().next().unwrap_or('(');
                open.push(Open { sign, piece: i, index, found: vec![] });
            }
            (")" | "]" | "}", _) => {
                if let Some(closed) = open.pop()
                    && closed.index
                    && closed.sign == '['
                {
                    all.extend(closed.found);
                }
            }
            (",", _) => {
                if let Some(inside) = open.last_mut().filter(|inside| inside.index) {
                    let after_from =
                        inside.found.last().is_some_and(|(_, sign)| *sign == Sign::From) && of(i - 1) == ".";
                    inside.found.push((at, if after_from { Sign::Then } else { Sign::Comma }));
                }
            }
            (".", _) if adjacent(i) && of(i + 1) == "." => {
                let three = adjacent(i + 1) && of(i + 2) == ".";
                let end = if three { i + 3 } else { i + 2 };
                if let Some(inside) = open.last_mut().filter(|inside| inside.index) {
                    let first = inside.piece + 1 == i || of(i - 1) == ",";
                    let last = [",", "]"].contains(&of(end));
                    match (first, last, three) {
                        (true, true, true) => inside.found.push((at, Sign::Rest)),
                        (true, true, false) => inside.found.push((at, Sign::All)),
                        (false, true, false) if of(end) == "," => inside.found.push((at, Sign::From)),
                        _ => {}
                    }
                }
                i = end;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
}

/// Words behind which a bracket begins an array.
const BEFORE_ARRAYS: &[&str] =
    &["return", "throw", "in", "if", "else", "while", "until", "do", "loop", "for", "switch", "break", "let", "const"];

/// Whether a token can be the end of a value, so that a bracket behind it is an index.
fn is_value(token: &str, piece: Piece) -> bool {
    match piece {
        Piece::Word => !BEFORE_ARRAYS.contains(&token),
        Piece::Sign => [")", "]"].contains(&token),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signs_of_indices_are_found() {
        let of = |text: &str| places(text).into_iter().map(|((_, column), sign)| (column, sign)).collect::<Vec<_>>();
        assert_eq!(of("t[.., 3]"), [(3, Sign::All), (5, Sign::Comma)]);
        assert_eq!(of("t[2.., 0..3]"), [(4, Sign::From), (6, Sign::Then)]);
        assert_eq!(of("t[..., -1]"), [(3, Sign::Rest), (6, Sign::Comma)]);
        assert_eq!(of("t[2..]"), []);
        assert_eq!(of("f(t)[0, g(1, 2)]"), [(7, Sign::Comma)]);
        assert_eq!(of("t[a[1, 2]]"), [(6, Sign::Comma)]);
        for text in [
            "[1, 2]",
            "f([1, 2], 3)",
            "x = [1, 2]",
            "return [1, 2]",
            "\"t[1, 2]\"",
            "// t[1, 2]",
            "#{a: [1, 2]}",
            "t[f(1, 2)]",
        ] {
            assert_eq!(of(text), [], "{text}");
        }
        assert_eq!(places("é\n`a ${t[1, 2]}`").into_keys().collect::<Vec<_>>(), [(2, 9)]);
        assert_eq!(places("`a ${`b ${t[1, 2]}`} ${'}'}`").into_keys().collect::<Vec<_>>(), [(1, 14)]);
        let _ = places(&"`${t[1, 2]".repeat(10_000));
    }
}
