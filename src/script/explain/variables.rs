//! Variables that are not there, and functions and variables taken for one another.

use super::Place;
use crate::error::{Error, nearest};
use crate::script::{habits, vocabulary};

/// The error of a variable of the script that a function reads.
pub fn unseen_variable(name: &str) -> Error {
    Error::argument(format!("\"{name}\" is a variable of the script, which a function does not see"))
        .with_help(format!("pass it as an argument, or define it as `const {name}` and write `global::{name}`"))
}

/// The error of a variable that is not there, said before and after the text runs.
pub fn unknown_variable(name: &str, place: &Place) -> Error {
    let words = || vocabulary::words().iter().map(|w| w.name);
    let known = place.variables.iter().any(|v| v.name == name);
    if place.in_function && known {
        return unseen_variable(name);
    }
    let rest = place.at.and_then(|at| place.text.get(at..)?.strip_prefix(name)).unwrap_or_default().trim_start();
    let given = rest.starts_with('=') && !rest.starts_with("==");
    if let Some(help) = habits::variable(name, place.text, place.at).filter(|_| !known && !given) {
        return Error::argument(format!("there is no variable \"{name}\"")).with_help(help);
    }
    if !given && words().any(|w| w == name) || place.functions.iter().any(|(f, _)| f == name) {
        return function_without_its_call(name);
    }
    let error = Error::argument(format!("there is no variable \"{name}\""));
    // A word of the language is not given a value.
    let functions = words().chain(place.functions.iter().map(|(name, _)| name.as_str())).filter(|_| !given);
    let known = place.variables.iter().map(|v| v.name.as_str()).chain(functions);
    match nearest(name, known) {
        Some(near) if given => {
            error.with_help(format!("a new variable is made with let: let {name} = ...; or did you mean \"{near}\"?"))
        }
        None if given => error.with_help(format!("a new variable is made with let: let {name} = ...")),
        Some(near) => error.with_help(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

/// The error of a function that is read like a variable.
pub fn function_without_its_call(name: &str) -> Error {
    Error::argument(format!("\"{name}\" is a function: call it, as in {name}(...)"))
}

/// The error of a variable that is called like a function; its kind, where that is known.
pub fn called_variable(name: &str, kind: Option<&str>) -> Error {
    match kind {
        Some("function") => Error::argument(format!("\"{name}\" holds a closure"))
            .with_help(format!("it is called as {name}.call(...)")),
        Some(kind) => Error::argument(format!("\"{name}\" is {}, not a function", vocabulary::a_user_name(kind))),
        None => Error::argument(format!("\"{name}\" is a variable, not a function"))
            .with_help(format!("a closure that it holds is called as {name}.call(...)")),
    }
}
