//! Temporary files and folders. Their names tell host and process, so that those of a killed one are known and swept.

use std::collections::HashSet;
use std::fs::Permissions;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::{Error, Result};

/// The kind of a file that is being written.
const WRITTEN: &str = ".cpsd";
/// The kind of a process's folder in the system's place for temporary files.
const FOLDER: &str = "cpsd";
/// Nothing is being written for longer than that.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A new file in `folder`, in which a file beside it is written. The first one in a folder sweeps those that killed processes
/// left there.
pub(super) fn file(folder: &Path) -> std::io::Result<NamedTempFile> {
    sweep(folder);
    let prefix = beginning(WRITTEN);
    // As any other new file: the system subtracts the user's umask.
    with_mode(Builder::new().prefix(&prefix), 0o666).tempfile_in(folder)
}

/// A file in `folder` whose name begins with `kind`, this host and this process, for its owner alone.
pub(super) fn named(folder: &Path, kind: &str, ending: &str) -> std::io::Result<NamedTempFile> {
    Builder::new().prefix(&beginning(kind)).suffix(ending).tempfile_in(folder)
}

/// A folder in the system's place for temporary files, for its owner alone. Those of killed processes are swept.
///
/// Errors: Io.
pub(super) fn of_process() -> Result<TempDir> {
    sweep_folders();
    folder(&std::env::temp_dir(), &beginning(FOLDER))
}

/// Removes the folders that killed processes of this host left in the system's place for temporary files.
pub(super) fn sweep_folders() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let gone = entry.file_name().to_str().is_some_and(|name| owner_is_gone(name, FOLDER) == Some(true));
        if gone && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder in `place`, for its owner alone. Errors: Io.
pub(super) fn folder(place: &Path, prefix: &str) -> Result<TempDir> {
    with_mode(Builder::new().prefix(prefix), 0o700).tempdir_in(place).map_err(|e| Error::io(place, e))
}

/// Whether the process of this host that made a file or folder of this `kind` has ended; None if that is not known here.
pub(super) fn owner_is_gone(name: &str, kind: &str) -> Option<bool> {
    let rest = name.strip_prefix(kind)?.strip_prefix('-')?.strip_prefix(host())?.strip_prefix('-')?;
    rest.split('-').next()?.parse().ok().map(|process: i32| !runs(process))
}

fn beginning(kind: &str) -> String {
    format!("{kind}-{}-{}-", host(), std::process::id())
}

fn with_mode<'b, 'a, 'c>(builder: &'b mut Builder<'a, 'c>, mode: u32) -> &'b mut Builder<'a, 'c> {
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Removes the files of killed processes of this host, and those that are older than a day.
fn sweep(folder: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    if !SWEPT.lock().get_or_insert_default().insert(folder.to_path_buf()) {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(WRITTEN)) else { continue };
        let made = entry.metadata().and_then(|meta| meta.modified()).ok();
        let old = made.and_then(|made| SystemTime::now().duration_since(made).ok()).is_some_and(|age| age > ABANDONED);
        let gone = owner_is_gone(name, WRITTEN) == Some(true);
        if (old || gone) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether there is a process of that number on this machine.
pub(super) fn runs(process: i32) -> bool {
    #[cfg(unix)]
    {
        // SAFETY: signal 0 only asks.
        let there = unsafe { libc::kill(process, 0) } == 0;
        there || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
    }
    #[cfg(not(unix))]
    {
        let _ = process;
        true
    }
}

/// This host's name as a few letters and digits, which fit into a file's name.
pub(super) fn host() -> &'static str {
    static HOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HOST.get_or_init(|| {
        let mut name = [0u8; 256];
        #[cfg(unix)]
        // SAFETY: the buffer's last byte stays 0.
        unsafe {
            libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1);
        }
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        blake3::hash(&name[..end]).to_hex()[..8].to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        std::fs::write(at(&format!(".cpsd-{}-{gone}-aaaaaa", host())), "").unwrap();
        let mine = format!(".cpsd-{}-{}-aaaaaa", host(), std::process::id());
        std::fs::write(at(&mine), "").unwrap();
        std::fs::write(at(".cpsd-00000000-1-aaaaaa"), "").unwrap();
        write(&at("x"), b"x").unwrap();
        let left = std::fs::read_dir(folder.path()).unwrap();
        let mut left: Vec<String> = left.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut expected = [".cpsd-00000000-1-aaaaaa".to_string(), mine, "x".to_string()];
        expected.sort();
        assert_eq!(left, expected);
    }
}
