//! The sentence for each of Rhai's errors, in the words of this language.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use parking_lot::Mutex;
use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, Position};

use super::errors::{Raised, StopRequest};
use super::{copies, habits, modules, spans, syntax, vocabulary};
use crate::error::{About, Error, ErrorKind, counted, nearest};

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

/// The parameters of a closure.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Variables that it captured, which come before its parameters.
    pub captured: usize,
    pub names: Vec<String>,
}

/// The parameters of the closures of this process by the names that Rhai gives them, which follow from their code.
static CLOSURES: Mutex<BTreeMap<String, Parameters>> = Mutex::new(BTreeMap::new());

/// Notes how a closure is written: an error that a script caught is explained where no session is at hand.
pub fn note_closure(name: &str, parameters: Parameters) {
    CLOSURES.lock().insert(name.to_string(), parameters);
}

/// A closure by the parameters that it still takes: `|a, b| ...`; None for a function with a name.
pub fn written_closure(closure: &FnPtr) -> Option<String> {
    let name = closure.fn_name();
    let known = CLOSURES.lock().get(name).cloned();
    match known {
        Some(Parameters { captured, names }) => {
            let given = closure.curry().len().saturating_sub(captured);
            Some(format!("|{}| ...", names.get(given..).unwrap_or_default().join(", ")))
        }
        None => name.starts_with("anon$").then(|| "|...| ...".to_string()),
    }
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
        EvalAltResult::ErrorFunctionNotFound(signature, _) => with_order(&signature, place, unknown_function(&signature, place)),
        EvalAltResult::ErrorPropertyNotFound(name, _) => unknown_key(&name, place),
        EvalAltResult::ErrorDotExpr(message, _) => unknown_property(&message),
        EvalAltResult::ErrorIndexingType(types, _) => not_indexed(&types),
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
        EvalAltResult::ErrorDataRace(message, _) => in_use(&message, place),
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
        false => Error::new(kind, format!("the script threw {}", super::show::show(value))),
    }
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

/// The error of a variable of the script that a function reads.
pub(super) fn unseen_variable(name: &str) -> Error {
    Error::argument(format!("\"{name}\" is a variable of the script, which a function does not see"))
        .with_help(format!("pass it as an argument, or define it as `const {name}` and write `global::{name}`"))
}

/// The error of a variable that is not there, said before and after the text runs.
pub(super) fn unknown_variable(name: &str, place: &Place) -> Error {
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
pub(super) fn function_without_its_call(name: &str) -> Error {
    Error::argument(format!("\"{name}\" is a function: call it, as in {name}(...)"))
}

/// The error of a variable that is called like a function; its kind, where that is known.
pub(super) fn called_variable(name: &str, kind: Option<&str>) -> Error {
    match kind {
        Some("function") => Error::argument(format!("\"{name}\" holds a closure"))
            .with_help(format!("it is called as {name}.call(...)")),
        Some(kind) => Error::argument(format!("\"{name}\" is {}, not a function", vocabulary::a_user_name(kind))),
        None => Error::argument(format!("\"{name}\" is a variable, not a function"))
            .with_help(format!("a closure that it holds is called as {name}.call(...)")),
    }
}

/// What is written in place of a function that is not there: what another language has under its name, or the nearest of `known`.
/// `types` are the kinds of its arguments, where they are known.
pub(super) fn instead<'a>(name: &str, types: &[String], known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if let Some(help) = habits::function(name, types) {
        return Some(help);
    }
    match nearest(name, known) {
        Some(near) if near != name => Some(format!("did you mean \"{near}\"?")),
        // Which other languages have as methods.
        _ if types.first().is_some_and(|kind| kind == "array") && nearest(name, ["first", "last"]).is_some() => {
            Some("the first item of an array is a[0], the last a[-1]".to_string())
        }
        _ => None,
    }
}

/// The kinds of the arguments in a signature, behind its `(`. Nothing itself is `()`.
fn user_types(arguments: &str) -> Vec<String> {
    let list = arguments.strip_suffix(')').unwrap_or(arguments);
    split_types(list).iter().map(|t| vocabulary::user_name(t)).collect()
}

/// Adds the order of a part's parameters to an error where layers stand for a tensor, or a tensor for layers.
fn with_order(signature: &str, place: &Place, error: Error) -> Error {
    const LAYERS: &str = "Layers";
    let (name, arguments) = signature.split_once('(').unwrap_or((signature, ""));
    let types = user_types(arguments);
    let name = name.trim();
    let has =
        |kind: &str| vocabulary::find_kind(kind).is_some_and(|kind| kind.members.iter().any(|m| m.name() == name));
    let own = || name.starts_with("anon$") || place.functions.iter().any(|(function, _)| function == name);
    let swapped = match types.first().map(String::as_str) {
        Some("Tensor") => (has(LAYERS) && !has("Tensor")) || types.iter().any(|t| t == LAYERS),
        Some(LAYERS) => !has(LAYERS),
        _ => types.iter().any(|t| t == LAYERS),
    } && !own();
    match swapped {
        true => error.with_help("a head is |maps, p|, an adapter |block, x, p|: the layers p come last"),
        false => error,
    }
}

/// `affinity (Cooccurrence, i64)`: a word called with wrong arguments, a method that is not there, or an unknown name.
fn unknown_function(signature: &str, place: &Place) -> Error {
    let (name, arguments) = signature.split_once('(').unwrap_or((signature, ""));
    let name = name.trim();
    let types = user_types(arguments);
    let came = format!("({})", types.join(", "));
    if let Some((library, function)) = name.split_once("::") {
        return unknown_in_library(library.trim(), function.trim(), types.len(), place);
    }
    if !name.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return no_operator(name, &types);
    }
    if name.starts_with("anon$") {
        return wrong_closure(name, &types);
    }
    let own = place.functions;
    if let Some((_, signature)) = own.iter().find(|(f, _)| f == name) {
        let parameters = parameters(signature).len();
        if parameters == types.len() {
            // Rhai counts the receiver among the arguments of a method call.
            return Error::argument(format!("{name} is a function, and it is called here as a method"))
                .with_help(format!("it is {signature}; as a method it would read its receiver as this"));
        }
        return Error::argument(format!("{name} takes {}; got {}", counted(parameters, "argument"), types.len()))
            .with_help(format!("it is {signature}"));
    }
    let is_member = || {
        let kind = types.first().and_then(|t| vocabulary::find_kind(t));
        kind.is_some_and(|kind| kind.members.iter().any(|member| member.name() == name))
    };
    if let Some(word) = vocabulary::find(name).filter(|_| !is_member()) {
        let help = format!("it is {}", word.signatures.join("\n"));
        return Error::argument(wrong_arguments(name, word.signatures, &types, 0)).with_help(help);
    }
    if let Some(variable) = place.variables.iter().find(|v| v.name == name) {
        return called_variable(name, Some(&variable.kind));
    }
    let words = vocabulary::words().iter().map(|w| w.name);
    if let Some(kind) = types.first().and_then(|t| vocabulary::find_kind(t)) {
        let mut members: Vec<&str> = Vec::new();
        for member in kind.members.iter().map(|member| member.name()) {
            // Forms of one name may stand apart.
            if !members.contains(&member) {
                members.push(member);
            }
        }
        let usages: Vec<&str> = kind.members.iter().filter(|m| m.name() == name).map(|m| m.usage).collect();
        if let Some(member) = kind.members.iter().find(|m| m.name() == name) {
            return match usages.iter().all(|usage| usage.contains('(')) {
                true => Error::argument(wrong_arguments(name, &usages, &types, 1)).with_help(format!(
                    "it is .{}: {}",
                    usages.join(" or ."),
                    member.doc
                )),
                false => Error::argument(format!("{name} of {} is not called", vocabulary::a_user_name(kind.name)))
                    .with_help(format!("write .{name} without brackets: {}", member.doc)),
            };
        }
        let mut error = Error::unknown(
            "function",
            name,
            members.iter().copied().chain(words).chain(own.iter().map(|(f, _)| f.as_str())),
        );
        error.message = format!("there is no function {name} for {came}");
        if let Some(help) = habits::function(name, &types) {
            error.help = Some(help);
        } else if !error.help.as_ref().is_some_and(|h| h.starts_with("did you")) {
            error.help = Some(format!("{} has: {}", vocabulary::a_user_name(kind.name), members.join(", ")));
        }
        return error;
    }
    let built_in = types.first().map_or(vec![], |kind| own_members(kind));
    let known = words.chain(own.iter().map(|(f, _)| f.as_str())).chain(built_in);
    let error = Error::argument(format!("there is no function {name}{came}"));
    match instead(name, &types, known) {
        Some(help) => error.with_help(help),
        None => error,
    }
}

/// A closure that is called with too few or too many arguments.
fn wrong_closure(name: &str, types: &[String]) -> Error {
    let Some(parameters) = CLOSURES.lock().get(name).cloned() else {
        let came = counted(types.len(), "argument");
        return Error::argument(format!("this closure is called with {came} and takes another number"));
    };
    let came = types.get(parameters.captured..).unwrap_or_default();
    let kinds = match came {
        [] => String::new(),
        came => format!(" ({})", came.join(", ")),
    };
    let takes = counted(parameters.names.len(), "argument");
    let written = format!("|{}|", parameters.names.join(", "));
    Error::argument(format!("the closure {written} takes {takes}; it is called with {}{kinds}", came.len()))
}

/// Rhai: `argument #1 of function 'filter'`.
fn in_use(message: &str, place: &Place) -> Error {
    let method = message.split('\'').nth(1);
    let variable = method.and_then(|method| receiver(place.text, method));
    match (variable, method) {
        (Some(range), Some(method)) => copies::in_use(&place.text[range], method),
        _ => Error::argument("a closure reads a variable while a method works on it")
            .with_help("read a copy in the closure: let copy = variable;"),
    }
}

/// The variable that the first call of a method in a text is written behind.
pub fn receiver(text: &str, method: &str) -> Option<std::ops::Range<usize>> {
    let all = spans::pieces(text);
    let word = |i: usize| all.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let call = (2..all.len()).find(|&i| word(i) == method && word(i - 1) == "." && word(i + 1) == "(")?;
    let mut first = call - 2;
    loop {
        // An index or a call before the dot is passed over as a whole.
        let mut depth = 0;
        while first > 0 {
            match word(first) {
                "]" | ")" => depth += 1,
                "[" | "(" => depth -= 1,
                _ => {}
            }
            if depth == 0 && !["[", "("].contains(&word(first)) {
                break;
            }
            first -= 1;
        }
        if first >= 2 && word(first - 1) == "." {
            first -= 2;
        } else {
            return (all.get(first)?.1 == spans::Piece::Word).then(|| all[first].0.clone());
        }
    }
}

/// A function that the library imported under that name does not have, or not with so many parameters.
fn unknown_in_library(library: &str, function: &str, arguments: usize, place: &Place) -> Error {
    let all = spans::pieces(place.text);
    let word = |i: usize| all.get(i).map_or("", |(range, _)| &place.text[range.clone()]);
    let path = (0..all.len())
        .find(|&i| word(i) == "import" && word(i + 2) == "as" && word(i + 3) == library)
        .map(|i| word(i + 1).trim_matches(['"', '`']));
    let functions = path
        .and_then(|path| super::modules::find(path, Some(place.name)).ok().flatten())
        .map(|(_, text)| spans::public_functions(&text))
        .unwrap_or_default();
    not_in_library(library, function, arguments, &functions)
}

/// The error of a call of a library's function, which has these functions, if none of them is called so.
pub(super) fn not_in_library(library: &str, function: &str, arguments: usize, functions: &[(String, String)]) -> Error {
    let forms: Vec<&str> = functions.iter().filter(|(name, _)| name == function).map(|(_, form)| &form[..]).collect();
    if let Some(takes) = takes(forms.iter().map(|form| parameters(form).len()).collect()) {
        let forms: Vec<String> = forms.iter().map(|form| format!("{library}::{form}")).collect();
        return Error::argument(format!("{library}::{function} takes {takes}; got {arguments}"))
            .with_help(format!("it is {}", forms.join(" or ")));
    }
    let error = Error::unknown("function", function, functions.iter().map(|(name, _)| name.as_str()));
    Error { message: format!("the library {library} has no function {function}"), ..error }
}

/// The mistake in the arguments of a word or method (then `receiver` is 1): their number, or the first of a wrong kind.
fn wrong_arguments(name: &str, signatures: &[&str], types: &[String], receiver: usize) -> String {
    let came = format!("({})", types[receiver.min(types.len())..].join(", "));
    let forms = overloads(name);
    let same: Vec<&Vec<String>> = forms
        .iter()
        .filter(|form| form.len() == types.len() && (receiver == 0 || form.first() == types.first()))
        .collect();
    if same.is_empty() {
        let counts = forms
            .iter()
            .filter(|f| receiver == 0 || f.first() == types.first())
            .map(|f| f.len().saturating_sub(receiver))
            .collect();
        if let Some(takes) = takes(counts) {
            return format!("{name} takes {takes}; got {}", types.len() - receiver);
        }
        return format!("{name} cannot be called with {came}");
    }
    let wrong = |form: &[String]| {
        (0..types.len()).filter(|&i| !ANYTHING.contains(&form[i].as_str()) && form[i] != types[i]).collect::<Vec<_>>()
    };
    // All forms nearest to the given arguments must agree on the mistake.
    let least = same.iter().map(|form| wrong(form).len()).min().unwrap_or(0);
    let nearest: Vec<&&Vec<String>> = same.iter().filter(|form| wrong(form).len() == least).collect();
    let (Some(at), 1..=2) = (nearest.first().and_then(|form| wrong(form).first().copied()), least) else {
        return format!("{name} cannot be called with {came}");
    };
    if nearest.iter().any(|form| wrong(form).first() != Some(&at)) {
        return format!("{name} cannot be called with {came}");
    }
    let mut expected: Vec<String> = nearest.iter().map(|form| vocabulary::a_user_name(&form[at])).collect();
    expected.sort();
    expected.dedup();
    let parameter = signatures
        .iter()
        .map(|signature| parameters(signature))
        .find(|parameters| parameters.len() + receiver == types.len())
        .and_then(|parameters| parameters.get(at.checked_sub(receiver)?).cloned());
    let what = match parameter {
        Some(options) if options.starts_with("#{") => "the options".to_string(),
        Some(parameter) if parameter.chars().all(|c| c.is_alphanumeric() || c == '_') => parameter,
        _ => format!("argument {}", at + 1 - receiver),
    };
    format!("{name}: {what} must be {}; got {}", expected.join(" or "), vocabulary::a_user_name(&types[at]))
}

/// `1 or 2 arguments`, for the numbers of arguments that there may be. None for none.
fn takes(mut counts: Vec<usize>) -> Option<String> {
    counts.sort_unstable();
    counts.dedup();
    let (last, others) = counts.split_last()?;
    let head: Vec<String> = others.iter().map(usize::to_string).collect();
    Some(match head.is_empty() {
        true => counted(*last, "argument"),
        false => format!("{} or {}", head.join(", "), counted(*last, "argument")),
    })
}

/// The types of a parameter that takes values of any kind, in Rhai's list of functions.
const ANYTHING: &[&str] = &["?", "Dynamic"];

/// The kinds of the parameters of every form of a word or method.
fn overloads(name: &str) -> &'static [Vec<String>] {
    static ALL: LazyLock<HashMap<String, Vec<Vec<String>>>> = LazyLock::new(|| {
        let mut engine = Engine::new_raw();
        vocabulary::register(&mut engine, &std::rc::Rc::default());
        let json: serde_json::Value = engine
            .gen_fn_metadata_to_json(false)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut all: HashMap<String, Vec<Vec<String>>> = HashMap::new();
        for function in json["functions"].as_array().into_iter().flatten() {
            let parameters = function["params"].as_array().map(Vec::as_slice).unwrap_or_default();
            let kinds = parameters.iter().map(|p| vocabulary::user_name(p["type"].as_str().unwrap_or("?"))).collect();
            let name = function["baseName"].as_str().or(function["name"].as_str()).unwrap_or_default();
            all.entry(name.to_string()).or_default().push(kinds);
        }
        all
    });
    ALL.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// The parameters of `name(a, b, #{options}) -> Kind`.
pub(super) fn parameters(signature: &str) -> Vec<String> {
    let inside = signature
        .split_once('(')
        .map_or("", |(_, rest)| rest.split(") ->").next().unwrap_or(rest).trim_end_matches(')'));
    split_types(inside)
}

fn no_operator(name: &str, types: &[String]) -> Error {
    let kinds: Vec<String> = types.iter().map(|t| vocabulary::a_user_name(t)).collect();
    // `a += b` is `a + b`; `==` and its like are themselves.
    let sign = if ["==", "!=", "<=", ">="].contains(&name) { name } else { name.trim_end_matches('=') };
    let error = Error::argument(format!("\"{sign}\" does not take {}", kinds.join(" and ")));
    match (name, types) {
        ("+" | "+=", [a, b]) if a == "array" || b == "array" => error.with_help(
            "arrays are joined with arrays; one item is added with push, a number to every item with a.map(|x| x + 1)",
        ),
        ("%", [a, _]) if a == "string" => {
            error.with_help("values are put into a string with format(\"{} images\", 3) or `${3} images`")
        }
        ("*", [a, b]) if [a, b].contains(&&"string".to_string()) && [a, b].contains(&&"integer".to_string()) => {
            error.with_help("a string is repeated with repeat(text, n)")
        }
        ("+" | "-" | "*" | "/" | "**", [a, b]) if a == "array" || b == "array" => {
            error.with_help(format!("an array is no vector: a.map(|x| x {sign} 2), or tensor(a) {sign} 2"))
        }
        ("/" | "*" | "-" | "%", [a, b]) if [a, b].contains(&&"string".to_string()) => {
            error.with_help("a number is read from a string with parse_int or parse_float")
        }
        ("!" | "&&" | "||", _) => error.with_help("conditions are true or false, as in n != 0"),
        _ => error,
    }
}

/// A key that a map does not have. The map's own keys are known when it is a variable of the top level; else those that the
/// text gives to maps.
fn unknown_key(name: &str, place: &Place) -> Error {
    let error = Error::argument(format!("there is no key \"{name}\" in this map"));
    let receiver = place.at.and_then(|at| {
        let dot = spans::before(place.text, at)?;
        let name = spans::before(place.text, dot.start)?;
        // `a.b.c`: only the first name is a variable.
        let before = spans::before(place.text, name.start);
        let alone = before.is_none_or(|before| place.text.get(before) != Some("."));
        (place.text.get(dot)? == "." && alone).then(|| place.text.get(name))?
    });
    match place.variables.iter().find(|v| Some(v.name.as_str()) == receiver && !place.in_function) {
        Some(map) if !map.keys.is_empty() => {
            Error { message: error.message, ..Error::unknown("key", name, map.keys.iter().map(String::as_str)) }
        }
        _ => match nearest(name, spans::keys(place.text).iter().map(String::as_str)) {
            Some(near) if near != name => error.with_help(format!("did you mean \"{near}\"?")),
            _ => error.with_help(
                "a key that may be missing is read as map.get(\"key\") ?? default, or asked for with \"key\" in map",
            ),
        },
    }
}

/// Rhai: `Unknown property 'x' - a getter is not registered for type 'T'`.
fn unknown_property(message: &str) -> Error {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(property), Some(type_name)) = (quoted.next(), quoted.next()) else {
        return Error::argument(lower_first(message));
    };
    let user_type = vocabulary::user_name(type_name);
    let kind = vocabulary::find_kind(&user_type);
    if message.contains("setter") {
        let error = Error::argument(format!("\"{property}\" of {} cannot be set", vocabulary::a_user_name(type_name)));
        return if kind.is_some() {
            error.with_help(format!("a value of kind {user_type} stays as it is; a changed one is made anew"))
        } else {
            error
        };
    }
    let message = format!("{} has no \"{property}\"", vocabulary::a_user_name(type_name));
    let members: Vec<&str> =
        kind.map_or_else(|| members_of(&user_type).to_vec(), |k| k.members.iter().map(|m| m.name()).collect());
    match (property, &user_type[..]) {
        (
            "length" | "size" | "count",
            "string" | "array" | "map" | "LabelTable" | "Table" | "Dataset" | "Predictions",
        ) => Error::argument(message).with_help("the number of items is .len()"),
        (_, "integer" | "number" | "boolean" | "function") if !members.contains(&property) => {
            Error::argument(message).with_help("it is a single value, without fields")
        }
        // A method without its brackets.
        _ if members.contains(&property) => Error::argument(message).with_help(format!("it is called: .{property}()")),
        _ => {
            let named = kind.is_some_and(|kind| kind.members.iter().any(|member| member.usage == "column(name)"));
            let error = Error { message, ..Error::unknown("property", property, members.iter().copied()) };
            match (named, nearest(property, members)) {
                (true, None) => error.with_help(format!("a column is .column(\"{property}\")")),
                (true, Some(near)) => {
                    error.with_help(format!("a column is .column(\"{property}\"); or did you mean \"{near}\"?"))
                }
                (false, _) => error,
            }
        }
    }
}

fn not_indexed(types: &str) -> Error {
    // Ours is `T with string`, Rhai's `T [string]` or `[T, string]`.
    let receiver = types.split(" with ").next().unwrap_or(types);
    let receiver = receiver.split(" [").next().unwrap_or(receiver).trim_matches(['[', ']']);
    let kinds: Vec<String> = split_types(receiver).iter().map(|t| vocabulary::a_user_name(t)).collect();
    match kinds.first() {
        Some(kind) if kind == "a Table" => Error::argument(format!("{kind} has no elements to take with [...]"))
            .with_help("a column is .column(\"name\"), a row .rows[0]"),
        Some(kind) if types.ends_with(" with string") => {
            Error::argument(format!("{kind} has positions and no names in [...]"))
        }
        Some(kind) => Error::argument(format!("{kind} has no elements to take with [...]")),
        None => Error::argument("this has no elements to take with [...]"),
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
    let limits = super::limits::LIMITS;
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
            format!("arrays, maps and closures may be nested {} deep at most", super::limits::DEPTH)
        }
        w => format!("too large: {}", lower_first(w)),
    };
    Error::argument(limit)
}

/// The methods of Rhai's own types that people look for.
fn members_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "string" => &[
            "len",
            "contains",
            "starts_with",
            "ends_with",
            "split",
            "sub_string",
            "replace",
            "to_upper",
            "to_lower",
            "trim",
            "index_of",
            "parse_int",
            "parse_float",
            "is_empty",
            "chars",
            "pad",
            "format",
            "matches",
            "find_all",
            "replace_all",
            "split_by",
        ],
        "array" => &[
            "len", "push", "pop", "map", "filter", "reduce", "sort", "reverse", "contains", "index_of", "insert",
            "remove", "is_empty", "some", "all", "find", "append", "dedup", "extract", "for_each", "zip", "clear",
            "sum", "mean", "std", "median", "max", "min", "join", "order",
        ],
        "map" => {
            &["len", "keys", "values", "contains", "remove", "is_empty", "mixin", "get", "set", "clear", "to_json"]
        }
        "range" => &[
            "map", "filter", "for_each", "reduce", "some", "all", "find", "zip", "sum", "mean", "to_array", "contains",
        ],
        "integer" => &["to_float", "to_string", "abs", "sign", "is_odd", "is_even", "is_zero"],
        "number" => &[
            "to_int",
            "to_string",
            "abs",
            "sqrt",
            "round",
            "floor",
            "ceiling",
            "exp",
            "log",
            "ln",
            "sin",
            "cos",
            "is_nan",
            "is_finite",
        ],
        _ => &[],
    }
}

/// All members of a type of Rhai's own that have a name: those that are looked for first.
fn own_members(kind: &str) -> Vec<&'static str> {
    // `sum(), mean(), median()` are documented together.
    let documented = super::own_types::find(kind).map_or(&[][..], |own| own.members).iter();
    let names = documented.flat_map(|member| member.usage.split(", ")).filter_map(|usage| usage.split('(').next());
    let is_name = |name: &&str| name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains(' ');
    members_of(kind).iter().copied().chain(names.filter(is_name)).collect()
}

/// Splits `a, b<c, d>, e` at the commas outside of brackets.
pub fn split_types(list: &str) -> Vec<String> {
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    parts.into_iter().map(|p| p.trim().to_string()).filter(|p| !p.is_empty()).collect()
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
