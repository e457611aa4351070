//! Reading and writing a partition in the authors' JSON form.

use std::path::Path;

use serde_json::{Map, Value};

use super::tasks::Partition;
use crate::error::{Error, Result, only};
use crate::graph::label_names;
use crate::{files, json};

impl Partition {
    /// Writes a JSON list with one object per task: `{"label index": position in the teacher's output}`.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut text = String::from("[");
        for (t, task) in self.task_indices().iter().enumerate() {
            text.push_str(if t == 0 { "\n" } else { ",\n" });
            let entries: Vec<String> = task.iter().enumerate().map(|(at, i)| format!("\"{i}\": {at}")).collect();
            text.push_str(&format!("  {{{}}}", entries.join(", ")));
        }
        text.push_str("\n]\n");
        files::write(path.as_ref(), text.as_bytes())
    }

    /// Reads the form that [`Partition::save`] and the authors write; label indices are positions in `labels`.
    ///
    /// The positions give the order of each teacher's outputs. Tasks are renumbered by first appearance. Errors name the
    /// file and the label that is out of range, in two tasks or in none.
    pub fn load(path: impl AsRef<Path>, labels: &[String]) -> Result<Self> {
        let path = path.as_ref();
        let text = files::read_text(path)?;
        parse(&text, labels).map_err(|mut e| {
            e.message = format!("{}: {}", path.display(), e.message);
            e
        })
    }
}

fn parse(text: &str, labels: &[String]) -> Result<Partition> {
    label_names::index(labels)?;
    let form = "a JSON list with an object {\"label index\": position} for each task";
    let tasks: Vec<Map<String, Value>> =
        json::parse(text.as_bytes()).map_err(|what| Error::data(format!("expected {form}: {what}")))?;
    let mut lists = Vec::with_capacity(tasks.len());
    for (t, task) in tasks.iter().enumerate() {
        let mut list = vec![None; task.len()];
        for (key, position) in task {
            let label: usize = key.trim().parse().map_err(|_| {
                Error::data(format!("expected {form}; in task {t} the key \"{key}\" is not a label index"))
            })?;
            if label >= labels.len() {
                return Err(Error::data(format!(
                    "task {t} has label index {label}, but {}",
                    only(labels.len(), "label")
                )));
            }
            let slot = position.as_u64().and_then(|p| list.get_mut(usize::try_from(p).ok()?));
            if slot.is_none_or(|slot| slot.replace(label).is_some()) {
                return Err(Error::data(format!(
                    "the positions of task {t} must be 0 to {}, each once; label index {label} has {position}",
                    task.len() - 1
                )));
            }
        }
        lists.push(list.into_iter().flatten().collect());
    }
    Partition::from_indices(labels, lists).map_err(|mut e| {
        e.kind = crate::error::ErrorKind::Data;
        e
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn labels() -> Vec<String> {
        ["cat", "dog", "sofa"].map(String::from).to_vec()
    }

    #[test]
    fn the_authors_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.json");
        let p = Partition::from_tasks(&labels(), &[vec!["cat", "sofa"], vec!["dog"]]).unwrap();
        p.save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  {\"0\": 0, \"2\": 1},\n  {\"1\": 0}\n]\n");
        assert_eq!(Partition::load(&path, &labels()).unwrap(), p);
        fs::write(&path, format!("\u{feff}{}", fs::read_to_string(&path).unwrap())).unwrap();
        assert_eq!(Partition::load(&path, &labels()).unwrap(), p);
        p.save(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part file is left");
        let swapped = parse(r#"[{"1": 0}, {"0": 1, "2": 0}]"#, &labels()).unwrap();
        assert_eq!(swapped.tasks(), vec![vec!["sofa", "cat"], vec!["dog"]]);
    }

    #[test]
    fn bad_files_are_explained() {
        let of = |text: &str| parse(text, &labels()).unwrap_err().message;
        assert!(of("[{\"0\": 0").contains("expected a JSON list"));
        assert!(of("{}").contains("expected a JSON list"));
        assert!(of("[[1]]").contains("for each task: expected an object; got a list, at line 1"));
        assert!(of(r#"[{"cat": 0}]"#).contains("the key \"cat\" is not a label index"));
        assert!(of(r#"[{"0": 0, "1": 1, "3": 2}]"#).contains("label index 3, but there are only 3"));
        assert!(of(r#"[{"0": 0, "1": 1}]"#).contains("1 of 3 labels are in no task: \"sofa\""));
        assert!(of(r#"[{"0": 0, "1": 1}, {"1": 0, "2": 1}]"#).contains("\"dog\" is in two tasks, 0 and 1"));
        assert!(of(r#"[{"0": 0, "1": 0, "2": 1}]"#).contains("must be 0 to 2, each once"));
        assert!(of(r#"[{"0": 0, "1": -1, "2": 1}]"#).contains("has -1"));
        assert!(of(r#"[{"0": 0, "1": 1, "2": 2}, {}]"#).contains("task 1 of the partition is empty"));
    }
}
