//! From a text to its syntax tree.

use rhai::{AST, Engine, EvalAltResult, LexError, ParseError, ParseErrorType, Position, Scope};

use super::errors::raise;
use super::tokens;
use crate::activity::interrupt;
use crate::error::Error;

/// The syntax tree of a text that sees `scope`.
///
/// Errors: the parser's; a comment that nothing closes, at its beginning.
pub fn parse(engine: &Engine, scope: &Scope, text: &str) -> Result<AST, Box<EvalAltResult>> {
    let ast = engine.compile_with_scope(scope, text).map_err(|error| match interrupt::requested() {
        true => raise(Error::interrupted()),
        false => Box::new(EvalAltResult::from(error)),
    })?;
    match open_comment(engine, text) {
        None => Ok(ast),
        Some(at) => Err(Box::new(unclosed(text, at).into())),
    }
}

/// Where the comment begins that swallows the rest of a text. Rhai takes the end of the text for its end.
fn open_comment(engine: &Engine, text: &str) -> Option<usize> {
    let last = text.rfind("/*")?;
    // Rhai's own tokens decide: a bracket that closes nothing is an error, unless it is inside the comment.
    engine.compile(format!("{text}\n)")).ok()?;
    Some(tokens::open_comment(text).unwrap_or(last))
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
