//! A setting is written into a file; comments, order and all else in it stay.

use std::fs::{File as Folder, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use toml_edit::{Array, DocumentMut, Item, Value as Toml};

use super::file;
use super::places::Whose;
use super::settings::{Setting, Value};
use super::sources;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files::{self, own};

/// Writes a setting into a file, which is made if it is not there. Returns its line.
///
/// Errors: Io; a file with a mistake; what its owner may not say there; Interrupted.
pub fn set(path: &Path, whose: Whose, setting: &Setting, value: &Value) -> Result<usize> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        own::create_folders(folder)?;
    }
    let _alone = alone(path)?;
    let text = existing(path)?;
    let edited = with(path, &text, setting, Some(value))?;
    let mut file = file::parse(path, whose, &edited)?;
    let line = file.settings.iter().find(|said| said.setting.key == setting.key).map_or(0, |said| said.line);
    if whose == Whose::Project {
        sources::check_project(&mut file)?;
    }
    own::write(path, edited.as_bytes())?;
    Ok(line)
}

/// Takes a setting out of a file. Returns whether it was there. Errors: Io; a file with a mistake; Interrupted.
pub fn unset(path: &Path, setting: &Setting) -> Result<bool> {
    if own::is_absent(path) {
        return Ok(false);
    }
    let _alone = alone(path)?;
    let text = existing(path)?;
    let edited = with(path, &text, setting, None)?;
    if edited == text {
        return Ok(false);
    }
    own::write(path, edited.as_bytes())?;
    Ok(true)
}

/// The longest wait for another process that changes the same file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lock among those who change the file, so that none writes over what another one has just written. It is on the folder, as the file
/// is replaced; none where the file system has no such locks.
///
/// Errors: another process holds it for too long; Interrupted.
fn alone(path: &Path) -> Result<Option<Folder>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(file) = own::open_any(folder) else { return Ok(None) };
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                let waited = PATIENCE.as_secs();
                return Err(Error::in_file(path, format!("another process has been changing it for {waited} s")));
            }
            Err(TryLockError::WouldBlock) => {
                interrupt::check()?;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The text of the file, with the byte-order mark that some editors write first; empty for a file that is not there.
fn existing(path: &Path) -> Result<String> {
    if own::is_absent(path) {
        return Ok(String::new());
    }
    String::from_utf8(own::read(path)?).or_else(|_| own::read_text(path))
}

/// The text of a file with another value of the setting, or without it. The byte-order mark and the kind of line ends stay.
fn with(path: &Path, text: &str, setting: &Setting, value: Option<&Value>) -> Result<String> {
    let (mark, rest) = text.split_at(text.len() - files::without_mark(text).len());
    let of_windows = rest.contains("\r\n");
    let edited = edited(path, &rest.replace("\r\n", "\n"), setting, value)?;
    Ok(format!("{mark}{}", if of_windows { edited.replace('\n', "\r\n") } else { edited }))
}

fn edited(path: &Path, text: &str, setting: &Setting, value: Option<&Value>) -> Result<String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| Error::in_file(path, error.message().trim()))?;
    let Some(value) = value else {
        let _ = document.remove(setting.key);
        return Ok(document.to_string());
    };
    let mut value = as_toml(value, path.parent().unwrap_or(Path::new("")));
    let is_first = !document.iter().any(|(_, item)| item.is_value());
    match document.get_mut(setting.key) {
        Some(item) => {
            // The blanks around it, and a comment behind it.
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        // The first setting stands below the comment with which the file begins.
        None if is_first => {
            let at = behind_comment(text);
            let between = if at == 0 || text[..at].ends_with('\n') { "" } else { "\n" };
            let after = if text[at..].trim().is_empty() || text[at..].starts_with('\n') { "" } else { "\n" };
            return Ok(format!("{}{between}{} = {value}\n{after}{}", &text[..at], setting.key, &text[at..]));
        }
        None => {
            let _ = document.insert(setting.key, Item::Value(value));
        }
    }
    Ok(document.to_string())
}

/// Where the comment ends with which a text without settings begins. One that stands directly above a table is the table's.
fn behind_comment(text: &str) -> usize {
    if text.trim().is_empty() {
        return 0;
    }
    let mut end = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match line.trim() {
            "" => end = at,
            comment if comment.starts_with('#') => {}
            _ => return end,
        }
        at += line.len();
    }
    text.trim_end().len() + usize::from(text.trim_end().len() < text.len())
}

fn as_toml(value: &Value, folder: &Path) -> Toml {
    let path = |path: &PathBuf| relative(path, folder);
    match value {
        Value::Path(one) => path(one).into(),
        Value::Folders(all) => match &all[..] {
            [one] => path(one).into(),
            all => Toml::Array(all.iter().map(path).collect::<Array>()),
        },
        Value::Devices(names) => match names.contains(',') {
            true => Toml::Array(names.split(',').collect::<Array>()),
            false => names.as_str().into(),
        },
        Value::Count(n) => i64::try_from(*n).unwrap_or(i64::MAX).into(),
        Value::Flag(flag) => (*flag).into(),
    }
}

/// A path as a file in that folder says it: relative where it is in the folder.
fn relative(path: &Path, folder: &Path) -> String {
    match path.strip_prefix(folder) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".into(),
        Ok(rest) => rest.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::find;
    use super::*;

    fn edited(text: &str, key: &str, words: &[&str]) -> String {
        let setting = find(key).unwrap();
        let value = setting.typed(words, Path::new("/p/sub")).unwrap();
        with(Path::new("/p/cpsd.toml"), text, setting, Some(&value)).unwrap()
    }

    #[test]
    fn comments_order_and_tables_stay() {
        let text = "# The project.\nruns = \"old\" # where they are\n\n[slurm] # a queue\ncpus = 4\n";
        assert_eq!(edited(text, "runs", &["../new"]), text.replace("old", "new"));
        let with_more = edited(text, "weights", &["w", "/data/w"]);
        assert_eq!(with_more, text.replace("where they are\n", "where they are\nweights = [\"sub/w\", \"/data/w\"]\n"));
        assert_eq!(with(Path::new("/p/cpsd.toml"), &with_more, find("weights").unwrap(), None).unwrap(), text);
        assert_eq!(edited("", "device", &["cuda:0,cuda:1"]), "device = [\"cuda:0\", \"cuda:1\"]\n");
        assert_eq!(edited("", "threads", &["3"]), "threads = 3\n");
        assert_eq!(edited("", "data", &[".."]), "data = \".\"\n");
    }

    #[test]
    fn marks_and_line_ends_stay() {
        assert_eq!(edited("\u{feff}runs = \"a\"\r\n# x\r\n", "runs", &["../b"]), "\u{feff}runs = \"b\"\r\n# x\r\n");
        assert_eq!(edited("runs = \"a\"\r\n", "threads", &["2"]), "runs = \"a\"\r\nthreads = 2\r\n");
    }

    #[test]
    fn the_first_setting_stands_below_the_files_comment() {
        let two = |text: &str| edited(text, "threads", &["2"]);
        assert_eq!(two("# mine"), "# mine\nthreads = 2\n");
        assert_eq!(two("# mine\n"), "# mine\nthreads = 2\n");
        assert_eq!(two("# mine\n\n[slurm]\ncpus = 4\n"), "# mine\nthreads = 2\n\n[slurm]\ncpus = 4\n");
        assert_eq!(two("# of the table\n[slurm]\ncpus = 4\n"), "threads = 2\n\n# of the table\n[slurm]\ncpus = 4\n");
        assert_eq!(two("[slurm]\ncpus = 4\n"), "threads = 2\n\n[slurm]\ncpus = 4\n");
        assert_eq!(two("\n\n"), "threads = 2\n\n\n");
    }

    #[test]
    fn those_who_write_at_once_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cpsd.toml");
        let keys = [("runs", "r"), ("weights", "w"), ("data", "d"), ("threads", "2"), ("download", "true")];
        for _ in 0..20 {
            let _ = std::fs::remove_file(&path);
            std::thread::scope(|scope| {
                for (key, word) in keys {
                    let (path, root) = (&path, root.path());
                    scope.spawn(move || {
                        let setting = find(key).unwrap();
                        set(path, Whose::Project, setting, &setting.typed(&[word], root).unwrap()).unwrap()
                    });
                }
            });
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(keys.iter().all(|(key, _)| text.contains(&format!("{key} = "))), "{text}");
        }
    }

    #[test]
    fn what_may_not_stand_there_is_not_written() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cpsd.toml");
        let set_in = |whose, key: &str, word: &str| {
            let setting = find(key).unwrap();
            set(&path, whose, setting, &setting.typed(&[word], root.path()).unwrap())
        };
        assert!(set_in(Whose::Project, "startup", "s.rhai").is_err() && !path.exists());
        assert!(set_in(Whose::Project, "runs", "/etc").is_err() && !path.exists());
        assert_eq!(set_in(Whose::Project, "runs", "runs").unwrap(), 1);
        assert_eq!(set_in(Whose::User, "startup", "s.rhai").unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "runs = \"runs\"\nstartup = \"s.rhai\"\n");
        assert!(unset(&path, find("runs").unwrap()).unwrap() && !unset(&path, find("runs").unwrap()).unwrap());
        std::fs::write(&path, "runs = ").unwrap();
        assert!(set_in(Whose::User, "threads", "1").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "runs = ");
    }
}
