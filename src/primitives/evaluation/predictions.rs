//! `predictions`: predictions from a tensor of scores.

use std::rc::Rc;

use crate::error::{Error, Result, counted};
use crate::images::Dataset;
use crate::primitives::values::predictions::PredictionsValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::torch;
use crate::training::Predictions;

pub const WORD: Word = Word {
    name: "predictions",
    chapter: Chapter::Evaluation,
    signatures: &["predictions(scores, dataset) -> Predictions"],
    summary: "Predictions from a Tensor [N, m] of probabilities, for the N pictures and m labels of a Dataset, in its order.",
    details: "evaluate, tables and figures take them as those of a model. For some of the labels: predictions(scores, data.test.take_labels(names)). \
              Logits become probabilities by .sigmoid(). Errors: another shape, a score that is nan or not from 0 to 1.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet chance = rand([data.test.len(), data.test.names.len()], 1);\nevaluate(predictions(chance, data.test), data.test).mAP < 60.0",
        prints: "true",
    }],
    register: |word| {
        word.form(predictions);
    },
};

fn predictions(call: &Call, scores: TensorValue, dataset: Dataset) -> Result<PredictionsValue> {
    let labels = dataset.labels.labels().to_vec();
    let (n, m) = (dataset.len(), labels.len());
    let size = scores.0.size();
    if size != [n as i64, m as i64] {
        return Err(Error::argument(format!(
            "{}: {} of {} has {} and {}, so the scores must be a Tensor [{n}, {m}]; got {size:?}",
            call.name,
            dataset.split,
            dataset.name,
            counted(n, "picture"),
            counted(m, "label")
        )));
    }
    let values = torch::to_vec_f32(&scores.0)?;
    if let Some(at) = values.iter().position(|x| !(0.0..=1.0).contains(x)) {
        return Err(Error::argument(format!(
            "{}: scores must be probabilities from 0 to 1; that of picture {} and label \"{}\" is {}",
            call.name,
            at / m,
            labels[at % m],
            show::number(f64::from(values[at]))
        ))
        .with_help("logits become probabilities by .sigmoid()"));
    }
    Ok(PredictionsValue(Rc::new(Predictions {
        images: dataset.labels.images().to_vec(),
        labels,
        scores: values,
        of: format!("{} of {}", dataset.split, dataset.name),
        selected_on_test: false,
        run: None,
    })))
}
