//! Scores of a model or an ensemble on the images of a data set, and their evaluation.

use tch::{Device, Kind, Tensor};

use super::ensemble::Ensemble;
use super::fitting::Fitting;
use super::gathered::Gathered;
use super::merge_rule::{Merger, RuleFunction};
use super::model_inputs::ModelInputs;
use super::teacher_outputs::teacher_outputs;
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result, counted};
use crate::executors::device_pool;
use crate::images::Dataset;
use crate::labels::Unknown;
use crate::metrics::{self, Evaluation, MetricOptions};
use crate::models::Pass;
use crate::runs::{Run, RunStore};
use crate::torch;

/// Probabilities `[N, m]`, row-major, with the names of their rows and columns.
#[derive(Clone, Debug)]
pub struct Predictions {
    pub images: Vec<String>,
    pub labels: Vec<String>,
    pub scores: Vec<f32>,
    /// The split and the data set, for printing.
    pub of: String,
    /// Whether one of the models was selected on the test split.
    pub selected_on_test: bool,
    /// The run of the model that made them; none of an ensemble, or of a model without one.
    pub run: Option<Run>,
}

/// A source of predictions.
#[derive(Clone)]
pub enum Predictor {
    Model(Trained),
    Ensemble(Ensemble),
}

impl Predictor {
    pub fn labels(&self) -> &[String] {
        match self {
            Predictor::Model(model) => &model.labels,
            Predictor::Ensemble(ensemble) => &ensemble.labels,
        }
    }
}

/// The probabilities of every label for the centre view of every image of `dataset`.
///
/// Errors: a picture that cannot be read (named), Interrupted; an ensemble whose rule is a closure, which
/// [`predict_with`] gets.
pub fn predict(store: &RunStore, predictor: &Predictor, dataset: &Dataset) -> Result<Predictions> {
    predict_with(store, predictor, dataset, None)
}

/// As [`predict`], with the function of an ensemble's rule.
pub fn predict_with(
    store: &RunStore,
    predictor: &Predictor,
    dataset: &Dataset,
    rule: Option<RuleFunction>,
) -> Result<Predictions> {
    if dataset.is_empty() {
        return Err(Error::argument(format!(
            "split \"{}\" of {} has no images to predict",
            dataset.split, dataset.name
        ))
        .about_name(&dataset.split));
    }
    let logits = match predictor {
        Predictor::Model(model) => model_logits(store, model, dataset)?,
        Predictor::Ensemble(ensemble) => {
            let parts = ensemble
                .teachers
                .iter()
                .map(|t| {
                    let rows = teacher_outputs(store, t, dataset, &Views::centre(), device_pool::here())?;
                    rows.take(&(0..rows.rows).collect::<Vec<_>>())
                })
                .collect::<Result<Vec<_>>>()?;
            Merger::new(ensemble, &ensemble.labels, Device::Cpu)?.merged(&Tensor::f_cat(&parts, 1)?, rule)?
        }
    };
    Ok(Predictions {
        images: dataset.labels.images().to_vec(),
        labels: predictor.labels().to_vec(),
        scores: torch::to_vec_f32(&logits.f_to_kind(Kind::Float)?.f_sigmoid()?)?,
        of: format!("{} of {}", dataset.split, dataset.name),
        selected_on_test: match predictor {
            Predictor::Model(model) => model.selected_on_test,
            Predictor::Ensemble(ensemble) => ensemble.teachers.iter().any(|t| t.selected_on_test),
        },
        run: match predictor {
            Predictor::Model(model) => model.run.clone(),
            Predictor::Ensemble(_) => None,
        },
    })
}

/// Evaluates predictions on the data set that they were made for. A model of some of the labels is evaluated on those.
/// The data set's entries of unknown truth are left out of the metrics, unless `options.unknown` says otherwise.
///
/// Errors: predictions for other images or labels, options out of range.
pub fn evaluate(predictions: &Predictions, dataset: &Dataset, options: &MetricOptions) -> Result<Evaluation> {
    let targets = targets("evaluate", predictions, dataset)?;
    let options = MetricOptions { unknown: options.unknown.or(Some(Unknown::Masked)), ..options.clone() };
    let mut evaluation = metrics::evaluate(
        &predictions.scores,
        &targets,
        predictions.images.len(),
        predictions.labels.len(),
        &predictions.labels,
        &options,
    )?;
    if predictions.selected_on_test {
        evaluation.notes.push(
            "the epoch was selected on the test split (select_on: \"test\"): these numbers are optimistic".into(),
        );
    }
    Ok(evaluation)
}

/// The truth [N, m] of predictions, from the data set that they were made for: 1 present, 0 absent, -1 unknown. `word` is
/// named in errors.
///
/// Errors: predictions for other images or labels.
pub fn targets(word: &str, predictions: &Predictions, dataset: &Dataset) -> Result<Vec<f32>> {
    if predictions.images != dataset.labels.images() {
        return Err(Error::argument(format!(
            "{word}: the predictions are for {} ({}), not for {} of {} ({})",
            predictions.of,
            counted(predictions.images.len(), "image"),
            dataset.split,
            dataset.name,
            counted(dataset.len(), "image")
        )));
    }
    if let Some(label) = predictions.labels.iter().find(|label| !dataset.labels.labels().contains(label)) {
        let mut error = Error::unknown("label", label, dataset.labels.labels().iter().map(String::as_str));
        error.message = format!("{word}: the model predicts \"{label}\", which is no label of {}", dataset.name);
        return Err(error);
    }
    dataset.labels.take_labels(&predictions.labels)?.targets()
}

fn model_logits(store: &RunStore, trained: &Trained, dataset: &Dataset) -> Result<Tensor> {
    let model = trained.model_on(device_pool::here())?;
    let inputs = ModelInputs::new(store, &model, dataset, Views::centre())?;
    let progress = Progress::new(format!("predicting {}", dataset.split), dataset.len() as u64, "images");
    Fitting::over("predictions", &model, 128, |fitting| {
        let mut logits = Gathered::default();
        for batch in inputs.all(&model, fitting.batch())? {
            interrupt::check()?;
            let batch = batch?;
            logits.push(fitting.run(&batch.x, |x| tch::no_grad(|| inputs.logits(&model, x, Pass::EVAL)))?)?;
            progress.advance(batch.images.len() as u64);
        }
        logits.rows(model.labels.len())
    })
}
