//! What nothing in a store needs any more: files of killed processes, work folders of runs that are finished or given up,
//! damaged runs that were moved aside, batches of queues.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::damaged::Listing;
use super::job_files;
use super::key::is_id;
use super::notes::NOTES;
use super::store::{BATCHES, RunStore};
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// An unfinished training that nobody has gone on with for so long is given up.
const GIVEN_UP: Duration = Duration::from_secs(30 * 24 * 3600);
/// Letters of the hash in an id.
const HASH: usize = 12;

/// A file or folder that may be removed.
#[derive(Clone, Debug)]
pub struct Leftover {
    pub path: PathBuf,
    /// Why nothing needs it.
    pub what: &'static str,
    pub bytes: u64,
    /// The run whose work it is, which must not be in the making when it is removed.
    run: Option<String>,
}

impl RunStore {
    /// What may be removed: job files and temporary files of processes that have ended, work folders of finished runs, work
    /// folders that were not touched for 30 days, damaged runs that were moved aside, and batches of queues whose runs are all finished or
    /// that were not touched for 30 days, and notes of runs that are not there. Nothing of a run in the making.
    ///
    /// Errors: Interrupted.
    pub fn leftovers(&self) -> Result<Vec<Leftover>> {
        let (listing, mut found) = (self.listing(), Vec::new());
        let mut add = |path: PathBuf, what: &'static str, run: Option<String>| {
            found.push(Leftover { bytes: own::size(&path), path, what, run });
        };
        for entry in own::entries(&self.work_folder()) {
            interrupt::check()?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if job_files::is_job(&name) {
                // Of another host it is not known whether the process is there.
                if job_files::is_abandoned(&name) || age(&path) > GIVEN_UP {
                    add(path, "job of a process that has ended", None);
                }
                continue;
            }
            if name == BATCHES {
                continue;
            }
            if name.strip_prefix("broken-").and_then(id_at_the_start).is_some() {
                add(path, "damaged run that was moved aside", None);
                continue;
            }
            let Some(id) = id_at_the_start(&name) else { continue };
            if self.is_in_the_making(id) {
                continue;
            }
            if !path.is_dir() {
                // Claims, those that were taken from a maker, and locks.
                if age(&path) > DAY {
                    add(path, "claim of a process that has ended", Some(id.to_string()));
                }
            } else if listing.find(id).is_some() {
                add(path, "work on a run that is finished", Some(id.to_string()));
            } else if newest(&path) > GIVEN_UP {
                add(path, "work that nobody has gone on with for 30 days", Some(id.to_string()));
            } else {
                for file in own::entries(&path).filter(is_temporary).filter(|file| age(&file.path()) > DAY) {
                    add(file.path(), "temporary file of a process that has ended", Some(id.to_string()));
                }
            }
        }
        for entry in own::entries(&self.batches_folder()) {
            interrupt::check()?;
            let path = entry.path();
            // Unfinished ones, and those that were being removed, have a dot before their name.
            let unfinished = entry.file_name().to_string_lossy().starts_with('.');
            if unfinished && newest(&path) > DAY {
                add(path, "batch of a process that has ended", None);
            } else if !unfinished && has_all_of(&listing, &path) {
                add(path, "batch of a queue whose runs are all finished", None);
            } else if !unfinished && newest(&path).min(newest(&path.join("logs"))) > GIVEN_UP {
                add(path, "batch of a queue in which nothing has changed for 30 days", None);
            }
        }
        for entry in own::entries(&self.root().join(NOTES)) {
            interrupt::check()?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if age(&path) < DAY {
                continue;
            }
            match id_at_the_start(&name) {
                Some(id) if !listing.has(id) => add(path, "note of a run that is not there", None),
                None if is_temporary(&entry) => add(path, "temporary file of a process that has ended", None),
                _ => {}
            }
        }
        for run in self.list() {
            interrupt::check()?;
            for file in own::entries(&run.dir).filter(is_temporary).filter(|file| age(&file.path()) > DAY) {
                add(file.path(), "temporary file of a process that has ended", None);
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes it. Returns false, and leaves it, if somebody has begun to use it meanwhile.
    ///
    /// Errors: Io.
    pub fn remove(&self, leftover: &Leftover) -> Result<bool> {
        if leftover.run.as_deref().is_some_and(|id| self.is_in_the_making(id)) {
            return Ok(false);
        }
        let path = &leftover.path;
        let removed =
            if path.is_dir() && !path.is_symlink() { own::remove_folder(path) } else { own::remove_file(path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, e)),
            _ => Ok(true),
        }
    }

    /// Whether a process makes this run now: its lock is held, or a claim on it was renewed within a day.
    fn is_in_the_making(&self, id: &str) -> bool {
        let [claim, lock] = ["claim", "lock"].map(|ending| self.work_folder().join(format!("{id}.{ending}")));
        if !own::is_absent(&claim) && age(&claim) < DAY {
            return true;
        }
        !own::is_absent(&lock)
            && own::open(&lock).is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
    }
}

/// Whether all runs that the tasks of a batch make are finished.
fn has_all_of(store: &Listing, batch: &Path) -> bool {
    let Some(record) = own::read(&batch.join("batch.json")).ok() else { return false };
    let Ok(record) = json::parse::<Value>(&record) else { return false };
    let tasks = record["tasks"].as_array().into_iter().flatten();
    let runs: HashSet<&str> =
        tasks.flat_map(|task| task["runs"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect();
    !runs.is_empty() && runs.iter().all(|id| store.find(id).is_some())
}

/// `train-3f29c0a81b52` of `train-3f29c0a81b52.4fd1`.
pub(super) fn id_at_the_start(name: &str) -> Option<&str> {
    let id = name.get(..name.find('-')? + 1 + HASH)?;
    is_id(id).then_some(id)
}

pub(super) fn is_temporary(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(".cpsd-")
}

/// Time since the last change; nothing if that is not known.
fn age(path: &Path) -> Duration {
    own::modified(path).and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

/// Time since the last change of a folder or a file in it.
fn newest(folder: &Path) -> Duration {
    own::entries(folder).map(|entry| age(&entry.path())).fold(age(folder), Duration::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::{Begun, id_of};
    use serde_json::json;

    #[test]
    fn batches_go_when_their_runs_are_finished() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let ids = [1, 2].map(|n| id_of("train", &json!({ "n": n })));
        for (name, runs) in [("cpsd-1", &ids[..1]), ("cpsd-2", &ids[..])] {
            let folder = store.batches_folder().join(name);
            std::fs::create_dir_all(folder.join("logs")).unwrap();
            std::fs::write(folder.join("batch.json"), json!({"tasks": [{"runs": runs}]}).to_string()).unwrap();
        }
        std::fs::create_dir(store.batches_folder().join(".new-cpsd-3")).unwrap();
        let Begun::Work(work) = store.begin(&ids[0], &json!({"n": 1})).unwrap() else { panic!("it is there") };
        work.finish(&json!({})).unwrap();
        let found = store.leftovers().unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (one.path.file_name().unwrap().to_str(), one.what),
            (Some("cpsd-1"), "batch of a queue whose runs are all finished")
        );
        assert!(store.remove(one).unwrap() && !one.path.exists());
    }
}
