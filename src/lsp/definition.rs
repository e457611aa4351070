//! Where a name is made, in the text or in a library, and where it is used.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use super::document::Document;
use super::libraries::{self, Library};
use super::names::{Kind, Of};
use super::workspace::{self, Workspace};
use crate::script::tokens;

/// The places where what is at a byte is made; null where that is not in a text.
pub fn at(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Value {
    let here = |range: Range<usize>| json!({ "uri": &document.uri, "range": document.range(range) });
    match document.names().at(byte) {
        Some((at, Of::Symbol(symbol))) => {
            let made: Vec<_> = document.names().made(symbol).collect();
            // On the name that an import gives: to the library.
            let library = made.first().filter(|d| d.kind == Kind::Library && d.at == at);
            if let Some(library) = library.and_then(|d| libraries::imported(document, &d.name, open)) {
                return in_library(&library, None);
            }
            made.into_iter().map(|definition| here(definition.at.clone())).collect()
        }
        Some((at, Of::InLibrary(symbol))) => {
            let name = &document.text()[at];
            let alias = document.names().definitions.get(symbol).map(|definition| definition.name.as_str());
            let library = alias.and_then(|alias| libraries::imported(document, alias, open));
            library.map_or(Value::Null, |library| in_library(&library, Some(name)))
        }
        Some(_) => Value::Null,
        None => imported_path(document, byte, open).unwrap_or(Value::Null),
    }
}

/// The place of a function in a library, or the beginning of its text.
fn in_library(library: &Library, function: Option<&str>) -> Value {
    let at = match function {
        Some(function) => match library.definition(function) {
            Some(at) => at,
            None => return Value::Null,
        },
        None => 0..0,
    };
    // The places of the text as it is there, whatever its name is.
    match library.address() {
        Ok(uri) => json!({ "uri": uri, "range": Document::new("", 0, library.text.clone()).range(at) }),
        Err(_) => Value::Null,
    }
}

/// On the string of an import: to the library.
fn imported_path(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Option<Value> {
    let text = document.text();
    let (range, _) = tokens::pieces(text).into_iter().find(|(range, _)| range.contains(&byte))?;
    let is_import = text[..range.start].trim_end().ends_with("import");
    let path = libraries::string(text, range).filter(|_| is_import)?;
    libraries::find(document, &path, open).map(|library| in_library(&library, None))
}

/// The places where what is at a byte is used, those where it is made first if they are asked for; and its own.
pub fn uses(document: &Document, byte: usize, with_definitions: bool) -> Vec<Range<usize>> {
    let names = document.names();
    let mut found: Vec<Range<usize>> = match names.at(byte) {
        Some((_, Of::Symbol(symbol))) => {
            let made = names.made(symbol).filter(|_| with_definitions).map(|definition| definition.at.clone());
            made.chain(names.used(symbol).map(|used| used.at.clone())).collect()
        }
        // The function of a library: all of its calls.
        Some((at, of @ Of::InLibrary(_))) => {
            let name = &document.text()[at];
            let same = names.uses.iter().filter(|used| used.of == of && &document.text()[used.at.clone()] == name);
            same.map(|used| used.at.clone()).collect()
        }
        _ => vec![],
    };
    found.sort_by_key(|range| range.start);
    found.dedup();
    found
}

/// All places where what is at a byte is used, and where it is made if that is asked for: in the document, and in the texts that see it
/// through an import, each as its address and the place.
pub fn references(
    document: &Document,
    byte: usize,
    with_definitions: bool,
    workspace: Workspace,
) -> Vec<(String, lsp_types::Range)> {
    let mut found = Vec::new();
    let mut add = |document: &Document, ranges: Vec<Range<usize>>| {
        found.extend(ranges.into_iter().map(|at| (document.uri.clone(), document.range(at))));
    };
    let Some(shared) = workspace::shared(document, byte, workspace.open) else {
        add(document, uses(document, byte, with_definitions));
        return found;
    };
    match document.names().at(byte) {
        // From a text that imports it: in the library itself too.
        Some((_, Of::InLibrary(symbol))) => {
            let alias = document.names().definitions.get(symbol).map(|definition| definition.name.as_str());
            let library = alias.and_then(|alias| libraries::imported(document, alias, workspace.open));
            if let Some((library, uri)) = library.and_then(|library| library.address().ok().map(|uri| (library, uri)))
                && let Some(at) = library.definition(&shared.name)
            {
                let library = Document::new(&uri, 0, library.text);
                add(&library, uses(&library, at.start, with_definitions));
            }
        }
        _ => add(document, uses(document, byte, with_definitions)),
    }
    // (What could not be looked at has no place to show.)
    let _ = workspace.others(&shared, &mut |other| add(other, workspace::uses(other, &shared, workspace.open)));
    found
}
