//! Finding, beginning and finishing runs, safe with several processes and when a process is killed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::damaged::{finished, make_room};
use super::digests::{self, Written};
use super::job_files;
use super::key::{id_of, is_id};
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files::{self, own};

/// The folder of unfinished runs, in the root.
const WORK: &str = ".work";
pub(super) const CHECKPOINT: &str = "checkpoint.safetensors";
pub(super) const SUMMARY: &str = "summary.json";

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

/// A run that this process makes. It is locked against other processes.
pub struct Work {
    pub id: String,
    /// The folder of its files, with those that an earlier, stopped process left.
    pub dir: PathBuf,
    pub(super) written: Written,
    store: RunStore,
    // The system releases the lock even when the process is killed.
    _lock: File,
}

/// The result of [`RunStore::begin`].
pub enum Begun {
    /// It was made before.
    Finished(Run),
    /// This process makes it.
    Work(Work),
}

impl RunStore {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        RunStore { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The finished run with that id.
    pub fn find(&self, id: &str) -> Option<Run> {
        finished(&self.root, id)
    }

    /// Finished runs, oldest first.
    pub fn list(&self) -> Vec<Run> {
        let mut runs: Vec<(std::time::SystemTime, Run)> = own::entries(&self.root)
            .filter_map(|e| {
                let run = self.find(e.file_name().to_str()?)?;
                let made = own::modified(&run.dir.join(SUMMARY))?;
                Some((made, run))
            })
            .collect();
        runs.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// Bytes of all finished runs.
    pub fn bytes(&self) -> u64 {
        let runs = own::entries(&self.root).filter(|e| e.file_name().to_str().is_some_and(is_id));
        runs.map(|e| own::size(&e.path())).sum()
    }

    /// Whether an earlier, stopped process left a checkpoint of this run.
    pub fn has_checkpoint(&self, id: &str) -> bool {
        self.work_folder().join(id).join(CHECKPOINT).exists()
    }

    /// A temporary file for the job of a worker process. Errors: Io.
    pub fn temporary_job_file(&self) -> Result<NamedTempFile> {
        job_files::temporary(&self.work_folder())
    }

    /// The run of this specification: finished before, or made now by `make`, which returns its summary.
    ///
    /// Errors: those of [`begin`](Self::begin) and of `make`.
    pub fn find_or_make(&self, kind: &str, spec: &Value, make: impl FnOnce(&Work) -> Result<Value>) -> Result<Run> {
        match self.begin(&id_of(kind, spec), spec)? {
            Begun::Finished(run) => Ok(run),
            Begun::Work(work) => {
                let summary = make(&work)?;
                work.finish(&summary)
            }
        }
    }

    /// Returns the finished run, or locks it for this process to make. Waits while another process makes it.
    ///
    /// Errors: Io when the folder cannot be written, Interrupted while waiting.
    pub fn begin(&self, id: &str, spec: &Value) -> Result<Begun> {
        if let Some(run) = self.find(id) {
            return Ok(Begun::Finished(run));
        }
        let work = self.work_folder();
        let dir = work.join(id);
        std::fs::create_dir_all(&work).map_err(|e| Error::io(&work, e))?;
        let lock_path = self.lock_path(id);
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|e| Error::io(&lock_path, e))?;
        let mut logged = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if !logged {
                        console::log(&format!("{id} is being made by another process or thread; waiting for it"));
                        logged = true;
                    }
                    interrupt::check()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&lock_path, e)),
            }
        }
        // Another process may have finished it meanwhile.
        if let Some(run) = self.find(id) {
            return Ok(Begun::Finished(run));
        }
        make_room(&self.root, id)?;
        std::fs::create_dir_all(&dir).map_err(|e| Error::io(&dir, e))?;
        files::write(&dir.join("spec.json"), &pretty(spec))?;
        let written = Written::default();
        Ok(Begun::Work(Work { id: id.to_string(), dir, written, store: self.clone(), _lock: lock }))
    }

    pub(super) fn work_folder(&self) -> PathBuf {
        self.root.join(WORK)
    }

    pub(super) fn lock_path(&self, id: &str) -> PathBuf {
        self.work_folder().join(format!("{id}.lock"))
    }
}

impl Work {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The state of a training that was stopped.
    pub fn checkpoint(&self) -> PathBuf {
        self.path(CHECKPOINT)
    }

    /// Writes the summary and moves the folder to its place. From then on it never changes.
    pub fn finish(self, summary: &Value) -> Result<Run> {
        files::write(&self.path(SUMMARY), &pretty(summary))?;
        digests::seal(&self.dir, &self.id, &self.written)?;
        files::sync_folder(&self.dir);
        let dir = self.store.root.join(&self.id);
        std::fs::rename(&self.dir, &dir).map_err(|e| Error::io(&dir, e))?;
        files::sync_folder(&self.store.root);
        let _ = std::fs::remove_file(self.store.lock_path(&self.id));
        Ok(Run { id: self.id, dir })
    }
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

    const ID: &str = "train-0123456789ab";

    #[test]
    fn a_finished_run_is_found_and_an_unfinished_one_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let spec = json!({"k": 3});
        let id = &id_of("train", &spec);
        let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("nothing was made yet") };
        std::fs::write(work.checkpoint(), b"half").unwrap();
        drop(work); // as if the process had been killed
        assert!(store.find(id).is_none() && store.has_checkpoint(id));
        let Begun::Work(work) = store.begin(id, &spec).unwrap() else { panic!("it was not finished") };
        assert_eq!(std::fs::read(work.checkpoint()).unwrap(), b"half");
        work.finish(&json!({"mAP": 50.0})).unwrap();
        let Begun::Finished(run) = store.begin(id, &spec).unwrap() else { panic!("it was finished") };
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
                    if let Begun::Work(work) = store.begin(ID, &json!({})).unwrap() {
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
