//! `precision_recall_plot`: .

use rhai::Dynamic;

use super::scores::scored;
use crate::error::Result;
use crate::plots::Figure;
use crate::primitives::parameters::Names;
use crate::reports::score_figures::{self, PrecisionRecallOptions};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "precision_recall_plot",
    chapter: Chapter::Figures,
    signatures: &[
        "precision_recall_plot(predictions, dataset) -> Figure",
        "precision_recall_plot(model, dataset, #{options}) -> Figure",
        "precision_recall_plot(scores, targets, #{options}) -> Figure",
        "precision_recall_plot(scores, targets, names, #{options}) -> Figure",
    ],
    summary: "Precision over recall: per label, over all decisions and as a mean over labels.",
    details: "predictions, a Model or an Ensemble go with the Dataset that they are for; scores and targets are Tensors or arrays [N, m], or [N] for one label, and names the labels' names. The points are those of scikit-learn's precision_recall_curve, joined by the steps that average precision is the area of. micro is the curve over all decisions together; macro is the mean of the labels' precisions at each recall, so that its area is mAP. Labels without a positive have no curve. figure.table has a row per point.",
    options: Some(OptionDocs::of::<PrecisionRecallOptions>()),
    examples: &[Example {
        code: "let f = precision_recall_plot([0.9, 0.8, 0.3], [1, 0, 1]);\nf.table.column(\"precision\")",
        prints: "[1.0, 0.5,",
    }],
    register: |word| {
        word.form(|call: &Call, scores: Dynamic, truth: Dynamic, options: PrecisionRecallOptions| {
            draw(call, (&scores, &truth), None, &options)
        })
        .form(
            |call: &Call, scores: Dynamic, truth: Dynamic, names: Names, options: PrecisionRecallOptions| {
                draw(call, (&scores, &truth), Some(names.0), &options)
            },
        );
    },
};

fn draw(
    call: &Call,
    given: (&Dynamic, &Dynamic),
    names: Option<Vec<String>>,
    options: &PrecisionRecallOptions,
) -> Result<Figure> {
    score_figures::precision_recall(&scored(call, given, names, options.unknown)?, options)
}
