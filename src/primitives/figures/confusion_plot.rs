//! `confusion_plot`: .

use rhai::Dynamic;

use super::scores::scored;
use crate::error::Result;
use crate::plots::Figure;
use crate::primitives::parameters::Names;
use crate::reports::score_figures::{self, ConfusionOptions};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "confusion_plot",
    chapter: Chapter::Figures,
    signatures: &[
        "confusion_plot(predictions, dataset) -> Figure",
        "confusion_plot(model, dataset, #{options}) -> Figure",
        "confusion_plot(scores, targets, #{options}) -> Figure",
        "confusion_plot(scores, targets, names, #{options}) -> Figure",
    ],
    summary: "Which labels are predicted where others are true, as a heat map.",
    details: "predictions, a Model or an Ensemble go with the Dataset that they are for; scores and targets are Tensors or arrays [N, m], or [N] for one label, and names the labels' names. Rows are true labels, columns predicted ones. A cell is P(column predicted | row true), the share of the images with the label of the row in which that of the column is predicted; for one label per image this is the confusion matrix normalised by row (scikit-learn: confusion_matrix with normalize: true). Labels that appear together are high there when both are found; kind: \"wrong\" counts only images that lack the label of the column, and so shows what is confused. The diagonal is the recall. figure.table has a row per pair.",
    options: Some(OptionDocs::of::<ConfusionOptions>()),
    examples: &[Example {
        code: "let f = confusion_plot([[0.9, 0.6], [0.2, 0.8]], [[1, 0], [0, 1]], [\"dog\", \"cat\"]);\nf.table.filter(col(\"true\") == \"dog\").column(\"share\")",
        prints: "[1.0, 1.0]",
    }],
    register: |word| {
        word.form(|call: &Call, scores: Dynamic, truth: Dynamic, options: ConfusionOptions| {
            draw(call, (&scores, &truth), None, &options)
        })
        .form(|call: &Call, scores: Dynamic, truth: Dynamic, names: Names, options: ConfusionOptions| {
            draw(call, (&scores, &truth), Some(names.0), &options)
        });
    },
};

fn draw(
    call: &Call,
    given: (&Dynamic, &Dynamic),
    names: Option<Vec<String>>,
    options: &ConfusionOptions,
) -> Result<Figure> {
    score_figures::confusion(&scored(call, given, names, options.unknown)?, options)
}
