//! `evaluate`: the metrics of a model on a data set.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map};

use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::primitives::glue;
use crate::primitives::values::predictions::PredictionsValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::{self, predict};

pub const WORD: Word = Word {
    name: "evaluate",
    chapter: Chapter::Evaluation,
    signatures: &["evaluate(model, dataset) -> Report", "evaluate(model, dataset, #{options}) -> Report"],
    summary: "mAP, CP, CR, CF1, OP, OR, OF1 and the top-3 ones of a model, an ensemble or predictions on a data set.",
    details: "In percent, by the field's conventions (numerics: AP as scikit-learn's average_precision_score, CF1 the harmonic mean of CP \
and CR, threshold 0.5). A model that answers for only some of the labels is evaluated on those. Labels without a positive are left \
out of the means and named.",
    options: Some(OptionDocs {
        defaults: options::defaults::<MetricOptions>,
        docs: || crate::options::list(METRIC_DOCS),
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\nevaluate(m, data.test).mAP > 0.0",
        prints: "true",
    }],
    register: |r| register(r.engine, r.host),
};

/// A line for every key of `MetricOptions`.
pub const METRIC_DOCS: &[(&str, &str)] = &[
    (
        "threshold",
        "scores above it count as predicted: a number, or several for a row each; () is the convention's own",
    ),
    ("top_k", "so many highest scores of each image count as predicted in the second row; () leaves it out"),
    ("above_threshold", "in the top-k row, drop those under the threshold too"),
    (
        "convention",
        "\"field\", \"ml-gcn\", \"cpsd\", \"asl\", \"srn\" or \"q2l\": how a published table computes its numbers; or several, side by side",
    ),
    ("context", "run the context probe: AP where a label's usual companions are absent"),
    ("companions", "how many companions of a label the probe looks at"),
];

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("evaluate", move |model: Dynamic, dataset: Dataset| evaluate(&a, &model, &dataset, Map::new()))
        .register_fn("evaluate", move |model: Dynamic, dataset: Dataset, map: Map| evaluate(&b, &model, &dataset, map));
}

fn evaluate(host: &Host, model: &Dynamic, dataset: &Dataset, map: Map) -> Fallible<Evaluation> {
    let options: MetricOptions = options::parse("evaluate", &map).or_raise()?;
    let predictions = match model.clone().try_cast::<PredictionsValue>() {
        Some(predictions) => predictions.0,
        None => {
            let predictor = glue::predictor("evaluate", model).or_raise()?;
            if host.plan().is_some() {
                return Ok(Evaluation::planned(dataset.len(), predictor.labels().len()));
            }
            let store = glue::store(host);
            Rc::new(host.background.lock.released(|| predict(&store, &predictor, dataset)).or_raise()?)
        }
    };
    training::evaluate(&predictions, dataset, &options).or_raise()
}
