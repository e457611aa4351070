//! Functions, methods and operators that are not there, and wrong arguments.

use std::collections::HashMap;
use std::sync::LazyLock;

use rhai::Engine;

use super::closures::wrong_closure;
use super::members::own_members;
use super::{Place, called_variable};
use crate::error::{Error, counted, nearest};
use crate::script::{copies, habits, modules, spans, vocabulary};

/// What is written in place of a function that is not there: what another language has under its name, or the nearest of `known`.
/// `types` are the kinds of its arguments, where they are known.
pub fn instead<'a>(name: &str, types: &[String], known: impl IntoIterator<Item = &'a str>) -> Option<String> {
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
pub fn with_order(signature: &str, place: &Place, error: Error) -> Error {
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
pub fn unknown_function(signature: &str, place: &Place) -> Error {
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

/// Rhai: `argument #1 of function 'filter'`.
pub fn in_use(message: &str, place: &Place) -> Error {
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
        .and_then(|path| modules::find(path, Some(place.name)).ok().flatten())
        .map(|(_, text)| spans::public_functions(&text))
        .unwrap_or_default();
    not_in_library(library, function, arguments, &functions)
}

/// The error of a call of a library's function, which has these functions, if none of them is called so.
pub fn not_in_library(library: &str, function: &str, arguments: usize, functions: &[(String, String)]) -> Error {
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
pub fn parameters(signature: &str) -> Vec<String> {
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
