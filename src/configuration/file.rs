//! The one reader of `cpsd.toml`.
//!
//! ```toml
//! runs = "runs"                   # settings; a relative path leads from the file's folder
//! weights = ["weights", "/data/weights"]
//!
//! [slurm]                         # the options of slurm(...)
//! partition = "gpu"
//!
//! [engine.pbs]                    # another queue
//! submit = "qsub {script}"
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Map;
use toml::de::DeTable;

use super::places::Whose;
use super::settings::{SETTINGS, Setting, Value};
use crate::error::{Error, Result};
use crate::files::own;

/// The tables that belong to the rooms that read them.
const TABLES: [&str; 2] = ["slurm", "engine"];

/// What a `cpsd.toml` says.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub path: PathBuf,
    pub whose: Whose,
    pub(super) settings: Vec<Said>,
    /// The tables `slurm` and `engine`, as they are there.
    pub tables: Map<String, serde_json::Value>,
}

/// A setting in a file.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub setting: &'static Setting,
    pub value: Value,
    pub line: usize,
}

/// Reads a file. Errors: Io; no TOML; an unknown setting or table, with the nearest; a value of another type; a setting that is not a
/// project's to say.
pub fn read(path: &Path, whose: Whose) -> Result<File> {
    parse(path, whose, &own::read_text(path)?)
}

pub(super) fn parse(path: &Path, whose: Whose, text: &str) -> Result<File> {
    let line_of = |span: Range<usize>| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count();
    let in_line = |line: usize, what: &str| Error::in_file(path, format!("line {line}: {what}"));
    let not_toml = |error: toml::de::Error| match error.span() {
        Some(span) => in_line(line_of(span), error.message().trim()),
        None => Error::in_file(path, error.message().trim()),
    };
    let spans = DeTable::parse(text).map_err(not_toml)?;
    let mut values: Map<String, serde_json::Value> = toml::from_str(text).map_err(not_toml)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = File { path: path.to_path_buf(), whose, ..File::default() };
    // In the order of the file, so that the first mistake is the one that is told.
    let mut keys: Vec<(usize, String)> =
        spans.get_ref().keys().map(|key| (line_of(key.span()), key.get_ref().to_string())).collect();
    keys.sort();
    for (line, key) in keys {
        let value = values.remove(&key).unwrap_or_default();
        if TABLES.contains(&key.as_str()) {
            if !value.is_object() {
                let shape = if key == "engine" { "engine.NAME" } else { &key };
                return Err(in_line(line, &format!("{key} must be a table, as [{shape}]; got {value}")));
            }
            let _ = file.tables.insert(key, value);
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            return Err(unknown(path, line, &key, value.is_object()));
        };
        if setting.personal && whose == Whose::Project {
            let text = format!("{key} is not a project's to say: it is what each person has for all folders");
            return Err(in_line(line, &text).with_help(format!("`cpsd config set {key} ... --user` writes it there")));
        }
        let Some(value) = setting.of_toml(&value, folder) else {
            return Err(in_line(line, &format!("{key} must be {}; got {value}", setting.expected())));
        };
        file.settings.push(Said { setting, value, line });
    }
    Ok(file)
}

fn unknown(path: &Path, line: usize, key: &str, is_table: bool) -> Error {
    let (what, among) = match is_table {
        true => ("table", vec!["slurm", "engine.NAME"]),
        false => ("setting", SETTINGS.iter().map(|setting| setting.key).collect()),
    };
    let error = Error::unknown(what, key, among);
    let in_file = Error::in_file(path, format!("line {line}: {}", error.message));
    Error { help: error.help, ..in_file }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Vec<(&'static str, Value, usize)>, (String, Option<String>)> {
        let file = parse(Path::new("/p/cpsd.toml"), Whose::Project, text).map_err(|e| (e.message, e.help))?;
        Ok(file.settings.into_iter().map(|said| (said.setting.key, said.value, said.line)).collect())
    }

    #[test]
    fn settings_have_lines_and_paths_lead_from_the_file() {
        let text = "# mine\nweights = [\"w\", \"/x\"]\nruns = \"../r\"\n\ndevice = [\"cuda:0\", \"cuda:1\"]\nthreads = 2\n[slurm]\ncpus = 1\n";
        let expected = [
            ("weights", Value::Folders(vec!["/p/w".into(), "/x".into()]), 2),
            ("runs", Value::Path("/r".into()), 3),
            ("device", Value::Devices("cuda:0,cuda:1".into()), 5),
            ("threads", Value::Count(2), 6),
        ];
        assert_eq!(said(text).unwrap(), expected);
    }

    #[test]
    fn mistakes_have_their_line_and_the_nearest_name() {
        let error = |text: &str| said(text).unwrap_err();
        let at = |line: usize, what: &str| format!("/p/cpsd.toml: line {line}: {what}");
        assert_eq!(
            error("runs = \"r\"\nwieghts = \"w\""),
            (at(2, "unknown setting \"wieghts\""), Some("did you mean \"weights\"?".into()))
        );
        assert_eq!(error("[slrum]"), (at(1, "unknown table \"slrum\""), Some("did you mean \"slurm\"?".into())));
        assert_eq!(error("\nruns = 3").0, at(2, "runs must be a path, as \"runs\"; got 3"));
        assert_eq!(error("download = \"yes\"").0, at(1, "download must be true or false; got \"yes\""));
        assert_eq!(error("threads = 0").0, at(1, "threads must be a whole number from 1 to 1024; got 0"));
        assert!(error("device = \"gpu\"").0.starts_with(&at(1, "device must be auto, cpu, cuda")));
        assert_eq!(error("slurm = 1").0, at(1, "slurm must be a table, as [slurm]; got 1"));
        assert!(
            error("threads = 1\nthreads = 2").0.starts_with(&at(2, "duplicate key")),
            "{:?}",
            error("threads = 1\nthreads = 2")
        );
        let (message, help) = error("startup = \"evil.rhai\"");
        assert!(message.starts_with(&at(1, "startup is not a project's to say")), "{message}");
        assert!(help.unwrap().contains("--user"));
    }
}
