//! `list_files`: the files in a folder.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "list_files",
    chapter: Chapter::Files,
    signatures: &["list_files(folder) -> array", "list_files(folder, pattern) -> array"],
    summary: "The paths of the files in a folder, sorted.",
    details: "The pattern is that of a shell, of the path inside the folder: * stands for any characters, ? for one, [ab] for one of them, and \
              ** for any number of folders: list_files(\"data\", \"**/*.jpg\") looks into the folders too. Without a pattern it is \"*\". \
              Names that begin with a dot are left out unless the pattern has the dot; links to folders are not followed. An empty array if \
              nothing matches, an error if the folder does not exist.",
    options: None,
    examples: &[Example {
        code: r#"let folder = temporary_folder() + "/listed"; write_text(folder + "/a.txt", ""); write_text(folder + "/in/b.txt", "");
[list_files(folder).len(), list_files(folder, "**/*.txt").len(), list_files(folder, "*.jpg").len()]"#,
        prints: "[1, 2, 0]",
    }],
    register: |word| {
        word.form(list_files);
    },
};

fn list_files(folder: PathBuf, pattern: Option<String>) -> Result<Vec<PathBuf>> {
    let pattern = pattern.unwrap_or_else(|| "*".into());
    let wrong = |e: glob::PatternError| {
        Error::argument(format!("list_files: the pattern \"{pattern}\" cannot be read: {}", e.msg))
            .about_name(pattern.as_str())
    };
    let matcher = Pattern::new(&pattern).map_err(wrong)?;
    let deep = if pattern.contains("**") { usize::MAX } else { pattern.matches('/').count() };
    let mut found = Vec::new();
    walk(&folder, Path::new(""), deep, &matcher, &mut found)?;
    found.sort();
    Ok(found)
}

/// Adds the files of `folder`/`inside` that match, and those up to `deep` folders below.
fn walk(folder: &Path, inside: &Path, deep: usize, matcher: &Pattern, found: &mut Vec<PathBuf>) -> Result<()> {
    const MATCH: MatchOptions =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    /// As deep as paths can be opened.
    const DEEPEST: usize = 200;
    let here = if inside.as_os_str().is_empty() { folder.to_path_buf() } else { folder.join(inside) };
    let mut folders = vec![];
    for entry in files::entries(&here)? {
        interrupt::check()?;
        let kind = entry.file_type().map_err(|e| Error::io(entry.path(), e))?;
        let name = inside.join(entry.file_name());
        if kind.is_dir() {
            folders.push(name);
        } else if matcher.matches_path_with(&name, MATCH) && (kind.is_file() || entry.path().is_file()) {
            found.push(folder.join(name));
        }
    }
    if deep > 0 && inside.components().count() < DEEPEST {
        for inside in folders {
            walk(folder, &inside, deep - 1, matcher, found)?;
        }
    }
    Ok(())
}
