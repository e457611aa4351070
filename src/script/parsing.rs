//! From a text to its syntax tree.

use rhai::{AST, Engine, EvalAltResult, LexError, ParseError, ParseErrorType, Position, Scope, Token, TokenizeState};

use super::errors::raise;
use super::tokens::{self, Piece};
use crate::activity::interrupt;
use crate::error::Error;

/// The syntax tree of a text that sees `scope`.
///
/// Errors: the parser's; a comment that nothing closes, at its beginning (with an engine that [`with_comments_closed`] is given to); more than [`DECLARATIONS`] variables.
pub fn parse(engine: &Engine, scope: &Scope, text: &str) -> Result<AST, Box<EvalAltResult>> {
    bounded(text)?;
    engine.compile_with_scope(scope, text).map_err(|error| match interrupt::requested() {
        true => raise(Error::interrupted()),
        false if is_open_comment(&error.0) => {
            let at = tokens::open_comment(text).or(text.rfind(COMMENT)).unwrap_or_default();
            Box::new(unclosed(text, at).into())
        }
        false => Box::new(EvalAltResult::from(error)),
    })
}

/// The token in place of one that Rhai read. It takes the end of a text for the end of a comment, so that a comment which nothing
/// closes swallows the rest in silence: here it is an error. Rhai's own `eval` passes through this too.
pub fn with_comments_closed(token: Token, state: &TokenizeState) -> Token {
    match token {
        Token::EOF if state.comment_level > 0 => {
            Token::LexError(Box::new(LexError::ImproperSymbol(COMMENT.into(), String::new())))
        }
        token => token,
    }
}

fn is_open_comment(kind: &ParseErrorType) -> bool {
    matches!(kind, ParseErrorType::BadInput(LexError::ImproperSymbol(sign, _)) if sign == COMMENT)
}

/// The most variables and constants that one text declares. Rhai's parser looks names up in a list: its time grows with their square,
/// and so many take a second or two.
const DECLARATIONS: usize = 20_000;

/// Errors: too many declarations.
fn bounded(text: &str) -> Result<(), Box<EvalAltResult>> {
    let is_declaration = |word: &str| matches!(word, "let" | "const" | "for");
    // The shortest declaration has more than four bytes.
    if text.len() < 4 * DECLARATIONS {
        return Ok(());
    }
    let pieces = tokens::with_comments(text).filter(|(_, piece)| *piece == Piece::Word);
    let declarations = pieces.filter(|(range, _)| is_declaration(&text[range.clone()])).count();
    match declarations <= DECLARATIONS {
        true => Ok(()),
        false => Err(raise(
            Error::argument(format!("{declarations} variables are declared here; one text may have {DECLARATIONS}"))
                .with_help("an array or a map holds many values under one name"),
        )),
    }
}

/// The sign that begins a comment, as the error names it.
pub const COMMENT: &str = "/*";

fn unclosed(text: &str, at: usize) -> ParseError {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let narrow = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let kind = ParseErrorType::BadInput(LexError::ImproperSymbol(COMMENT.into(), String::new()));
    ParseError(Box::new(kind), Position::new(narrow(line), narrow(column)))
}

#[cfg(test)]
mod tests {
    use super::super::errors::Raised;
    use super::*;

    #[test]
    fn more_declarations_than_the_parser_can_take_are_an_error_at_once() {
        let engine = Engine::new();
        let of = |n: usize| (0..n).map(|i| format!("let a{i} = {i};\n")).collect::<String>();
        assert!(parse(&engine, &Scope::new(), &of(100)).is_ok());
        // This many take the parser minutes.
        let error = parse(&engine, &Scope::new(), &of(400_000)).unwrap_err();
        let EvalAltResult::ErrorRuntime(value, _) = *error else { panic!("{error}") };
        let message = value.cast::<Raised>().0.message;
        assert!(message.contains("400000 variables are declared here; one text may have 20000"), "{message}");
        let texts = "// let let\n\"let\";\n".repeat(DECLARATIONS);
        assert!(bounded(&texts).is_ok());
    }
}
