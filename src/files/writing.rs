//! Files that are written whole or not at all: a temporary file, fsync, rename.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::reading::not_regular;
use super::stoppable::Stoppable;
use super::{policy, temporary};
use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};

/// Writes a file that a script names through `fill`, and creates its parent folders. On failure an old file is left unchanged.
/// A link stays one, and the file that it names is written; an existing file keeps its permissions.
///
/// Errors: Io, naming the path; the policy; a folder, device or FIFO in place of a file, or one that may not be written; a link
/// to nothing; Interrupted, at the next bytes that are written once a stop was asked for.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    heard(write_to(&policy::writable(path)?, |out| fill(&mut Stoppable::new(out))))
}

/// [`write_with`] for a `fill` with errors of its own, which are returned unchanged.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    heard(write_whole_to(&policy::writable(path)?, |out| fill(&mut Stoppable::new(out))))
}

/// The failure of a [`Stoppable`] by its own name.
fn heard(written: Result<()>) -> Result<()> {
    written.map_err(|error| interrupt::check().err().unwrap_or(error))
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
    // The rename below asks the folder alone; a file that its owner has protected stays.
    if old.is_some() {
        File::options().write(true).open(path).map_err(|e| Error::io(path, e))?;
    }
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let write = || -> std::io::Result<()> {
        let mut writer = BufWriter::with_capacity(1 << 20, temporary::file(folder)?);
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

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

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
    fn a_stop_that_was_asked_for_ends_the_writing_of_scripts_and_not_of_the_program() {
        use crate::activity::Activity;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        let activity = Activity::background("test".into(), None);
        activity.enter(|| {
            let stopped = write_with(&path, |out| {
                out.write_all(b"half")?;
                activity.stop();
                out.write_all(b"half")
            });
            assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
            assert!(names(folder.path()).is_empty());
            write_to(&path, |out| out.write_all(b"whole")).unwrap();
        });
        assert_eq!(names(folder.path()), ["x.txt"]);
    }
}
