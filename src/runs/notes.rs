//! Notes beside the runs: what is known of a run only after it was made.
//!
//! A run's folder never changes, so these are in `<root>/.notes`, one small file each:
//!
//! | file | |
//! |---|---|
//! | `<id>.named-<hash>.json` | a name and tags under which the run was asked for |
//! | `<id>.score-<hash>.json` | the scores of its model on the pictures of one split |
//! | `<id>.script.json` | the text that asked for it first |
//!
//! A file is written whole or not at all, and its name follows from its content without the date. So any number of processes note side
//! by side without a lock: equal notes are one file, others do not touch each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::key::{id_of, is_id};
use super::prune::id_at_the_start;
use super::store::{Run, RunStore, pretty};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::files::own;
use crate::json as reading;

/// The folder of notes, in the root.
pub(super) const NOTES: &str = ".notes";
/// Bytes that are kept of the text that asked for a run.
const LONGEST_TEXT: usize = 64 << 10;

/// A name and tags under which a run was asked for after it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// None where only tags were given.
    pub name: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// As [`now`] writes it.
    pub date: String,
}

/// The scores of a run's model on the pictures of a split, in percent, by the field's conventions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The data set's name.
    pub data: String,
    pub split: String,
    /// How many pictures there were.
    pub images: usize,
    /// The fingerprint of pictures and labels.
    pub fingerprint: String,
    #[serde(rename = "mAP")]
    pub map: Option<f64>,
    #[serde(rename = "CF1")]
    pub cf1: Option<f64>,
    #[serde(rename = "OF1")]
    pub of1: Option<f64>,
    pub date: String,
}

/// The text that asked for a run first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The script's path, or `line 12` of the prompt.
    pub name: String,
    /// At most 64 KiB of it: the beginning, or the end if `ends` says so. Of a line of the prompt, the session's inputs up to it.
    pub text: String,
    /// Whether the beginning of a long text was cut, not its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends: bool,
    /// Bytes of the whole text.
    pub bytes: usize,
    pub date: String,
}

/// Date and time of now as notes and summaries hold them: `2026-11-27T09:46:45.123Z`. In the order of texts they are in that of time.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A noted date by the clock of this place: `2026-11-27 10:46:45`. One that cannot be read stays as it is.
pub fn local(date: &str) -> String {
    match DateTime::parse_from_rfc3339(date) {
        Ok(date) => date.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => date.to_string(),
    }
}

/// The notes of a store, listed once: to look up many runs.
pub struct Notes {
    folder: PathBuf,
    /// The files of each run.
    files: HashMap<String, Vec<String>>,
}

impl RunStore {
    /// Lists the notes.
    pub fn notes(&self) -> Notes {
        Notes::of(self.root(), |_| true)
    }
}

impl Notes {
    fn of(root: &Path, is_wanted: impl Fn(&str) -> bool) -> Notes {
        let folder = root.join(NOTES);
        let mut files: HashMap<String, Vec<String>> = HashMap::new();
        for entry in own::entries(&folder) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if let Some(id) = id_at_the_start(&name).filter(|id| is_wanted(id) && name.ends_with(".json")) {
                files.entry(id.to_string()).or_default().push(name);
            }
        }
        Notes { folder, files }
    }

    /// The names and tags that a run was given since it was made, oldest first.
    pub fn named(&self, id: &str) -> Vec<Named> {
        let mut all: Vec<Named> = self.read(id, "named");
        all.sort_by(|a, b| a.date.cmp(&b.date));
        all
    }

    /// The scores of a run's model, oldest first.
    pub fn scores(&self, id: &str) -> Vec<Score> {
        let mut all: Vec<Score> = self.read(id, "score");
        all.sort_by(|a, b| (&a.date, &a.split).cmp(&(&b.date, &b.split)));
        all
    }

    /// The text that asked for a run first.
    pub fn script(&self, id: &str) -> Option<Script> {
        self.read(id, "script").pop()
    }

    /// The notes of one kind. One that cannot be read is left out, and said once per process.
    fn read<T: DeserializeOwned>(&self, id: &str, kind: &str) -> Vec<T> {
        let begin = format!("{id}.{kind}");
        let names = self.files.get(id).into_iter().flatten().filter(|name| name.starts_with(&begin));
        names.filter_map(|name| parsed(&self.folder.join(name)).map_err(|error| say_once(&error)).ok()).collect()
    }

    /// Reads every note of a run. Errors: Data, naming the first that is not what was written.
    pub fn check(&self, id: &str) -> Result<()> {
        self.files.get(id).into_iter().flatten().try_for_each(|name| parsed::<Value>(&self.folder.join(name)).map(drop))
    }
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T> {
    reading::parse(&own::read(path)?).map_err(|what| {
        Error::in_file(path, format!("this note of a run is not what was written: {what}"))
            .with_help("it may be removed: it is no part of the run")
    })
}

/// The beginning of a text, of [`LONGEST_TEXT`] bytes at most.
fn beginning_of(text: &str) -> &str {
    let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// The end of a text, of [`LONGEST_TEXT`] bytes at most: whole lines where the text is longer, if it has any there.
fn end_of(text: &str) -> &str {
    let Some(cut) = text.len().checked_sub(LONGEST_TEXT).filter(|&cut| cut > 0) else { return text };
    let cut = (cut..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    let kept = &text[cut..];
    match kept.split_once('\n') {
        Some((_, lines)) if !lines.is_empty() => lines,
        _ => kept,
    }
}

/// Says an error once per process.
fn say_once(error: &Error) {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    if SAID.lock().get_or_insert_default().insert(error.message.clone()) {
        console::log(&error.message);
    }
}

/// What is known of a run's names: its newest name, and all tags in the order in which they came.
pub fn names(id: &str, summary: &Value, named: &[Named]) -> (String, Vec<String>) {
    let newest = named.iter().rev().find_map(|note| note.name.clone());
    let name = newest.or_else(|| summary["name"].as_str().map(str::to_string)).unwrap_or_else(|| id.to_string());
    let first = summary["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all = first.chain(named.iter().flat_map(|note| &note.tags).map(String::as_str));
    let mut seen = BTreeSet::new();
    (name, all.filter(|tag| seen.insert(*tag)).map(str::to_string).collect())
}

impl Run {
    /// The notes of this run.
    pub fn notes(&self) -> Notes {
        Notes::of(self.dir.parent().unwrap_or(Path::new("")), |id| id == self.id)
    }

    /// Its name, the newest that it was given, and its tags. Errors: a damaged summary.
    pub fn names(&self) -> Result<(String, Vec<String>)> {
        Ok(names(&self.id, &self.summary()?, &self.notes().named(&self.id)))
    }

    /// Notes a name, or none, and tags, unless the run has them already. A store that cannot be written is said once per process.
    pub fn note_names(&self, name: Option<&str>, tags: &[String]) {
        let Ok((known, known_tags)) = self.names() else { return };
        let name = name.filter(|name| *name != known);
        if name.is_none() && tags.iter().all(|tag| known_tags.contains(tag)) {
            return;
        }
        let key = id_of("named", &json!([name, tags]));
        self.note(&key, &json!(Named { name: name.map(str::to_string), tags: tags.to_vec(), date: now() }));
    }

    /// Notes scores of its model, in place of earlier ones on the same pictures and labels.
    pub fn note_score(&self, score: &Score) {
        self.note(&id_of("score", &json!([score.data, score.split, score.fingerprint])), &json!(score));
    }

    /// Notes the text that asked for the run, unless one is noted. `earlier` are the inputs of the prompt before it, empty for a script.
    /// Of a long script the beginning is kept, of long inputs the end.
    pub fn note_script(&self, name: &str, earlier: &str, text: &str) {
        if !own::is_absent(&self.note_file("script")) {
            return;
        }
        let (whole, ends) = (format!("{earlier}{text}"), !earlier.is_empty());
        let kept = if ends { end_of(&whole) } else { beginning_of(&whole) };
        let ends = ends && kept.len() < whole.len();
        let script = Script { name: name.into(), text: kept.into(), ends, bytes: whole.len(), date: now() };
        self.note("script", &json!(script));
    }

    fn note_file(&self, key: &str) -> PathBuf {
        self.dir.with_file_name(NOTES).join(format!("{}.{key}.json", self.id))
    }

    fn note(&self, key: &str, value: &Value) {
        if !is_id(&self.id) {
            return;
        }
        let path = self.note_file(key);
        let folder = path.parent().unwrap_or(Path::new(""));
        let written = own::create_folders(folder).and_then(|()| own::write(&path, &pretty(value)));
        if let Err(error) = written {
            say_once(&Error::data(format!("what is known of runs cannot be noted beside them: {}", error.message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::Begun;

    fn made(store: &RunStore, summary: Value) -> Run {
        let spec = json!({"k": 1});
        let Begun::Work(work) = store.begin(&id_of("train", &spec), &spec).unwrap() else { panic!("it is there") };
        work.finish(&summary).unwrap()
    }

    #[test]
    fn the_newest_name_counts_and_tags_add_up() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let run = made(&store, json!({"name": "first", "tags": ["a"]}));
        let tags = |tags: &[&str]| tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>();
        assert_eq!(run.names().unwrap(), ("first".to_string(), tags(&["a"])));
        // What it has already is not noted.
        run.note_names(Some("first"), &tags(&["a"]));
        run.note_names(None, &[]);
        assert!(!root.path().join(NOTES).exists());
        run.note_names(Some("second"), &[]);
        run.note_names(None, &tags(&["b"]));
        assert_eq!(run.names().unwrap(), ("second".to_string(), tags(&["a", "b"])));
        std::thread::sleep(std::time::Duration::from_millis(3));
        run.note_names(Some("first"), &tags(&["b", "c"]));
        assert_eq!(run.names().unwrap(), ("first".to_string(), tags(&["a", "b", "c"])));
        // The folder of the run is what it was.
        assert!(run.verify().unwrap());
        assert_eq!(store.list().len(), 1);
    }

    #[test]
    fn scores_replace_those_on_the_same_pictures_and_the_first_text_stays() {
        let root = tempfile::tempdir().unwrap();
        let run = made(&RunStore::new(root.path()), json!({}));
        let score = |map: f64, fingerprint: &str| Score {
            data: "d".into(),
            split: "test".into(),
            images: 3,
            fingerprint: fingerprint.into(),
            map: Some(map),
            cf1: None,
            of1: None,
            date: now(),
        };
        for (map, fingerprint) in [(1.0, "x"), (2.0, "y"), (3.0, "x")] {
            run.note_score(&score(map, fingerprint));
        }
        let mut maps: Vec<f64> = run.notes().scores(&run.id).iter().filter_map(|score| score.map).collect();
        maps.sort_by(f64::total_cmp);
        assert_eq!(maps, [2.0, 3.0]);
        let long = "ä".repeat(LONGEST_TEXT);
        run.note_script("a.rhai", "", &long);
        run.note_script("b.rhai", "", "other");
        let script = run.notes().script(&run.id).unwrap();
        assert_eq!((script.name.as_str(), script.bytes, script.text.len()), ("a.rhai", long.len(), LONGEST_TEXT));
    }

    #[test]
    fn of_long_inputs_whole_lines_at_the_end_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let run = made(&RunStore::new(root.path()), json!({}));
        let earlier = "let ä = 1;\n".repeat(LONGEST_TEXT / 8);
        run.note_script("line 3", &earlier, "train()");
        let script = run.notes().script(&run.id).unwrap();
        assert!(script.ends && script.text.len() <= LONGEST_TEXT && script.bytes == earlier.len() + 7);
        assert!(script.text.starts_with("let ä = 1;\n") && script.text.ends_with(";\ntrain()"));
    }

    #[test]
    fn a_broken_note_is_left_out_and_found_by_a_check() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let run = made(&store, json!({"name": "n"}));
        run.note_names(Some("other"), &[]);
        assert!(store.notes().check(&run.id).is_ok());
        let file = std::fs::read_dir(root.path().join(NOTES)).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&file, "{\"name\": ").unwrap();
        assert_eq!(run.names().unwrap().0, "n");
        let error = store.notes().check(&run.id).unwrap_err();
        assert!(error.message.contains("is not what was written"), "{}", error.message);
    }

    #[test]
    fn dates_are_shown_by_the_clock_of_this_place() {
        assert_eq!(local(&now()).len(), "2026-11-27 10:46:45".len());
        assert_eq!(local("yesterday"), "yesterday");
    }
}
