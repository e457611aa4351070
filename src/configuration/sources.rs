//! The values of this process, each with where it came from.
//!
//! What counts, in this order: what the command line or the session says, the environment, the project's file, the user's, those of the
//! program, the default. Of a setting with one value the first source counts; folders of all sources are looked through in that order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use serde_json::json;

use super::file::{self, File};
use super::places::{self, Place, Whose, shown};
use super::settings::{Kind, SETTINGS, Setting, Value};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::files::{own, policy};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An option of the command line: `--runs`.
    Option(&'static str),
    /// `:set` at the prompt.
    Session,
    /// The process for which this one works.
    Caller,
    /// The variable of that name.
    Environment(&'static str),
    File {
        path: PathBuf,
        line: usize,
    },
    /// A place in which is looked whatever is said, in words.
    Usual(&'static str),
    Default,
}

/// `--runs`, `environment CPSD_RUNS`, `cpsd.toml:3`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Option(option) => f.write_str(option),
            Source::Session => f.write_str(":set"),
            Source::Caller => f.write_str("the call"),
            Source::Environment(variable) => write!(f, "environment {variable}"),
            Source::File { path, line } => write!(f, "{}:{line}", shown(path)),
            Source::Usual(place) => f.write_str(place),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub value: Value,
    pub source: Source,
}

/// A line of `cpsd config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub value: String,
    pub source: Source,
}

/// How a process begins.
#[derive(Default)]
pub struct Start<'a> {
    /// The folder from which the project is searched upwards: the script's, or the working folder.
    pub folder: PathBuf,
    /// The run store that the command line names.
    pub runs: Option<&'a Path>,
    /// Where scripts may write besides.
    pub writes: &'a [PathBuf],
    /// Whether the script, and so the project, is not trusted.
    pub untrusted: bool,
}

#[derive(Default)]
struct State {
    /// Where the project is searched; None in a process that was not started so.
    folder: Option<PathBuf>,
    /// The project's, the user's, the program's.
    files: Vec<File>,
    /// What the command line, the session or the caller says.
    said: BTreeMap<&'static str, Found>,
}

/// What a [standard folder](standard_folders) is that the project has.
pub const OF_PROJECT: &str = "project";

static STATE: RwLock<State> = RwLock::new(State { folder: None, files: Vec::new(), said: BTreeMap::new() });

/// Reads the files that hold for work in that folder. What could be read counts, also after an error.
///
/// Errors: the first file that cannot be read or has a mistake; a run store that the project's file may not name.
pub fn start(start: &Start) -> Result<()> {
    let (state, outcome) = read(start);
    *STATE.write() = state;
    outcome
}

/// Whether the files were read.
pub fn started() -> bool {
    STATE.read().folder.is_some()
}

fn read(start: &Start) -> (State, Result<()>) {
    let mut state = State { folder: Some(start.folder.clone()), ..State::default() };
    let mut outcome = Ok(());
    if let Some(runs) = start.runs {
        let found = Found { value: Value::Path(runs.to_path_buf()), source: Source::Option("--runs") };
        let _ = state.said.insert("runs", found);
    }
    if let Some(file) = places::passed_over(&start.folder) {
        console::log(&format!("{} belongs to another user and counts in its own folder alone", shown(&file)));
    }
    for place in places::of(&start.folder).into_iter().filter(|place| !own::is_absent(&place.path)) {
        let file = file::read(&place.path, place.whose).and_then(|mut file| {
            if place.whose == Whose::Project {
                let is_overruled = overrules_files(&state, "runs");
                bound(&mut file, start, is_overruled)?;
            }
            Ok(file)
        });
        match file {
            Ok(file) => state.files.push(file),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    (state, outcome)
}

/// Whether something says the setting that goes before all files.
fn overrules_files(state: &State, key: &str) -> bool {
    let setting = SETTINGS.iter().find(|setting| setting.key == key);
    state.said.contains_key(key) || setting.is_some_and(|setting| setting.of_environment().is_some())
}

/// Takes out of the project's file what it may not say: it comes with a folder, perhaps from somebody else.
///
/// Errors: a run store outside of the project's folder, the working folder and those that may be written; that of an untrusted project
/// is passed over, and so is each folder that leads out of it.
fn bound(file: &mut File, start: &Start, is_overruled: bool) -> Result<()> {
    let here = std::env::current_dir().ok();
    let folder = file.path.parent().map(Path::to_path_buf);
    // With `/` in it the fence would enclose everything.
    let own: Vec<PathBuf> = folder.iter().filter(|folder| folder.parent().is_some()).cloned().collect();
    let writable: Vec<PathBuf> = own.iter().cloned().chain(here.filter(|here| here.parent().is_some())).collect();
    let (path, mut wrong) = (file.path.clone(), None);
    file.settings.retain_mut(|said| {
        let (key, line) = (said.setting.key, said.line);
        let passed_over = |why: &str| {
            console::log(&format!("{}:{line}: with --untrusted, {key} of a project is passed over{why}", shown(&path)));
        };
        match (&mut said.value, start.untrusted) {
            (Value::Path(_), true) => {
                if !is_overruled {
                    passed_over("; --runs=DIR names the run store");
                }
                false
            }
            (Value::Folders(folders), true) => {
                let before = folders.len();
                folders.retain(|folder| policy::lies_in(folder, &own));
                if folders.len() < before {
                    passed_over(" where it leads out of its folder");
                }
                !folders.is_empty()
            }
            (Value::Path(runs), false) if !may_be_store(runs, &writable, start.writes) => {
                if !is_overruled {
                    wrong = Some(refused(&path, line, runs));
                }
                false
            }
            _ => true,
        }
    });
    wrong.map_or(Ok(()), Err)
}

/// Whether the project's file may name this run store.
fn may_be_store(runs: &Path, own: &[PathBuf], writes: &[PathBuf]) -> bool {
    policy::lies_in(runs, own) || policy::lies_in(runs, writes)
}

/// The error of a project's file that names a run store elsewhere.
fn refused(path: &Path, line: usize, runs: &Path) -> Error {
    let text = format!("line {line}: the run store of a project lies in its folder; got {}", shown(runs));
    let help = format!(
        "another place is yours to name: --runs={0}, CPSD_RUNS, or `cpsd config set runs {0} --user`; --allow-write={0} allows this one",
        runs.display()
    );
    Error::in_file(path, text).with_help(help)
}

/// Checks what a project's file says against the rules for it. Errors: a run store elsewhere.
pub(super) fn check_project(file: &mut File) -> Result<()> {
    bound(file, &Start::default(), false)
}

/// The files of settings for this process, in the order in which they count; not all of them are there.
pub fn places() -> Vec<Place> {
    let folder = STATE.read().folder.clone();
    places::of(&folder.or_else(|| std::env::current_dir().ok()).unwrap_or_default())
}

impl State {
    /// What each source says of a setting, first what counts first. The default is none of them.
    fn all(&self, setting: &'static Setting) -> Vec<Found> {
        let mut found: Vec<Found> = self.said.get(setting.key).cloned().into_iter().collect();
        let variable = Source::Environment(setting.variable);
        found.extend(setting.of_environment().map(|value| Found { value, source: variable }));
        for file in &self.files {
            let said = file.settings.iter().filter(|said| said.setting.key == setting.key);
            found.extend(said.map(|said| Found {
                value: said.value.clone(),
                source: Source::File { path: file.path.clone(), line: said.line },
            }));
        }
        found
    }

    fn of(&self, key: &str) -> Vec<Found> {
        SETTINGS.iter().find(|setting| setting.key == key).map_or_else(Vec::new, |setting| self.all(setting))
    }

    /// The folders that all sources name, in order, each once.
    fn folders(&self, key: &str) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in self.of(key).iter().flat_map(|found| found.value.paths()) {
            if !folders.contains(folder) {
                folders.push(folder.clone());
            }
        }
        folders
    }

    /// The project's file, if there is one and it was read.
    fn project_file(&self) -> Option<PathBuf> {
        self.files.iter().find(|file| file.whose == Whose::Project).map(|file| file.path.clone())
    }

    /// The folder of the project's file.
    fn project_folder(&self) -> Option<PathBuf> {
        self.project_file()?.parent().map(Path::to_path_buf)
    }

    /// The folders of weights as another process needs them: it reads no files.
    fn weights_for_others(&self) -> Vec<PathBuf> {
        let mut folders = self.folders("weights");
        folders.extend(self.project_folder().map(|project| project.join("weights")).filter(|folder| folder.is_dir()));
        folders.into_iter().map(|folder| std::path::absolute(&folder).unwrap_or(folder)).collect()
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.of(key).into_iter().next()?.value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    fn kept(&self) -> serde_json::Value {
        let (weights, download) = (self.weights_for_others(), self.flag("download"));
        match weights.is_empty() && download.is_none() {
            true => serde_json::Value::Null,
            false => json!({ "weights": weights, "download": download }),
        }
    }

    fn restore(&mut self, kept: &serde_json::Value) {
        let mut say = |key, value| {
            let _ = self.said.insert(key, Found { value, source: Source::Caller });
        };
        if let Some(folders) = kept["weights"].as_array() {
            let folders = folders.iter().filter_map(|folder| folder.as_str()).map(PathBuf::from).collect();
            say("weights", Value::Folders(folders));
        }
        if let Some(download) = kept["download"].as_bool() {
            say("download", Value::Flag(download));
        }
    }
}

fn of(key: &str) -> Vec<Found> {
    STATE.read().of(key)
}

/// What the first source says that says something of this setting; None where the default holds.
pub fn value(key: &str) -> Option<Found> {
    of(key).into_iter().next()
}

/// The path that is set.
pub fn path(key: &str) -> Option<PathBuf> {
    value(key)?.value.paths().first().cloned()
}

/// The text that is set, and where it came from.
pub fn text(key: &str) -> Option<(String, Source)> {
    let Found { value, source } = value(key)?;
    Some((value.lines().join(","), source))
}

/// The number that is set.
pub fn count(key: &str) -> Option<usize> {
    match value(key)?.value {
        Value::Count(n) => Some(n),
        _ => None,
    }
}

/// The choice that is set.
pub fn flag(key: &str) -> Option<bool> {
    STATE.read().flag(key)
}

/// The folders that all sources name, in order, each once.
pub fn folders(key: &str) -> Vec<PathBuf> {
    STATE.read().folders(key)
}

/// As [`folders`], without those of the project's file, which is another's perhaps.
pub fn folders_of_person(key: &str) -> Vec<PathBuf> {
    let project = STATE.read().project_file();
    let is_own = |found: &&Found| !matches!(&found.source, Source::File { path, .. } if Some(path) == project.as_ref());
    of(key).iter().filter(is_own).flat_map(|found| found.value.paths()).cloned().collect()
}

/// The folders called `name` in which is looked behind those that are set, and what they are: in the working folder and in `above` ones
/// above it, in the project's folder, and in those of the program.
pub fn standard_folders(name: &str, above: usize) -> Vec<(PathBuf, &'static str)> {
    let mut folders: Vec<(PathBuf, &'static str)> = Vec::new();
    let mut add = |folder: PathBuf, what| {
        if !folders.iter().any(|(known, _)| *known == folder) {
            folders.push((folder, what));
        }
    };
    if let Ok(here) = std::env::current_dir() {
        for (i, folder) in here.ancestors().take(above + 1).enumerate() {
            add(folder.join(name), if i == 0 { "working folder" } else { "above the working folder" });
        }
    }
    if let Some(project) = STATE.read().project_folder() {
        add(project.join(name), OF_PROJECT);
    }
    places::program_folders().into_iter().for_each(|folder| add(folder.join(name), "beside the program"));
    folders
}

/// Every value of a setting with its source, in order, for people.
pub fn list(setting: &'static Setting) -> Vec<Listed> {
    let mut found = STATE.read().all(setting);
    if setting.kind != Kind::Folders {
        found.truncate(1);
    }
    let mut listed: Vec<Listed> = Vec::new();
    for Found { value, source } in found {
        listed.extend(value.lines().into_iter().map(|value| Listed { value, source: source.clone() }));
    }
    let usual = match setting.key {
        "weights" => standard_folders("weights", 3),
        "data" => standard_folders("datasets", 0),
        _ => vec![],
    };
    let there = usual.into_iter().filter(|(folder, _)| folder.is_dir());
    listed.extend(
        there.map(|(folder, what)| Listed { value: folder.display().to_string(), source: Source::Usual(what) }),
    );
    if listed.is_empty() {
        listed.push(Listed { value: setting.default.into(), source: Source::Default });
    }
    listed
}

/// Sets a value for this session, as it is typed at the prompt. Errors: a value that the setting cannot have.
pub fn set_for_session(setting: &'static Setting, words: &[&str]) -> Result<Value> {
    let here = std::env::current_dir().unwrap_or_default();
    let value = setting.typed(words, &here)?;
    let found = Found { value: value.clone(), source: Source::Session };
    let _ = STATE.write().said.insert(setting.key, found);
    Ok(value)
}

/// The environment variables by which a worker process has this one's settings.
pub fn for_worker() -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::new();
    let weights = STATE.read().weights_for_others();
    // A folder with a colon in its name cannot be told; the worker finds those of its own environment then.
    if !weights.is_empty()
        && let Ok(weights) = std::env::join_paths(weights)
    {
        variables.push(("CPSD_WEIGHTS", weights));
    }
    variables.extend(flag("download").map(|flag| ("CPSD_DOWNLOAD", OsString::from(if flag { "1" } else { "0" }))));
    variables.extend(count("threads").map(|n| ("CPSD_THREADS", OsString::from(n.to_string()))));
    variables
}

/// The settings that a task of a queue needs, which runs on another machine and reads no files; null for none.
pub fn kept() -> serde_json::Value {
    STATE.read().kept()
}

/// Takes over what [`kept`] gave the caller.
pub fn restore(kept: &serde_json::Value) {
    STATE.write().restore(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with the project `p` and a folder `p/sub` in it.
    struct Root(tempfile::TempDir);

    impl Root {
        fn new(toml: &str) -> Root {
            let root = Root(tempfile::tempdir().unwrap());
            std::fs::create_dir_all(root.at("p/sub")).unwrap();
            std::fs::write(root.at("p/cpsd.toml"), toml).unwrap();
            root
        }

        fn at(&self, path: &str) -> PathBuf {
            std::fs::canonicalize(self.0.path()).unwrap().join(path)
        }

        /// What the project's file says of a setting once it was bounded.
        fn said(&self, key: &str, start: Start) -> Result<Option<Value>> {
            console::set_quiet(true);
            let mut file = file::read(&self.at("p/cpsd.toml"), Whose::Project)?;
            bound(&mut file, &start, false)?;
            Ok(file.settings.into_iter().find(|said| said.setting.key == key).map(|said| said.value))
        }
    }

    #[test]
    fn a_projects_run_store_lies_in_its_folder_or_where_writing_is_allowed() {
        let inside = Root::new("runs = \"sub/runs\"");
        assert_eq!(inside.said("runs", Start::default()).unwrap(), Some(Value::Path(inside.at("p/sub/runs"))));
        for toml in ["runs = \"../out\"", "runs = \"/etc\"", "runs = \".git\"", "runs = \"link/x\"", "runs = \"~/x\""] {
            let root = Root::new(toml);
            std::os::unix::fs::symlink(root.at(""), root.at("p/link")).unwrap();
            let error = root.said("runs", Start::default()).unwrap_err();
            assert!(
                error.message.contains("line 1: the run store of a project lies in its folder"),
                "{}",
                error.message
            );
        }
        let root = Root::new("runs = \"../out\"");
        let writes = [root.at("out")];
        assert!(root.said("runs", Start { writes: &writes, ..Start::default() }).unwrap().is_some());
        // What goes before it is used in its place.
        let mut file = file::read(&root.at("p/cpsd.toml"), Whose::Project).unwrap();
        bound(&mut file, &Start::default(), true).unwrap();
        assert!(file.settings.is_empty());
    }

    #[test]
    fn a_project_that_is_not_trusted_names_no_store_and_no_folder_outside() {
        let root = Root::new("runs = \"runs\"\nweights = [\"w\", \"../x\", \"/y\"]\ndata = \"..\"\nthreads = 1");
        let said = |key: &str| root.said(key, Start { untrusted: true, ..Start::default() }).unwrap();
        assert_eq!(said("runs"), None);
        assert_eq!(said("weights"), Some(Value::Folders(vec![root.at("p/w")])));
        assert_eq!((said("data"), said("threads")), (None, Some(Value::Count(1))));
    }

    #[test]
    fn what_is_said_goes_before_files_and_folders_of_all_are_looked_through() {
        let root = Root::new("weights = \"w\"\nruns = \"r\"\ndownload = true");
        let runs = root.at("typed");
        let begin = Start { folder: root.at("p/sub"), runs: Some(&runs), ..Start::default() };
        let (mut state, outcome) = read(&begin);
        outcome.unwrap();
        let weights = Found { value: Value::Folders(vec!["/a".into()]), source: Source::Session };
        let _ = state.said.insert("weights", weights);
        state.files.retain(|file| file.whose == Whose::Project);
        let first = |key: &str| state.of(key).into_iter().next().unwrap();
        assert_eq!(first("runs"), Found { value: Value::Path(runs), source: Source::Option("--runs") });
        assert_eq!(state.folders("weights")[..1], [PathBuf::from("/a")]);
        assert_eq!(state.folders("weights").last(), Some(&root.at("p/w")));
        let line = Source::File { path: root.at("p/cpsd.toml"), line: 3 };
        assert_eq!((state.flag("download"), first("download").source), (Some(true), line));
        assert_eq!(state.project_folder(), Some(root.at("p")));
        // What a task gets of it.
        let kept = state.kept();
        let mut task = State::default();
        task.restore(&kept);
        assert_eq!(task.folders("weights"), state.folders("weights"));
        assert_eq!((task.flag("download"), task.of("download")[0].source.clone()), (Some(true), Source::Caller));
    }
}
