//! `predict`: probabilities of every label for every picture.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine};

use crate::error::Error;
use crate::images::Dataset;
use crate::primitives::glue;
use crate::primitives::values::predictions::PredictionsValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::word::{Chapter, Example, Word};
use crate::training;

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
    register: |r| register(r.engine, r.host),
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine.register_fn("predict", move |model: Dynamic, dataset: Dataset| predict(&a, &model, &dataset)).register_fn(
        "predict",
        move |model: Dynamic, paths: Array| -> Fallible<PredictionsValue> {
            let paths = glue::names("predict", "the paths", &paths).or_raise()?;
            let predictor = glue::predictor("predict", &model).or_raise()?;
            let dataset = Dataset::of_files(&paths, predictor.labels()).or_raise()?;
            predict(&b, &model, &dataset)
        },
    );
}

fn predict(host: &Host, model: &Dynamic, dataset: &Dataset) -> Fallible<PredictionsValue> {
    let predictor = glue::predictor("predict", model).or_raise()?;
    if host.plan().is_some() {
        return Err(Error::argument(
            "predict has nothing to predict with inside plan(...): its models are not trained",
        )
        .with_help("evaluate gives a report without numbers there; leave predict out, or call it after the plan"))
        .or_raise();
    }
    let store = glue::store(host);
    host.background
        .lock
        .released(|| training::predict(&store, &predictor, dataset))
        .map(|p| PredictionsValue(Rc::new(p)))
        .or_raise()
}
