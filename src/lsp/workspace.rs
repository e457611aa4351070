//! The texts that import a library: those that the editor has open, and the files of its folders.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::libraries::{self, Library};
use super::names::{Definition, Kind, Of};
use super::uri;
use crate::files::own;
use crate::script::{modules, tokens};

/// So many files and folders are looked through.
const MOST: usize = 50_000;
/// Longer files are no scripts.
const LONGEST: u64 = 4 << 20;
/// Folders in which nobody writes scripts.
const PASSED: &[&str] = &["target", "node_modules", "__pycache__"];

/// The open texts by address, and the folders that the editor works in.
#[derive(Clone, Copy)]
pub struct Workspace<'s> {
    pub open: &'s BTreeMap<String, Document>,
    pub folders: &'s [PathBuf],
}

/// Where a name is made that other texts see through an import.
pub struct Shared {
    /// The displayed name of the library.
    pub library: String,
    pub name: String,
}

/// What is at a byte of a document, if texts that import it, or its library, see it.
pub fn shared(document: &Document, byte: usize, open: &BTreeMap<String, Document>) -> Option<Shared> {
    let names = document.names();
    match names.at(byte)? {
        (_, Of::Symbol(symbol)) => {
            let made = names.made(symbol).find(|definition| is_shared(document, definition))?;
            Some(Shared { library: document.name.clone(), name: made.name.clone() })
        }
        (at, Of::InLibrary(symbol)) => {
            let library = of_import(document, names.definitions.get(symbol)?, open)?;
            Some(Shared { library: library.name, name: document.text()[at].to_string() })
        }
        _ => None,
    }
}

/// The library that a name of this symbol is imported from.
pub fn library(document: &Document, symbol: usize, open: &BTreeMap<String, Document>) -> Option<Library> {
    of_import(document, document.names().definitions.get(symbol)?, open)
}

/// The byte at which a library makes a name for others.
pub fn made(library: &Document, name: &str) -> Option<usize> {
    let mut all = library.names().definitions.iter();
    all.find(|made| made.name == name && is_shared(library, made)).map(|made| made.at.start)
}

/// A script that the editor does not have open, from its address.
pub fn closed(uri: &str) -> Option<Document> {
    let path = uri::to_path(uri).filter(|path| path.extension().is_some_and(|end| end == "rhai"))?;
    let text = own::read_text(&path).ok().filter(|text| text.len() as u64 <= LONGEST)?;
    Some(Document::new(uri, 0, text))
}

/// Whether others see a definition: a function that is not private, a constant of the top level, a variable that is exported.
fn is_shared(document: &Document, definition: &Definition) -> bool {
    match definition.kind {
        Kind::Function => !document.text()[definition.whole.clone()].starts_with("private"),
        Kind::Constant => definition.is_top && definition.inside.is_none(),
        Kind::Variable => definition.is_top && definition.inside.is_none() && exports(document),
        _ => false,
    }
}

/// Whether a text exports variables.
fn exports(document: &Document) -> bool {
    let text = document.text();
    text.contains("export") && tokens::pieces(text).into_iter().any(|(range, _)| &text[range] == "export")
}

/// The library that an import stands for.
fn of_import(document: &Document, import: &Definition, open: &BTreeMap<String, Document>) -> Option<Library> {
    let path = libraries::string(document.text(), import.value.clone())?;
    libraries::find(document, &path, open)
}

/// The places in a document where a name of a library is used, through whatever names it is imported under.
pub fn uses(document: &Document, of: &Shared, open: &BTreeMap<String, Document>) -> Vec<Range<usize>> {
    let names = document.names();
    let is_it = |import: &&Definition| {
        import.kind == Kind::Library
            && of_import(document, import, open).is_some_and(|library| modules::is_same(&library.name, &of.library))
    };
    let imports = names.definitions.iter().filter(is_it).map(|import| Of::InLibrary(import.symbol));
    let imports: Vec<Of> = imports.collect();
    let used =
        names.uses.iter().filter(|used| imports.contains(&used.of) && document.text()[used.at.clone()] == of.name);
    used.map(|used| used.at.clone()).collect()
}

/// Whether a text imports a library whose path it computes, and uses something of this name in a library: it may be this one.
pub fn imports_anything(document: &Document, name: &str) -> bool {
    let text = document.text();
    let pieces = tokens::pieces(text);
    let word = |i: usize| pieces.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let is_written = |i: usize| word(i).starts_with(['"', '`']) && !word(i).contains("${") && word(i + 1) == "as";
    let is_computed = |i: usize| word(i) == "import" && !is_written(i + 1);
    let is_used = |i: usize| word(i) == name && i > 1 && word(i - 1) == ":" && word(i - 2) == ":";
    (0..pieces.len()).any(is_computed) && (0..pieces.len()).any(is_used)
}

impl Workspace<'_> {
    /// Shows `each` the texts other than `library` that may use a name of it. Without folders of the editor they are the scripts beside the library.
    ///
    /// Errors: not all could be looked at; why.
    pub fn others(&self, of: &Shared, each: &mut dyn FnMut(&Document)) -> Result<(), String> {
        let is_library = |name: &str| modules::is_same(name, &of.library);
        self.open.values().filter(|document| !is_library(&document.name)).for_each(&mut *each);
        let mut complete = Ok(());
        let mut see = |path: &Path| {
            let name = path.display().to_string();
            if is_library(&name) || self.open.values().any(|document| modules::is_same(&document.name, &name)) {
                return;
            }
            match own::read_text(path) {
                Ok(text) if text.contains("import") && text.contains(of.name.as_str()) => {
                    each(&Document::new(&uri::of_path(path), 0, text));
                }
                Ok(_) => {}
                Err(error) => complete = Err(error.message),
            }
        };
        let beside = Path::new(&of.library).parent().filter(|folder| folder.is_absolute());
        let mut seen = 0;
        match self.folders {
            [] => beside.into_iter().try_for_each(|folder| scripts(folder, false, &mut seen, &mut see)),
            folders => folders.iter().try_for_each(|folder| scripts(folder, true, &mut seen, &mut see)),
        }?;
        complete
    }
}

/// The scripts in a folder, and in those inside it. Links to folders are not followed.
fn scripts(folder: &Path, deep: bool, seen: &mut usize, see: &mut dyn FnMut(&Path)) -> Result<(), String> {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        // A text may have no folder yet, and a folder may go meanwhile.
        if own::is_absent(&folder) {
            continue;
        }
        let entries = own::try_entries(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            *seen += 1;
            if *seen > MOST {
                return Err(format!("the folders of the editor have more than {MOST} files"));
            }
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && deep && !name.starts_with('.') && !PASSED.contains(&&*name) => {
                    waiting.push(path);
                }
                Ok(kind) if !kind.is_dir() && name.ends_with(".rhai") && own::size(&path) <= LONGEST => see(&path),
                _ => {}
            }
        }
    }
    Ok(())
}
