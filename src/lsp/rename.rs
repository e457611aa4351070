//! Another name for a variable, a function or a library of a text.

use std::ops::Range;

use serde_json::{Value, json};

use super::definition::uses;
use super::document::Document;
use super::libraries;
use super::names::{KEYWORDS, Names, Of};
use super::uri;
use crate::error::{Error, Result};
use crate::script::{naming, tokens, vocabulary};

/// The name at a byte, if it can have another one. Errors: it is a word of the language, or no name.
pub fn prepare(document: &Document, byte: usize) -> Result<Range<usize>> {
    if uri::to_path(&document.uri).is_some_and(|path| libraries::is_written(&path)) {
        return Err(Error::argument("the libraries of cpsd are read here, not changed"));
    }
    let text = document.text();
    let refused = |name: &str| match () {
        _ if vocabulary::find(name).is_some() => format!("{name} is a word of the language"),
        _ if KEYWORDS.contains(&name) => format!("{name} is a keyword of the language"),
        _ => format!("{name} is not made in this text"),
    };
    match document.names().at(byte) {
        Some((at, Of::Symbol(_))) => Ok(at),
        Some((at, Of::InLibrary(_))) => {
            Err(Error::argument(format!("{} is made in a library, and others may use it", &text[at])))
        }
        Some((at, Of::Member | Of::Key)) => {
            Err(Error::argument(format!("{} is a member or a key, whose uses cannot be told", &text[at])))
        }
        Some((at, _)) => Err(Error::argument(refused(&text[at]))),
        None => {
            let pieces = tokens::pieces(text);
            let word = pieces.into_iter().find(|(range, piece)| *piece == tokens::Piece::Word && range.contains(&byte));
            Err(Error::argument(word.map_or("there is no name here".into(), |(range, _)| refused(&text[range]))))
        }
    }
}

/// The changes that give what is at a byte the name `new`.
///
/// Errors: those of [`prepare`]; `new` is no name, a word of the language, or means something else where the name is used.
pub fn to(document: &Document, byte: usize, new: &str) -> Result<Value> {
    let at = prepare(document, byte)?;
    let text = document.text();
    let old = &text[at];
    if vocabulary::find(new).is_some() {
        return Err(Error::argument(format!("{new} is a word of the language")));
    }
    if !naming::is_free(new) {
        return Err(Error::argument(format!("\"{new}\" can be no name"))
            .with_help("a name has letters from a to z, digits and _, begins with a letter or _, and is no keyword"));
    }
    // A text that is evaluated may hold any name.
    let hidden = ["eval", "is_def_var", "is_def_fn", "call_fn"];
    let pieces = tokens::pieces(text);
    if let Some((range, _)) = pieces.iter().find(|(range, _)| hidden.contains(&&text[range.clone()])) {
        return Err(Error::argument(format!(
            "this text uses {}, so what names it reads cannot be told",
            &text[range.clone()]
        )));
    }
    let places = uses(document, byte, true);
    let mut renamed = text.to_string();
    places.iter().rev().for_each(|at| renamed.replace_range(at.clone(), new));
    // Each name must mean what it meant before.
    if meanings(document.names()) != meanings(&Names::of(&renamed)) {
        return Err(Error::argument(format!("{new} means something else where {old} is used")));
    }
    let edits: Vec<Value> =
        places.into_iter().map(|at| json!({ "range": document.range(at), "newText": new })).collect();
    Ok(json!({ "changes": { &document.uri: edits } }))
}

/// What every name of a text stands for, in order, whatever the names are.
fn meanings(names: &Names) -> Vec<(usize, Of)> {
    let made = names.definitions.iter().map(|definition| (definition.symbol, Of::Symbol(definition.symbol)));
    made.chain(names.uses.iter().map(|used| (usize::MAX, used.of.clone()))).collect()
}
