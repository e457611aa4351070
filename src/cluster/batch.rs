//! A batch: an array of tasks in a folder of the run store, `.work/batches/<name>/`.
//!
//! | in the folder | |
//! |---|---|
//! | `batch.json` | [`Record`]; written before the queue is asked, and again with the jobs that it made |
//! | `job.sh` | the text that the queue runs |
//! | `0.json`, `1.json` … | the job of each task |
//! | `data-<fingerprint>.json` | data sets, each once |
//! | `logs/<index>.log` | standard output and error of a task, of all its starts |
//! | `<index>.end.json` | [`End`](super::task::End): how a task ended, if it could say so |
//! | `<index>.again` | a waiter has put this task back, which was stopped from outside |
//!
//! The folder is written under another name and renamed, so one that is there is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind as IoKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{Cluster, JobId};
use super::task::End;
use crate::activity::console;
use crate::error::{Error, ErrorKind, Result, cut_names};
use crate::files::own;
use crate::json;
use crate::runs::RunStore;

/// A task to do: what makes one run of the store (or several, of one task).
#[derive(Clone, Debug)]
pub struct Task {
    /// The runs that it makes; it is done when the store has all of them.
    pub runs: Vec<String>,
    /// Its name in progress lines: `teacher 2/3`.
    pub name: String,
    /// The content of its file. Data sets are named by the key of [`Work::data`].
    pub job: Value,
}

/// Work for a queue: stages, of which each needs what the ones before have made. A later stage makes what is missing, so only the last
/// one's failures matter.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub stages: Vec<Vec<Task>>,
    /// Files beside the tasks' by name, as `data-3f29.json`.
    pub data: Vec<(String, Vec<u8>)>,
    /// The one job that does several of the last stage side by side, for queues whose tasks train several models. None: each is a task of
    /// its own.
    pub several: Option<fn(Vec<Value>) -> Value>,
}

/// `batch.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Also the name of its jobs in the queue, and of its folder.
    pub name: String,
    pub cluster: Cluster,
    pub tasks: Vec<RecordedTask>,
    /// The jobs that the queue made, with the tasks of each; empty until it has answered.
    pub jobs: Vec<(JobId, Vec<usize>)>,
    /// Who put it into the queue: host and process.
    pub from: String,
    /// Tasks whose failure a caller has been told: the same call does them again.
    #[serde(default)]
    pub told: BTreeSet<usize>,
    /// Tasks of earlier batches that made its runs and have ended, as the queue said: `4711_3`. What they have claimed is free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedTask {
    pub runs: Vec<String>,
    pub name: String,
    pub stage: usize,
}

/// A batch in its folder.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Absolute.
    pub folder: PathBuf,
    pub record: Record,
}

/// What the names of batches begin with.
const KIND: &str = "cpsd-";
pub(super) const RECORD: &str = "batch.json";
pub(super) const LOGS: &str = "logs";
const END: &str = ".end.json";
/// The part of a log that is looked at for its last lines.
const TAIL: u64 = 16 << 10;

/// The task with an index in the queue, of a job that has these tasks. A job of one task has it whatever the index.
pub(super) fn task_of(tasks: &[usize], index: usize) -> Option<usize> {
    match *tasks {
        [task] => Some(task),
        // They ascend.
        _ => tasks.binary_search(&index).ok().map(|_| index),
    }
}

/// The log of a task, in its batch's folder.
pub(super) fn log(folder: &Path, task: usize) -> PathBuf {
    folder.join(LOGS).join(format!("{task}.log"))
}

/// Where a task says how it ended, in its batch's folder.
pub(super) fn end(folder: &Path, task: usize) -> PathBuf {
    folder.join(format!("{task}{END}"))
}

impl Record {
    /// The job of each task that the queue has answered for.
    pub fn jobs_by_task(&self) -> BTreeMap<usize, &JobId> {
        self.jobs.iter().flat_map(|(job, tasks)| tasks.iter().map(move |&task| (task, job))).collect()
    }

    /// Tasks of which it is not known whether the queue has them.
    pub fn unsubmitted(&self) -> Vec<usize> {
        let known: BTreeSet<usize> = self.jobs.iter().flat_map(|(_, tasks)| tasks).copied().collect();
        (0..self.tasks.len()).filter(|task| !known.contains(task)).collect()
    }
}

impl Batch {
    /// All batches of a store, by name. Those that are being written or removed are none.
    pub fn all(store: &RunStore) -> Vec<Batch> {
        let place = place(store);
        let mut all: Vec<Batch> = own::entries(&place)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(KIND))
            .filter_map(|entry| {
                let folder = place.join(entry.file_name());
                match own::read(&folder.join(RECORD)).map(|bytes| json::parse::<Record>(&bytes)) {
                    Ok(Ok(record)) => Some(Batch { folder, record }),
                    Ok(Err(error)) => {
                        let error = cut_names(&error);
                        console::log(&format!("{}: not what cpsd wrote ({error})", folder.join(RECORD).display()));
                        None
                    }
                    // Its waiter has just removed it.
                    Err(_) => None,
                }
            })
            .collect();
        all.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        all
    }

    /// Writes the folder of a new batch. Each task has its stage; `ended` is the record's.
    ///
    /// Errors: Io; a folder that cannot be written says that it is for a queue.
    pub fn make(
        store: &RunStore,
        cluster: &Cluster,
        tasks: Vec<(usize, Task)>,
        data: &[(String, Vec<u8>)],
        ended: Vec<String>,
    ) -> Result<Batch> {
        let (name, place) = (new_name(), place(store));
        let (folder, unfinished) = (place.join(&name), place.join(format!(".new-{name}")));
        let refused = |error: Error| {
            let text = format!(
                "tasks of a queue are described and write their logs in the run store, and this process cannot write there: {}",
                error.message
            );
            Error { message: text, ..error }
                .with_help("the option runs, or CPSD_RUNS, names a store that is written from here and from the nodes")
        };
        own::create_folders(&unfinished.join(LOGS)).map_err(refused)?;
        let fill = || -> Result<Record> {
            let probe = unfinished.join(LOGS).join(".probe");
            own::create_new(&probe).map_err(|e| refused(Error::io(&probe, e)))?;
            let _ = own::remove_file(&probe);
            for (name, bytes) in data {
                own::write(&unfinished.join(name), bytes)?;
            }
            let mut recorded = Vec::new();
            for (index, (stage, task)) in tasks.into_iter().enumerate() {
                let bytes = serde_json::to_vec(&task.job)
                    .map_err(|e| Error::internal(format!("a job cannot be written: {e}")))?;
                own::write(&unfinished.join(format!("{index}.json")), &bytes)?;
                recorded.push(RecordedTask { runs: task.runs, name: task.name, stage });
            }
            let from = format!("{}:{}", own::host(), std::process::id());
            let record = Record {
                name: name.clone(),
                cluster: cluster.clone(),
                tasks: recorded,
                jobs: vec![],
                from,
                told: BTreeSet::new(),
                ended: ended.clone(),
            };
            write_record(&unfinished, &record)?;
            own::rename(&unfinished, &folder).map_err(|e| Error::io(&folder, e))?;
            own::sync_folder(&place);
            Ok(record)
        };
        let made = fill();
        if made.is_err() {
            let _ = own::remove_folder(&unfinished);
        }
        Ok(Batch { folder, record: made? })
    }

    /// Writes `batch.json` again. A batch that another waiter has removed stays so.
    ///
    /// Errors are of kind Data, as of a full disk: Io means a queue that does not answer.
    pub fn save(&self) -> Result<()> {
        if own::is_absent(&self.folder) {
            return Ok(());
        }
        write_record(&self.folder, &self.record).map_err(|error| Error { kind: ErrorKind::Data, ..error })
    }

    /// Removes the folder. What cannot be removed is left to `cpsd runs prune`.
    pub fn remove(&self) {
        let away = self.folder.with_file_name(format!(".old-{}", self.record.name));
        if own::rename(&self.folder, &away).is_ok() {
            let _ = own::remove_folder(&away);
        }
    }

    /// Whether the process that made it was of this host and has ended.
    pub fn is_of_ended_process(&self) -> bool {
        let process = self.record.from.strip_prefix(own::host()).and_then(|rest| rest.strip_prefix(':'));
        process.and_then(|process| process.parse().ok()).is_some_and(|process: i32| !own::process_runs(process))
    }

    /// The runs of all its tasks.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.record.tasks.iter().flat_map(|task| task.runs.iter().map(String::as_str))
    }

    /// The log of a task.
    pub fn log(&self, task: usize) -> PathBuf {
        log(&self.folder, task)
    }

    /// Tasks that have said how they ended. By listing: on shared file systems a file that was asked for too early stays absent for
    /// a while.
    pub fn ended(&self) -> BTreeSet<usize> {
        own::entries(&self.folder)
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(END)?.parse().ok())
            .collect()
    }

    /// What a task said at its end; None if that is not there (any more).
    pub fn end(&self, task: usize) -> Option<End> {
        json::parse(&own::read(&end(&self.folder, task)).ok()?).ok()
    }

    /// Marks that a task is put back after it was stopped from outside. Returns false if that was done before. Errors: Io.
    pub fn mark_again(&self, task: usize) -> Result<bool> {
        let path = self.folder.join(format!("{task}.again"));
        match own::create_new(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == IoKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    /// Marks that a task which the queue holds is released. Returns which release of it this is, from 1; None after `most`. Errors: Io.
    pub fn mark_release(&self, task: usize, most: u32) -> Result<Option<u32>> {
        for number in 1..=most {
            let path = self.release(task, number);
            match own::create_new(&path) {
                Ok(_) => return Ok(Some(number)),
                Err(error) if error.kind() == IoKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(&path, error)),
            }
        }
        Ok(None)
    }

    /// Takes a mark away again: the queue did not answer.
    pub fn unmark_release(&self, task: usize, number: u32) {
        // At worst one release is missing.
        let _ = own::remove_file(&self.release(task, number));
    }

    fn release(&self, task: usize, number: u32) -> PathBuf {
        self.folder.join(format!("{task}.release-{number}"))
    }

    /// The last lines of a task's log, without empty ones; none of a log that is not there.
    pub fn last_lines(&self, task: usize, most: usize) -> Vec<String> {
        let text = tail(&self.log(task)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(most)..].iter().map(|line| line.to_string()).collect()
    }
}

/// The folder of all batches.
fn place(store: &RunStore) -> PathBuf {
    let place = store.batches_folder();
    std::path::absolute(&place).unwrap_or(place)
}

fn write_record(folder: &Path, record: &Record) -> Result<()> {
    let bytes =
        serde_json::to_vec_pretty(record).map_err(|e| Error::internal(format!("a batch cannot be written: {e}")))?;
    own::write(&folder.join(RECORD), &bytes)
}

/// A name that no other batch has: of host, process, time and a number.
fn new_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let who = format!("{} {} {time} {number}", own::host(), std::process::id());
    format!("{KIND}{}", &blake3::hash(who.as_bytes()).to_hex()[..12])
}

fn tail(path: &Path) -> Option<String> {
    let mut file = own::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterOptions, is_away};
    use serde_json::json;

    fn task(run: &str) -> Task {
        Task { runs: vec![run.into()], name: "teacher 1/1".into(), job: json!({"task": "train"}) }
    }

    #[test]
    fn a_batch_is_whole_comes_back_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let cluster = Cluster::slurm(ClusterOptions::default());
        let data = [("data-1.json".to_string(), b"{}".to_vec())];
        let mut batch = Batch::make(&store, &cluster, vec![(0, task("train-000000000001"))], &data, vec![]).unwrap();
        assert!(batch.folder.is_absolute() && batch.folder.join("data-1.json").exists());
        assert_eq!(std::fs::read_to_string(batch.folder.join("0.json")).unwrap(), r#"{"task":"train"}"#);
        assert_eq!(std::fs::read_dir(batch.folder.join("logs")).unwrap().count(), 0);
        batch.record.jobs = vec![(JobId("4711".into()), vec![0])];
        batch.save().unwrap();
        let found = Batch::all(&store);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record.jobs_by_task(), BTreeMap::from([(0, &JobId("4711".into()))]));
        assert!(found[0].record.unsubmitted().is_empty());
        assert_eq!(found[0].runs().collect::<Vec<_>>(), ["train-000000000001"]);
        batch.remove();
        assert!(Batch::all(&store).is_empty());
        // Another waiter has removed it.
        batch.save().unwrap();
        assert!(!batch.folder.exists());
        assert_eq!(std::fs::read_dir(store.batches_folder()).unwrap().count(), 0);
    }

    #[test]
    fn a_store_that_cannot_be_written_is_said() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(".work"), "").unwrap();
        let cluster = Cluster::slurm(ClusterOptions::default());
        let error = Batch::make(&RunStore::new(root.path()), &cluster, vec![], &[], vec![]).unwrap_err();
        assert!(
            error.message.starts_with("tasks of a queue are described and write their logs in the run store"),
            "{error}"
        );
    }

    #[test]
    fn a_task_is_known_by_its_index_or_alone() {
        assert_eq!([2, 1].map(|index| task_of(&[0, 2], index)), [Some(2), None]);
        assert_eq!([0, 5].map(|index| task_of(&[5], index)), [Some(5), Some(5)]);
        assert_eq!(task_of(&[], 0), None);
    }

    #[test]
    fn a_record_that_cannot_be_written_is_no_silence_of_the_queue() {
        let root = tempfile::tempdir().unwrap();
        let cluster = Cluster::slurm(ClusterOptions::default());
        let batch = Batch::make(&RunStore::new(root.path()), &cluster, vec![], &[], vec![]).unwrap();
        std::fs::remove_file(batch.folder.join("batch.json")).unwrap();
        std::fs::create_dir(batch.folder.join("batch.json")).unwrap();
        let error = batch.save().unwrap_err();
        assert!(!is_away(&error), "{:?}: {error}", error.kind);
    }

    #[test]
    fn the_last_lines_of_a_log() {
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let batch = Batch::make(&store, &Cluster::slurm(ClusterOptions::default()), vec![], &[], vec![]).unwrap();
        assert!(batch.last_lines(0, 3).is_empty());
        let text: String = (0..5000).map(|i| format!("line {i}\n\n")).collect();
        std::fs::write(batch.log(0), text).unwrap();
        assert_eq!(batch.last_lines(0, 3), ["line 4997", "line 4998", "line 4999"]);
    }
}
