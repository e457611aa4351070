//! A job as a file for a worker process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::callbacks::Callbacks;
use super::ensemble::Ensemble;
use super::job::{Distillation, Job};
use super::options::TrainOptions;
use super::run::{load, run_with};
use super::trained_model::Trained;
use crate::activity::message::Message;
use crate::error::{Error, Result};
use crate::files::own;
use crate::images::DatasetSpec;
use crate::json;
use crate::models::Model;
use crate::runs::{Run, RunStore};

#[derive(Serialize, Deserialize)]
struct JobFile {
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
    /// The TorchScript modules of those that have one: their own files cannot name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    modules: Vec<String>,
    labels: Vec<String>,
}

/// Writes a job for a worker process. Errors: a teacher that is in no run store; Io.
pub fn write(store: &RunStore, job: &Job, path: &Path) -> Result<()> {
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
        let modules = e.teachers.iter().filter_map(|t| t.model().spec.path.clone()).collect();
        Ok(EnsembleFile { teachers: e.teachers.iter().map(folder).collect::<Result<_>>()?, modules, labels: e.labels })
    };
    let file = JobFile {
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

/// Runs the job of a file and sends every epoch's line to the parent process. Returns the id of its run.
pub fn work(path: &Path) -> Result<String> {
    let text = own::read(path)?;
    let file: JobFile =
        json::parse(&text).map_err(|e| Error::in_file(path, format!("not a job that cpsd wrote: {e}")))?;
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
        e.modules.iter().for_each(|module| Model::name_module(Path::new(module)));
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
    let mut send = |line: &serde_json::Value| -> Result<()> {
        Message::Epoch(line.clone()).send();
        Ok(())
    };
    Ok(run_with(&store, &job, Callbacks { epoch: Some(&mut send), ..Callbacks::default() })?.id)
}
