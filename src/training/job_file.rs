//! A job as a file for a worker process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::callbacks::Callbacks;
use super::ensemble::Ensemble;
use super::job::{Distillation, Job};
use super::options::TrainOptions;
use super::run::{load, run_with};
use super::shared_features::compute_features;
use super::trained_model::Trained;
use crate::activity::message::Message;
use crate::error::{Error, Result};
use crate::files::own;
use crate::images::DatasetSpec;
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
}

#[derive(Serialize, Deserialize)]
struct JobFile {
    task: Task,
    runs: PathBuf,
    name: String,
    train: DatasetSpec,
    val: Option<DatasetSpec>,
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
}

/// Whether a worker process can do the job: its teachers are in a run store, where it finds them.
pub fn is_possible(job: &Job) -> bool {
    let ensembles = job.distillation.iter().flat_map(|d| &d.ensembles);
    ensembles.flat_map(|ensemble| &ensemble.teachers).all(|teacher| teacher.run.is_some())
}

/// Writes a job for a worker process. Errors: a teacher that is in no run store; Io.
pub fn write(store: &RunStore, job: &Job, task: Task, path: &Path) -> Result<()> {
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
        Ok(EnsembleFile { teachers: e.teachers.iter().map(folder).collect::<Result<_>>()?, modules, labels: e.labels })
    };
    let file = JobFile {
        task,
        runs: store.root().to_path_buf(),
        name: job.name.clone(),
        train: DatasetSpec::of(&job.train),
        val: job.val.as_ref().map(DatasetSpec::of),
        labels: job.labels.clone(),
        options: job.options.clone(),
        distillation: job.distillation.clone().map(|d| d.map(ensemble)).transpose()?,
    };
    let text = serde_json::to_vec(&file).map_err(|e| Error::internal(format!("a job cannot be written: {e}")))?;
    own::write(path, &text)
}

/// Does the work of a file and sends every epoch's line to the parent process. Returns the id of the training's run, or nothing.
pub fn work(path: &Path) -> Result<String> {
    let text = own::read(path)?;
    let file: JobFile =
        json::parse(&text).map_err(|e| Error::in_file(path, format!("not a job that cpsd wrote: {e}")))?;
    // As the words check them: a file may have been changed since.
    let checked = file.options.check("a job").and_then(|()| file.options.check_further("a job"));
    checked.map_err(|e| Error::in_file(path, e.message))?;
    let store = RunStore::new(file.runs);
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
        e.modules.iter().for_each(|module| Model::name_file(Path::new(module)));
        Ensemble::merge(e.teachers.into_iter().map(teacher).collect::<Result<_>>()?, Some(e.labels))
    };
    let job = Job {
        name: file.name,
        train: file.train.open()?,
        val: file.val.map(DatasetSpec::open).transpose()?,
        labels: file.labels,
        options: file.options,
        distillation: file.distillation.map(|d| d.map(ensemble)).transpose()?,
    };
    if file.task == Task::Features {
        return compute_features(&store, &job).map(|()| String::new());
    }
    let mut send = |line: &serde_json::Value| -> Result<()> {
        Message::Epoch(line.clone()).send();
        Ok(())
    };
    Ok(run_with(&store, &job, Callbacks { epoch: Some(&mut send), ..Callbacks::default() })?.id)
}
