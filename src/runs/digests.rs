//! Digests of a run's files, in `digests.json` of its folder: made while the files are written, checked when they are read.
//!
//! They find damage and mix-ups: a flipped bit, a file that was cut or written over, another run's file. They are no
//! protection against somebody who may write into the store, since he can compute them as well.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::growing;
use super::store::{CHECKPOINT, Run};
use super::work::Work;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json;

pub(super) const FILE: &str = "digests.json";
/// The beginning of a temporary file's name.
const TEMPORARY: &str = ".cpsd-";
/// Bytes that are read and hashed at a time.
const PART: usize = 8 << 20;

/// Length and BLAKE3 of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub bytes: u64,
    pub blake3: String,
}

/// The digests of a finished run's files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Digests {
    /// The run that they belong to, so that those of another one are told apart.
    run: String,
    files: BTreeMap<String, Digest>,
    /// A digest of the above, so that damage of this file is not taken for damage of the others.
    check: String,
}

/// The digests of files that a run has written so far.
#[derive(Default)]
pub struct Written(Mutex<BTreeMap<String, Digest>>);

impl Written {
    pub(super) fn insert(&self, name: &str, digest: Digest) {
        self.0.lock().insert(name.to_string(), digest);
    }
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.digest()
    }

    /// The digest of a file's first `bytes` bytes, read in parts. `read` is told after each part how many they were.
    ///
    /// Errors: Io, UnexpectedEof among them; Interrupted.
    pub fn of_file(file: &std::fs::File, path: &Path, bytes: u64, mut read: impl FnMut(u64)) -> Result<Digest> {
        let mut hasher = Hasher::default();
        hasher.feed(file, path, bytes, &mut read)?;
        Ok(hasher.digest())
    }
}

#[derive(Default)]
pub(super) struct Hasher {
    blake3: blake3::Hasher,
    bytes: u64,
}

impl Hasher {
    /// Bytes that were hashed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hashes a file from the bytes that were hashed before up to its first `upto`. `read` is told after each part how many they were.
    ///
    /// Errors: Io, UnexpectedEof among them; Interrupted.
    pub fn feed(&mut self, file: &std::fs::File, path: &Path, upto: u64, mut read: impl FnMut(u64)) -> Result<()> {
        let mut part = vec![0; PART.min(upto as usize)];
        while self.bytes < upto {
            interrupt::check()?;
            let n = (PART as u64).min(upto - self.bytes) as usize;
            file.read_exact_at(&mut part[..n], self.bytes).map_err(|e| Error::io(path, e))?;
            self.update(&part[..n]);
            read(n as u64);
        }
        Ok(())
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.blake3.update(bytes);
    }

    pub fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, blake3: self.blake3.finalize().to_hex().to_string() }
    }
}

/// Hashes all that is written through it.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

impl Work {
    /// Writes a file of the run through `fill`, whole or not at all. Its digest is that of the bytes that `fill` wrote, not of
    /// those that are on the disk.
    ///
    /// Errors: Io; those of `fill`.
    pub fn write_whole(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let mut digest = None;
        own::write_whole(&self.path(name), |out| {
            let mut hashing = Hashing { out, hasher: Hasher::default() };
            fill(&mut hashing)?;
            digest = Some(hashing.hasher.digest());
            Ok(())
        })?;
        if let Some(digest) = digest {
            self.written.insert(name, digest);
        }
        Ok(())
    }

    /// [`write_whole`](Self::write_whole) of these bytes.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write_whole(name, |out| out.write_all(bytes).map_err(|e| Error::io(self.path(name), e)))
    }
}

/// Writes the digests of all files in the folder of a run that is complete. Files that were not written through
/// [`Work::write_whole`] are read and synced here; temporary files of an earlier, killed process are removed.
///
/// Errors: Io; a file that does not have the length that was written.
pub(super) fn seal(dir: &Path, id: &str, written: &Written) -> Result<()> {
    let written = written.0.lock();
    let mut files = BTreeMap::new();
    for path in own::list(dir)? {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(TEMPORARY) {
            let _ = own::remove_file(&path);
            continue;
        }
        // Checkpoint and marker are no part of the run: they go before the run is in its place.
        if name == FILE || name == CHECKPOINT || name == growing::MARKER {
            continue;
        }
        let file = own::open(&path)?;
        let bytes = file.metadata().map_err(|e| Error::io(&path, e))?.len();
        let digest = match written.get(&name) {
            Some(digest) if digest.bytes == bytes => digest.clone(),
            Some(digest) => {
                let text = format!("{} bytes were written, and it has {bytes}", digest.bytes);
                return Err(Error::io(&path, text));
            }
            None => {
                file.sync_all().map_err(|e| Error::io(&path, e))?;
                Digest::of_file(&file, &path, bytes, |_| ())?
            }
        };
        files.insert(name, digest);
    }
    if let Some(name) = written.keys().find(|name| !files.contains_key(*name)) {
        return Err(Error::io(dir.join(name), "it was written and is gone"));
    }
    let digests = Digests { run: id.to_string(), check: check(id, &files), files };
    let mut text = serde_json::to_vec_pretty(&digests).map_err(|e| Error::internal(e.to_string()))?;
    text.push(b'\n');
    own::write(&dir.join(FILE), &text)
}

fn check(run: &str, files: &BTreeMap<String, Digest>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{run}\n").as_bytes());
    for (name, digest) in files {
        hasher.update(format!("{name}\n{} {}\n", digest.bytes, digest.blake3).as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

impl Digests {
    /// The digests of a run; None if it was made before there were any.
    ///
    /// Errors: Io; Data when they are damaged or another run's.
    pub fn read(run: &Run) -> Result<Option<Digests>> {
        let path = run.path(FILE);
        // `metadata` and not the error of reading, whose text is for people.
        if own::is_absent(&path) {
            return Ok(None);
        }
        let bad = || run.damaged(FILE, "it is not what was written");
        let digests: Digests = json::parse(&own::read(&path)?).map_err(|_| bad())?;
        if digests.check != check(&digests.run, &digests.files) {
            return Err(bad());
        }
        match digests.run == run.id {
            true => Ok(Some(digests)),
            false => Err(run.damaged(FILE, &format!("it belongs to the run {}", digests.run))),
        }
    }

    /// The names and digests of all files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.files.iter().map(|(name, digest)| (name.as_str(), digest))
    }

    /// Errors: Data when a file is not listed or its digest is another one.
    pub fn compare(&self, run: &Run, name: &str, came: &Digest) -> Result<()> {
        let kept = self.expected(run, name)?;
        match () {
            () if kept == came => Ok(()),
            () if kept.bytes != came.bytes => Err(run.another_length(name, kept.bytes, came.bytes)),
            () => Err(run.damaged(name, "its content is not what was written")),
        }
    }

    /// The digest that was kept of a file. Errors: Data when it is not listed.
    pub fn expected(&self, run: &Run, name: &str) -> Result<&Digest> {
        self.files.get(name).ok_or_else(|| run.damaged(name, &format!("it was not there when {FILE} was written")))
    }
}
