//! Completion: what the prompt would offer, from the names of the text instead of those of a session.

use std::collections::BTreeMap;

use lsp_types::{CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, TextEdit};

use super::document::Document;
use super::libraries::{self, Library};
use super::names::Kind;
use crate::options::OptionDoc;
use crate::repl::completion::Names;
use crate::repl::context::{Context, context};
use crate::repl::infer;
use crate::repl::input::{in_string, last_word};
use crate::script::options::literal;
use crate::script::{keywords, option_parts, own_types, tokens, vocabulary};

/// What fits at a byte of a document.
pub fn at(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Vec<CompletionItem> {
    let before = &document.text()[..byte];
    // In a comment, and among the words of a string in backticks, nothing does.
    let Some(from) = tokens::typed_code(before) else { return vec![] };
    let scope = document.kinds().scope(document.names(), byte);
    let imported = imported(document, byte, open);
    let functions = document.names().functions().map(|function| function.signature.clone()).collect();
    let of_libraries = imported.iter().map(|(alias, library)| {
        let names = library.functions().into_iter().map(|(signature, _)| name_of(&signature).to_string());
        (alias.clone(), names.collect())
    });
    let names = Names::of(&document.name, scope.clone(), functions, of_libraries.collect());
    let code = &before[from..];
    // A question mark or a colon at the beginning is for the prompt alone.
    let Some((start, found)) = names.fitting(code) else { return vec![] };
    let names = document.names();
    let seen = names.seen(byte).into_iter().map(|number| (names.definitions[number].name.as_str(), number));
    let (seen, at) = (seen.collect(), context(&code[..start]));
    let place = Place { document, code, start, at, seen, scope: &scope, imported: &imported };
    let range = document.range(from + start..byte);
    let item = |label: String| {
        let (kind, detail, text) = place.described(label.trim_end_matches(": "));
        CompletionItem {
            kind: Some(kind),
            detail: detail.filter(|detail| !detail.is_empty()),
            documentation: text.filter(|text| !text.is_empty()).map(Documentation::String),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: label.clone() })),
            filter_text: Some(label.trim_end_matches(": ").to_string()),
            label: label.trim_end_matches(": ").to_string(),
            ..CompletionItem::default()
        }
    };
    found.into_iter().map(|pair| item(pair.replacement)).collect()
}

/// The libraries that are seen at a byte, by the names that they have there.
pub fn imported(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Vec<(String, Library)> {
    let names = document.names();
    let libraries = names.seen(byte).into_iter().map(|number| &names.definitions[number]);
    let libraries = libraries.filter(|definition| definition.kind == Kind::Library);
    let found = libraries.filter_map(|d| Some((d.name.clone(), libraries::imported(document, &d.name, open)?)));
    found.collect()
}

/// `f` of `f(a, b)`.
pub fn name_of(signature: &str) -> &str {
    signature.split('(').next().unwrap_or(signature)
}

/// Where something is completed.
struct Place<'d> {
    document: &'d Document,
    code: &'d str,
    /// Where in the code the completed word begins.
    start: usize,
    /// What is open there.
    at: Context<'d>,
    /// The variables and libraries that are seen there.
    seen: BTreeMap<&'d str, usize>,
    scope: &'d [(String, String)],
    imported: &'d [(String, Library)],
}

type Described = (CompletionItemKind, Option<String>, Option<String>);

impl Place<'_> {
    /// What a name is here, a line about it, and its documentation.
    fn described(&self, name: &str) -> Described {
        let head = &self.code[..self.start];
        if in_string(self.code) {
            return (CompletionItemKind::VALUE, None, None);
        }
        if let Some(library) = head.strip_suffix("::") {
            let library = self.imported.iter().find(|(alias, _)| alias == last_word(library));
            let function = library.and_then(|(_, library)| library.function(name));
            let (signature, comment) = function.unzip();
            return (CompletionItemKind::FUNCTION, signature, comment);
        }
        if let Some(receiver) = head.strip_suffix('.') {
            return self.member(receiver, name);
        }
        if let Some((default, text)) = option(&self.at, name) {
            let default = Some(default).filter(|default| !default.is_empty());
            return (CompletionItemKind::PROPERTY, default.map(|default| format!("default {default}")), Some(text));
        }
        self.name(name)
    }

    fn member(&self, receiver: &str, name: &str) -> Described {
        let kind = infer::kind(receiver, self.scope);
        let known = kind.as_deref().and_then(vocabulary::find_kind);
        let all = known.map_or(vocabulary::kinds(), std::slice::from_ref);
        let kind_of = |usage: &str| match usage.contains('(') {
            true => CompletionItemKind::METHOD,
            false => CompletionItemKind::FIELD,
        };
        let own = kind.as_deref().and_then(own_types::find);
        if known.is_none()
            && let Some(member) = own.and_then(|own| own.members.iter().find(|member| member.name() == name))
        {
            return (kind_of(member.usage), Some(member.usage.to_string()), Some(member.doc.to_string()));
        }
        let found = all.iter().find_map(|kind| Some((kind, kind.members.iter().find(|m| m.name() == name)?)));
        match found {
            Some((kind, member)) => {
                (kind_of(member.usage), Some(format!("{}.{}", kind.name, member.usage)), Some(member.doc.to_string()))
            }
            None => (CompletionItemKind::FIELD, None, None),
        }
    }

    fn name(&self, name: &str) -> Described {
        let names = self.document.names();
        if let Some(&number) = self.seen.get(name) {
            return match names.definitions[number].kind {
                Kind::Library => {
                    let library = self.imported.iter().find(|(alias, _)| alias == name);
                    let line =
                        library.map(|(_, library)| crate::script::library_docs::first_line(&library.text).to_string());
                    (CompletionItemKind::MODULE, Some("library".into()), line)
                }
                Kind::Constant => (CompletionItemKind::CONSTANT, Some(self.document.kinds().kind(number).into()), None),
                _ => (CompletionItemKind::VARIABLE, Some(self.document.kinds().kind(number).into()), None),
            };
        }
        if let Some(function) = names.functions().find(|function| function.name == name) {
            let comment = comment(self.document.text(), function.whole.start);
            return (CompletionItemKind::FUNCTION, Some(function.signature.clone()), Some(comment));
        }
        if let Some(word) = vocabulary::find(name) {
            let signature = word.signatures.first().map(|signature| signature.to_string());
            return (CompletionItemKind::FUNCTION, signature, Some(word.summary.to_string()));
        }
        let text = keywords::find(name).map(|keyword| keyword.text.to_string());
        (CompletionItemKind::KEYWORD, None, text)
    }
}

/// Default and text of an option, if a place is in a map of options that has it.
pub fn option(at: &Context, name: &str) -> Option<(String, String)> {
    if !at.in_map || at.key.is_some() {
        return None;
    }
    if !at.path.is_empty() {
        let part = option_parts::parts(&at.path).into_iter().find(|part| part.key == name)?;
        return Some((part.default, part.text));
    }
    let options = at.call.filter(|_| !at.is_method).and_then(vocabulary::find)?.options.as_ref()?;
    let OptionDoc { text, .. } = (options.docs)().into_iter().find(|doc| doc.key == name)?;
    let default = (options.defaults)().get(name).map_or(String::new(), literal);
    Some((default, text.to_string()))
}

/// The text of the `///` lines above a byte.
pub fn comment(text: &str, byte: usize) -> String {
    let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
    let lines = text[..start].lines().rev().map_while(|line| line.trim_start().strip_prefix("///"));
    let mut lines: Vec<&str> = lines.map(str::trim).collect();
    lines.reverse();
    lines.join("\n")
}
