//! Runs the `test_...` functions of script libraries, for `cpsd test`.

use std::path::{Path, PathBuf};

use super::errors::Failure;
use super::session::Session;
use crate::error::{Error, Result};
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
    let mut files = scripts(path)?;
    files.retain(|file| files::read_text(file).is_ok_and(|text| text.contains("fn test_")));
    if files.is_empty() {
        return Err(Error::data(format!(
            "{}: no script here has a function whose name begins with test_",
            path.display()
        )));
    }
    Ok(files)
}

/// The scripts in a folder and in those inside of it, in order of their names; hidden folders are left out. A path that is no folder is
/// taken as it is.
///
/// Errors: a folder that cannot be read.
pub fn scripts(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for path in files::list(path)? {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if (path.is_dir() && !is_hidden) || path.extension().is_some_and(|e| e == "rhai") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// Runs every `test_...` function without parameters of one file, each in a session of its own, and reports each
/// outcome to `report`.
pub fn run(file: &Path, report: &mut dyn FnMut(&Outcome)) -> Result<()> {
    let text = files::read_text(file)?;
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
        report(&Outcome { name: format!("{name}::{test}"), failure });
    }
    Ok(())
}
