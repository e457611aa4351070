//! `arg`: a script's own argument.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::script::arguments::parts;
use crate::script::call::Call;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "arg",
    chapter: Chapter::Scripting,
    signatures: &["arg(name, default) -> value", "arg(name, default, help) -> value"],
    summary: "Reads key=value from the command line, with a default whose type the value must have.",
    details: "`cpsd script FILE --help` lists them. An array is written k=2,3,5, one of a single item k=2. An argument that no arg(...) asks for is an error.",
    options: None,
    examples: &[Example { code: "arg(\"k\", 3, \"tasks per branch\")", prints: "3" }],
    register: |word| {
        word.form(arg);
    },
};

fn arg(call: &Call, name: String, default: Dynamic, _help: Option<String>) -> Result<Dynamic> {
    let _ = call.host.asked.borrow_mut().insert(name.clone());
    let given = call.host.arguments.borrow().get(&name).cloned();
    given.map_or(Ok(default.clone()), |text| read(&name, &text, &default))
}

fn read(name: &str, text: &str, default: &Dynamic) -> Result<Dynamic> {
    let wrong = |expected: &str| {
        Err(Error::argument(format!("argument \"{name}\" must be {expected}; got \"{text}\"")).about_name(name))
    };
    if default.is_int() {
        return text.parse::<i64>().map(Dynamic::from).or_else(|_| wrong("an integer"));
    }
    if default.is_float() {
        return text.parse::<f64>().map(Dynamic::from).or_else(|_| wrong("a number"));
    }
    if default.is_bool() {
        return match text {
            "true" | "yes" | "1" => Ok(true.into()),
            "false" | "no" | "0" => Ok(false.into()),
            _ => wrong("true or false"),
        };
    }
    if let Ok(array) = default.as_array_ref() {
        let items = items_of(text).ok_or_else(|| {
            let like: Vec<String> = array.iter().map(show::plain).collect();
            let like = if like.is_empty() { "2,3".to_string() } else { like.join(",") };
            Error::argument(format!("argument \"{name}\" must be a list; got \"{text}\""))
                .about_name(name)
                .with_help(format!("a list is given as {name}={like}"))
        })?;
        // An empty default does not tell the kind of its items: a text that looks like a number is one.
        let Some(like) = array.first() else {
            return Ok(items.into_iter().map(guess).collect::<rhai::Array>().into());
        };
        let items = items.into_iter().map(|item| read(name, item, like)).collect::<Result<rhai::Array>>();
        return items.map(Dynamic::from).map_err(|error| {
            let like: Vec<String> = array.iter().map(show::plain).collect();
            error.with_help(format!("a list is given as {name}={}", like.join(",")))
        });
    }
    if default.is_string() || default.is_unit() {
        return Ok(text.into());
    }
    wrong(&show::a_type(default))
}

/// The items of a list, of which blanks and quotes around them are no part: `2,3`, and as a script writes it, `[2, 3]` and `["a", "b"]`. None for
/// brackets or quotes without their other half, and for an item that is missing.
fn items_of(text: &str) -> Option<Vec<&str>> {
    let text = text.trim();
    let text = match (text.strip_prefix('['), text.ends_with(']')) {
        (Some(inner), true) => &inner[..inner.len() - 1],
        (None, false) => text,
        _ => return None,
    };
    if text.trim().is_empty() {
        return Some(vec![]);
    }
    let item = |item: &'_ str| {
        let item = item.trim();
        let quoted = item.len() >= 2 && item.starts_with('"') && item.ends_with('"');
        let inner = if quoted { 1..item.len() - 1 } else { 0..item.len() };
        let is_whole = quoted || !item.is_empty() && !item.contains(['"', '[', ']']);
        is_whole.then_some(inner)
    };
    parts(text).into_iter().map(|part| item(part).map(|inner| &part.trim()[inner])).collect()
}

fn guess(text: &str) -> Dynamic {
    if let Ok(i) = text.parse::<i64>() {
        return i.into();
    }
    text.parse::<f64>().map_or_else(|_| text.into(), Dynamic::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_with_or_without_brackets_and_quotes() {
        let of = |text: &str| items_of(text).map(|items| items.join("|"));
        for (text, items) in [
            ("2,3", "2|3"),
            ("[2, 3]", "2|3"),
            (" [\"a b\", c ] ", "a b|c"),
            ("\"a\"", "a"),
            ("x", "x"),
            ("", ""),
            ("[]", ""),
            ("é,ü", "é|ü"),
            ("\"a,b\", c", "a,b|c"),
        ] {
            assert_eq!(of(text).as_deref(), Some(items), "{text}");
        }
        for text in ["[2", "2]", "[a],[b]", "1,,2", ",", "\"a", "a\"b", "[1,]"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
