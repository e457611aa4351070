//! The user's editor.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::activity::signals;
use crate::error::{Error, Result};
use crate::files::{self, own};

/// Opens a file in the user's editor, or a new one with `text`. Returns what was saved; None if nothing was.
///
/// Errors: no editor; it failed; the file cannot be read.
pub fn edited(file: Option<&Path>, text: &str) -> Result<Option<String>> {
    let (path, _kept) = match file {
        Some(file) => (file.to_path_buf(), None),
        None => {
            let folder = own::temporary_folder(&own::session_folder()?, "edit")?;
            let path: PathBuf = folder.path().join("input.rhai");
            own::write(&path, format!("{}\n", text.trim_end()).as_bytes())?;
            (path, Some(folder))
        }
    };
    // A link's own time does not change with its file.
    let modified = || own::modified(&path.canonicalize().unwrap_or_else(|_| path.clone()));
    let before = modified();
    open(&path)?;
    match modified() {
        after @ Some(_) if after != before && file.is_some() => files::read_text(&path).map(Some),
        after @ Some(_) if after != before => own::read_text(&path).map(Some),
        _ => Ok(None),
    }
}

/// Runs `$VISUAL`, `$EDITOR` or vi on a file, and waits for it.
fn open(path: &Path) -> Result<()> {
    let named = |name: &str| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".into());
    // As git does: the variable may hold arguments too.
    let script = format!("{editor} \"$@\"");
    let run = || Command::new("sh").args(["-c", &script, &editor]).arg(path).status();
    let status = signals::lend_terminal(run).map_err(|e| Error::argument(format!("sh cannot be run: {e}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(127) => Err(Error::argument(format!("the editor \"{editor}\" is not there"))
            .with_help("the variable VISUAL or EDITOR names one, as EDITOR=nano does")),
        _ => Err(Error::argument(format!("the editor \"{editor}\" ended with {status}; nothing runs"))),
    }
}
