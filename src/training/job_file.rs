//! A job as a file: how a training comes to a worker process.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ensemble::Ensemble;
use super::hooks::Hooks;
use super::job::{Distillation, Job};
use super::options::{TeacherMode, TeacherWeights, TrainOptions};
use super::run::{load, run_with};
use crate::activity::message::Message;
use crate::error::{Error, Result};
use crate::files;
use crate::images::portable::DatasetSpec;
use crate::losses::LossSpec;
use crate::runs::{Run, RunStore};

#[derive(Serialize, Deserialize)]
struct JobFile {
    runs: PathBuf,
    name: String,
    train: DatasetSpec,
    val: Option<DatasetSpec>,
    labels: Vec<String>,
    options: TrainOptions,
    distillation: Option<DistillationFile>,
}

#[derive(Serialize, Deserialize)]
struct DistillationFile {
    ensembles: Vec<EnsembleFile>,
    weights: Vec<f64>,
    loss: LossSpec,
    label_weight: f64,
    teacher_mode: TeacherMode,
    teacher_weights: TeacherWeights,
}

#[derive(Serialize, Deserialize)]
struct EnsembleFile {
    /// Folders of the teachers' runs.
    teachers: Vec<PathBuf>,
    labels: Vec<String>,
}

/// Writes `job` for a worker. Errors: a teacher that is in no run store; Io.
pub fn write(store: &RunStore, job: &Job, path: &Path) -> Result<()> {
    let ensemble = |e: &Ensemble| -> Result<EnsembleFile> {
        let folder = |t: &super::Trained| {
            t.run.as_ref().map(|run| run.dir.clone()).ok_or_else(|| {
                Error::argument(
                    "a teacher that was loaded from a file is in no run store, where worker processes look for it",
                )
                .with_help("workers: \"threads\" distils in this process")
            })
        };
        Ok(EnsembleFile { teachers: e.teachers.iter().map(folder).collect::<Result<_>>()?, labels: e.labels.clone() })
    };
    let distillation = match &job.distillation {
        None => None,
        Some(d) => Some(DistillationFile {
            ensembles: d.ensembles.iter().map(ensemble).collect::<Result<_>>()?,
            weights: d.weights.clone(),
            loss: d.loss.clone(),
            label_weight: d.label_weight,
            teacher_mode: d.teacher_mode,
            teacher_weights: d.teacher_weights,
        }),
    };
    let file = JobFile {
        runs: store.root().to_path_buf(),
        name: job.name.clone(),
        train: DatasetSpec::of(&job.train),
        val: job.val.as_ref().map(DatasetSpec::of),
        labels: job.labels.clone(),
        options: job.options.clone(),
        distillation,
    };
    let text = serde_json::to_vec(&file).map_err(|e| Error::internal(format!("a job cannot be written: {e}")))?;
    files::write(path, &text)
}

/// Does the job of a file, saying every epoch's line; the id of its run.
pub fn work(path: &Path) -> Result<String> {
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let file: JobFile = serde_json::from_slice(&text)
        .map_err(|e| Error::data(format!("{}: not a job that cpsd wrote: {e}", path.display())))?;
    let teacher = |dir: PathBuf| {
        let id = dir.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        load(Run { id, dir })
    };
    let ensemble =
        |e: EnsembleFile| Ensemble::merge(e.teachers.into_iter().map(teacher).collect::<Result<_>>()?, Some(e.labels));
    let distillation = match file.distillation {
        None => None,
        Some(d) => Some(Distillation {
            ensembles: d.ensembles.into_iter().map(ensemble).collect::<Result<_>>()?,
            weights: d.weights,
            loss: d.loss,
            label_weight: d.label_weight,
            teacher_mode: d.teacher_mode,
            teacher_weights: d.teacher_weights,
        }),
    };
    let job = Job {
        name: file.name,
        train: file.train.open()?,
        val: file.val.map(DatasetSpec::open).transpose()?,
        labels: file.labels,
        options: file.options,
        distillation,
    };
    let mut say = |line: &serde_json::Value| -> Result<()> {
        Message::Epoch(line.clone()).send();
        Ok(())
    };
    Ok(run_with(&RunStore::new(file.runs), &job, Hooks { epoch: Some(&mut say), ..Hooks::default() })?.id)
}
