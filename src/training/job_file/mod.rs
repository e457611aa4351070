//! A job as a file for a worker process, or for a task of a queue ([`queue`]).

pub mod queue;

pub use queue::{DataFiles, for_queue, several};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::callbacks::Callbacks;
use super::ensemble::Ensemble;
use super::image_rows::ImageRows;
use super::job::{Closure, Distillation, Job};
use super::merge_rule::Rule;
use super::options::TrainOptions;
use super::run::{load, run_with};
use super::shared_features::compute_features;
use super::shared_outputs::compute_outputs;
use super::trained_model::Trained;
use crate::activity::message::Message;
use crate::cluster::Executor;
use crate::error::{Error, Result};
use crate::files::own;
use crate::images::{Dataset, DatasetSpec};
use crate::json;
use crate::models::Model;
use crate::options::Options;
use crate::runs::{Run, RunStore};

/// The work of a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Train,
    /// Only to compute the frozen features that the training reads.
    Features,
    /// Only to compute the outputs of the teachers that a student reads.
    Outputs,
}

/// `D` is a data set: its description, or in a task of a queue the name of the file beside it that has one.
#[derive(Serialize, Deserialize)]
struct JobFile<D> {
    task: Task,
    name: String,
    train: D,
    val: Option<D>,
    labels: Vec<String>,
    options: TrainOptions,
    distillation: Option<Distillation<EnsembleFile>>,
}

#[derive(Serialize, Deserialize)]
struct EnsembleFile {
    /// The teachers' runs: ids of the store, or absolute paths of folders of another one.
    teachers: Vec<PathBuf>,
    /// The files of TorchScript modules and word vectors of those that have one: their own files cannot name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    modules: Vec<String>,
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    /// Outputs in place of teachers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<ImageRows>,
}

/// Whether a worker process can do the job: its teachers are in a run store, where it finds them, and nothing is a closure of a script.
pub fn is_possible(job: &Job) -> bool {
    if job.closure().is_some() {
        return false;
    }
    let ensembles = job.distillation.iter().flat_map(|d| &d.ensembles);
    let teachers = ensembles.flat_map(|ensemble| &ensemble.teachers).all(|teacher| teacher.run.is_some());
    teachers && job.options.start.is_in_a_store()
}

/// Errors: a closure of the script among its options and parts, which a worker process does not have.
pub fn check_closures(job: &Job) -> Result<()> {
    let Some(Closure { key, what }) = job.closure() else { return Ok(()) };
    Err(Error::argument(format!(
        "{what} of the script's own belongs to this process, and workers: \"processes\" trains in others"
    ))
    .about_option(key)
    .with_help("workers: \"threads\" trains in this process"))
}

/// A job for a file. `data` gives what stands for a data set. Errors: a teacher that is in no run store; those of `data`.
fn described<D>(
    store: &RunStore,
    job: &Job,
    task: Task,
    mut data: impl FnMut(&Dataset) -> Result<D>,
) -> Result<JobFile<D>> {
    check_closures(job)?;
    job.options.check_start_leaves(&job.name)?;
    let ensemble = |e: Ensemble| -> Result<EnsembleFile> {
        let folder = |t: &Trained| {
            let place = |run: &Run| match run.dir.parent() == Some(store.root()) {
                true => PathBuf::from(&run.id),
                false => std::path::absolute(&run.dir).unwrap_or_else(|_| run.dir.clone()),
            };
            t.run.as_ref().map(place).ok_or_else(|| {
                Error::argument(
                    "a teacher that was loaded from a file is in no run store, where worker processes look for it",
                )
                .with_help("workers: \"threads\" distils in this process")
            })
        };
        let beside = |t: &Trained| t.model().spec.files().map(str::to_string).collect::<Vec<_>>();
        let modules = e.teachers.iter().flat_map(beside).collect();
        let teachers = e.teachers.iter().map(folder).collect::<Result<_>>()?;
        Ok(EnsembleFile { teachers, modules, labels: e.labels, rule: e.rule, given: e.given })
    };
    Ok(JobFile {
        task,
        name: job.name.clone(),
        train: data(&job.train)?,
        val: job.val.as_ref().map(&mut data).transpose()?,
        labels: job.labels.clone(),
        options: TrainOptions { executor: Executor::Here, ..job.options.clone() },
        distillation: job.distillation.clone().map(|d| d.map(ensemble)).transpose()?,
    })
}

fn unwritten(error: serde_json::Error) -> Error {
    Error::internal(format!("a job cannot be written: {error}"))
}

/// Writes a job for a worker process. Errors: a teacher that is in no run store; Io.
pub fn write(store: &RunStore, job: &Job, task: Task, path: &Path) -> Result<()> {
    let file = WorkerFile {
        runs: store.root().to_path_buf(),
        job: described(store, job, task, |data| Ok(DatasetSpec::of(data)))?,
    };
    own::write(path, &serde_json::to_vec(&file).map_err(unwritten)?)
}

/// The file of a worker process.
#[derive(Serialize, Deserialize)]
struct WorkerFile {
    runs: PathBuf,
    job: JobFile<DatasetSpec>,
}

/// Does the work of a worker's file and sends every epoch's line to the parent process. Returns the id of the training's run, or nothing.
pub fn work(path: &Path) -> Result<String> {
    let WorkerFile { runs, job } = json::parse(&own::read(path)?).map_err(|e| no_job(path, e))?;
    let store = RunStore::new(runs);
    let (task, job) = open(path, &store, job, DatasetSpec::open)?;
    let mut send = |line: &serde_json::Value| -> Result<()> {
        Message::Epoch(line.clone()).send();
        Ok(())
    };
    perform(&store, task, &job, Callbacks { epoch: Some(&mut send), ..Callbacks::default() })
}

pub(super) fn no_job(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::in_file(path, format!("not a job that cpsd wrote: {what}"))
}

/// The job that a file describes, checked as the words check it: a file may have been changed since.
fn open<D>(
    path: &Path,
    store: &RunStore,
    file: JobFile<D>,
    mut data: impl FnMut(D) -> Result<Dataset>,
) -> Result<(Task, Job)> {
    // Whoever does the work of a file does it himself.
    let options = TrainOptions { executor: Executor::Here, ..file.options };
    let checked = options.check("a job").and_then(|()| options.check_further("a job"));
    checked.map_err(|e| Error::in_file(path, e.message))?;
    let teacher = |place: PathBuf| {
        let run = match place.is_absolute() {
            true => Run::in_folder(&place)?,
            false => place.to_str().and_then(|id| store.find(id)).ok_or_else(|| {
                Error::in_file(path, format!("its teacher \"{}\" is no run of the store", place.display()))
            })?,
        };
        load(run)
    };
    let ensemble = |e: EnsembleFile| {
        if let Some(given) = e.given {
            return Ok(Ensemble::given(given));
        }
        e.modules.iter().for_each(|module| Model::name_file(Path::new(module)));
        Ensemble::merge_by(e.teachers.into_iter().map(teacher).collect::<Result<_>>()?, Some(e.labels), e.rule)
    };
    let job = Job {
        name: file.name,
        train: data(file.train)?,
        val: file.val.map(data).transpose()?,
        labels: file.labels,
        options,
        distillation: file.distillation.map(|d| d.map(ensemble)).transpose()?,
    };
    Ok((file.task, job))
}

/// Does the task. Returns the id of the training's run, or nothing.
fn perform(store: &RunStore, task: Task, job: &Job, callbacks: Callbacks) -> Result<String> {
    match task {
        Task::Features => compute_features(store, job).map(|()| String::new()),
        Task::Outputs => compute_outputs(store, job).map(|()| String::new()),
        Task::Train => Ok(run_with(store, job, callbacks)?.id),
    }
}
