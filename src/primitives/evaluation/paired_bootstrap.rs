//! `paired_bootstrap`: how sure a difference over seeds, labels or pictures is.

use rhai::{Array, Dynamic, Map};

use crate::error::{Error, Result, counted};
use crate::images::Dataset;
use crate::metrics::{self, BootstrapOptions, Interval, Ranked};
use crate::primitives::parameters::{Predicting, numbers};
use crate::primitives::values::predictions::PredictionsValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::predict::{Predictions, targets};

pub const WORD: Word = Word {
    name: "paired_bootstrap",
    chapter: Chapter::Evaluation,
    signatures: &[
        "paired_bootstrap(a, b) -> map",
        "paired_bootstrap(a, b, #{options}) -> map",
        "paired_bootstrap(a, b, split) -> map",
        "paired_bootstrap(a, b, split, #{options}) -> map",
    ],
    summary: "A mean difference with its bootstrap percentile interval, over pairs of numbers, or over pictures and seeds: #{difference, low, high, p, n}.",
    details: "a and b are arrays of numbers of equal length, paired by seed, label or picture; pairs are drawn again with repetition, and the difference is the mean of a[i] - b[i]. \
p is twice the smaller share of resamples on either side of no difference. Source: Efron and Tibshirani, \"An Introduction to the Bootstrap\", 1993, section 13.3. \
With few pairs the interval is too narrow: eight seeds are few. paired_permutation tests without that. \
With a split, a Dataset, a and b are two methods' Models, Ensembles or Predictions on it, one of each or arrays with one per seed, and the difference is that in mAP. Pictures are drawn again \
(the same ones for both methods and all seeds), and with several seeds these too; mAP is computed anew from what was drawn, as scikit-learn's average_precision_score does with sample_weight. \
n is then the number of pictures, and seeds that of seeds. The option over says what is drawn: \"pictures\" is about these trained models on other pictures, \"seeds\" about other trainings on these pictures, \"both\" about both.",
    options: Some(OptionDocs::of::<BootstrapOptions>()),
    examples: &[
        Example {
            code: "let d = paired_bootstrap([83.0, 84.0, 83.5], [82.0, 83.5, 82.0]); [d.difference, d.n, d.low > 0.0]",
            prints: "[1.0, 3, true]",
        },
        Example {
            code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet m = |seed| model(\"small_cnn\", #{labels: data.test.names, image_size: 48, seed: seed});\nlet d = paired_bootstrap([m.call(0), m.call(1)], [m.call(2), m.call(3)], data.test, #{resamples: 100});\n[d.n, d.seeds, d.low <= d.high]",
            prints: "[16, 2, true]",
        },
    ],
    register: |word| {
        word.form(paired_bootstrap).form(of_pictures);
    },
};

fn paired_bootstrap(call: &Call, a: Array, b: Array, options: BootstrapOptions) -> Result<Map> {
    let (a, b) = (numbers(&a, call, "the first numbers")?, numbers(&b, call, "the second numbers")?);
    Ok(map(&metrics::paired_bootstrap(&a, &b, &options)?))
}

fn of_pictures(call: &Call, a: Dynamic, b: Dynamic, split: Dataset, options: BootstrapOptions) -> Fallible<Map> {
    if call.host.plan().is_some() {
        return Err(Error::argument(
            "paired_bootstrap has nothing to predict with inside plan(...): its models are not trained",
        )
        .into());
    }
    let (a, b) = (predictions(call, a, &split)?, predictions(call, b, &split)?);
    if a.len() != b.len() {
        let message = format!("paired methods must have equally many seeds; got {} and {}", a.len(), b.len());
        return Err(Error::argument(message).into());
    }
    let labels = a.first().map(|first| first.labels.clone()).unwrap_or_default();
    let ranked = |predictions: &Predictions| -> Result<Ranked> {
        let targets = targets(call.name, predictions, &split)?;
        if predictions.labels != labels {
            return Err(Error::argument(format!(
                "{}: all models must answer for the same labels in one order; one has {} and another {}, or another order",
                call.name,
                counted(labels.len(), "label"),
                predictions.labels.len()
            )));
        }
        Ranked::new(&predictions.scores, &targets, predictions.images.len(), &labels)
    };
    let seeds = a.iter().zip(&b).map(|(a, b)| Ok((ranked(a)?, ranked(b)?))).collect::<Result<Vec<_>>>()?;
    let interval = call.unlocked(|| metrics::paired_bootstrap_of_pictures(&seeds, &options))?;
    let mut found = map(&interval);
    found.insert("seeds".into(), Dynamic::from(seeds.len() as i64));
    Ok(found)
}

/// The predictions of one method on a split, one per seed.
fn predictions(call: &Call, method: Dynamic, split: &Dataset) -> Fallible<Vec<Predictions>> {
    let of_one = |value: Dynamic| -> Fallible<Predictions> {
        match value.clone().try_cast::<PredictionsValue>() {
            Some(predictions) => Ok((*predictions.0).clone()),
            None => Predicting::read(value, call)?.predict(call, split),
        }
    };
    match method.clone().try_cast::<Array>() {
        Some(seeds) => seeds.into_iter().map(of_one).collect(),
        None => Ok(vec![of_one(method)?]),
    }
}

fn map(interval: &Interval) -> Map {
    Map::from_iter([
        ("difference".into(), interval.difference.into()),
        ("low".into(), interval.low.into()),
        ("high".into(), interval.high.into()),
        ("p".into(), interval.p.into()),
        ("n".into(), Dynamic::from(interval.n as i64)),
    ])
}
