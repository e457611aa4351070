//! Copies of large files of runs on a node's own disk, shared by the processes of the node.
//!
//! A copy is named by the digest of its content, so another run's is never taken for it. It is made beside its name, compared with the digest
//! and renamed; a lock lets one process make it while others wait. Who reads it holds a shared lock; who ends removes it unless
//! another reads it still. What a killed process has left is removed by the next one that keeps copies there.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use parking_lot::Mutex;

use super::digests::{Digest, Hasher};
use super::prune::{id_at_the_start, is_temporary};
use super::run::StoredFile;
use super::store::Run;
use super::work::pause;
use crate::activity::progress::Progress;
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files::own;

/// Bytes that are copied at a time.
const PART: usize = 8 << 20;
/// Bytes that stay free on the node's disk.
const SPARE: u64 = 1 << 30;

/// The variable of the environment by which a worker process receives its parent's folder.
pub const VARIABLE: &str = "CPSD_NODE_COPIES";

/// The folder for copies, if there is one.
static PLACE: Mutex<Option<PathBuf>> = Mutex::new(None);
/// The copies that this process reads, with their shared locks.
static READ: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());

/// Copies are kept below `folder` from now on: in a folder of its own for this user, from which those that nobody reads or makes any
/// more are removed. Errors: Io, if that cannot be made.
pub fn keep_in(folder: &Path) -> Result<()> {
    // SAFETY: no arguments, never fails.
    let user = unsafe { libc::getuid() };
    let place = std::path::absolute(folder).map_err(|e| Error::io(folder, e))?.join(format!("cpsd-{user}"));
    own::create_folders(&place)?;
    sweep(&place);
    *PLACE.lock() = Some(place);
    Ok(())
}

/// What a worker process of this one has in its environment, so that it keeps its copies in the same folder.
pub fn for_worker() -> Option<(&'static str, PathBuf)> {
    let place = PLACE.lock();
    place.as_ref().and_then(|place| place.parent()).map(|folder| (VARIABLE, folder.to_path_buf()))
}

/// Removes what killed processes have left: files whose lock nobody holds.
fn sweep(place: &Path) {
    // In a folder for all users, another one may have put a link there that leads elsewhere.
    if place.is_symlink() {
        return;
    }
    for entry in own::entries(place) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if (is_temporary(&entry) || id_at_the_start(&name).is_some())
            && let Ok(file) = own::open(&path)
            && file.try_lock().is_ok()
        {
            // Who has opened it and waits for its lock sees that it has no name any more.
            let _ = own::remove_file(&path);
        }
    }
}

/// Removes the copies that this process has read, but those that another process reads. Called at its end.
pub fn leave() {
    for (path, file) in READ.lock().drain(..) {
        let _ = file.unlock();
        // Whoever opens it meanwhile sees that it has no name any more, and makes another.
        if file.try_lock().is_ok() && is_at(&file, &path) {
            let _ = own::remove_file(&path);
            let _ = own::remove_file(&lock_of(&path));
        }
    }
}

impl Run {
    /// As [`open`](Self::open), on the node's own disk if copies are [kept](keep_in) and it has room; if not, that is said, and the store's
    /// file is read. A copy that cannot be made for another reason is told likewise.
    ///
    /// Errors: those of [`open`](Self::open).
    pub fn open_near(&self, name: &str) -> Result<StoredFile> {
        let Some(place) = PLACE.lock().clone() else { return self.open(name) };
        let Some(digests) = self.digests()? else { return self.open(name) };
        let expected = digests.expected(self, name)?.clone();
        match near(self, name, &expected, &place) {
            Ok(file) => Ok(StoredFile::of(self, name, file, expected.bytes)),
            Err(error) => {
                interrupt::check()?;
                console::log(&format!("{}: {name} is read from the store: {error}", self.id));
                self.open(name)
            }
        }
    }
}

/// The copy of a file, made if there is none. Errors: no room, Io, Interrupted, a store's file that is not what was written.
fn near(run: &Run, name: &str, expected: &Digest, place: &Path) -> Result<File> {
    let path = place.join(format!("{}-{}-{name}", run.id, &expected.blake3[..16.min(expected.blake3.len())]));
    let started = Instant::now();
    loop {
        if let Some(file) = shared(&path, expected)? {
            return Ok(file);
        }
        let lock = own::open_or_create(&lock_of(&path))?;
        match lock.try_lock() {
            // Made while this one asked.
            Ok(()) if path.exists() && shared(&path, expected)?.is_some() => continue,
            Ok(()) => copy(run, name, expected, &path)?,
            Err(TryLockError::WouldBlock) => pause(started.elapsed())?,
            Err(TryLockError::Error(error)) => return Err(Error::io(&path, error)),
        }
    }
}

/// The copy at `path` with a shared lock, if it is there and whole. One that this process has compared is not read again.
fn shared(path: &Path, expected: &Digest) -> Result<Option<File>> {
    if own::is_absent(path) {
        return Ok(None);
    }
    let Ok(file) = own::open(path) else { return Ok(None) };
    file.lock_shared().map_err(|e| Error::io(path, e))?;
    if !is_at(&file, path) {
        return Ok(None);
    }
    let again = || file.try_clone().map_err(|e| Error::io(path, e));
    let mut read = READ.lock();
    if read.iter().any(|(known, held)| known == path && is_at(held, path)) {
        return again().map(Some);
    }
    drop(read);
    if Digest::of_file(&file, path, expected.bytes, |_| ()).ok().as_ref() != Some(expected) {
        interrupt::check()?;
        // Cut or changed: another one takes its place, and who reads this one has it open.
        let _ = own::remove_file(path);
        return Ok(None);
    }
    read = READ.lock();
    read.push((path.to_path_buf(), again()?));
    Ok(Some(file))
}

/// Copies the store's file to `path`. Errors: no room; Io; Interrupted; Data.
fn copy(run: &Run, name: &str, expected: &Digest, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let room = own::free_disk(folder).unwrap_or(u64::MAX);
    if room < expected.bytes.saturating_add(SPARE) {
        let (room, bytes) = (room >> 20, expected.bytes >> 20);
        return Err(Error::io(folder, format!("{room} MB are free, and the copy takes {bytes} MB")));
    }
    let from = run.path(name);
    let file = own::open(&from)?;
    let mut made = own::temporary_file(folder)?;
    // Others see that it is being made.
    made.as_file().lock().map_err(|e| Error::io(path, e))?;
    let progress = Progress::new(format!("copying {}", run.id), expected.bytes >> 20, "MB");
    let mut hasher = Hasher::default();
    let mut part = vec![0; PART.min(expected.bytes as usize)];
    while hasher.bytes() < expected.bytes {
        interrupt::check()?;
        let n = (PART as u64).min(expected.bytes - hasher.bytes()) as usize;
        file.read_exact_at(&mut part[..n], hasher.bytes()).map_err(|e| Error::io(&from, e))?;
        made.write_all(&part[..n]).map_err(|e| Error::io(path, e))?;
        hasher.update(&part[..n]);
        progress.set(hasher.bytes() >> 20);
    }
    if hasher.digest() != *expected {
        return Err(run.damaged(name, "its content is not what was written"));
    }
    made.persist(path).map(drop).map_err(|e| Error::io(path, e.error))
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Whether the open file still has this name.
fn is_at(file: &File, path: &Path) -> bool {
    let of = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().ok().map(of)
        == own::open(path).and_then(|now| now.metadata().map_err(|e| Error::io(path, e))).ok().map(of)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::RunStore;
    use super::*;

    /// The one test of this process-wide state.
    #[test]
    fn a_copy_is_made_once_checked_and_removed_by_the_last_reader() {
        console::set_quiet(true);
        let root = tempfile::tempdir().unwrap();
        let node = tempfile::tempdir().unwrap();
        let run = RunStore::new(root.path())
            .find_or_make("features", &json!({}), |work| work.write("data", &[7; 100]).map(|()| json!({})))
            .unwrap();
        let digest = Digest::of(&[7; 100]);
        let files = || -> Vec<PathBuf> {
            let place = own::list(node.path()).unwrap().remove(0);
            own::list(&place).unwrap().into_iter().filter(|path| !path.to_string_lossy().ends_with(".lock")).collect()
        };
        let first = |file: &StoredFile| {
            let mut bytes = [0; 3];
            file.read_at(&mut bytes, 97).unwrap();
            bytes
        };
        assert_eq!(for_worker(), None);
        keep_in(node.path()).unwrap();
        assert_eq!(for_worker(), Some((VARIABLE, node.path().to_path_buf())));
        let file = run.open_near("data").unwrap();
        assert_eq!((first(&file), files().len()), ([7; 3], 1));
        // The store's file is not read any more.
        std::fs::write(run.path("data"), [1; 100]).unwrap();
        assert_eq!(first(&run.open_near("data").unwrap()), [7; 3]);
        std::fs::write(run.path("data"), [7; 100]).unwrap();
        // Another process reads it: it stays, and goes when that one ends.
        let path = files().remove(0);
        let other = File::open(&path).unwrap();
        other.lock_shared().unwrap();
        leave();
        assert_eq!(files().len(), 1);
        drop(other);
        assert!(shared(&path, &digest).unwrap().is_some());
        drop(file);
        leave();
        assert!(files().is_empty());
        // One that was cut is made again.
        std::fs::write(&path, [7; 50]).unwrap();
        assert_eq!(first(&run.open_near("data").unwrap()), [7; 3]);
        assert_eq!(std::fs::read(&path).unwrap(), [7; 100]);
        // What killed processes have left goes when the next one begins, and nothing else does.
        let place = path.parent().unwrap();
        let left = ["features-0123456789ab-00-data.f16", "features-0123456789ab-00-data.f16.lock", ".cpsd-0123"];
        for name in left.iter().chain(&["notes.txt"]) {
            std::fs::write(place.join(name), [7; 50]).unwrap();
        }
        let under_way = own::temporary_file(place).unwrap();
        under_way.as_file().lock().unwrap();
        keep_in(node.path()).unwrap();
        assert!(left.iter().all(|name| !place.join(name).exists()));
        assert!(path.exists() && under_way.path().exists() && place.join("notes.txt").exists());
        std::fs::remove_file(place.join("notes.txt")).unwrap();
        // Without room the store's is read.
        leave();
        let huge = Digest { bytes: u64::MAX - SPARE, ..digest };
        assert!(copy(&run, "data", &huge, &path).unwrap_err().message.contains("MB are free"));
        *PLACE.lock() = None;
    }
}
