//! Scores and their truth, as the figures of them take them.

use rhai::Dynamic;

use super::given::numbers;
use crate::error::{Error, Result, counted};
use crate::images::Dataset;
use crate::labels::Unknown;
use crate::metrics::Scored;
use crate::primitives::parameters::predictor;
use crate::primitives::values::predictions::PredictionsValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::show;
use crate::torch;
use crate::training::predict::{self, predict};

/// Scores and truth of a call's first arguments; `names` are the labels' names for tensors.
///
/// Errors: neither form, shapes that differ, what [`Scored::new`] refuses.
pub fn scored(
    call: &Call,
    (scores, truth): (&Dynamic, &Dynamic),
    names: Option<Vec<String>>,
    unknown: Option<Unknown>,
) -> Result<Scored> {
    if let Some(dataset) = truth.clone().try_cast::<Dataset>() {
        if names.is_some() {
            return Err(Error::argument(format!("{}: a Dataset has its labels' names; leave out names", call.name)));
        }
        return of_data(call, scores, &dataset, unknown.unwrap_or(Unknown::Masked));
    }
    let (shape, values) = matrix(call, scores, "the scores")?;
    let (other, targets) = matrix(call, truth, "the targets")?;
    if shape != other {
        return Err(Error::argument(format!(
            "{} takes scores and targets of one shape; got {shape:?} and {other:?}",
            call.name
        )));
    }
    let [n, m] = shape;
    let names = match names {
        None => (0..m).map(|i| i.to_string()).collect(),
        Some(names) if names.len() == m => names,
        Some(names) => {
            return Err(Error::argument(format!(
                "{} needs a name for each of {}; got {}",
                call.name,
                counted(m, "label"),
                names.len()
            )));
        }
    };
    Scored::new(&values, &targets, &names, n, unknown.unwrap_or(Unknown::Error))
}

fn of_data(call: &Call, scores: &Dynamic, dataset: &Dataset, unknown: Unknown) -> Result<Scored> {
    let predictions = match scores.read_lock::<PredictionsValue>() {
        Some(predictions) => predictions.0.clone(),
        None => {
            let predictor = predictor(scores, call).map_err(|mut error| {
                error.message = format!(
                    "{} takes Predictions, a Model or an Ensemble with a Dataset; got {}",
                    call.name,
                    show::a_type(scores)
                );
                error
            })?;
            if call.host.plan().is_some() {
                return Err(Error::argument(format!(
                    "{} has nothing to predict with inside plan(...): its models are not trained",
                    call.name
                ))
                .with_help("call it after the plan"));
            }
            let store = call.store();
            std::rc::Rc::new(call.unlocked(|| predict(&store, &predictor, dataset))?)
        }
    };
    let targets = predict::targets(call.name, &predictions, dataset)?;
    Scored::new(&predictions.scores, &targets, &predictions.labels, predictions.images.len(), unknown)
}

/// The shape [N, m] of a tensor or an array, and its values row by row.
fn matrix(call: &Call, value: &Dynamic, what: &str) -> Result<([usize; 2], Vec<f32>)> {
    if let Some(tensor) = value.read_lock::<TensorValue>() {
        let shape = match tensor.0.size()[..] {
            [n] => [n as usize, 1],
            [n, m] => [n as usize, m as usize],
            ref size => {
                return Err(Error::argument(format!(
                    "{}: {what} must have the shape [N, m] or [N]; got {size:?}",
                    call.name
                )));
            }
        };
        return Ok((shape, torch::to_vec_f32(&tensor.0)?));
    }
    if let Ok(array) = value.as_array_ref()
        && array.first().is_some_and(Dynamic::is_array)
    {
        let rows: Vec<Vec<f64>> = array
            .iter()
            .enumerate()
            .map(|(i, row)| numbers(row, call, &format!("row {i} of {what}")))
            .collect::<Result<_>>()?;
        let m = rows[0].len();
        if let Some(i) = rows.iter().position(|row| row.len() != m) {
            return Err(Error::argument(format!(
                "{}: the rows of {what} must have one length; row 0 has {m} and row {i} has {}",
                call.name,
                rows[i].len()
            )));
        }
        return Ok(([rows.len(), m], rows.into_iter().flatten().map(|v| v as f32).collect()));
    }
    let values = numbers(value, call, what)?;
    Ok(([values.len(), 1], values.into_iter().map(|v| v as f32).collect()))
}
