//! `evaluate`: the metrics of a model on a data set.

use std::rc::Rc;

use rhai::Dynamic;

use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::primitives::parameters::Predicting;
use crate::primitives::values::predictions::PredictionsValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training;

pub const WORD: Word = Word {
    name: "evaluate",
    chapter: Chapter::Evaluation,
    signatures: &["evaluate(model, dataset) -> Evaluation", "evaluate(model, dataset, #{options}) -> Evaluation"],
    summary: "mAP, CP, CR, CF1, OP, OR, OF1 and the top-3 ones of a model, an ensemble or predictions on a data set.",
    details: "In percent, by the field's conventions (numerics: AP as scikit-learn's average_precision_score, CF1 the harmonic mean of CP \
and CR, threshold 0.5). A score equal to the threshold counts as predicted; with the convention \"asl\", as in its authors' code, \
only a higher one does. A model that answers for only some of the labels is evaluated on those. Labels without a positive are left \
out of the means and named. Entries of unknown truth (labels read with `unknown: \"masked\"`) are left out of every metric, and a note says how \
many; a number of a label is then over the images where it is known. The scores of a run's model on a split whose name begins with test are noted beside the run, \
where runs() and run.scores show them.",
    options: Some(OptionDocs::of::<MetricOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\nevaluate(m, data.test).mAP > 0.0",
        prints: "true",
    }],
    register: |word| {
        word.form(evaluate);
    },
};

fn evaluate(call: &Call, model: Dynamic, dataset: Dataset, options: MetricOptions) -> Fallible<Evaluation> {
    let predictions = match model.clone().try_cast::<PredictionsValue>() {
        Some(predictions) => predictions.0,
        None => {
            let model = Predicting::read(model, call)?;
            if call.host.plan().is_some() {
                return Ok(Evaluation::planned(dataset.len(), model.predictor.labels().len()));
            }
            Rc::new(model.predict(call, &dataset)?)
        }
    };
    let evaluation = training::evaluate(&predictions, &dataset, &options)?;
    training::scores::note(&predictions, &dataset, &options, &evaluation);
    Ok(evaluation)
}
