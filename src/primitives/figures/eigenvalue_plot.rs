//! `eigenvalue_plot`: how many tasks the graph itself suggests.

use crate::error::Result;
use crate::graph::Affinity;
use crate::plots::{self, EigenvaluesOptions, Figure};
use crate::primitives::parameters::TaskCount;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "eigenvalue_plot",
    chapter: Chapter::Figures,
    signatures: &["eigenvalue_plot(affinity, k) -> Figure", "eigenvalue_plot(affinity, k, #{options}) -> Figure"],
    summary: "The smallest eigenvalues of the normalised Laplacian, with the gap after the k-th marked.",
    details: "A large gap after the k-th speaks for k tasks (von Luxburg 2007).",
    options: Some(OptionDocs::of::<EigenvaluesOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\neigenvalue_plot(affinity(cooccurrence(data.train), \"co\"), 3)",
        prints: "Figure",
    }],
    register: |word| {
        word.form(eigenvalue_plot);
    },
};

fn eigenvalue_plot(call: &Call, a: Affinity, k: TaskCount, options: EigenvaluesOptions) -> Result<Figure> {
    let k = k.of(a.len(), call)?;
    // The whole spectrum of a large graph is out of reach, and too long to look at.
    let shown = if a.len() <= 1000 { a.len() } else { (4 * k).max(24).min(a.len()) };
    plots::eigenvalues(&a.smallest(shown)?.values, Some(k), &options)
}
