//! Folders in the store that have a run's name and hold no finished run.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::key::is_id;
use super::store::{Run, RunStore, SUMMARY};
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

/// A folder with a run's name that holds no finished run.
#[derive(Clone, Debug)]
pub struct Damaged {
    pub id: String,
    pub dir: PathBuf,
    /// What is wrong: `it has no summary.json`.
    pub why: &'static str,
}

/// None for the folder of a finished run. Only what is certain counts: a summary that cannot be read now (no permission, an
/// error of the disk) is one, and reading the run says so. The listing comes first, see [`RunStore::look`].
///
/// Errors: the folder cannot be listed; it may be on its way.
pub(super) fn what_is_wrong(dir: &Path) -> std::io::Result<Option<&'static str>> {
    match own::try_entries(dir).map(|mut entries| entries.any(|entry| entry.file_name() == SUMMARY)) {
        Ok(true) => {}
        Ok(false) => return Ok(Some(NO_SUMMARY)),
        Err(e) if e.kind() == ErrorKind::NotADirectory => return Ok(Some(NO_FOLDER)),
        Err(e) => return Err(e),
    }
    Ok(match own::read(&dir.join(SUMMARY)).map(|bytes| json::parse::<Value>(&bytes)) {
        Ok(Ok(Value::Object(_))) | Err(_) => None,
        Ok(_) => Some(NO_JSON),
    })
}

/// The finished run of this id in the store's root.
pub(super) fn finished(root: &Path, id: &str) -> Option<Run> {
    let dir = root.join(id);
    (is_id(id) && matches!(what_is_wrong(&dir), Ok(None))).then(|| Run { id: id.to_string(), dir })
}

/// The names in the root of a store, listed once: to look up many runs. Each [`RunStore::find`] lists the root anew.
pub struct Listing {
    root: PathBuf,
    names: HashSet<OsString>,
}

impl Listing {
    /// The names in the root that are those of runs, in order.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.names.iter().filter_map(|name| name.to_str()).filter(|id| is_id(id)).map(str::to_string).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether there is anything of that name.
    pub fn has(&self, id: &str) -> bool {
        self.names.contains(OsStr::new(id))
    }

    /// The finished run of that id.
    pub fn find(&self, id: &str) -> Option<Run> {
        self.look(id)?.ok()
    }

    /// Those of these runs that are finished.
    pub fn find_all(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Run> {
        self.names
            .iter()
            .filter_map(|name| name.to_str())
            .filter(|id| is_wanted(id))
            .filter_map(|id| self.find(id))
            .collect()
    }

    /// The finished run of that id, or the damaged one; None where there is neither.
    pub fn look(&self, id: &str) -> Option<Result<Run, Damaged>> {
        if !is_id(id) || !self.names.contains(OsStr::new(id)) {
            return None;
        }
        let (id, dir) = (id.to_string(), self.root.join(id));
        match what_is_wrong(&dir) {
            Ok(None) => Some(Ok(Run { id, dir })),
            Ok(Some(why)) => Some(Err(Damaged { id, dir, why })),
            Err(_) => None,
        }
    }
}

/// A finished run with its summary and its specification, which may be damaged by itself.
pub type WithSpec = (Run, Value, Result<Value>);

impl Listing {
    /// The run of that id with its summary and its specification, each read once; None where there is none.
    ///
    /// Errors: the folder holds no finished run, or its summary is damaged.
    pub fn read(&self, id: &str) -> Option<Result<WithSpec>> {
        let run = Run { id: id.to_string(), dir: self.root.join(id) };
        let damaged = |why| Some(Err(Damaged { id: run.id.clone(), dir: run.dir.clone(), why }.error()));
        // The listing comes first, see `RunStore::look`.
        match own::try_entries(&run.dir).map(|mut entries| entries.any(|entry| entry.file_name() == SUMMARY)) {
            Ok(true) => {}
            Ok(false) => return damaged(NO_SUMMARY),
            Err(e) if e.kind() == ErrorKind::NotADirectory => return damaged(NO_FOLDER),
            Err(_) => return None,
        }
        match run.summary_and_spec() {
            Ok((summary @ Value::Object(_), spec)) => Some(Ok((run, summary, spec))),
            Ok(_) => damaged(NO_JSON),
            Err(error) => match what_is_wrong(&run.dir) {
                Ok(Some(why)) => damaged(why),
                _ => Some(Err(error)),
            },
        }
    }
}

const NO_SUMMARY: &str = "it has no summary.json";
const NO_FOLDER: &str = "it is no folder";
const NO_JSON: &str = "its summary.json is not what was written";

impl RunStore {
    /// Lists the root.
    pub fn listing(&self) -> Listing {
        let names = own::entries(self.root()).map(|entry| entry.file_name()).collect();
        Listing { root: self.root().to_path_buf(), names }
    }

    /// Folders with a run's name that hold no finished run, by name.
    pub fn damaged(&self) -> Vec<Damaged> {
        let mut all: Vec<Damaged> = own::entries(self.root())
            .filter_map(|entry| {
                let id = entry.file_name().into_string().ok().filter(|id| is_id(id))?;
                let dir = entry.path();
                what_is_wrong(&dir).ok().flatten().map(|why| Damaged { id, dir, why })
            })
            .collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

impl Damaged {
    /// The error that names it.
    pub fn error(&self) -> Error {
        Error::data(format!("run {} is damaged: {}: {}", self.id, self.dir.display(), self.why))
            .about_file(&self.dir)
            .with_help("the call that makes it moves the folder aside and makes it again; or remove the folder")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Begun, id_of};
    use super::*;

    #[test]
    fn a_listing_tells_finished_runs_damaged_ones_and_names_that_are_neither() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 1});
        let id = id_of("train", &spec);
        let Begun::Work(work) = store.begin(&id, &spec).unwrap() else { panic!("nothing was made yet") };
        work.finish(&json!({})).unwrap();
        std::fs::create_dir(root.path().join("train-000000000001")).unwrap();
        let listing = store.listing();
        assert_eq!(listing.look(&id).unwrap().unwrap().id, id);
        assert_eq!(listing.find_all(|_| true).iter().map(|run| &run.id).collect::<Vec<_>>(), [&id]);
        assert_eq!(listing.look("train-000000000001").unwrap().unwrap_err().why, "it has no summary.json");
        assert!(["train-000000000002", ".work", ""].iter().all(|id| listing.look(id).is_none()));
        // It is of the time when it was made.
        std::fs::create_dir(root.path().join("train-000000000002")).unwrap();
        assert!(listing.look("train-000000000002").is_none());
    }
}
