//! `?x` of a variable, `?m` and `??m` of an imported library.

use colored::Colorize;
use rhai::Dynamic;

use super::highlighting::highlight;
use crate::activity::width::folded;
use crate::script::library_docs::{first_line, function_source, library_functions};
use crate::script::session::Session;
use crate::script::{docs, own_types, show, vocabulary};

/// Letters of a value that are shown.
const SHOWN: usize = 400;
/// So many keys of a map are listed.
const KEYS: usize = 40;

/// The text for a variable of the session, or for a field of maps (`data.train`): kind, short value, members or keys.
pub fn variable_text(session: &Session, name: &str) -> Option<String> {
    let mut parts = name.split('.');
    let first = parts.next()?;
    let mut value: Dynamic = session.scope.get(first)?.flatten_clone();
    for part in parts {
        let inner = value.as_map_ref().ok()?.get(part)?.flatten_clone();
        value = inner;
    }
    Some(text(name, &value))
}

fn text(name: &str, value: &Dynamic) -> String {
    let kind = show::type_name(value);
    let mut out = format!("{}  {}\n\n", name.cyan().bold(), kind.dimmed());
    let width = docs_width();
    let shown = show::show(value);
    let short: String = shown.chars().take(SHOWN).collect();
    let dots = if short.len() < shown.len() { " ..." } else { "" };
    out.push_str(&format!("{}\n", folded(&format!("{}{dots}", short.trim_end()), width, 2)));
    if let Ok(array) = value.as_array_ref() {
        let of = array.first().map_or(String::new(), |first| format!(", the first {}", show::a_type(first)));
        out.push_str(&format!("\n{} items{of}\n", array.len()));
    }
    if let Ok(map) = value.as_map_ref() {
        out.push('\n');
        for (key, value) in map.iter().take(KEYS) {
            let line = show::short(value, width.saturating_sub(36).max(20));
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

fn docs_width() -> usize {
    crate::activity::width::of_output().map_or(100, |columns| columns.min(100))
}

/// The text for a library that was imported under this name: its first comment and its functions with theirs.
pub fn library_text(session: &Session, name: &str) -> Option<String> {
    let (_, source, text) = library(session, name)?;
    let width = docs_width();
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
