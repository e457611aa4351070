//! Help for what the mouse is on: words, members, keywords, options, names in strings; functions and variables of the text;
//! functions of libraries.

use std::collections::BTreeMap;
use std::ops::Range;

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};

use super::completion::{comment, option};
use super::document::Document;
use super::libraries;
use super::names::{KEYWORDS, Kind, Of};
use crate::repl::context::context;
use crate::repl::infer;
use crate::script::library_docs::first_line;
use crate::script::tokens::{self, Piece};
use crate::script::{docs, keywords, own_types, reference, vocabulary};

/// The help for the token at a byte, as Markdown or as plain text.
pub fn at(document: &Document, byte: usize, open: &BTreeMap<String, Document>, markdown: bool) -> Option<Hover> {
    let (range, text) = found(document, byte, open)?;
    let (kind, value) = match markdown {
        true => (MarkupKind::Markdown, text),
        false => (MarkupKind::PlainText, plain(&text)),
    };
    let contents = HoverContents::Markup(MarkupContent { kind, value: value.trim().to_string() });
    Some(Hover { contents, range: Some(document.range(range)) })
}

/// Markdown without its fences.
fn plain(markdown: &str) -> String {
    markdown.lines().filter(|line| !line.starts_with("```")).collect::<Vec<_>>().join("\n")
}

fn code(text: &str) -> String {
    format!("```rhai\n{text}\n```\n")
}

/// Text that is laid out already.
fn block(text: &str) -> String {
    format!("```text\n{}\n```\n", text.trim_end())
}

fn found(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Option<(Range<usize>, String)> {
    let text = document.text();
    if let Some((range, of)) = document.names().at(byte) {
        let name = &text[range.clone()];
        let help = match of {
            Of::Symbol(symbol) => of_symbol(document, symbol, open),
            Of::InLibrary(symbol) => {
                let alias = &document.names().definitions.get(symbol)?.name;
                let (signature, comment) = libraries::imported(document, alias, open)?.function(name)?;
                Some(format!("{}\n{}", code(&format!("{alias}::{signature}")), comment))
            }
            Of::Member => member(document, range.start, name),
            Of::Key => of_key(document, range.start, name),
            Of::Other | Of::OtherFunction => of_word(name),
        };
        return help.map(|help| (range, help));
    }
    let touches = |range: &Range<usize>| range.start <= byte && byte <= range.end;
    let (range, piece) =
        tokens::with_comments(text).find(|(range, _)| touches(range) && byte < range.end.max(range.start + 1))?;
    let token = &text[range.clone()];
    match piece {
        Piece::Word if KEYWORDS.contains(&token) => of_word(token).map(|help| (range, help)),
        Piece::Text if token.starts_with('"') => {
            let help = of_string(document, range.start, token.trim_matches('"'), open)?;
            Some((range, help))
        }
        _ => None,
    }
}

/// The documentation of a word of the language, a keyword, or whatever `?name` knows.
fn of_word(name: &str) -> Option<String> {
    if let Some(word) = vocabulary::find(name) {
        return Some(reference::word_text(word).replace("```rust", "```rhai"));
    }
    if let Some(keyword) = keywords::find(name) {
        return Some(of_keyword(keyword));
    }
    None
}

fn of_keyword(keyword: &keywords::Keyword) -> String {
    let (example, gives) = keyword.example;
    let gives = if gives.is_empty() { String::new() } else { format!(" // {gives}") };
    format!("{}\n{}\n\n{}", code(keyword.usage), keyword.text, code(&format!("{example}{gives}")))
}

fn of_symbol(document: &Document, symbol: usize, open: &BTreeMap<String, Document>) -> Option<String> {
    let names = document.names();
    let text = document.text();
    let made: Vec<_> = names.made(symbol).collect();
    let definition = made.first()?;
    match definition.kind {
        Kind::Function => {
            let all = made.iter().map(|d| {
                let signature = if d.signature.is_empty() { &d.name } else { &d.signature };
                format!("{}\n{}\n", code(&format!("fn {signature}")), comment(text, d.whole.start))
            });
            Some(all.collect::<Vec<_>>().join("\n"))
        }
        Kind::Library => {
            let library = libraries::imported(document, &definition.name, open);
            let head = code(&text[definition.whole.start..definition.at.end]);
            Some(library.map_or(head.clone(), |library| format!("{head}\n{}", of_library(&library))))
        }
        kind => {
            let is_of = document.kinds().kind(symbol);
            let what = match kind {
                Kind::Constant => "constant",
                Kind::Parameter => "parameter",
                Kind::Loop => "variable of a loop",
                Kind::Caught => "caught error",
                _ => "variable",
            };
            let mut help = code(&format!(
                "{}{}",
                definition.name,
                if is_of.is_empty() { String::new() } else { format!(": {is_of}") }
            ));
            match definition
                .inside
                .and_then(|function| names.definitions.get(function))
                .filter(|_| kind == Kind::Parameter)
            {
                Some(function) => help.push_str(&format!("\n{what} of {}", function.name)),
                None => help.push_str(&format!("\n{what}")),
            }
            if let Some(kind) = vocabulary::find_kind(is_of) {
                help.push_str(&format!("\n\n{}: {}", kind.name, kind.summary));
            }
            Some(help)
        }
    }
}

/// First line and functions of a library.
fn of_library(library: &libraries::Library) -> String {
    let mut help = format!("{}\n\n", first_line(&library.text));
    for (signature, comment) in library.functions() {
        let line = comment.lines().next().unwrap_or_default();
        help.push_str(&format!("- `{signature}` {line}\n"));
    }
    help
}

/// A member of the kind of what is before its dot; of all kinds where that is not known.
fn member(document: &Document, start: usize, name: &str) -> Option<String> {
    let before = document.text()[..start].trim_end();
    let receiver = before.strip_suffix('.')?.trim_end_matches('?');
    let scope = document.kinds().scope(document.names(), start);
    let kind = infer::kind(receiver, &scope);
    let line = |of: &str, usage: &str, doc: &str| format!("{}\n{doc}\n", code(&format!("{of}.{usage}")));
    if let Some(kind) = kind.as_deref().and_then(vocabulary::find_kind) {
        let member = kind.members.iter().find(|member| member.name() == name)?;
        return Some(line(kind.name, member.usage, member.doc));
    }
    // A field of a map that the text makes.
    let path = format!("{}.{name}", crate::repl::input::ending(receiver, |c| tokens::is_word(c) || c == '.'));
    if let Some((_, kind)) = scope.iter().find(|(known, _)| *known == path) {
        return Some(code(&if kind.is_empty() { path } else { format!("{path}: {kind}") }));
    }
    if let Some(own) = kind.as_deref().and_then(own_types::find) {
        let member = own.members.iter().find(|member| member.name() == name)?;
        return Some(line(own.name, member.usage, member.doc));
    }
    let of_kinds =
        vocabulary::kinds().iter().flat_map(|kind| kind.members.iter().map(|m| (kind.name, m.usage, m.doc, m.name())));
    let of_own =
        own_types::OWN_TYPES.iter().flat_map(|own| own.members.iter().map(|m| (own.name, m.usage, m.doc, m.name())));
    let all: Vec<String> = of_kinds
        .chain(of_own)
        .filter(|(.., known)| *known == name)
        .map(|(of, usage, doc, _)| line(of, usage, doc))
        .collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// A key of a map of options.
fn of_key(document: &Document, start: usize, name: &str) -> Option<String> {
    let head = &document.text()[..start];
    let code_from = tokens::typed_code(head)?;
    let at = context(&head[code_from..]);
    let (default, text) = option(&at, name)?;
    let of = at.call.unwrap_or_default();
    let default = if default.is_empty() { String::new() } else { format!(", `{default}` by default") };
    Some(format!("{}\noption of {of}{default}\n\n{text}\n", code(name)))
}

/// What a string names: the library of an import, or a backbone, a head, a recipe, a topic.
fn of_string(document: &Document, start: usize, name: &str, open: &BTreeMap<String, Document>) -> Option<String> {
    let head = document.text()[..start].trim_end();
    if head.ends_with("import") {
        return libraries::find(document, name, open).map(|library| of_library(&library));
    }
    // Words that strings happen to have are no names here.
    let is_name = docs::names().any(|known| known == name);
    if !is_name || vocabulary::find(name).is_some() || keywords::find(name).is_some() || own_types::find(name).is_some()
    {
        return None;
    }
    let at = context(head);
    let expected = at.key.is_some() || at.call.is_some();
    expected.then(|| docs::doc(Some(name)).ok()).flatten().map(|text| block(&text))
}
