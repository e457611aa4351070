//! Teacher logits for every view of every image: computed once in large batches and kept in the run store.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tch::Device;

use super::fitting::Fitting;
use super::job::Job;
use super::model_inputs::ModelInputs;
use super::options::TeacherMode;
use super::stored_rows::{StoredRows, append_half, made_by};
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::Result;
use crate::images::Dataset;
use crate::models::Pass;
use crate::runs::{RunStore, id_of};

const KIND: &str = "outputs";

fn spec(teacher: &Trained, dataset: &Dataset, views: &Views) -> Value {
    let mut spec = json!({
        "format": 1,
        "model": teacher.id,
        "data": dataset.source.fingerprint(),
        "views": views.fingerprint(),
    });
    views.name_tf32(&mut spec);
    spec
}

/// The teachers whose outputs on its training views a student reads, each once. None where it asks them at every step.
pub fn teachers_read(job: &Job) -> Vec<&Trained> {
    let Some(distillation) = &job.distillation else { return vec![] };
    let live = distillation.features || distillation.teacher_mode == TeacherMode::Train;
    if Views::of_training(&job.options).count == 0 || live {
        return vec![];
    }
    let mut seen = BTreeSet::new();
    let teachers = distillation.ensembles.iter().flat_map(|ensemble| &ensemble.teachers);
    teachers.filter(|teacher| seen.insert(&teacher.id)).collect()
}

/// The run of a teacher's outputs on these views.
pub fn run_of(teacher: &Trained, dataset: &Dataset, views: &Views) -> String {
    id_of(KIND, &spec(teacher, dataset, views))
}

/// The runs of the outputs that a student reads of its teachers, on its training split.
pub fn runs_of(job: &Job, train: &Dataset) -> Vec<String> {
    let views = Views::of_training(&job.options);
    let run = |teacher: &Trained| run_of(teacher, train, &views);
    let mut runs: Vec<String> = teachers_read(job).into_iter().map(run).collect();
    runs.sort();
    runs
}

/// The logits of every view of every image, row `view * images + image`; those that the store does not have are computed on `device`.
///
/// Errors: a picture that cannot be read, Io, Interrupted (the rows computed so far are kept, and the next call goes on behind them).
pub fn teacher_outputs(
    store: &RunStore,
    teacher: &Trained,
    dataset: &Dataset,
    views: &Views,
    device: Device,
) -> Result<StoredRows> {
    let run = store.find_or_make(KIND, &spec(teacher, dataset, views), |work| {
        let teacher = teacher.on(device)?;
        let model = teacher.model();
        let inputs = ModelInputs::new(store, &model, dataset, views.clone())?.sharing(&model);
        let total = views.all(dataset.len()).len();
        let progress = Progress::new("teacher outputs", total as u64, "images");
        Fitting::over("teacher outputs", &model, 256, |fitting| {
            let batch = fitting.batch();
            let mut out = work.grow(StoredRows::FILE, total as u64, made_by(model.device, batch))?;
            progress.set(out.rows());
            for batch in inputs.all_from(out.rows() as usize, &model, batch)? {
                interrupt::check()?;
                let batch = batch?;
                let logits = fitting.run(&batch.x, |x| tch::no_grad(|| inputs.logits(&model, x, Pass::EVAL)))?;
                append_half(&mut out, &logits)?;
                progress.advance(batch.rows.len() as u64);
            }
            out.finish()
        })?;
        Ok(json!({ "rows": total, "shape": [model.labels.len()] }))
    })?;
    StoredRows::open(&run)
}
