//! Runs the `test_...` functions of script libraries, for `cpsd test`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::errors::Failure;
use super::session::Session;
use crate::activity::visible::visible;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, policy};

/// The outcome of one test.
pub struct Outcome {
    /// `file::test_name`.
    pub name: String,
    pub failure: Option<Failure>,
}

/// The scripts under `path` that have a test, in order of their names. `path` may be a file.
///
/// Errors: a folder that cannot be read; no test at all.
pub fn find(path: &Path) -> Result<Vec<PathBuf>> {
    let Scripts { mut files, unreadable } = scripts(&[path])?;
    if let Some((_, error)) = unreadable.into_iter().next() {
        return Err(error);
    }
    files.retain(|file| read(file).is_ok_and(|text| text.contains("fn test_")));
    if files.is_empty() {
        return Err(Error::data(format!(
            "{}: no script here has a function whose name begins with test_",
            path.display()
        )));
    }
    Ok(files)
}

/// What [`scripts`] found.
#[derive(Default)]
pub struct Scripts {
    /// The files, each once.
    pub files: Vec<PathBuf>,
    /// The folders that could not be read, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
}

/// The scripts in folders and in those inside of them, in order of their names; hidden folders are left out, and links to folders: they may
/// lead back. A path of `given` that is no folder is taken as it is, and one that is a link to a folder is that folder. A file that is reached
/// twice counts once, by its own name rather than that of a link.
///
/// Errors: a folder of `given` that has no script; Interrupted.
pub fn scripts(given: &[&Path]) -> Result<Scripts> {
    let mut all = Scripts::default();
    for path in given {
        let mut found = Scripts::default();
        match path.is_dir() {
            true => collect(path, &mut found)?,
            false => found.files.push(path.to_path_buf()),
        }
        if found.files.is_empty() && found.unreadable.is_empty() {
            return Err(Error::data(format!("{}: there is no .rhai file in this folder", path.display())));
        }
        found.files.sort();
        all.files.extend(found.files);
        all.unreadable.extend(found.unreadable);
    }
    // Broken links and the like lead to no file, and are each their own.
    let real = |path: &Path| path.canonicalize().ok().filter(|real| real.is_file()).unwrap_or_else(|| path.into());
    let named: BTreeSet<PathBuf> = all.files.iter().filter(|file| !file.is_symlink()).map(|file| real(file)).collect();
    let mut seen = BTreeSet::new();
    all.files.retain(|file| {
        let real = real(file);
        !(file.is_symlink() && named.contains(&real)) && seen.insert(real)
    });
    all.unreadable.retain(|(folder, _)| seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())));
    Ok(all)
}

fn collect(folder: &Path, found: &mut Scripts) -> Result<()> {
    let entries = match files::list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
        Err(error) => {
            found.unreadable.push((folder.to_path_buf(), error));
            return Ok(());
        }
    };
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_script = path.extension().is_some_and(|e| e == "rhai");
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() && !is_hidden => collect(&path, found)?,
            Ok(meta) if meta.is_dir() => {}
            Ok(meta) if is_script && !(meta.is_symlink() && path.is_dir()) => found.files.push(path),
            // A folder whose names can be listed, and nothing else.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                found.unreadable.push((folder.to_path_buf(), Error::io(folder, e)));
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The text of a script. What is no regular file is not even opened: that would wake the writer of a FIFO.
///
/// Errors: as [`files::read_text`].
pub fn read(path: &Path) -> Result<String> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => {
            let message = format!("{}: this is not a regular file", path.display());
            Err(Error::new(ErrorKind::Io, message).about_file(path))
        }
        _ => files::read_text(path),
    }
}

/// A path as one line of plain text, with escapes for its control characters. Line ends and colours, which [`visible`] leaves, would be taken
/// for those of the program.
pub fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for c in visible(&path.display().to_string()).chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Runs every `test_...` function without parameters of one file, each in a session of its own, and reports each
/// outcome to `report`.
pub fn run(file: &Path, report: &mut dyn FnMut(&Outcome)) -> Result<()> {
    let text = read(file)?;
    let name = file.display().to_string();
    let tests: Vec<String> = text
        .lines()
        .filter_map(|line| line.trim_start().trim_start_matches("private ").strip_prefix("fn test_")?.split_once("()"))
        .map(|(test, _)| format!("test_{test}"))
        .collect();
    policy::set_subject(&file.file_name().unwrap_or_default().to_string_lossy());
    for test in tests {
        let mut session = Session::new();
        let failure = session.eval(&text, &name).and_then(|_| session.eval(&format!("{test}()"), &test)).err();
        // The next text would forget the request.
        if failure.as_ref().is_some_and(Failure::interrupted) {
            return Err(Error::interrupted());
        }
        report(&Outcome { name: format!("{}::{test}", shown(file)), failure });
    }
    Ok(())
}
