//! A job as a file for a task of a queue, which is done on another machine, perhaps days later.
//!
//! | key | |
//! |---|---|
//! | `task` | `train`, `features`, `outputs`; `several`, with such jobs in `jobs`; `count`, `check` |
//! | `build` | the [build](crate::cluster::task::build) of cpsd that wrote it: another one would make other bits |
//! | `runs` | the run store, absolute |
//! | `folder` | the folder from which relative paths lead |
//! | `policy` | what the script may do with files, as a worker process has it of its parent |
//! | `settings` | where published weights are looked for, and whether they may be downloaded, if the caller has set it |
//! | `train`, `val` | `{"file": "data-3f29c0a81b52d4e6.json"}`, a file beside it, whose name is of its content |
//!
//! All but `task` and `build` belong to trainings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{JobFile, Task, described, no_job, open, perform, unwritten};
use crate::activity::console;
use crate::cluster::{check, task, task_file};
use crate::configuration;
use crate::error::{Error, Result};
use crate::files::{own, policy};
use crate::images::{Dataset, DatasetSpec};
use crate::json;
use crate::labels::shards;
use crate::runs::RunStore;
use crate::training::callbacks::Callbacks;
use crate::training::job::Job;
use crate::training::side_by_side::run_all;

/// Keys that all jobs of one task share.
const SHARED: [&str; 5] = ["build", "runs", "folder", "policy", "settings"];
/// Letters of the hash in the name of a data set's file.
const HASH: usize = 16;

/// A data set of a task.
#[derive(Serialize, Deserialize)]
struct DataFile {
    file: String,
}

/// The data sets of the jobs of one call: each is described and named once, however many jobs have it.
#[derive(Default)]
pub struct DataFiles {
    /// Those that were described, and their names.
    known: Vec<(Dataset, String)>,
    /// By name, the content of the files beside those of the tasks.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl DataFiles {
    /// The name of the data set's file. Errors: Internal, for one that is not to be written as JSON.
    fn name(&mut self, data: &Dataset) -> Result<String> {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known.shares_all(data)) {
            return Ok(name.clone());
        }
        let name = name_of(data);
        if !self.files.contains_key(&name) {
            self.files.insert(name.clone(), serde_json::to_vec(&DatasetSpec::of(data)).map_err(unwritten)?);
        }
        self.known.push((data.clone(), name.clone()));
        Ok(name)
    }
}

/// A job as the content of a task's file. The data sets that it names are added to `data`. The executor is this machine then.
///
/// Errors: a teacher that is in no run store; Io for a store without an absolute path.
pub fn for_queue(store: &RunStore, job: &Job, task: Task, data: &mut DataFiles) -> Result<Value> {
    let file = described(store, job, task, |set| Ok(DataFile { file: data.name(set)? }))?;
    task_file::complete(store, serde_json::to_value(file).map_err(unwritten)?)
}

/// Several of these as one task, whose jobs run side by side on the GPUs or cores of one worker.
pub fn several(mut jobs: Vec<Value>) -> Value {
    let mut value = json!({ "task": "several" });
    for key in SHARED {
        let of_first = jobs.first().and_then(|job| job.get(key)).cloned();
        value[key] = of_first.unwrap_or_default();
        jobs.iter_mut().filter_map(Value::as_object_mut).for_each(|job| drop(job.shift_remove(key)));
    }
    value["jobs"] = json!(jobs);
    value
}

/// `data-3f29c0a81b52d4e6.json`: two data sets of one name are one.
fn name_of(data: &Dataset) -> String {
    let text = json!([data.name, data.split, data.fingerprint()]).to_string();
    format!("data-{}.json", &blake3::hash(text.as_bytes()).to_hex()[..HASH])
}

/// Whether this is a name as [`name_of`] gives them.
fn is_name(name: &str) -> bool {
    let hash = name.strip_prefix("data-").and_then(|name| name.strip_suffix(".json"));
    hash.is_some_and(|hash| {
        hash.len() == HASH && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Does the work of a task's file: [`TaskProcess`](task::TaskProcess) says how it ended. Returns the ids of its trainings' runs, or
/// what else it has to say.
///
/// Errors: Data for a file that cpsd did not write, a build of another cpsd, data sets that have changed; those of the
/// work.
pub fn work(path: &Path) -> Result<String> {
    let path = &std::path::absolute(path).map_err(|e| Error::io(path, e))?;
    let file: Value = json::parse(&own::read(path)?).map_err(|e| no_job(path, e))?;
    check_build(path, &file)?;
    let mut tasks = Tasks { path, data: BTreeMap::new() };
    match file["task"].as_str() {
        Some("count") => shards::work(&tasks.begin(&file)?, &file),
        Some("check") => check::work(&file),
        Some("several") => tasks.several(file),
        Some("train" | "features" | "outputs") => {
            let store = tasks.begin(&file)?;
            let (task, job) = tasks.open(&store, file)?;
            perform(&store, task, &job, Callbacks::default())
        }
        Some(other) => Err(no_job(path, format!("an unknown task \"{other}\""))),
        None => Err(no_job(path, "the key \"task\" is missing")),
    }
}

/// Errors: the file of another build of cpsd.
fn check_build(path: &Path, file: &Value) -> Result<()> {
    let own = task::build();
    match file["build"].as_str() {
        Some(build) if build == own => Ok(()),
        build => {
            let by = build.map_or("without the key \"build\"".into(), |build| format!("by cpsd {build}"));
            Err(Error::in_file(path, format!("this task was written {by}, and this is cpsd {own}, which could make other bits"))
                .with_help("the same call, made again with this cpsd, writes it anew; a program is not replaced while its tasks are in a queue"))
        }
    }
}

/// A task's file, and the data sets that were read for it.
struct Tasks<'a> {
    path: &'a Path,
    data: BTreeMap<String, Dataset>,
}

impl Tasks<'_> {
    /// Takes the folder and the policy of the caller over. Returns the store.
    fn begin(&self, file: &Value) -> Result<RunStore> {
        let runs = file["runs"].as_str().map(PathBuf::from).filter(|runs| runs.is_absolute());
        let runs = runs.ok_or_else(|| no_job(self.path, "\"runs\" is no absolute path"))?;
        if let Some(folder) = file["folder"].as_str()
            && let Err(error) = std::env::set_current_dir(folder)
        {
            console::log(&format!(
                "the folder {folder}, from which the call was made, is not to be entered here ({error}); relative paths lead elsewhere"
            ));
        }
        if !file["policy"].is_null() {
            policy::take_over(Some(&file["policy"].to_string()), &[]).map_err(|e| no_job(self.path, e.message))?;
        }
        configuration::restore(&file["settings"]);
        Ok(RunStore::new(runs))
    }

    /// Runs jobs side by side, with a process for each where there are GPUs.
    fn several(&mut self, mut file: Value) -> Result<String> {
        let store = self.begin(&file)?;
        let Value::Array(jobs) = file["jobs"].take() else {
            return Err(no_job(self.path, "\"jobs\" is no list"));
        };
        let jobs = jobs.into_iter().map(|job| self.open(&store, job)).collect::<Result<Vec<_>>>()?;
        if jobs.is_empty() || jobs.iter().any(|(task, _)| *task != Task::Train) {
            return Err(no_job(self.path, "the jobs of one task are trainings, at least one"));
        }
        let jobs = jobs.into_iter().map(|(_, job)| job).collect();
        let trained = run_all(&store, jobs, Callbacks::default())?;
        Ok(trained.into_iter().map(|trained| trained.id).collect::<Vec<_>>().join(", "))
    }

    fn open(&mut self, store: &RunStore, job: Value) -> Result<(Task, Job)> {
        let path = self.path;
        let job: JobFile<DataFile> = serde_json::from_value(job).map_err(|e| no_job(path, json::fault(&e)))?;
        open(path, store, job, |data| self.data(&data.file))
    }

    /// The data set of that name. Errors: Io; Data when it is not what its name says.
    fn data(&mut self, name: &str) -> Result<Dataset> {
        if let Some(data) = self.data.get(name) {
            return Ok(data.clone());
        }
        if !is_name(name) {
            return Err(no_job(self.path, format!("\"{name}\" is no name of a data set's file")));
        }
        let path = self.path.with_file_name(name);
        let spec: DatasetSpec = json::parse(&own::read(&path)?)
            .map_err(|e| Error::in_file(&path, format!("not a data set that cpsd wrote: {e}")))?;
        let data = spec.open()?;
        if name_of(&data) != name {
            let text = "the data set is not the one that the call had: its labels or its pictures have changed since";
            return Err(Error::in_file(&path, text).with_help("the same call, made again, trains on what is there now"));
        }
        Ok(self.data.entry(name.to_string()).or_insert(data).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Executor;
    use crate::images::scenes::{SceneOptions, splits};
    use crate::losses::LossSpec;
    use crate::models::ModelSpec;
    use crate::training::options::TrainOptions;

    fn job() -> Job {
        let options = SceneOptions { train: 24, val: 8, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let mut splits = splits(&options).unwrap();
        let (_, val) = splits.remove(1);
        let (_, train) = splits.remove(0);
        let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
        let executor = Executor::Named("slurm".into());
        let options = TrainOptions { model, epochs: 1, batch: 8, threads: 1, executor, ..TrainOptions::default() };
        let labels = train.labels.labels()[..2].to_vec();
        Job { name: "teacher 1".into(), train, val: Some(val), labels, options, distillation: None }
    }

    /// A folder with the task's file, its content and its path.
    fn written(store: &RunStore) -> (tempfile::TempDir, Value, PathBuf) {
        console::set_quiet(true);
        let folder = tempfile::tempdir().unwrap();
        let mut data = DataFiles::default();
        let value = for_queue(store, &job(), Task::Train, &mut data).unwrap();
        for (name, content) in data.files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let path = folder.path().join("0.json");
        std::fs::write(&path, value.to_string()).unwrap();
        (folder, value, path)
    }

    #[test]
    fn a_job_comes_back_and_makes_the_run_of_this_machine() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let (folder, value, path) = written(&store);
        assert_eq!((value["options"]["executor"].as_str(), value["task"].as_str()), (Some("here"), Some("train")));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        let id = work(&path).unwrap();
        assert!(store.find(&id).is_some());
        let here = Job { options: TrainOptions { executor: Executor::Here, ..job().options }, ..job() };
        assert_eq!(crate::training::run(&store, &here).unwrap().id, id);
        // Two as one task: the second is in the store by the first.
        let both = several(vec![value.clone(), value.clone()]);
        assert!(both["jobs"][0].get("policy").is_none() && both["build"] == value["build"]);
        std::fs::write(&path, both.to_string()).unwrap();
        assert_eq!(work(&path).unwrap(), format!("{id}, {id}"));
    }

    #[test]
    fn a_data_set_of_several_jobs_is_described_once() {
        let root = tempfile::tempdir().unwrap();
        let (store, mut data) = (RunStore::new(root.path()), DataFiles::default());
        let first = job();
        let value = for_queue(&store, &first, Task::Train, &mut data).unwrap();
        let second = Job { labels: first.labels[..1].to_vec(), ..first.clone() };
        assert_eq!(for_queue(&store, &second, Task::Train, &mut data).unwrap()["train"], value["train"]);
        assert_eq!((data.known.len(), data.files.len()), (2, 2));
        // Equal, and made anew.
        assert_eq!(for_queue(&store, &job(), Task::Train, &mut data).unwrap()["train"], value["train"]);
        assert_eq!((data.known.len(), data.files.len()), (4, 2));
        let fewer = Job { train: first.train.take(vec![0, 1]).unwrap(), ..first };
        assert_ne!(for_queue(&store, &fewer, Task::Train, &mut data).unwrap()["train"], value["train"]);
    }

    #[test]
    fn a_file_that_was_changed_is_refused_with_its_name() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let (folder, value, path) = written(&store);
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut value = value.clone();
            change(&mut value);
            std::fs::write(&path, value.to_string()).unwrap();
            let error = work(&path).unwrap_err();
            assert!(error.message.starts_with(&format!("{}: ", path.display())), "{error}");
            error.message
        };
        assert!(
            refused(&|v| v["build"] = json!("0.0.1 (aa, libtorch 1)"))
                .contains("written by cpsd 0.0.1 (aa, libtorch 1), and this is cpsd")
        );
        assert!(refused(&|v| v["build"] = Value::Null).contains("without the key \"build\""));
        for name in ["../data-0123456789abcdef.json", "/etc/passwd", "data-0123456789abcdeF.json", "0.json", ""] {
            assert!(refused(&|v| v["train"]["file"] = json!(name)).contains("is no name of a data set's file"));
        }
        assert!(refused(&|v| v["task"] = json!("dance")).contains("an unknown task \"dance\""));
        assert!(refused(&|v| *v = json!({ "build": v["build"] })).contains("\"task\" is missing"));
        assert!(refused(&|v| v["runs"] = json!("runs")).contains("\"runs\" is no absolute path"));
        assert!(refused(&|v| v["options"]["epochs"] = json!(-3)).contains("not a job that cpsd wrote"));
        assert!(refused(&|v| v["options"]["batch"] = json!(0)).contains("batch"));
        assert!(refused(&|v| v["policy"] = json!(3)).contains("is no policy"));
        let outside = json!({ "ensembles": [{ "teachers": ["../x"], "labels": [] }], "weights": [1.0], "loss": LossSpec::default_distillation(),
            "label_weight": 1.0, "teacher_mode": "eval", "teacher_weights": "even" });
        assert!(refused(&|v| v["distillation"] = outside.clone()).contains("no run of the store"));
        let lists = [json!([]), json!([3]), json!({}), json!([{ "task": "several", "jobs": [] }])];
        for jobs in lists {
            refused(&|v| {
                v["task"] = json!("several");
                v["jobs"] = jobs.clone();
            });
        }
        // A data set under another's name.
        std::fs::write(&path, value.to_string()).unwrap();
        let [train, val] = ["train", "val"].map(|key| folder.path().join(value[key]["file"].as_str().unwrap()));
        std::fs::copy(&val, &train).unwrap();
        assert!(work(&path).unwrap_err().message.contains("not the one that the call had"));
    }
}
