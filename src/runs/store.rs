//! Finding, beginning and finishing runs, safe against a second process and against being killed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::activity::console;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct RunStore {
    root: PathBuf,
}

/// A finished run: an immutable folder.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: String,
    pub dir: PathBuf,
}

/// A run that this process is making, and no other can make meanwhile.
pub struct Work {
    pub id: String,
    /// Where its files are written; whatever an earlier, stopped process left is still there.
    pub dir: PathBuf,
    root: PathBuf,
    // Held for its lock, which the system releases even when the process is killed.
    _lock: File,
}

/// What `begin` found.
pub enum Begun {
    /// It was made before: read it.
    Finished(Run),
    /// It is this process's to make.
    Work(Work),
}

impl RunStore {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        RunStore { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The finished run of that id, if there is one.
    pub fn find(&self, id: &str) -> Option<Run> {
        let dir = self.root.join(id);
        dir.join("summary.json").exists().then(|| Run { id: id.to_string(), dir })
    }

    /// Finished runs, oldest first.
    pub fn list(&self) -> Vec<Run> {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return vec![] };
        let mut runs: Vec<(std::time::SystemTime, Run)> = entries
            .flatten()
            .filter_map(|e| {
                let run = self.find(e.file_name().to_str()?)?;
                let made = std::fs::metadata(run.dir.join("summary.json")).and_then(|m| m.modified()).ok()?;
                Some((made, run))
            })
            .collect();
        runs.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// Answers with the finished run, or takes the work on. When another process is at the same run, waits for it.
    ///
    /// Errors: Io when the folder cannot be written, Interrupted while waiting.
    pub fn begin(&self, id: &str, spec: &Value) -> Result<Begun> {
        if let Some(run) = self.find(id) {
            return Ok(Begun::Finished(run));
        }
        let work = self.root.join(".work");
        let dir = work.join(id);
        std::fs::create_dir_all(&work).map_err(|e| Error::io(&work, e))?;
        let lock_path = work.join(format!("{id}.lock"));
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|e| Error::io(&lock_path, e))?;
        let mut said = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if !said {
                        console::log(&format!("{id} is being made by another process or thread; waiting for it"));
                        said = true;
                    }
                    interrupt::check()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&lock_path, e)),
            }
        }
        // It may have been finished while we waited.
        if let Some(run) = self.find(id) {
            return Ok(Begun::Finished(run));
        }
        std::fs::create_dir_all(&dir).map_err(|e| Error::io(&dir, e))?;
        files::write(&dir.join("spec.json"), &pretty(spec))?;
        Ok(Begun::Work(Work { id: id.to_string(), dir, root: self.root.clone(), _lock: lock }))
    }
}

impl Work {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes the summary and moves the folder to its place: from here on it is never changed.
    pub fn finish(self, summary: &Value) -> Result<Run> {
        files::write(&self.path("summary.json"), &pretty(summary))?;
        files::sync_folder(&self.dir);
        let dir = self.root.join(&self.id);
        std::fs::rename(&self.dir, &dir).map_err(|e| Error::io(&dir, e))?;
        files::sync_folder(&self.root);
        let _ = std::fs::remove_file(self.root.join(".work").join(format!("{}.lock", self.id)));
        Ok(Run { id: self.id, dir })
    }
}

impl Run {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// All that decided the run.
    pub fn spec(&self) -> Result<Value> {
        read_json(&self.path("spec.json"))
    }

    /// What came of it.
    pub fn summary(&self) -> Result<Value> {
        read_json(&self.path("summary.json"))
    }

    /// The lines of `metrics.jsonl`.
    pub fn metrics(&self) -> Result<Vec<Value>> {
        let path = self.path("metrics.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        text.lines()
            .enumerate()
            .map(|(i, line)| {
                serde_json::from_str(line).map_err(|e| Error::data(format!("{}, line {}: {e}", path.display(), i + 1)))
            })
            .collect()
    }
}

fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_slice(&text).map_err(|e| Error::data(format!("{}: {e}", path.display())))
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finished_run_is_found_and_an_unfinished_one_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 3});
        let Begun::Work(work) = store.begin("train-1", &spec).unwrap() else { panic!("nothing was made yet") };
        std::fs::write(work.path("checkpoint"), b"half").unwrap();
        drop(work); // as if the process had been killed
        assert!(store.find("train-1").is_none());
        let Begun::Work(work) = store.begin("train-1", &spec).unwrap() else { panic!("it was not finished") };
        assert_eq!(std::fs::read(work.path("checkpoint")).unwrap(), b"half");
        work.finish(&json!({"mAP": 50.0})).unwrap();
        let Begun::Finished(run) = store.begin("train-1", &spec).unwrap() else { panic!("it was finished") };
        assert_eq!(run.summary().unwrap()["mAP"], 50.0);
        assert_eq!(run.spec().unwrap(), spec);
        assert_eq!(store.list().len(), 1);
    }

    #[test]
    fn two_makers_of_one_run_take_turns() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    if let Begun::Work(work) = store.begin("train-2", &json!({})).unwrap() {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(50));
                        work.finish(&json!({})).unwrap();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
