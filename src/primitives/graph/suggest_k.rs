//! `suggest_k`: how many tasks the spectrum of the label graph speaks for.

use crate::error::{Error, Result};
use crate::graph::{self, Affinity, SuggestedK};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "suggest_k",
    chapter: Chapter::Graph,
    signatures: &["suggest_k(affinity) -> SuggestedK", "suggest_k(affinity, max_k) -> SuggestedK"],
    summary: "The number of tasks behind which the eigenvalues of the normalised Laplacian jump most.",
    details: "The eigengap heuristic (von Luxburg 2007, section 8.3): the k from 2 to max_k (15 when left out) with the widest gap \
between the k-th and the next eigenvalue. On the dis-occurrence branch, whose eigenvalues all lie near 1, it is of little use. \
eigenvalue_plot(affinity, suggestion.k) draws it.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nsuggest_k(affinity(cooccurrence(data.train), \"co\"), 6).gaps",
        prints: "gap",
    }],
    register: |word| {
        word.form(suggest_k);
    },
};

/// The largest k that is considered by default.
const MAX_K: usize = 15;

fn suggest_k(affinity: Affinity, max_k: Option<i64>) -> Result<SuggestedK> {
    let most = affinity.len().saturating_sub(1);
    let max_k = max_k.map_or(Ok(MAX_K.min(most)), |max_k| {
        usize::try_from(max_k).map_err(|_| {
            Error::argument(format!(
                "The max_k parameter of suggest_k must be an integer from 2 to {most}. Got {max_k} instead."
            ))
        })
    })?;
    graph::suggest_k(&affinity, max_k)
}
