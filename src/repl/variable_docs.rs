//! `?x` of a variable, `?m` and `??m` of an imported library.

use colored::Colorize;
use rhai::{Dynamic, FnPtr};

use super::completion::{members, scope};
use super::highlighting::highlight;
use super::infer;
use crate::activity::width::{folded, of_text};
use crate::error::{Error, Result, counted};
use crate::script::closure_source::shortened;
use crate::script::library_docs::{first_line, function_source, library_functions};
use crate::script::session::Session;
use crate::script::{docs, own_docs, own_types, show, vocabulary};

/// Letters of a value that are shown.
const SHOWN: usize = 400;
/// So many keys of a map are listed.
const KEYS: usize = 40;

/// The text for a variable of the session, or for a field of maps (`data.train`): kind, short value, members or keys.
pub fn variable_text(session: &Session, name: &str) -> Option<String> {
    let value = variable(session, name)?;
    Some(text(session, name, &value))
}

/// The text for a member of a variable's value: `m.run`, `m.run.metrics`. None where the kind of what is before the last dot is not known.
///
/// Errors: the kind has no such member, with the nearest.
pub fn member(session: &Session, name: &str) -> Option<Result<String>> {
    // A pattern asks for more than one.
    let (receiver, member) = name.rsplit_once('.').filter(|_| !name.contains('*'))?;
    let scope = scope(session);
    let kind = infer::kind(receiver, &scope)?;
    let kind = kind.split(" of ").next().unwrap_or(&kind);
    let text = own_docs::member_text(&format!("{kind}.{member}"));
    Some(text.ok_or_else(|| {
        let of_own = own_types::find(kind).map_or(&[][..], |own| own.members).iter().map(|m| m.name().to_string());
        let known: Vec<String> = members(receiver, &scope).into_iter().chain(of_own).collect();
        let error = Error::unknown("member", member, known.iter().map(String::as_str));
        Error { message: format!("{receiver}, {}, has no member \"{member}\"", vocabulary::a_user_name(kind)), ..error }
    }))
}

/// The value of a variable, or of a field of maps.
fn variable(session: &Session, name: &str) -> Option<Dynamic> {
    let mut parts = name.split('.');
    let first = parts.next()?;
    let mut value: Dynamic = session.scope.get(first)?.flatten_clone();
    for part in parts {
        let inner = value.as_map_ref().ok()?.get(part)?.flatten_clone();
        value = inner;
    }
    Some(value)
}

/// A closure as it is written; None for other values.
pub fn closure_source(session: &Session, value: &Dynamic) -> Option<String> {
    session.sources.closure_source(value.read_lock::<FnPtr>()?.fn_name())
}

/// The source of the closure, or the name of the function, that a variable holds.
pub fn held_function(session: &Session, name: &str) -> Option<Held> {
    let value = variable(session, name)?;
    let function = value.read_lock::<FnPtr>()?.fn_name().to_string();
    match closure_source(session, &value) {
        Some(source) => Some(Held::Closure(source)),
        // Of a closure whose text is not known the name says nothing.
        None => (!function.starts_with("anon$")).then_some(Held::Function(function)),
    }
}

/// What a variable holds that can be called.
pub enum Held {
    /// The text of a closure.
    Closure(String),
    /// The name of a function.
    Function(String),
}

/// A value as the prompt shows it: closures as they are written, a text of several lines as these lines.
pub fn whole(session: &Session, value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) if text.trim_end_matches('\n').contains('\n') => text.trim_end_matches('\n').to_string(),
        _ => closure_source(session, value).unwrap_or_else(|| show::show(value)),
    }
}

/// A value on one line of at most `most` characters, closures as they are written.
pub fn short(session: &Session, value: &Dynamic, most: usize) -> String {
    match closure_source(session, value) {
        Some(source) => shortened(&source, most),
        None => show::short(value, most),
    }
}

fn text(session: &Session, name: &str, value: &Dynamic) -> String {
    let kind = show::type_name(value);
    let mut out = format!("{}  {}\n\n", name.cyan().bold(), kind.dimmed());
    let width = of_text();
    // The keys of a map are listed below.
    if !value.is_map() {
        let source = closure_source(session, value).map(|source| shortened(&source, width.saturating_sub(8)));
        let shown = source.unwrap_or_else(|| whole(session, value));
        let short: String = shown.chars().take(SHOWN).collect();
        let dots = if short.len() < shown.len() { " ..." } else { "" };
        out.push_str(&format!("{}\n", folded(&format!("{}{dots}", short.trim_end()), width, 2)));
    }
    if let Ok(array) = value.as_array_ref() {
        let of = array.first().map_or(String::new(), |first| format!(", the first {}", show::a_type(first)));
        out.push_str(&format!("\n{}{of}\n", counted(array.len(), "item")));
    }
    if let Ok(map) = value.as_map_ref() {
        for (key, value) in map.iter().take(KEYS) {
            let line = short(session, value, width.saturating_sub(41).max(20));
            out.push_str(&format!("  {:<20} {:<12} {line}\n", key.green(), show::type_name(value).dimmed()));
        }
        if map.len() > KEYS {
            out.push_str(&format!("  ... {} more keys\n", map.len() - KEYS));
        }
    }
    match vocabulary::find_kind(&kind) {
        Some(kind) => out.push_str(&format!("\n{}", docs::kind_text(kind))),
        None => {
            if let Some(own) = own_types::find(&kind) {
                let names: Vec<&str> = own.members.iter().map(|m| m.name()).collect();
                let members = folded(&format!("members: {} (?{})", names.join(", "), own.name), width, 2);
                out.push_str(&format!("\n{members}\n"));
            }
        }
    }
    out
}

/// The text for a library that was imported under this name: its first comment and its functions with theirs.
pub fn library_text(session: &Session, name: &str) -> Option<String> {
    let (_, source, text) = library(session, name)?;
    let width = of_text();
    let mut out = format!("{}  {}\n", name.cyan().bold(), source.dimmed());
    if text.starts_with("//") {
        out.push_str(&format!("{}\n", folded(first_line(&text), width, 0)));
    }
    for (signature, comment) in library_functions(&text) {
        out.push_str(&format!("\n{}\n", format!("{name}::{signature}").cyan().bold()));
        if !comment.is_empty() {
            out.push_str(&format!("{}\n", folded(&format!("    {}", comment.replace('\n', "\n    ")), width, 0)));
        }
    }
    Some(out)
}

/// The source of a library that was imported under this name, or of one function of it (`m::f`).
pub fn library_source(session: &Session, name: &str) -> Option<String> {
    if let Some((_, _, text)) = library(session, name) {
        return Some(highlight(&text));
    }
    let (name, function) = name.split_once("::")?;
    let (_, _, text) = library(session, name)?;
    function_source(&text, function).map(|text| highlight(&text))
}

/// The text of the function `m::f` of a library that was imported as `m`, with its comment.
pub fn library_function(session: &Session, name: &str) -> Option<String> {
    let (name, function) = name.split_once("::")?;
    let (_, _, text) = library(session, name)?;
    function_source(&text, function)
}

fn library(session: &Session, name: &str) -> Option<(String, String, String)> {
    session.libraries().into_iter().find(|(known, ..)| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_are_shown_as_they_are_written() {
        let mut session = crate::primitives::session();
        let _ = session.eval("let w = 2;", "line 1").unwrap();
        let code = "let loss = |y, t| {\n  // weighted\n  (y - t) * w\n}; let m = #{f: |x| x + 1};";
        let _ = session.eval(code, "line 2").unwrap();
        let Some(Held::Closure(source)) = held_function(&session, "loss") else { panic!("it is a closure") };
        assert_eq!(source, "|y, t| {\n  // weighted\n  (y - t) * w\n}");
        let Some(Held::Closure(source)) = held_function(&session, "m.f") else { panic!("it is a closure") };
        assert_eq!(source, "|x| x + 1");
        let plain = console::strip_ansi_codes(&variable_text(&session, "m").unwrap()).to_string();
        assert!(plain.contains("|x| x + 1") && !plain.contains("anon$"), "{plain}");
    }

    #[test]
    fn members_of_variables_are_described() {
        let mut session = crate::primitives::session();
        let code = "let p = random_partition([\"a\", \"b\"], 2); let m = #{inner: p, text: \"a\\nb\"}; let many = [p];";
        let _ = session.eval(code, "test").unwrap();
        let of =
            |name: &str| member(&session, name).map(|text| text.map(|t| console::strip_ansi_codes(&t).to_string()));
        for (name, says) in [
            ("p.tasks", "Partition.tasks"),
            ("m.inner.tasks", "Partition.tasks"),
            ("many[0].k", "Partition.k"),
            ("m.keys", "map.keys()"),
            ("m.text.len", "string.len()"),
            ("many.push", "array.push"),
        ] {
            assert!(of(name).unwrap().unwrap().contains(says), "{name}: {:?}", of(name));
        }
        let error = of("p.taks").unwrap().unwrap_err();
        assert_eq!(error.message, "p, a Partition, has no member \"taks\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"tasks\"?"));
        assert!(of("nothing.k").is_none() && of("p").is_none());
    }

    #[test]
    fn texts_of_several_lines_are_shown_as_lines() {
        let session = crate::primitives::session();
        assert_eq!(whole(&session, &"let a = `x`;\nprint(\"a\");\n".into()), "let a = `x`;\nprint(\"a\");");
        assert_eq!(whole(&session, &"one\n".into()), "\"one\\n\"");
        assert_eq!(whole(&session, &"a\tb".into()), "\"a\\tb\"");
    }

    #[test]
    fn variables_and_libraries_are_described() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abl.rhai");
        std::fs::write(&path, "//! Ablations.\n\n/// Twice x.\nfn twice(x) { 2 * x }\nprivate fn hidden() { 1 }\n")
            .unwrap();
        let mut session = crate::primitives::session();
        let code = format!(
            "let x = [1, 2, 3]; let m = #{{inner: random_partition([\"a\", \"b\"], 2)}}; import {path:?} as abl;"
        );
        let _ = session.eval(&code, "test").unwrap();
        let plain = |text: Option<String>| console::strip_ansi_codes(&text.unwrap()).to_string();
        let of_array = plain(variable_text(&session, "x"));
        assert!(of_array.starts_with("x  array") && of_array.contains("3 items, the first an integer"), "{of_array}");
        let of_field = plain(variable_text(&session, "m.inner"));
        assert!(of_field.starts_with("m.inner  Partition") && of_field.contains(".tasks"), "{of_field}");
        assert!(plain(variable_text(&session, "m")).contains("inner"));
        assert!(variable_text(&session, "nothing").is_none() && variable_text(&session, "x.y").is_none());
        let library = plain(library_text(&session, "abl"));
        assert!(
            library.contains("Ablations.") && library.contains("abl::twice(x)") && library.contains("Twice x."),
            "{library}"
        );
        assert!(!library.contains("hidden"));
        assert!(plain(library_source(&session, "abl")).contains("private fn hidden"));
        let one = plain(library_source(&session, "abl::twice"));
        assert!(one.contains("2 * x") && !one.contains("hidden"), "{one}");
        assert!(library_text(&session, "method").is_none());
    }
}
