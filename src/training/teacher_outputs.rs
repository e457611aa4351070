//! Teacher logits for every view of every image: computed once in large batches and kept in the run store.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::ensemble::Ensemble;
use super::fitting::Fitting;
use super::job::Job;
use super::model_inputs::ModelInputs;
use super::options::TeacherMode;
use super::stored_rows::{StoredRows, append_half, made_by};
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{About, Error, Result};
use crate::images::Dataset;
use crate::models::{Model, Pass};
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
    if Views::of_training(&job.options).count == 0 || distillation.teacher_mode == TeacherMode::Train {
        return vec![];
    }
    let mut seen = BTreeSet::new();
    let teachers = distillation.ensembles.iter().flat_map(|ensemble| &ensemble.teachers);
    teachers.filter(|teacher| seen.insert(&teacher.id)).collect()
}

/// The runs of the outputs that a student reads of its teachers, on its training split.
pub fn runs_of(job: &Job, train: &Dataset) -> Vec<String> {
    let views = Views::of_training(&job.options);
    let run = |teacher: &Trained| id_of(KIND, &spec(teacher, train, &views));
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
        let inputs = ModelInputs::new(store, &model, dataset, views.clone())?;
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

/// The merged logits of an ensemble in a student's label order.
pub enum TeacherTargets {
    /// Kept for a fixed set of views: `[rows, m]`.
    Kept(Tensor),
    /// Computed at every step, when every epoch makes new views or the teachers are in training mode. Copies, on the student's device.
    Live { teachers: Vec<Trained>, columns: Tensor, mode: TeacherMode },
}

impl TeacherTargets {
    pub fn new(
        store: &RunStore,
        ensemble: &Ensemble,
        labels: &[String],
        dataset: &Dataset,
        views: &Views,
        student: &Model,
        mode: TeacherMode,
    ) -> Result<TeacherTargets> {
        let columns = Tensor::f_from_slice(&ensemble.columns(labels)?)?.f_to_device(student.device)?;
        if views.count == 0 || mode == TeacherMode::Train {
            if views.count > 0 && student.spec.fixed_stages() > 0 {
                return Err(Error::argument("teacher_mode \"train\" needs pictures at every step, which a student with kept frozen features does not read")
                    .about(About::Option { key: "teacher_mode".into(), value: Some("train".into()) })
                    .with_help("views: 0 makes new views each epoch; or leave out freeze"));
            }
            let mut teachers = Vec::new();
            for teacher in &ensemble.teachers {
                let size = teacher.model().image_size();
                if size != student.image_size() || teacher.model().spec.normalise != student.spec.normalise {
                    return Err(Error::argument(format!(
                        "with new views each epoch teachers see the student's pictures: image_size and normalise must be equal; got {size} and {} pixels",
                        student.image_size()
                    )).with_help("a fixed set of views (views: 3) lets each see its own size"));
                }
                // A copy: its statistics may change, and a prediction elsewhere may move the teacher's own model.
                let twin = teacher.model().twin_on(student.device)?;
                teachers.push(Trained::new(twin, teacher.id.clone(), None, teacher.vocabulary.clone()));
            }
            return Ok(TeacherTargets::Live { teachers, columns, mode });
        }
        let mut parts = Vec::new();
        for teacher in &ensemble.teachers {
            let rows = teacher_outputs(store, teacher, dataset, views, student.device)?;
            let all: Vec<i64> = (0..rows.rows).collect();
            parts.push(rows.take(&all)?.f_to_device(student.device)?);
        }
        Ok(TeacherTargets::Kept(Tensor::f_cat(&parts, 1)?.f_index_select(1, &columns)?))
    }

    /// The merged logits `[n, m]` for one batch of pictures or rows, without a gradient; `pass` is the student's. `rows` `[n]` are the
    /// positions of the rows, on the student's device.
    pub fn of(&self, rows: &Tensor, x: &Tensor, pass: Pass) -> Result<Tensor> {
        match self {
            TeacherTargets::Kept(all) => Ok(all.f_index_select(0, rows)?),
            TeacherTargets::Live { teachers, columns, mode } => tch::no_grad(|| {
                let pass = if *mode == TeacherMode::Train { pass } else { Pass::EVAL.within(pass.precision) };
                let parts = teachers.iter().map(|t| t.model().forward(x, pass)).collect::<Result<Vec<_>>>()?;
                Ok(Tensor::f_cat(&parts, 1)?.f_index_select(1, columns)?)
            }),
        }
    }
}
