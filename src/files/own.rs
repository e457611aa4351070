//! Files of the program itself: the run store, caches, the history. Their places are the user's choice, so the policy for scripts
//! does not apply.

use std::fs::{DirEntry, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tempfile::{NamedTempFile, TempDir};

use super::{policy, reading, temporary, writing};
use crate::error::{Error, Result};

pub use super::writing::sync_folder;

/// Does `work` without this thread's policy: for functions that write both files that a script names and those of the
/// program itself. No code of a script may run in it.
pub fn as_program<R>(work: impl FnOnce() -> R) -> R {
    policy::as_program(work)
}

/// As [`files::open`](super::open).
pub fn open(path: &Path) -> Result<File> {
    reading::open_regular(path)
}

/// As [`files::read`](super::read).
pub fn read(path: &Path) -> Result<Vec<u8>> {
    reading::read_regular(path)
}

/// As [`files::read_text`](super::read_text).
pub fn read_text(path: &Path) -> Result<String> {
    reading::read_regular_text(path)
}

/// The text of a file of the system, as of `/proc`; None where it cannot be read. A stop that was asked for does not matter here: such
/// files take no time, and a stop that looked like their absence would be remembered, or a claim kept that should be let go.
pub fn of_system(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    open(path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// As [`files::list`](super::list).
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    reading::list_folder(path)
}

/// The entries of a folder as the system gives them; none of a folder that cannot be read.
pub fn entries(path: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    std::fs::read_dir(path).into_iter().flatten().flatten()
}

/// As [`files::write_with`](super::write_with).
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    writing::write_to(path, fill)
}

/// As [`files::write_whole`](super::write_whole).
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    writing::write_whole_to(path, fill)
}

/// As [`files::write`](super::write).
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |w| w.write_all(bytes))
}

/// A new or emptied file, which may be found unfinished: for logs of events. Errors: Io.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|e| Error::io(path, e))
}

/// A file that is read and written in place; made if it is not there. Errors: Io.
pub fn open_or_create(path: &Path) -> Result<File> {
    let opened = File::options().create(true).read(true).write(true).truncate(false).open(path);
    opened.map_err(|e| Error::io(path, e))
}

/// Creates a folder and those above it. Errors: Io.
pub fn create_folders(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Error::io(path, e))
}

/// The entries of a folder, for a caller that judges the cause of a failure.
pub fn try_entries(path: &Path) -> std::io::Result<impl Iterator<Item = DirEntry> + use<>> {
    Ok(std::fs::read_dir(path)?.map_while(std::io::Result::ok))
}

/// What need be no regular file: a folder that a lock is on, a pipe, for which this waits. The cause of a failure is the caller's to judge.
pub fn open_any(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

/// A file that is there, to be read and changed in place. The cause of a failure is the caller's to judge.
pub fn open_to_change(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// A new file; one that is there is an error. The cause of a failure is the caller's to judge.
pub fn create_new(path: &Path) -> std::io::Result<File> {
    File::options().create_new(true).write(true).open(path)
}

/// What a symbolic link says. The cause of a failure is the caller's to judge.
pub fn link_target(path: &Path) -> std::io::Result<PathBuf> {
    std::fs::read_link(path)
}

/// Makes a file one that nobody writes. The cause of a failure is the caller's to judge.
pub fn protect(path: &Path) -> std::io::Result<()> {
    let mut permissions = std::fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(path, permissions)
}

/// Renames a file or folder. The cause of a failure is the caller's to judge.
pub fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)
}

/// Gives a file a second name, unless that is taken. The cause of a failure is the caller's to judge.
pub fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)
}

/// Makes the symbolic link `at`, which leads to `to`. The cause of a failure is the caller's to judge.
pub fn symlink(to: &Path, at: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(to, at)
    }
    #[cfg(not(unix))]
    {
        let _ = (to, at);
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Removes a file. The cause of a failure is the caller's to judge.
pub fn remove_file(path: &Path) -> std::io::Result<()> {
    std::fs::remove_file(path)
}

/// Removes a folder and all in it. The cause of a failure is the caller's to judge.
pub fn remove_folder(path: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(path)
}

/// A temporary file in `folder`, which is removed when it is dropped. Those that killed processes left there are swept.
pub fn temporary_file(folder: &Path) -> Result<NamedTempFile> {
    temporary::file(folder).map_err(|e| Error::io(folder, e))
}

/// A temporary folder in `place`, for its owner alone, which is removed when it is dropped. Errors: Io.
pub fn temporary_folder(place: &Path, prefix: &str) -> Result<TempDir> {
    temporary::folder(place, prefix)
}

/// The folder for temporary files of this process. Scripts may write there.
///
/// Errors: Io, if it cannot be made.
pub fn session_folder() -> Result<PathBuf> {
    let mut folder = SESSION.lock();
    if let Some(folder) = folder.as_ref() {
        return Ok(folder.path().to_path_buf());
    }
    let made = temporary::of_process()?;
    policy::allow_write(made.path());
    Ok(folder.insert(made).path().to_path_buf())
}

/// Removes the folder for temporary files, at the end of the process.
pub fn remove_session_folder() {
    drop(SESSION.lock().take());
}

/// Removes the folders for temporary files of killed processes, as the next process that needs one would.
pub fn sweep_session_folders() {
    temporary::sweep_folders();
}

static SESSION: Mutex<Option<TempDir>> = Mutex::new(None);

/// Bytes of this machine's memory; `u64::MAX` where the system does not say it.
pub fn machine_memory() -> u64 {
    reading::memory()
}

/// Whether there is a process of that number on this machine.
pub fn process_runs(process: i32) -> bool {
    temporary::runs(process)
}

/// This host's name as a few letters and digits, which fit into a file's name.
pub fn host() -> &'static str {
    temporary::host()
}

/// Whether there is nothing of that name. What cannot be looked at is taken to be there.
pub fn is_absent(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}

/// Whether a file, or a link of that name, belongs to the user of this process or to root.
pub fn is_of_this_user(path: &Path) -> bool {
    // SAFETY: the call reads nothing and changes nothing.
    let user = unsafe { libc::geteuid() };
    owner(path).is_some_and(|owner| owner == user || owner == 0)
}

/// Whether two files, or links of these names, belong to the same user.
pub fn have_one_owner(one: &Path, other: &Path) -> bool {
    owner(one).is_some_and(|of_one| owner(other) == Some(of_one))
}

fn owner(path: &Path) -> Option<u32> {
    std::fs::symlink_metadata(path).ok().map(|meta| std::os::unix::fs::MetadataExt::uid(&meta))
}

/// A temporary file in `folder` whose name begins with `kind`, this host and this process. [`owner_is_gone`] reads them.
pub fn named_temporary_file(folder: &Path, kind: &str, ending: &str) -> Result<NamedTempFile> {
    temporary::named(folder, kind, ending).map_err(|e| Error::io(folder, e))
}

/// Whether the process that made this [`named_temporary_file`] has ended; None if that is not known here.
pub fn owner_is_gone(name: &str, kind: &str) -> Option<bool> {
    temporary::owner_is_gone(name, kind)
}

/// Bytes of a folder's disk that this user may still write; None if that cannot be found out.
pub fn free_disk(folder: &Path) -> Option<u64> {
    let name = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: the name is a C string, and the structure is plain data that the call fills.
    unsafe {
        let mut facts: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(name.as_ptr(), &mut facts) == 0).then(|| facts.f_bavail.saturating_mul(facts.f_frsize))
    }
}

/// When a file or folder was last changed; None if that cannot be found out.
pub fn modified(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok()
}

/// Bytes of a file, or of all files under a folder.
pub fn size(path: &Path) -> u64 {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => entries(path).map(|e| size(&e.path())).sum(),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_stop_does_not_hide_the_files_of_the_system() {
        let path = Path::new("/proc/self/status");
        let activity = Activity::background("test".into(), None);
        activity.stop();
        activity.enter(|| {
            assert!(read_text(path).is_err());
            assert!(of_system(path).unwrap().contains("VmSize"));
        });
        assert_eq!(of_system(Path::new("/proc/self/nothing")), None);
    }
}
