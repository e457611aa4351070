//! Files beside a model's own that it needs: a TorchScript module, word vectors. A file of weights says their paths, and a path from
//! a file is never followed: it may lead anywhere, and a module is a program. The caller names them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::functions::Code;

/// The files beside a file of weights, as its caller names them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Of a model on backbone "torchscript".
    pub module: Option<&'a Path>,
    /// Of a model with word vectors from a file, whose own file does not hold them.
    pub word_vectors: Option<&'a Path>,
    /// Of a model whose head is a closure.
    pub head: Option<&'a Code>,
    /// Of a model whose adapter is a closure.
    pub adapter: Option<&'a Code>,
}

impl<'a> Beside<'a> {
    /// Nothing is named.
    pub const NONE: Beside<'static> = Beside { module: None, word_vectors: None, head: None, adapter: None };

    /// The module alone.
    pub fn module(path: &'a Path) -> Self {
        Beside { module: Some(path), ..Beside::NONE }
    }
}

/// Files that this process has named itself, by their real paths.
static NAMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Notes that this process, and not a file that it read, names this file.
pub(super) fn name(path: &Path) {
    if let Ok(path) = path.canonicalize() {
        NAMED.lock().insert(path);
    }
}

/// Whether this process has named this file.
pub(super) fn is_named(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| NAMED.lock().contains(&path))
}
