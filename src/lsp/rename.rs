//! Another name for a variable, a function or a library of a text, also in the texts that import it.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::definition::uses;
use super::document::Document;
use super::libraries;
use super::names::{KEYWORDS, Names, Of};
use super::uri;
use super::workspace::{self, Workspace};
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
            let message = format!("{} is made in a library, and others may use it", &text[at]);
            Err(Error::argument(message)
                .with_help("its name is changed in the library, and then in all that import it"))
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

/// Functions that may be given any name as a text.
const HIDDEN: &[&str] = &["eval", "is_def_var", "is_def_fn", "call_fn"];

/// The changes that give what is at a byte the name `new`, in its text and in those that import it.
///
/// Errors: those of [`prepare`]; `new` is no name, a word of the language, or means something else where the name is used; not all uses can
/// be told.
pub fn to(document: &Document, byte: usize, new: &str, workspace: Workspace) -> Result<Value> {
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
    check_told(document)?;
    let places = uses(document, byte, true);
    let mut renamed = text.to_string();
    places.iter().rev().for_each(|at| renamed.replace_range(at.clone(), new));
    // Each name must mean what it meant before.
    if meanings(document.names()) != meanings(&Names::of(&renamed)) {
        return Err(Error::argument(format!("{new} means something else where {old} is used")));
    }
    let edits = |document: &Document, places: Vec<Range<usize>>| -> Value {
        places.into_iter().map(|at| json!({ "range": document.range(at), "newText": new })).collect()
    };
    let mut changes = Map::from_iter([(document.uri.clone(), edits(document, places))]);
    if let Some(shared) = workspace::shared(document, byte, workspace.open) {
        let mut unclear = Ok(());
        let complete = workspace.others(&shared, &mut |other| {
            let places = workspace::uses(other, &shared, workspace.open);
            if workspace::imports_anything(other, &shared.name) {
                let message = format!("{} imports a library whose path it computes, and uses a {old}", other.name);
                unclear = Err(Error::argument(message));
            }
            if !places.is_empty() {
                if let Err(error) = check_told(other) {
                    unclear = Err(error);
                }
                changes.insert(other.uri.clone(), edits(other, places));
            }
        });
        unclear?;
        complete.map_err(|why| Error::argument(format!("not all texts that may use {old} could be read: {why}")))?;
    }
    Ok(json!({ "changes": changes }))
}

/// Errors: the text may read any name.
fn check_told(document: &Document) -> Result<()> {
    let text = document.text();
    // A text that is evaluated may hold any name.
    let pieces = tokens::pieces(text);
    match pieces.iter().find(|(range, _)| HIDDEN.contains(&&text[range.clone()])) {
        Some((range, _)) => {
            let (name, used) = (&document.name, &text[range.clone()]);
            Err(Error::argument(format!("{name} uses {used}, so what names it reads cannot be told")))
        }
        None => Ok(()),
    }
}

/// What every name of a text stands for, in order, whatever the names are.
fn meanings(names: &Names) -> Vec<(usize, Of)> {
    let made = names.definitions.iter().map(|definition| (definition.symbol, Of::Symbol(definition.symbol)));
    made.chain(names.uses.iter().map(|used| (usize::MAX, used.of.clone()))).collect()
}
