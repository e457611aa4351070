//! The words and kinds of the language. They are installed once, by the layer above that defines them.

use std::any::TypeId;
use std::rc::Rc;
use std::sync::OnceLock;

use rhai::{Dynamic, Engine, Module};

use super::call::{MOST_VALUES, WordRegistrar};
use super::host::Host;
use super::kind::Kind;
use super::show;
use super::word::Word;
use crate::activity::console;

/// All words and kinds.
pub struct Vocabulary {
    /// In the order of the reference.
    pub words: &'static [&'static Word],
    /// Those beyond Rhai's own types.
    pub kinds: &'static [Kind],
}

static INSTALLED: OnceLock<&'static Vocabulary> = OnceLock::new();

/// Makes a vocabulary that of this process. Only the first one counts.
pub fn install(vocabulary: &'static Vocabulary) {
    INSTALLED.get_or_init(|| vocabulary);
}

/// Every word, in the order of the reference. Empty before [`install`].
pub fn words() -> &'static [&'static Word] {
    INSTALLED.get().map_or(&[], |vocabulary| vocabulary.words)
}

/// Every kind of value beyond Rhai's own types. Empty before [`install`].
pub fn kinds() -> &'static [Kind] {
    INSTALLED.get().map_or(&[], |vocabulary| vocabulary.kinds)
}

/// The word of that name.
pub fn find(name: &str) -> Option<&'static Word> {
    words().iter().find(|word| word.name == name).copied()
}

/// The kind of that name.
pub fn find_kind(name: &str) -> Option<&'static Kind> {
    kinds().iter().find(|kind| kind.name == name)
}

/// The kind of a value, unless its type is Rhai's own.
pub fn kind_of(value: &Dynamic) -> Option<&'static Kind> {
    kinds().iter().find(|kind| (kind.is)(value))
}

/// Puts all words and kinds into an engine.
pub fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    for kind in kinds() {
        (kind.register)(&mut module, engine, host);
    }
    for word in words() {
        (word.register)(&mut WordRegistrar { name: word.name, module: &mut module, engine, host });
    }
    engine.register_global_module(module.into());
    engine.register_fn("print", |value: &mut Dynamic| {
        let text = show::plain(value);
        console::show_printed(&text, value);
        text
    });
    engine.register_fn("print", String::new);
    // Rhai's own for these two shows all digits, and keys in quotes.
    engine.register_fn("print", |value: rhai::Array| show::plain(&value.into()));
    engine.register_fn("print", |value: rhai::Map| show::plain(&value.into()));
    // Several values stand on one line, with a blank between them.
    for n in 2..=MOST_VALUES {
        engine.register_raw_fn("print", vec![TypeId::of::<Dynamic>(); n], |_, values: &mut [&mut Dynamic]| {
            let shown: Vec<String> = values.iter().map(|value| show::plain(value)).collect();
            Ok(rhai::ImmutableString::from(shown.join(" ")))
        });
    }
    // An error that a script caught is a map.
    engine.register_fn("to_string", |value: rhai::Map| show::plain(&value.into()));
    // Rhai's own for a closure is its internal name.
    engine.register_fn("to_string", |value: rhai::FnPtr| show::plain(&Dynamic::from(value)));
}

/// A type's name with its article: `a Partition`, `an integer`.
pub fn a_user_name(type_name: &str) -> String {
    let name = user_name(type_name);
    if name == "nothing" {
        return "()".into();
    }
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// A type's name as a user knows it, from Rust's or Rhai's.
pub fn user_name(type_name: &str) -> String {
    let name = type_name.trim().trim_start_matches("&mut ").trim_start_matches('&');
    if let Some(kind) = kinds().iter().find(|k| (k.rust_name)() == name || k.name == name) {
        return kind.name.to_string();
    }
    match name {
        "i64" | "int" | "INT" => "integer",
        "f64" | "float" | "FLOAT" => "number",
        "bool" => "boolean",
        "()" => "nothing",
        "char" => "character",
        n if n.starts_with("&str | ") => "string",
        "str" | "String" | "string" | "ImmutableString" | "alloc::string::String" => "string",
        n if n.contains("ImmutableString") || n.contains("SmartString") => "string",
        n if n.starts_with("alloc::vec::Vec<rhai::") || n.starts_with("array") || n == "Array" => "array",
        n if n.contains("BTreeMap") || n == "map" || n == "Map" => "map",
        n if n.ends_with("FnPtr") || n == "Fn" => "function",
        n if n.ends_with("::Subscripts") => "list of positions",
        n if n.starts_with("range") || n.contains("Range") => "range",
        n => return n.rsplit("::").next().unwrap_or(n).to_string(),
    }
    .to_string()
}
