//! The texts of the libraries that a text imports.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::names::Names;
use super::uri;
use crate::environment;
use crate::error::Result;
use crate::files::own;
use crate::script::library_docs;
use crate::script::modules::{self, STDLIB};

/// A library as it is imported.
pub struct Library {
    /// What the import writes: `method`, `lib/own`.
    pub path: String,
    /// The name that it is shown under: its file, or `stdlib/method.rhai`.
    pub name: String,
    pub text: String,
}

/// The library that `document` imports under the name `alias`. One that the editor has open is as the editor has it.
pub fn imported(document: &Document, alias: &str, open: &BTreeMap<String, Document>) -> Option<Library> {
    let definition = document.names().library(alias)?;
    find(document, &string(document.text(), definition.value.clone())?, open)
}

/// The library that an import in `document` names.
pub fn find(document: &Document, path: &str, open: &BTreeMap<String, Document>) -> Option<Library> {
    let (name, text) = modules::find_with(path, Some(&document.name), &|name| unsaved(open, name)).ok()??;
    Some(Library { path: path.to_string(), name, text })
}

/// The text of a file as the editor has it, if it is open.
pub fn unsaved(open: &BTreeMap<String, Document>, name: &str) -> Option<String> {
    open.values().find(|other| modules::is_same(&other.name, name)).map(|other| other.text().to_string())
}

/// The contents of the string at these bytes.
pub fn string(text: &str, at: Range<usize>) -> Option<String> {
    let written = text.get(at)?.trim_matches(['"', '`']);
    (!written.is_empty()).then(|| written.to_string())
}

impl Library {
    /// Whether it is a part of cpsd, and no file of the user.
    pub fn is_embedded(&self) -> bool {
        STDLIB.iter().any(|(name, _)| *name == self.path)
    }

    /// Signatures and comments of the functions that it has for others.
    pub fn functions(&self) -> Vec<(String, String)> {
        library_docs::library_functions(&self.text)
    }

    /// Signature and comment of a function.
    pub fn function(&self, name: &str) -> Option<(String, String)> {
        self.functions().into_iter().find(|(signature, _)| signature.split('(').next() == Some(name))
    }

    /// The address of its text, which an embedded library gets here.
    ///
    /// Errors: Io, if the text of an embedded library cannot be written.
    pub fn address(&self) -> Result<String> {
        let embedded = STDLIB.iter().find(|(name, _)| *name == self.path);
        let path = match embedded {
            Some((name, text)) => written(name, text)?,
            None => {
                let path = std::path::absolute(&self.name).unwrap_or_else(|_| PathBuf::from(&self.name));
                // As the editor has opened it. (Behind a link `..` may lead elsewhere.)
                let plain = modules::plain(&path.display().to_string());
                if own::is_absent(&plain) { path } else { plain }
            }
        };
        Ok(uri::of_path(&path))
    }

    /// The bytes of the name of a function where it is defined.
    pub fn definition(&self, function: &str) -> Option<Range<usize>> {
        let names = Names::of(&self.text);
        names.functions().find(|definition| definition.name == function).map(|definition| definition.at.clone())
    }
}

/// The file that the text of an embedded library is written to, under the user's folder of caches; nobody may write it. A change of
/// the text is another file.
fn written(name: &str, text: &str) -> Result<PathBuf> {
    let folder = match caches() {
        Some(caches) => caches.join("cpsd/stdlib"),
        None => own::session_folder()?,
    };
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let folder = folder.join(&hash.as_str()[..12]);
    let path = folder.join(format!("{name}.rhai"));
    if own::read_text(&path).is_ok_and(|known| known == text) {
        return Ok(path);
    }
    own::create_folders(&folder)?;
    own::write(&path, text.as_bytes())?;
    // On a disk without such rights it is a copy that may be written.
    let _ = own::protect(&path);
    Ok(path)
}

/// The user's folder of caches.
fn caches() -> Option<PathBuf> {
    let caches = environment::path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    caches.or_else(|| environment::path("HOME").filter(|home| home.is_absolute()).map(|home| home.join(".cache")))
}

/// Whether a file is one of those that [`Library::address`] writes: it is read, and not changed.
pub fn is_written(path: &Path) -> bool {
    caches().is_some_and(|caches| path.starts_with(caches.join("cpsd/stdlib")))
}
