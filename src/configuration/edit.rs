//! A setting is written into a file; comments, order and all else in it stay.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Value as Toml};

use super::file;
use super::places::Whose;
use super::settings::{Setting, Value};
use super::sources;
use crate::error::{Error, Result};
use crate::files::own;

/// Writes a setting into a file, which is made if it is not there. Returns its line.
///
/// Errors: Io; a file with a mistake; what its owner may not say there.
pub fn set(path: &Path, whose: Whose, setting: &Setting, value: &Value) -> Result<usize> {
    let text = existing(path)?;
    let edited = with(path, &text, setting, Some(value))?;
    let mut file = file::parse(path, whose, &edited)?;
    let line = file.settings.iter().find(|said| said.setting.key == setting.key).map_or(0, |said| said.line);
    if whose == Whose::Project {
        sources::check_project(&mut file)?;
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        own::create_folders(folder)?;
    }
    own::write(path, edited.as_bytes())?;
    Ok(line)
}

/// Takes a setting out of a file. Returns whether it was there. Errors: Io; a file with a mistake.
pub fn unset(path: &Path, setting: &Setting) -> Result<bool> {
    let text = existing(path)?;
    let edited = with(path, &text, setting, None)?;
    if edited == text {
        return Ok(false);
    }
    own::write(path, edited.as_bytes())?;
    Ok(true)
}

fn existing(path: &Path) -> Result<String> {
    if own::is_absent(path) { Ok(String::new()) } else { own::read_text(path) }
}

/// The text of a file with another value of the setting, or without it.
fn with(path: &Path, text: &str, setting: &Setting, value: Option<&Value>) -> Result<String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| Error::in_file(path, error.message().trim()))?;
    let Some(value) = value else {
        let _ = document.remove(setting.key);
        return Ok(document.to_string());
    };
    let mut value = as_toml(value, path.parent().unwrap_or(Path::new("")));
    match document.get_mut(setting.key) {
        Some(item) => {
            // The blanks around it, and a comment behind it.
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => {
            let _ = document.insert(setting.key, Item::Value(value));
        }
    }
    Ok(document.to_string())
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
