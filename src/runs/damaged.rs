//! Folders in the store that have a run's name and hold no finished run.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::key::is_id;
use super::store::{Run, RunStore, SUMMARY};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

/// The folder in the root to which damaged runs are moved.
pub(super) const ASIDE: &str = ".damaged";

/// A folder with a run's name that holds no finished run.
#[derive(Clone, Debug)]
pub struct Damaged {
    pub id: String,
    pub dir: PathBuf,
    /// What is wrong: `it has no summary.json`.
    pub why: &'static str,
}

/// The finished run of this id in the store's root.
pub(super) fn finished(root: &Path, id: &str) -> Option<Run> {
    let dir = root.join(id);
    (is_id(id) && what_is_wrong(&dir).is_none()).then(|| Run { id: id.to_string(), dir })
}

/// None for the folder of a finished run. Only what is certain counts: a summary that cannot be read now (no permission, an
/// error of the disk) is one, and reading the run says so.
fn what_is_wrong(dir: &Path) -> Option<&'static str> {
    let path = dir.join(SUMMARY);
    if own::is_absent(&path) {
        return Some("it has no summary.json");
    }
    match own::read(&path).map(|bytes| json::parse::<Value>(&bytes)) {
        Ok(Ok(Value::Object(_))) | Err(_) => None,
        Ok(_) => Some("its summary.json is not what was written"),
    }
}

/// Moves what is in the place of a run that is to be made out of the way, and says so. Called by the process that makes it.
///
/// Errors: Io, naming the folder.
pub(super) fn make_room(root: &Path, id: &str) -> Result<()> {
    let dir = root.join(id);
    if own::is_absent(&dir) {
        return Ok(());
    }
    let Some(why) = what_is_wrong(&dir) else { return Ok(()) };
    let aside = root.join(ASIDE);
    own::create_folders(&aside)?;
    let free = (1..).map(|n| aside.join(format!("{id}-{n}"))).find(|path| own::is_absent(path));
    let free = free.ok_or_else(|| Error::internal("no number is left"))?;
    own::rename(&dir, &free).map_err(|e| Error::io(&dir, e))?;
    own::sync_folder(root);
    console::log(&format!("{id}: {why}; the folder is moved to {}, and the run is made again", free.display()));
    Ok(())
}

impl RunStore {
    /// Folders with a run's name that hold no finished run, by name.
    pub fn damaged(&self) -> Vec<Damaged> {
        let mut all: Vec<Damaged> = own::entries(self.root())
            .filter_map(|entry| {
                let id = entry.file_name().into_string().ok().filter(|id| is_id(id))?;
                let dir = entry.path();
                what_is_wrong(&dir).map(|why| Damaged { id, dir, why })
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
