//! The sentence for each of Rhai's errors, in the words of this language.

use rhai::{Dynamic, EvalAltResult, Map, Position};

use super::errors::{Raised, StopRequest};
use super::{limits, modules, show, syntax, vocabulary};
use crate::error::{About, Error, ErrorKind, counted};

mod calls;
mod closures;
mod members;
mod variables;

pub use calls::receiver;
pub(super) use calls::{instead, not_in_library, parameters};
pub use closures::{Parameters, note_closure, written_closure};
pub(super) use variables::{called_variable, function_without_its_call, unknown_variable, unseen_variable};

/// A variable of the script's top level: its name, its type as a user knows it, and for a map its keys.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    pub name: String,
    pub kind: String,
    pub keys: Vec<String>,
}

/// The surroundings of an error in the script.
pub struct Place<'a> {
    pub variables: &'a [Variable],
    /// The name of the innermost place's text, the text, the functions that it defines, and the byte offset in it.
    pub name: &'a str,
    pub text: &'a str,
    pub functions: &'a [(String, String)],
    pub at: Option<usize>,
    /// Inside a function, which does not see the script's variables.
    pub in_function: bool,
}

/// The sentence for an error that is not one of our own.
pub fn explain(error: EvalAltResult, place: &Place) -> Error {
    match error {
        EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) if value.is::<Raised>() => {
            value.cast::<Raised>().0
        }
        EvalAltResult::ErrorRuntime(value, _) => thrown(&value),
        EvalAltResult::ErrorTerminated(value, _) if value.is::<StopRequest>() => Error::interrupted(),
        EvalAltResult::ErrorTerminated(value, _) => {
            let code = u8::try_from(value.as_int().unwrap_or(0).clamp(0, 255)).unwrap_or(u8::MAX);
            Error::internal("exit").about(About::Exit(code))
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(&name, place),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => calls::with_order(&signature, place, calls::unknown_function(&signature, place)),
        EvalAltResult::ErrorPropertyNotFound(name, _) => members::unknown_key(&name, place),
        EvalAltResult::ErrorDotExpr(message, _) => members::unknown_property(&message),
        EvalAltResult::ErrorIndexingType(types, _) => members::not_indexed(&types),
        EvalAltResult::ErrorMismatchDataType(expected, came, _)
        | EvalAltResult::ErrorMismatchOutputType(expected, came, _) => mismatch(&expected, &came),
        EvalAltResult::ErrorModuleNotFound(name, _) => unknown_library(&name, place.name),
        EvalAltResult::ErrorArrayBounds(n, index, _) => out_of_bounds("an array", "element", n, index),
        EvalAltResult::ErrorStringBounds(n, index, _) => out_of_bounds("a string", "character", n, index),
        EvalAltResult::ErrorFor(_) => {
            Error::argument("for goes over an array, a range or a string, and this is none of them")
                .with_help("a range is written 0..5; the rows of a Table are t.rows")
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            Error::argument(format!("\"{name}\" is a constant and cannot be given another value"))
        }
        EvalAltResult::ErrorArithmetic(message, _) => arithmetic(&message),
        EvalAltResult::ErrorUnboundThis(_) => Error::argument("this is no value here").with_help(
            "this is the map that a closure is called on, or the item in a closure without parameters: a.for_each(|| this *= 2); \
             a parameter holds the item as well: a.for_each(|x| print(x))",
        ),
        EvalAltResult::ErrorDataRace(message, _) => calls::in_use(&message, place),
        EvalAltResult::ErrorTooManyOperations(_) => Error::argument("the script ran too many operations"),
        EvalAltResult::ErrorStackOverflow(_) => {
            Error::argument("functions call each other too deeply").with_help("is there a recursion without an end?")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(&what),
        EvalAltResult::ErrorSystem(message, cause) => Error::internal(format!("{message} {cause}").trim().to_string()),
        EvalAltResult::ErrorParsing(kind, pos) => syntax::explain(&kind, pos, place.text).error,
        mut other => {
            other.clear_position();
            Error::argument(lower_first(&other.to_string()))
        }
    }
}

/// The sentence for an error whose place is not known.
pub fn alone(error: EvalAltResult) -> Error {
    explain(error, &Place { variables: &[], name: "", text: "", functions: &[], at: None, in_function: false })
}

/// A value that the script threw. An error of Rhai's own that it caught and throws again is explained as if uncaught.
fn thrown(value: &Dynamic) -> Error {
    let kind = ErrorKind::Thrown;
    if let Ok(text) = value.as_immutable_string_ref() {
        return Error::new(kind, if text.is_empty() { "the script threw an empty string" } else { text.as_str() });
    }
    if let Some((error, _)) = value.as_map_ref().ok().and_then(|map| caught(&map)) {
        return alone(error);
    }
    match value.is_unit() {
        true => Error::new(kind, "the script stopped with throw"),
        false => Error::new(kind, format!("the script threw {}", show::show(value))),
    }
}

/// The name of an argument of the command line and what a script, or a library for it, says of that:
/// `throw #{argument: "k", message: "k= is 2 or above; got 0"}`, with `help` where there is some. None for any other error, and for a
/// message without text.
pub fn of_argument(error: &EvalAltResult) -> Option<(String, Error)> {
    let EvalAltResult::ErrorRuntime(value, _) = error else { return None };
    let map = value.as_map_ref().ok()?;
    let text = |key: &str| map.get(key).and_then(|v| v.as_immutable_string_ref().ok().map(|s| s.to_string()));
    let (name, message) = (text("argument")?, text("message").filter(|message| !message.trim().is_empty())?);
    Some((name, Error { help: text("help"), ..Error::argument(message) }))
}

/// The error behind the map that Rhai's `catch` makes of one, and where it was.
pub fn caught(map: &Map) -> Option<(EvalAltResult, Position)> {
    let text = |key: &str| map.get(key).and_then(|v| v.as_immutable_string_ref().ok().map(|s| s.to_string()));
    let whole = |key: &str| map.get(key).and_then(|v| v.as_int().ok()).and_then(|n| u16::try_from(n).ok());
    let number = |key: &str| map.get(key).and_then(|v| v.as_int().ok());
    let length = || number("length").and_then(|n| usize::try_from(n).ok());
    let (name, message) = (text("error")?, text("message")?);
    let place = match (whole("line"), whole("position")) {
        (Some(line), Some(column)) if line > 0 => Position::new(line, column),
        _ => Position::NONE,
    };
    let none = Position::NONE;
    let said = message.split_once(": ").map_or(message.clone(), |(_, rest)| rest.to_string());
    let error = match name.as_str() {
        "ErrorFunctionNotFound" => EvalAltResult::ErrorFunctionNotFound(text("function").unwrap_or(said), none),
        "ErrorVariableNotFound" => EvalAltResult::ErrorVariableNotFound(text("variable").unwrap_or(said), none),
        "ErrorPropertyNotFound" => EvalAltResult::ErrorPropertyNotFound(text("property").unwrap_or(said), none),
        "ErrorDotExpr" => EvalAltResult::ErrorDotExpr(message, none),
        "ErrorArithmetic" => EvalAltResult::ErrorArithmetic(message, none),
        "ErrorArrayBounds" => EvalAltResult::ErrorArrayBounds(length()?, number("index")?, none),
        "ErrorStringBounds" => EvalAltResult::ErrorStringBounds(length()?, number("index")?, none),
        "ErrorMismatchDataType" => EvalAltResult::ErrorMismatchDataType(text("requested")?, text("actual")?, none),
        // Of an error inside a call the map has no more than the text.
        "ErrorInFunctionCall" | "ErrorInModule" => innermost(&message),
        name if name.starts_with("Error") => EvalAltResult::ErrorRuntime(lower_first(&message).into(), none),
        _ => return None,
    };
    Some((error, place))
}

/// The error that Rhai's text begins with: `Function not found: f (i64) @ 'script' (line 1, position 5)`, then a line per call.
fn innermost(message: &str) -> EvalAltResult {
    let first = message.lines().next().unwrap_or_default();
    let said = first.rsplit_once(" @ '").or_else(|| first.rsplit_once(" (line ")).map_or(first, |(said, _)| said);
    let none = Position::NONE;
    let after = |begin: &str| said.strip_prefix(begin).map(str::to_string);
    if let Some(signature) = after("Function not found: ") {
        return EvalAltResult::ErrorFunctionNotFound(signature, none);
    }
    if let Some(name) = after("Variable not found: ") {
        return EvalAltResult::ErrorVariableNotFound(name, none);
    }
    if let Some(name) = after("Property not found: ") {
        return EvalAltResult::ErrorPropertyNotFound(name, none);
    }
    if let Some(kinds) = after("Data type incorrect: ")
        && let Some((came, expected)) = kinds.trim_end_matches(')').split_once(" (expecting ")
    {
        return EvalAltResult::ErrorMismatchDataType(expected.into(), came.into(), none);
    }
    match said.starts_with("Unknown property") {
        true => EvalAltResult::ErrorDotExpr(said.into(), none),
        false => EvalAltResult::ErrorRuntime(lower_first(said).into(), none),
    }
}

fn mismatch(expected: &str, came: &str) -> Error {
    let (expected, came) = (vocabulary::user_name(expected), vocabulary::user_name(came));
    let error = Error::argument(format!(
        "expected {}; got {}",
        vocabulary::a_user_name(&expected),
        vocabulary::a_user_name(&came)
    ));
    match (&expected[..], &came[..]) {
        ("boolean", "integer" | "number") => error.with_help("a condition is true or false, as n != 0"),
        ("boolean", "nothing") => error.with_help("a condition is true or false, as value != ()"),
        ("integer", "range") => {
            error.with_help("a part of an array is a.extract(0..2), of a string a.sub_string(0..2)")
        }
        ("number", "integer") => {
            error.with_help("an integer becomes a number with a decimal point, 1.0, or with to_float()")
        }
        _ => error,
    }
}

/// The error of an import, in the text `importer`, of a library that is nowhere.
pub(super) fn unknown_library(name: &str, importer: &str) -> Error {
    let error = Error::unknown("library", name, modules::embedded_names());
    let near = modules::nearest(name, Some(importer)).map(|near| format!("did you mean \"{near}\"?"));
    Error {
        message: format!("no library \"{name}\": looked in the standard library, beside the script and in CPSD_PATH"),
        help: near.or(error.help),
        ..error
    }
}

fn out_of_bounds(what: &str, item: &str, n: usize, index: i64) -> Error {
    match n {
        0 => Error::argument(format!("index {index} is out of bounds: {what} without {item}s")),
        n => Error::argument(format!("index {index} is out of bounds of {what} of {}", counted(n, item)))
            .with_help(format!("the first is 0, the last {} or -1", n - 1)),
    }
}

/// Rhai: `Addition overflow: 1 + 2`, `Division by zero: 1 / 0`.
fn arithmetic(message: &str) -> Error {
    let error = Error::argument(lower_first(message));
    match message.contains("overflow") {
        true => error.with_help("integers end at 9223372036854775807; numbers with a decimal point go on"),
        false => error,
    }
}

/// `Length of string|268435456`: what exceeds which limit.
fn too_large(what: &str) -> Error {
    let limits = limits::LIMITS;
    let (what, limit) = what.split_once('|').map_or((what, None), |(what, limit)| (what, limit.parse::<usize>().ok()));
    let mib = |usual: usize| match limit.unwrap_or(usual) >> 20 {
        mib if mib % 1024 == 0 => format!("{} GiB", mib >> 10),
        mib => format!("{mib} MiB"),
    };
    let limit = match what {
        w if w.contains("string") => format!("a string may have {} at most", mib(limits.text)),
        w if w.contains("array") => match limit.unwrap_or(limits.items) {
            items if items % 1_000_000 == 0 => format!("an array may have {} million items at most", items / 1_000_000),
            items => format!("an array may have {items} items at most"),
        },
        w if w.contains("map") => format!("a map may have {} million keys at most", limits.keys / 1_000_000),
        w if w.contains("all values") => {
            format!("the variables of a script may take {} together at most", mib(limits.together))
        }
        w if w.contains("Memory") => {
            format!("the arrays and maps in a variable may take {} at most", mib(limits.memory))
        }
        w if w.contains("Depth") => {
            format!("arrays, maps and closures may be nested {} deep at most", limits::DEPTH)
        }
        w => format!("too large: {}", lower_first(w)),
    };
    Error::argument(limit)
}

pub fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !text.get(1..2).is_some_and(|second| second.chars().all(char::is_uppercase)) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_string(),
    }
}
