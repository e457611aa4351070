//! `arg`: a script's own argument.

use rhai::Dynamic;

use crate::error::{Error, Result};
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
        // As a script writes it, [2,3], is the same.
        let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        // An empty default does not tell the kind of its items: a text that looks like a number is one.
        let Some(like) = array.first() else {
            return Ok(items_of(text).map(guess).collect::<rhai::Array>().into());
        };
        let items = items_of(text).map(|item| read(name, item, like)).collect::<Result<rhai::Array>>();
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

/// The items of a list, of which blanks around them are no part.
fn items_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn guess(text: &str) -> Dynamic {
    if let Ok(i) = text.parse::<i64>() {
        return i.into();
    }
    text.parse::<f64>().map_or_else(|_| text.into(), Dynamic::from)
}
