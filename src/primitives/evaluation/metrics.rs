//! `metrics`: the metrics of two tensors.

use crate::error::{Error, Result};
use crate::metrics::{self, Evaluation, MetricOptions};
use crate::primitives::values::tensor::TensorValue;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::torch;

pub const WORD: Word = Word {
    name: "metrics",
    chapter: Chapter::Evaluation,
    signatures: &["metrics(scores, targets) -> Evaluation", "metrics(scores, targets, #{options}) -> Evaluation"],
    summary: "All metrics from two Tensors [N, m]: probabilities, and targets of 0 and 1.",
    details: "NaN or infinite scores are refused with their place. Labels are called 0, 1, ... here. A target of -1 or NaN is of unknown truth and refused \
too, unless the option unknown says what it counts as. With \"masked\" a label's AP, precision, recall and F1 are over the images where it is known, as \
scikit-learn gives them on those rows; OP, OR and OF1 are over all known targets; the top k are an image's k highest scores among its known labels.",
    options: Some(OptionDocs::of::<MetricOptions>()),
    examples: &[Example {
        code: "metrics(tensor([[0.9, 0.2], [0.1, 0.8]]), tensor([[1, 0], [0, 1]])).mAP",
        prints: "100.0",
    }],
    register: |word| {
        word.form(metrics);
    },
};

fn metrics(scores: TensorValue, targets: TensorValue, options: MetricOptions) -> Result<Evaluation> {
    let (s, t) = (scores.0.size(), targets.0.size());
    if s.len() != 2 || s != t {
        return Err(Error::argument(format!(
            "metrics takes scores and targets of one shape [N, m]; got {s:?} and {t:?}"
        )));
    }
    let (n, m) = (s[0] as usize, s[1] as usize);
    // Without names, labels are called by their positions.
    metrics::evaluate(&torch::to_vec_f32(&scores.0)?, &torch::to_vec_f32(&targets.0)?, n, m, &[], &options)
}
