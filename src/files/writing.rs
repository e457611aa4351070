//! Files that are written whole or not at all: a temporary file, fsync, rename.

use std::collections::HashSet;
use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use super::policy;
use super::reading::not_regular;
use crate::error::{Error, ErrorKind, Result};

/// Writes a file that a script names through `fill`, and creates its parent folders. On failure an old file is left unchanged.
/// A link stays one, and the file that it names is written; an existing file keeps its permissions.
///
/// Errors: Io, naming the path; the policy; a folder, device or FIFO in place of a file; a link to nothing.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    write_to(&policy::writable(path)?, fill)
}

/// [`write_with`] for a `fill` with errors of its own, which are returned unchanged.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    write_whole_to(&policy::writable(path)?, fill)
}

/// Writes `bytes` to a file that a script names, as [`write_with`] does.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |w| w.write_all(bytes))
}

/// Creates a folder that a script names, and those above it.
///
/// Errors: Io; the policy.
pub fn create_folders(path: &Path) -> Result<()> {
    std::fs::create_dir_all(policy::writable(path)?).map_err(|e| Error::io(path, e))
}

/// Makes a rename survive a power cut, on file systems that can.
pub fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

pub(super) fn write_to(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let path = &behind_links(path)?;
    let old = std::fs::metadata(path).ok();
    if let Some(old) = &old
        && !old.is_file()
    {
        return Err(not_regular(path, old.is_dir()));
    }
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let write = || -> std::io::Result<()> {
        let mut writer = BufWriter::with_capacity(1 << 20, temporary_in(folder)?);
        fill(&mut writer)?;
        let temporary = writer.into_inner().map_err(|e| e.into_error())?;
        if let Some(old) = &old {
            temporary.as_file().set_permissions(old.permissions())?;
        }
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| Error::io(path, e))?;
    sync_folder(folder);
    Ok(())
}

pub(super) fn write_whole_to(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut failure = None;
    let written = write_to(path, |out| {
        fill(out).map_err(|error| {
            let text = error.message.clone();
            failure = Some(error);
            std::io::Error::other(text)
        })
    });
    match failure {
        Some(error) => Err(error),
        None => written,
    }
}

/// The file that a path leads to, by all links.
///
/// Errors: a link to nothing, or in a circle.
fn behind_links(path: &Path) -> Result<PathBuf> {
    if !path.is_symlink() {
        return Ok(path.to_path_buf());
    }
    std::fs::canonicalize(path).map_err(|_| {
        let text = format!("{}: this is a link to a file that does not exist", path.display());
        Error::new(ErrorKind::Io, text).about_file(path)
    })
}

/// What the names of temporary files begin with. Host and process follow, so that the files of a killed one are known.
pub(super) const TEMPORARY: &str = ".cpsd-";
/// Nothing is being written for longer than that.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A new file in `folder`. The first one in a folder sweeps those that killed processes left there.
pub(super) fn temporary_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    sweep(folder);
    let prefix = format!("{TEMPORARY}{}-{}-", host(), std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // As any other new file: the system subtracts the user's umask.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Removes temporary files of processes of this host that are gone, and those that are older than a day.
fn sweep(folder: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    if !SWEPT.lock().get_or_insert_default().insert(folder.to_path_buf()) {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)) else { continue };
        let old = entry.metadata().and_then(|meta| meta.modified()).ok();
        let old = old.and_then(|made| SystemTime::now().duration_since(made).ok()).is_some_and(|age| age > ABANDONED);
        let gone = rest.strip_prefix(host()).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
            let process = rest.split('-').next().and_then(|process| process.parse().ok());
            process.is_some_and(|process| !runs(process))
        });
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
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/x.txt");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |w| {
            w.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().message.contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(path.parent().unwrap()), ["x.txt"]);
    }

    #[test]
    fn links_and_permissions_stay_and_devices_are_not_replaced() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("real"), "old").unwrap();
        std::fs::set_permissions(at("real"), Permissions::from_mode(0o640)).unwrap();
        symlink("real", at("link")).unwrap();
        write(&at("link"), b"new").unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(std::fs::read(at("real")).unwrap(), b"new");
        assert_eq!(std::fs::metadata(at("real")).unwrap().permissions().mode() & 0o777, 0o640);
        symlink("nothing", at("dangling")).unwrap();
        assert!(write(&at("dangling"), b"x").unwrap_err().message.ends_with("a link to a file that does not exist"));
        assert!(write(Path::new("/dev/null"), b"x").unwrap_err().message.ends_with("not a regular file"));
        assert!(write(folder.path(), b"x").unwrap_err().message.ends_with("this is a folder, not a file"));
    }

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
        let mut left = names(folder.path());
        left.sort();
        let mut expected = [".cpsd-00000000-1-aaaaaa".to_string(), mine, "x".to_string()];
        expected.sort();
        assert_eq!(left, expected);
    }
}
