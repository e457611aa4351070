//! `predict`: probabilities of every label for every picture.

use std::rc::Rc;

use crate::error::Error;
use crate::images::Dataset;
use crate::primitives::parameters::{Paths, Predicting};
use crate::primitives::values::predictions::PredictionsValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "predict",
    chapter: Chapter::Evaluation,
    signatures: &["predict(model, dataset) -> Predictions", "predict(model, paths) -> Predictions"],
    summary: "The probability of every label for every picture of a data set, or of picture files.",
    details: "model is a Model or an Ensemble; pictures are seen once, whole, resized to the model's square input. Probabilities are \
sigmoids of the logits.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\npredict(m, data.test).scores.shape[0]",
        prints: "16",
    }],
    register: |word| {
        word.form(predict).form(predict_files);
    },
};

fn predict(call: &Call, model: Predicting, dataset: Dataset) -> Fallible<PredictionsValue> {
    if call.host.plan().is_some() {
        return Err(Error::argument(
            "predict has nothing to predict with inside plan(...): its models are not trained",
        )
        .with_help("evaluate gives an Evaluation without numbers there; leave predict out, or call it after the plan")
        .into());
    }
    Ok(PredictionsValue(Rc::new(model.predict(call, &dataset)?)))
}

fn predict_files(call: &Call, model: Predicting, paths: Paths) -> Fallible<PredictionsValue> {
    let dataset = Dataset::of_files(&paths.0, model.predictor.labels())?;
    predict(call, model, dataset)
}
