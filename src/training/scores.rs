//! The scores of a run's model on a test split, noted beside the run.

use super::predict::Predictions;
use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::runs::{Score, now};

/// Notes an evaluation beside the run of the model that made the predictions, if it is one that `runs()` shows: on a split whose name
/// begins with `test`, by the field's conventions. The options `top_k`, `context` and `companions` do not change these numbers.
pub fn note(predictions: &Predictions, dataset: &Dataset, options: &MetricOptions, evaluation: &Evaluation) {
    let Some(run) = &predictions.run else { return };
    let usual = MetricOptions::default();
    let MetricOptions { top_k, above_threshold, context, companions, .. } = options.clone();
    let shown = MetricOptions { top_k, above_threshold, context, companions, ..usual };
    if !dataset.split.starts_with("test") || *options != shown {
        return;
    }
    let finite = |number: f64| number.is_finite().then_some(number);
    run.note_score(&Score {
        data: dataset.name.clone(),
        split: dataset.split.clone(),
        images: dataset.len(),
        fingerprint: dataset.fingerprint(),
        map: finite(evaluation.map),
        cf1: finite(evaluation.decisions.cf1),
        of1: finite(evaluation.decisions.of1),
        date: now(),
    });
}
