//! The list of settings, and how a value is read.

use std::path::{Component, Path, PathBuf};

use crate::environment;
use crate::error::{Error, Result};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in `cpsd.toml`, for `cpsd config` and `:set`.
    pub key: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// The variable of the environment that says it.
    pub variable: &'static str,
    /// The option of the command line that says it, if there is one.
    pub option: Option<&'static str>,
    /// What holds if nobody says anything, in words.
    pub default: &'static str,
    /// One line: what it decides.
    pub text: &'static str,
    /// Whether it is the person's alone, so that no project may say it.
    pub personal: bool,
}

/// What the values of a setting are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or a folder.
    Path,
    /// Folders that are looked through in order. Those of every source are.
    Folders,
    /// Names of devices with commas between them.
    Devices,
    /// A whole number from 1 to [`MOST`].
    Count,
    Flag,
}

/// The largest number that a setting may be: more threads than any machine has cores.
pub const MOST: usize = 1024;

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Path(PathBuf),
    Folders(Vec<PathBuf>),
    Devices(String),
    Count(usize),
    Flag(bool),
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "runs",
        kind: Kind::Path,
        variable: "CPSD_RUNS",
        option: Some("--runs"),
        default: "runs in the working folder",
        text: "the run store: the folder in which trainings are kept",
        personal: false,
    },
    Setting {
        key: "weights",
        kind: Kind::Folders,
        variable: "CPSD_WEIGHTS",
        option: None,
        default: "weights in the usual places",
        text: "folders in which published weights are looked for",
        personal: false,
    },
    Setting {
        key: "data",
        kind: Kind::Folders,
        variable: "CPSD_DATA",
        option: None,
        default: "datasets in the usual places",
        text: "folders in which data sets are looked for, after the working folder",
        personal: false,
    },
    Setting {
        key: "libraries",
        kind: Kind::Folders,
        variable: "CPSD_PATH",
        option: None,
        default: "none",
        text: "folders in which import looks, after the script's folder",
        personal: false,
    },
    Setting {
        key: "device",
        kind: Kind::Devices,
        variable: "CPSD_DEVICE",
        option: None,
        default: "auto",
        text: "what trains: auto (every GPU, or the CPU), cpu, cuda, or GPUs by number as cuda:0,cuda:1",
        personal: false,
    },
    Setting {
        key: "threads",
        kind: Kind::Count,
        variable: "CPSD_THREADS",
        option: None,
        default: "OMP_NUM_THREADS, or all cores",
        text: "the cores that are used, as if the machine had so many",
        personal: false,
    },
    Setting {
        key: "download",
        kind: Kind::Flag,
        variable: "CPSD_DOWNLOAD",
        option: None,
        default: "false",
        text: "whether absent weights are downloaded from the Hugging Face Hub without a question",
        personal: false,
    },
    Setting {
        key: "history",
        kind: Kind::Path,
        variable: "CPSD_HISTORY",
        option: None,
        default: "cpsd/history in the user's data folder",
        text: "the file of the prompt's history",
        personal: true,
    },
    Setting {
        key: "startup",
        kind: Kind::Path,
        variable: "CPSD_STARTUP",
        option: None,
        default: "startup.rhai beside the user's cpsd.toml",
        text: "the script that the prompt runs first",
        personal: true,
    },
];

/// The setting of that key. Errors: there is none; the nearest is named.
pub fn find(key: &str) -> Result<&'static Setting> {
    let found = SETTINGS.iter().find(|setting| setting.key == key);
    found.ok_or_else(|| Error::unknown("setting", key, SETTINGS.iter().map(|setting| setting.key)))
}

impl Setting {
    /// What a value must be, in words.
    pub fn expected(&self) -> String {
        match self.kind {
            Kind::Path => format!("a path, as \"{}\"", self.key),
            Kind::Folders => format!("a folder or a list of folders, as [\"{}\", \"~/{}\"]", self.key, self.key),
            Kind::Devices => "auto, cpu, cuda, or GPUs as \"cuda:0,cuda:1\"".into(),
            Kind::Count => format!("a whole number from 1 to {MOST}"),
            Kind::Flag => "true or false".into(),
        }
    }

    /// The value that a person types, as on the command line. A relative path leads from `folder`.
    ///
    /// Errors: a value that it cannot have.
    pub fn typed(&self, words: &[&str], folder: &Path) -> Result<Value> {
        let bad = || Error::argument(format!("{} must be {}; got \"{}\"", self.key, self.expected(), words.join(" ")));
        let path = |text: &str| plain(&folder.join(expanded(text)));
        if words.is_empty() || words.iter().any(|word| word.is_empty()) {
            return Err(bad());
        }
        if let (Kind::Folders, _) | (Kind::Devices, _) | (_, [_]) = (self.kind, words) {
            Ok(match self.kind {
                Kind::Path => Value::Path(path(words[0])),
                Kind::Folders => Value::Folders(words.iter().map(|word| path(word)).collect()),
                Kind::Devices => Value::Devices(devices(words.iter().copied()).ok_or_else(bad)?),
                Kind::Count => Value::Count(words[0].parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(bad)?),
                Kind::Flag => match words[0] {
                    "true" | "yes" | "on" | "1" => Value::Flag(true),
                    "false" | "no" | "off" | "0" => Value::Flag(false),
                    _ => return Err(bad()),
                },
            })
        } else {
            Err(bad())
        }
    }

    /// The value in its variable of the environment. One that makes no sense is said once and counts as none.
    pub fn of_environment(&self) -> Option<Value> {
        match self.kind {
            Kind::Path => environment::path(self.variable).map(Value::Path),
            Kind::Folders => {
                let all = environment::path(self.variable)?;
                let folders: Vec<PathBuf> =
                    std::env::split_paths(&all).filter(|folder| !folder.as_os_str().is_empty()).collect();
                (!folders.is_empty()).then_some(Value::Folders(folders))
            }
            // Its words are judged where the devices are known.
            Kind::Devices => environment::text(self.variable).map(Value::Devices),
            Kind::Count => environment::count(self.variable, MOST).map(Value::Count),
            Kind::Flag => environment::flag(self.variable).map(Value::Flag),
        }
    }

    /// The value in a file of that folder; None for one of another type.
    pub(super) fn of_toml(&self, value: &serde_json::Value, folder: &Path) -> Option<Value> {
        let path = |text: &str| (!text.trim().is_empty()).then(|| plain(&folder.join(expanded(text))));
        let texts = || match value {
            serde_json::Value::String(text) => Some(vec![text.as_str()]),
            serde_json::Value::Array(all) => all.iter().map(serde_json::Value::as_str).collect(),
            _ => None,
        };
        Some(match self.kind {
            Kind::Path => Value::Path(path(value.as_str()?)?),
            Kind::Folders => Value::Folders(texts()?.into_iter().map(path).collect::<Option<_>>()?),
            Kind::Devices => Value::Devices(devices(texts()?.into_iter())?),
            Kind::Count => Value::Count(usize::try_from(value.as_u64()?).ok().filter(|n| (1..=MOST).contains(n))?),
            Kind::Flag => Value::Flag(value.as_bool()?),
        })
    }
}

/// Names of devices with commas between them; None if one has not the form of such a name.
fn devices<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = words.flat_map(|word| word.split(',')).map(str::trim).collect();
    let number = |name: &str| name.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok());
    let good = |name: &&str| ["auto", "cpu", "cuda"].contains(name) || number(name);
    (!names.is_empty() && names.iter().all(good)).then(|| names.join(","))
}

/// A path with the home folder in place of `~` at its beginning.
fn expanded(text: &str) -> PathBuf {
    match text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => environment::path("HOME").unwrap_or_else(|| "~".into()).join(rest.trim_start_matches('/')),
        None => PathBuf::from(text),
    }
}

/// A path without `.` and without `x/..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                let _ = plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

impl Value {
    /// Its paths.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Value::Path(path) => std::slice::from_ref(path),
            Value::Folders(folders) => folders,
            _ => &[],
        }
    }

    /// As people read it, one line for each path.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Value::Path(_) | Value::Folders(_) => self.paths().iter().map(|path| path.display().to_string()).collect(),
            Value::Devices(names) => vec![names.clone()],
            Value::Count(n) => vec![n.to_string()],
            Value::Flag(flag) => vec![flag.to_string()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_are_of_the_settings_kind() {
        let typed = |key: &str, words: &[&str]| find(key).unwrap().typed(words, Path::new("/here"));
        assert_eq!(typed("runs", &["a/b"]).unwrap(), Value::Path("/here/a/b".into()));
        assert_eq!(typed("weights", &["w", "/x"]).unwrap(), Value::Folders(vec!["/here/w".into(), "/x".into()]));
        assert_eq!(typed("data", &["../x", "./y"]).unwrap(), Value::Folders(vec!["/x".into(), "/here/y".into()]));
        assert_eq!(typed("device", &["cuda:0", "cuda:1"]).unwrap(), Value::Devices("cuda:0,cuda:1".into()));
        assert_eq!(typed("download", &["on"]).unwrap(), Value::Flag(true));
        for (key, words) in [
            ("threads", &["0"][..]),
            ("threads", &["1025"]),
            ("threads", &["9223372036854775807"]),
            ("threads", &["two"]),
            ("threads", &["1", "2"]),
            ("download", &["maybe"]),
            ("device", &["gpu"]),
            ("device", &["cuda:0,", "cuda:1"]),
            ("runs", &["a", "b"]),
            ("runs", &[""]),
            ("weights", &[]),
        ] {
            let error = typed(key, words).unwrap_err();
            assert!(error.message.starts_with(&format!("{key} must be ")), "{}", error.message);
        }
        assert_eq!(find("wieghts").unwrap_err().help.as_deref(), Some("did you mean \"weights\"?"));
    }

    #[test]
    fn no_two_settings_share_a_key_or_a_variable() {
        for (i, one) in SETTINGS.iter().enumerate() {
            for other in &SETTINGS[..i] {
                assert!(one.key != other.key && one.variable != other.variable, "{}", one.key);
            }
        }
    }
}
