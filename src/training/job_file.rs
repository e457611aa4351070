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
use crate::files;
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
    /// Folders of the teachers' runs.
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
            t.run.as_ref().map(|run| run.dir.clone()).ok_or_else(|| {
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
    files::write(path, &text)
}

/// Runs the job of a file and sends every epoch's line to the parent process. Returns the id of its run.
pub fn work(path: &Path) -> Result<String> {
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let file: JobFile =
        json::parse(&text).map_err(|e| Error::in_file(path, format!("not a job that cpsd wrote: {e}")))?;
    let teacher = |dir: PathBuf| {
        let id = dir.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        load(Run { id, dir })
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
    Ok(run_with(&RunStore::new(file.runs), &job, Callbacks { epoch: Some(&mut send), ..Callbacks::default() })?.id)
}
