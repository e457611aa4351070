//! Keys, properties and elements that are not there.

use super::calls::split_types;
use super::{Place, lower_first};
use crate::error::{Error, nearest};
use crate::script::{own_types, spans, vocabulary};

/// A key that a map does not have. The map's own keys are known when it is a variable of the top level; else those that the
/// text gives to maps.
pub fn unknown_key(name: &str, place: &Place) -> Error {
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
pub fn unknown_property(message: &str) -> Error {
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

pub fn not_indexed(types: &str) -> Error {
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
pub fn own_members(kind: &str) -> Vec<&'static str> {
    // `sum(), mean(), median()` are documented together.
    let documented = own_types::find(kind).map_or(&[][..], |own| own.members).iter();
    let names = documented.flat_map(|member| member.usage.split(", ")).filter_map(|usage| usage.split('(').next());
    let is_name = |name: &&str| name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains(' ');
    members_of(kind).iter().copied().chain(names.filter(is_name)).collect()
}
