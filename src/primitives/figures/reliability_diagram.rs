//! `reliability_diagram`: .

use rhai::Dynamic;

use super::scores::scored;
use crate::error::Result;
use crate::plots::Figure;
use crate::primitives::parameters::Names;
use crate::reports::score_figures::{self, ReliabilityDiagramOptions};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "reliability_diagram",
    chapter: Chapter::Figures,
    signatures: &[
        "reliability_diagram(predictions, dataset) -> Figure",
        "reliability_diagram(model, dataset, #{options}) -> Figure",
        "reliability_diagram(scores, targets, #{options}) -> Figure",
        "reliability_diagram(scores, targets, names, #{options}) -> Figure",
    ],
    summary: "How often labels are there, by the probability that was predicted, with the expected calibration error.",
    details: "predictions, a Model or an Ensemble go with the Dataset that they are for; scores and targets are Tensors or arrays [N, m], or [N] for one label, and names the labels' names. Bins are those of scikit-learn's calibration_curve. The expected calibration error is Σ n_b/N |share of positives − mean probability| over the bins (Naeini et al., AAAI 2015), of every label's probability of being there. All labels are one curve, or give labels: [..] for a curve each. figure.table has a row per bin.",
    options: Some(OptionDocs::of::<ReliabilityDiagramOptions>()),
    examples: &[Example {
        code: "let scores = [0.1, 0.3, 0.8, 0.9];\nreliability_diagram(scores, [0, 0, 1, 1], #{bins: 2}).table.column(\"ECE\")[0].round(3)",
        prints: "0.175",
    }],
    register: |word| {
        word.form(|call: &Call, scores: Dynamic, truth: Dynamic, options: ReliabilityDiagramOptions| {
            draw(call, (&scores, &truth), None, &options)
        })
        .form(
            |call: &Call, scores: Dynamic, truth: Dynamic, names: Names, options: ReliabilityDiagramOptions| {
                draw(call, (&scores, &truth), Some(names.0), &options)
            },
        );
    },
};

fn draw(
    call: &Call,
    given: (&Dynamic, &Dynamic),
    names: Option<Vec<String>>,
    options: &ReliabilityDiagramOptions,
) -> Result<Figure> {
    score_figures::reliability_diagram(&scored(call, given, names, options.unknown)?, options)
}
