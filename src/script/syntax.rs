//! Explains syntax errors: a sentence for each of the parser's errors.

use std::ops::Range;

use rhai::{LexError, ParseErrorType, Position};

use super::habits::{self, SIGNS, WORDS};
use super::parsing::COMMENT;
use super::spans;
use crate::error::Error;

/// A syntax error: its sentence, the underlined range, and an open bracket that is not closed.
pub struct Unreadable {
    pub error: Error,
    pub span: Option<Range<usize>>,
    pub open: Option<Range<usize>>,
}

/// The sentence for a text that the parser refused at `pos`.
pub fn explain(kind: &ParseErrorType, pos: Position, text: &str) -> Unreadable {
    // At the end of the text there is nothing to underline, so the last token is.
    let end = text.trim_end().len();
    let at = spans::offset(text, pos).filter(|at| *at < end).unwrap_or(end);
    let here = spans::token(text, at);
    let found = text.get(here.clone()).unwrap_or_default();
    let mut span = if here.is_empty() { spans::before(text, at).unwrap_or(here.clone()) } else { here.clone() };
    let mut open = None;
    let (mut message, mut help) = match kind {
        ParseErrorType::UnexpectedEOF => {
            open = spans::open_bracket(text, at);
            ("the text ends in the middle of something".to_string(), None)
        }
        ParseErrorType::BadInput(lex) => lexical(lex),
        ParseErrorType::MissingToken(token, _) if token == ";" => {
            // The place is the next token, often on another line; the statement without an end is before it.
            if let Some(before) = spans::before(text, at) {
                span = before;
            }
            match found {
                ":" => (
                    "a statement ends here without a \";\"".into(),
                    Some("a map is written #{ key: value }".to_string()),
                ),
                _ => ("a \";\" is missing behind this".into(), None),
            }
        }
        ParseErrorType::MissingToken(token, why) => {
            if [")", "]", "}"].contains(&token.as_str()) || why.contains("separate") {
                open = spans::open_bracket(text, at);
            }
            let help = match (token.as_str(), found) {
                (":", "=") => Some("keys and values are written #{ key: value }".to_string()),
                ("{", ":") => Some("blocks are written in braces, as in for i in 0..3 { ... }".to_string()),
                _ => None,
            };
            let (token, why) = match (token.as_str(), why.as_str()) {
                (",", why) if why.contains("array") => {
                    ("\",\" or \"]\"".to_string(), "after an item of this array".to_string())
                }
                (",", why) if why.contains("map") => {
                    ("\",\" or \"}\"".to_string(), "after a value of this map".to_string())
                }
                (",", why) if why.contains("arguments") => {
                    ("\",\" or \")\"".to_string(), "after an argument of this call".to_string())
                }
                (")", _) => ("\")\"".to_string(), "to close this bracket".to_string()),
                ("}", _) => ("\"}\"".to_string(), "to close this block".to_string()),
                (token, why) => (
                    format!("\"{token}\""),
                    why.trim_end_matches(" literal")
                        .replace("the property '", "the key '")
                        .replace("object map", "map")
                        .replace('\'', "\""),
                ),
            };
            let came = if here.is_empty() || at >= end {
                "the text ends".to_string()
            } else {
                format!("found {}", in_quotes(found))
            };
            (format!("expected {token} {why}; {came}"), help)
        }
        ParseErrorType::UnknownOperator(sign) => (
            format!("\"{sign}\" is no sign of this language"),
            SIGNS.iter().find(|(known, _)| known == sign).map(|(_, instead)| instead.to_string()),
        ),
        ParseErrorType::Reserved(word) if let Some((_, instead)) = SIGNS.iter().find(|(sign, _)| sign == word) => {
            (format!("\"{word}\" is no sign of this language"), Some(instead.to_string()))
        }
        ParseErrorType::Reserved(word) => {
            (format!("{} is a word of the language and cannot be a name", in_quotes(word)), None)
        }
        ParseErrorType::AssignmentToConstant(name) => (
            format!("\"{name}\" is a constant and cannot be given another value"),
            Some(format!("a variable is made with let {name} = ...")),
        ),
        ParseErrorType::AssignmentToInvalidLHS(_) => (
            "only a variable, a field or an element can be given a value".into(),
            Some("two values are compared with ==".to_string()),
        ),
        ParseErrorType::DuplicatedProperty(key) => (format!("the key \"{key}\" appears twice in this map"), None),
        ParseErrorType::FnDuplicatedDefinition(name, n) => (
            format!("there are two functions {name} with {n} parameter{}", if *n == 1 { "" } else { "s" }),
            Some("functions of one name must differ in the number of their parameters".to_string()),
        ),
        ParseErrorType::FnDuplicatedParam(_, name) => (format!("two parameters have the name \"{name}\""), None),
        ParseErrorType::WrongFnDefinition => (
            "functions are defined at the top level of a text, not inside of something".into(),
            Some("a closure can be defined anywhere: let f = |x| x + 1;".to_string()),
        ),
        ParseErrorType::LoopBreak => ("break and continue are allowed inside a loop only".into(), None),
        ParseErrorType::MismatchedType(expected, came) if expected.contains("iterable") => (
            format!("for goes over an array, a range or a string; got {came}"),
            Some("a range is written 0..5".to_string()),
        ),
        ParseErrorType::MismatchedType(expected, came) => (format!("expected {expected}; got {came}"), None),
        ParseErrorType::ExprTooDeep => (
            "brackets, blocks or operators are nested too deeply here".into(),
            Some("give parts of it names with let".to_string()),
        ),
        ParseErrorType::VariableExpected => (format!("expected a name{}", after(found)), None),
        ParseErrorType::PropertyExpected => {
            (format!("expected a field or method behind the dot, or a key of a map{}", after(found)), None)
        }
        ParseErrorType::ExprExpected(what) => (format!("expected {}{}", article(what), after(found)), None),
        other => (super::explain::lower_first(&other.to_string()).replace("object map", "map"), None),
    };
    if matches!(kind, ParseErrorType::BadInput(LexError::ImproperSymbol(sign, _)) if sign == COMMENT) {
        span = at..(at + COMMENT.len()).min(text.len());
    }
    // A word or a habit of another language, here or just before.
    let near = [Some(here), spans::before(text, at)];
    // `print(x)` and `assert(x)` are words here too.
    let is_call = |range: &Range<usize>| {
        ["print", "assert"].contains(&&text[range.clone()]) && text[range.end..].trim_start().starts_with('(')
    };
    let foreign = near.into_iter().flatten().filter(|range| !is_call(range)).find_map(|range| {
        let (_, hint) = WORDS
            .iter()
            .find(|(word, _)| text.get(range.clone()) == Some(*word) && !text.contains(&format!("let {word}")))?;
        Some((range, *hint))
    });
    if let Some(habit) = habits::at(text, at) {
        message = habit.message;
        span = habit.span;
        open = None;
        help = Some(habit.help);
    } else if let Some((range, hint)) = foreign {
        message = format!("\"{}\" is no word of this language", &text[range.clone()]);
        span = range;
        open = None;
        help = Some(hint.to_string());
    }
    let error = Error::argument(message);
    Unreadable {
        error: match help {
            Some(help) => error.with_help(help),
            None => error,
        },
        span: Some(span),
        open,
    }
}

fn lexical(error: &LexError) -> (String, Option<String>) {
    match error {
        LexError::UnexpectedInput(sign) if [")", "]", "}"].contains(&sign.as_str()) => {
            (format!("this \"{sign}\" closes nothing"), None)
        }
        LexError::UnexpectedInput(sign)
            if let Some((_, instead)) = SIGNS.iter().find(|(foreign, _)| foreign == sign) =>
        {
            (format!("\"{sign}\" is no sign of this language"), Some(instead.to_string()))
        }
        LexError::UnexpectedInput(sign) => (format!("{} is not allowed here", in_quotes(sign)), None),
        LexError::ImproperSymbol(sign, _) if sign == COMMENT => (
            "the comment that begins here is not closed".into(),
            Some("comments may contain comments: each /* needs a */ of its own".to_string()),
        ),
        LexError::UnterminatedString => (
            "the string that begins here is not closed".into(),
            Some("a string over several lines is written in `backticks`".to_string()),
        ),
        LexError::MalformedEscapeSequence(sequence) => (
            format!("{sequence} is no character that a string knows"),
            Some("a backslash is written \\\\, a new line \\n, a quote \\\"; in file names / works".to_string()),
        ),
        LexError::MalformedChar(text) => (
            format!("'{text}' is more than one character"),
            Some(format!("strings are written in double quotes: \"{text}\"")),
        ),
        LexError::MalformedNumber(text) => (format!("{} is no number", in_quotes(text)), None),
        LexError::ImproperSymbol(sign, hint) if sign == "=" && hint.contains("'=='") => {
            ("a condition compares with ==; this = would give a value".into(), Some("write a == b".to_string()))
        }
        LexError::ImproperSymbol(sign, _)
            if let Some((_, instead)) = SIGNS.iter().find(|(foreign, _)| foreign == sign) =>
        {
            (format!("\"{sign}\" is no sign of this language"), Some(instead.to_string()))
        }
        LexError::ImproperSymbol(_, hint) if !hint.is_empty() => (super::explain::lower_first(hint), None),
        other => (super::explain::lower_first(&other.to_string()), None),
    }
}

fn after(found: &str) -> String {
    if found.is_empty() { "; the text ends".into() } else { format!("; found {}", in_quotes(found)) }
}

fn article(what: &str) -> String {
    if what.starts_with("a ") || what.starts_with("an ") || what.starts_with("the ") {
        what.to_string()
    } else {
        format!("a {what}")
    }
}

/// A token in quotes; a string already has some.
fn in_quotes(token: &str) -> String {
    if token.starts_with(['"', '`']) { token.to_string() } else { format!("\"{token}\"") }
}
