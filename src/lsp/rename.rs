//! Another name for a variable, a function or a library of a text, also in the texts that import it.

use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::definition::uses;
use super::document::Document;
use super::libraries;
use super::names::{KEYWORDS, Names, Of};
use super::uri;
use super::workspace::{self, Shared, Workspace};
use crate::error::{Error, Result};
use crate::script::{modules, naming, tokens, vocabulary};

/// The name at a byte, if it can have another one. Errors: it is a word of the language, or no name; it is made in a library that is not
/// changed here.
pub fn prepare(document: &Document, byte: usize, workspace: Workspace) -> Result<Range<usize>> {
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
        Some((at, Of::InLibrary(symbol))) => made_in(document, symbol, &text[at.clone()], workspace).map(|_| at),
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

/// The library that makes `name`, which a document uses through the import of this symbol, and the byte where it is made.
///
/// Errors: the library is a part of cpsd, outside of the editor's folders, or does not have the name.
fn made_in(document: &Document, symbol: usize, name: &str, workspace: Workspace) -> Result<(Document, usize)> {
    let Some(library) = workspace::library(document, symbol, workspace.open) else {
        return Err(Error::argument(format!("the library that {name} is of is not found")));
    };
    let refused = |why: &str| Err(Error::argument(format!("{name} is made in {}, {why}", library.name)));
    if library.is_embedded() {
        return refused("which is a part of cpsd and is not changed");
    }
    let open = workspace.open.values().find(|open| modules::is_same(&open.name, &library.name));
    let uri = open.map_or_else(|| library.address(), |open| Ok(open.uri.clone()))?;
    let is_inside = |path: PathBuf| workspace.folders.iter().any(|folder| path.starts_with(folder));
    if !workspace.folders.is_empty() && !uri::to_path(&uri).is_some_and(is_inside) {
        return refused(
            "which is outside of the folders that the editor works in: others that import it would not be found",
        );
    }
    let library = Document::new(&uri, 0, library.text);
    match workspace::made(&library, name) {
        Some(at) => Ok((library, at)),
        None => Err(Error::argument(format!("{} makes no {name}", library.name))),
    }
}

/// Functions that may be given any name as a text.
const HIDDEN: &[&str] = &["eval", "is_def_var", "is_def_fn", "call_fn"];

/// The changes that give what is at a byte the name `new`, in the text that makes it and in those that import it.
///
/// Errors: those of [`prepare`]; `new` is no name, a word of the language, or means something else where the name is used; not all uses can
/// be told.
pub fn to(document: &Document, byte: usize, new: &str, workspace: Workspace) -> Result<Value> {
    let at = prepare(document, byte, workspace)?;
    let text = document.text();
    if let Some((at, Of::InLibrary(symbol))) = document.names().at(byte) {
        let name = &text[at];
        let (library, made) = made_in(document, symbol, name, workspace)?;
        let mut edit = to(&library, made, new, workspace)?;
        // A text that is outside of the folders is not among those that import the library.
        let path = uri::to_path(&document.uri);
        let is_this = |uri: &String| *uri == document.uri || (path.is_some() && uri::to_path(uri) == path);
        if let Some(changes) = edit["changes"].as_object_mut()
            && !changes.keys().any(is_this)
        {
            check_told(document)?;
            let shared = Shared { library: library.name.clone(), name: name.to_string() };
            let places = workspace::uses(document, &shared, workspace.open);
            changes.insert(document.uri.clone(), edits(document, places, new));
        }
        return Ok(edit);
    }
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
    let mut changes = Map::from_iter([(document.uri.clone(), edits(document, places, new))]);
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
                changes.insert(other.uri.clone(), edits(other, places, new));
            }
        });
        unclear?;
        complete.map_err(|why| Error::argument(format!("not all texts that may use {old} could be read: {why}")))?;
    }
    Ok(json!({ "changes": changes }))
}

/// The edits of a document that write `new` in these places.
fn edits(document: &Document, places: Vec<Range<usize>>, new: &str) -> Value {
    places.into_iter().map(|at| json!({ "range": document.range(at), "newText": new })).collect()
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
