//! `metrics`: the metrics of two tensors.

use rhai::{Engine, Map};

use crate::error::{Error, Result};
use crate::metrics::{self, Evaluation, MetricOptions};
use crate::primitives::evaluation::evaluate::METRIC_DOCS;
use crate::primitives::values::tensor::TensorValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "metrics",
    chapter: Chapter::Evaluation,
    signatures: &["metrics(scores, targets) -> Report", "metrics(scores, targets, #{options}) -> Report"],
    summary: "All metrics from two Tensors [N, m]: probabilities, and targets of 0 and 1.",
    details: "NaN or infinite scores are refused with their place. Labels are called 0, 1, ... here.",
    options: Some(OptionDocs {
        defaults: options::defaults::<MetricOptions>,
        docs: || crate::options::list(METRIC_DOCS),
    }),
    examples: &[Example {
        code: "metrics(tensor([[0.9, 0.2], [0.1, 0.8]]), tensor([[1, 0], [0, 1]])).mAP",
        prints: "100.0",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("metrics", |scores: TensorValue, targets: TensorValue| -> Fallible<Evaluation> {
        report(&scores, &targets, Map::new()).or_raise()
    });
    engine.register_fn("metrics", |scores: TensorValue, targets: TensorValue, map: Map| -> Fallible<Evaluation> {
        report(&scores, &targets, map).or_raise()
    });
}

fn report(scores: &TensorValue, targets: &TensorValue, map: Map) -> Result<Evaluation> {
    let options: MetricOptions = options::parse("metrics", &map)?;
    let (s, t) = (scores.0.size(), targets.0.size());
    if s.len() != 2 || s != t {
        return Err(Error::argument(format!(
            "metrics takes scores and targets of one shape [N, m]; got {s:?} and {t:?}"
        )));
    }
    let labels: Vec<String> = (0..s[1]).map(|i| i.to_string()).collect();
    metrics::evaluate(
        &crate::torch::to_vec_f32(&scores.0)?,
        &crate::torch::to_vec_f32(&targets.0)?,
        s[0] as usize,
        labels.len(),
        &labels,
        &options,
    )
}
