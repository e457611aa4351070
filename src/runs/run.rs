//! Reading the files of a finished run: small ones are compared with their digests whenever they are read, large ones once per
//! process.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::Value;

use super::damaged::finished;
use super::digests::{Digest, Digests};
use super::key::{id_of, kind_of};
use super::store::{METRICS, Run, SPEC, SUMMARY};
use crate::activity::console;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

/// Keys of spec.json that are noted after the run's id is made, and are no part of it.
const NOTED: [&str; 1] = ["weights_from"];
/// From this size on, checking a file shows its progress.
const SHOWN: u64 = 1 << 30;

impl Run {
    /// The finished run in this folder, which is named by its id.
    ///
    /// Errors: Argument when the folder's name is no id, or no finished run is in it.
    pub fn in_folder(dir: &Path) -> Result<Run> {
        let id = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let root = dir.parent().unwrap_or(Path::new(""));
        finished(root, id).ok_or_else(|| {
            Error::argument(format!("{}: this is not the folder of a finished run", dir.display())).about_file(dir)
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The content of a file, compared with its digest.
    ///
    /// Errors: Io; Data when it is not what was written.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        self.read_with(name, self.digests()?.as_ref())
    }

    fn read_with(&self, name: &str, digests: Option<&Digests>) -> Result<Vec<u8>> {
        match digests {
            None => own::read(&self.path(name)),
            Some(digests) => {
                // A file that is not listed may be anything; it is not read.
                digests.expected(self, name)?;
                self.check_there(name)?;
                let bytes = own::read(&self.path(name))?;
                digests.compare(self, name, &Digest::of(&bytes))?;
                Ok(bytes)
            }
        }
    }

    /// Compares a file's content, which is in memory, with its digest. Errors: Data when it is not what was written.
    pub fn check(&self, name: &str, content: &[u8]) -> Result<()> {
        match self.digests()? {
            None => Ok(()),
            Some(digests) => digests.compare(self, name, &Digest::of(content)),
        }
    }

    /// Opens a large file, which is compared with its digest once per process, and again if it has changed since.
    ///
    /// Errors: Io; Data when it is not what was written; Interrupted.
    pub fn open(&self, name: &str) -> Result<StoredFile> {
        self.open_again(name, false)
    }

    /// [`open`](Self::open); with `again` it is compared whatever was found out before.
    fn open_again(&self, name: &str, again: bool) -> Result<StoredFile> {
        self.check_there(name)?;
        let path = self.path(name);
        let file = own::open(&path)?;
        let metadata = file.metadata().map_err(|e| Error::io(&path, e))?;
        let bytes = metadata.len();
        if let Some(digests) = self.digests()? {
            let expected = digests.expected(self, name)?;
            if expected.bytes != bytes {
                return Err(self.another_length(name, expected.bytes, bytes));
            }
            let version =
                (path.clone(), metadata.dev(), metadata.ino(), bytes, metadata.mtime(), metadata.mtime_nsec());
            // Not held while hashing, which may take long.
            let known = CHECKED.lock().as_ref().is_some_and(|checked| checked.contains(&version));
            if again || !known {
                let progress =
                    (bytes >= SHOWN).then(|| Progress::new(format!("checking {}", self.id), bytes >> 20, "MB"));
                let mut read = 0;
                let digest = Digest::of_file(&file, &path, bytes, |n| {
                    read += n;
                    progress.iter().for_each(|progress| progress.set(read >> 20));
                })?;
                digests.compare(self, name, &digest)?;
                CHECKED.lock().get_or_insert_default().insert(version);
            }
        }
        Ok(StoredFile { run: self.clone(), name: name.to_string(), file: Arc::new(file), bytes })
    }

    /// Compares all files with their digests, and reads those that every run has. Returns whether there are digests.
    ///
    /// Errors: Io; Data, naming the first file that is not what was written; Interrupted.
    pub fn verify(&self) -> Result<bool> {
        let digests = self.digests()?;
        for (name, _) in digests.iter().flat_map(Digests::files) {
            self.open_again(name, true)?;
        }
        self.spec()?;
        self.summary()?;
        if !own::is_absent(&self.path(METRICS)) {
            self.metrics()?;
        }
        Ok(digests.is_some())
    }

    /// The specification: everything that decided the run.
    ///
    /// Errors: Io; Data when it is damaged, or another run's.
    pub fn spec(&self) -> Result<Value> {
        self.own_spec(self.json(SPEC)?)
    }

    /// Errors: it is another run's.
    fn own_spec(&self, spec: Value) -> Result<Value> {
        let mut named = spec.clone();
        if let Some(map) = named.as_object_mut() {
            map.retain(|key, _| !NOTED.contains(&key.as_str()));
        }
        let id = id_of(kind_of(&self.id).unwrap_or_default(), &named);
        match id == self.id {
            true => Ok(spec),
            false => Err(self.damaged(SPEC, &format!("it is the specification of {id}"))),
        }
    }

    /// The summary and the specification, for a listing of many runs: the digests are read once. The
    /// specification may be damaged by itself.
    ///
    /// Errors: those of [`summary`](Self::summary).
    pub fn summary_and_spec(&self) -> Result<(Value, Result<Value>)> {
        let digests = self.digests()?;
        let json = |name: &str| -> Result<Value> {
            let bytes = self.read_with(name, digests.as_ref())?;
            json::parse(&bytes).map_err(|what| Error::in_file(self.path(name), what))
        };
        Ok((json(SUMMARY)?, json(SPEC).and_then(|spec| self.own_spec(spec))))
    }

    /// The summary of its results.
    pub fn summary(&self) -> Result<Value> {
        self.json(SUMMARY)
    }

    /// The lines of `metrics.jsonl`.
    pub fn metrics(&self) -> Result<Vec<Value>> {
        let (path, bytes) = (self.path(METRICS), self.read(METRICS)?);
        let lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        lines
            .enumerate()
            .map(|(i, line)| {
                json::parse(line)
                    .map_err(|e| Error::data(format!("{}, line {}: {e}", path.display(), i + 1)).about_file(&path))
            })
            .collect()
    }

    fn json(&self, name: &str) -> Result<Value> {
        json::parse(&self.read(name)?).map_err(|what| Error::in_file(self.path(name), what))
    }

    /// The digests of its files. That a run has none is said once per process.
    pub(super) fn digests(&self) -> Result<Option<Digests>> {
        static SAID: AtomicBool = AtomicBool::new(false);
        let digests = Digests::read(self)?;
        if digests.is_none() && !SAID.swap(true, Ordering::Relaxed) {
            console::log(&format!("{}: made before digests were kept; its files are not checked (said once)", self.id));
        }
        Ok(digests)
    }

    fn check_there(&self, name: &str) -> Result<()> {
        match own::is_absent(&self.path(name)) {
            true => Err(self.damaged(name, "it is missing")),
            false => Ok(()),
        }
    }

    /// The error for a file of this run that is not what was written.
    pub fn damaged(&self, name: &str, what: &str) -> Error {
        let path = self.path(name);
        Error::data(format!("run {} is damaged: {}: {what}", self.id, path.display())).about_file(&path).with_help(format!(
            "`cpsd runs verify` checks all runs; when the folder {} is removed or moved away, the same call makes it again",
            self.dir.display()
        ))
    }

    /// The error for a file of this run that has another length than was written.
    pub fn another_length(&self, name: &str, expected: u64, came: u64) -> Error {
        let how = if came < expected { "cut short" } else { "too long" };
        self.damaged(name, &format!("{how}: {came} bytes instead of {expected}"))
    }
}

type Version = (PathBuf, u64, u64, u64, i64, i64);

/// The large files that were compared with their digests in this process.
static CHECKED: Mutex<Option<HashSet<Version>>> = Mutex::new(None);

/// A large file of a finished run, of which parts are read.
///
/// It is read and not mapped: a file that is cut while it is mapped ends the process with SIGBUS; here it is an error.
#[derive(Clone)]
pub struct StoredFile {
    run: Run,
    name: String,
    file: Arc<File>,
    /// Its length when it was opened.
    pub bytes: u64,
}

impl StoredFile {
    /// The file `name` of a run, as it was opened and compared elsewhere.
    pub(super) fn of(run: &Run, name: &str, file: File, bytes: u64) -> StoredFile {
        StoredFile { run: run.clone(), name: name.to_string(), file: Arc::new(file), bytes }
    }

    /// Fills `part` with the bytes from `offset` on. Errors: Data when the file ends before; Io.
    pub fn read_at(&self, part: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(part, offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                let came = self.file.metadata().map_or(0, |metadata| metadata.len());
                self.run.another_length(&self.name, self.bytes, came)
            }
            _ => Error::io(self.run.path(&self.name), e),
        })
    }

    /// The error for a file that is not what its run's summary says.
    pub fn bad(&self, what: &str) -> Error {
        self.run.damaged(&self.name, what)
    }

    /// Errors: Data when the file does not have this length.
    pub fn check_length(&self, expected: u64) -> Result<()> {
        match self.bytes == expected {
            true => Ok(()),
            false => Err(self.run.another_length(&self.name, expected, self.bytes)),
        }
    }
}
