//! From a text to its syntax tree.

use rhai::{AST, Engine, EvalAltResult, LexError, ParseError, ParseErrorType, Position, Scope};

use super::copies;
use super::errors::raise;
use super::subscripts;
use super::tokens::{self, Piece};
use crate::activity::interrupt;
use crate::error::Error;

/// The syntax tree of a text that sees `scope`.
///
/// Errors: the parser's; a comment that nothing closes, at its beginning; more than [`DECLARATIONS`] variables.
pub fn parse(engine: &Engine, scope: &Scope, text: &str) -> Result<AST, Box<EvalAltResult>> {
    let text = &*tokens::readable(text);
    bounded(text)?;
    let compile = || {
        engine.compile_with_scope(scope, text).map_err(|error| match interrupt::requested() {
            true => raise(Error::interrupted()),
            false => Box::new(EvalAltResult::from(error)),
        })
    };
    let ast = subscripts::during(text, || {
        let ast = compile()?;
        copies::parse(ast, scope, compile)
    })?;
    match open_comment(engine, text) {
        None => Ok(ast),
        Some(at) => Err(Box::new(unclosed(text, at).into())),
    }
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

#[cfg(test)]
mod tests {
    use super::super::errors::Raised;
    use super::*;

    #[test]
    fn more_declarations_than_the_parser_can_take_are_an_error_at_once() {
        let engine = crate::script::hashing::engine();
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
