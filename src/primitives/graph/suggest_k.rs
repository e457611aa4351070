//! `suggest_k`: how many tasks the spectrum of the label graph speaks for.

use rhai::Engine;

use crate::error::Error;
use crate::graph::{self, Affinity, SuggestedK};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "suggest_k",
    chapter: Chapter::Graph,
    signatures: &["suggest_k(affinity) -> SuggestedK", "suggest_k(affinity, max_k) -> SuggestedK"],
    summary: "The number of tasks behind which the eigenvalues of the normalised Laplacian jump most.",
    details: "The eigengap heuristic (von Luxburg 2007, section 8.3): the k from 2 to max_k (15 when left out) with the widest gap \
between the k-th and the next eigenvalue. Of the dis-occurrence branch, whose eigenvalues all lie near 1, it says little. \
eigenvalue_plot(affinity, suggestion.k) draws it.",
    options: None,
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 300, val: 1, test: 1, test_shifted: 1});\nsuggest_k(affinity(cooccurrence(data.train), \"co\"), 6).gaps",
        prints: "gap",
    }],
    register: |r| register(r.engine),
};

const MAX_K: usize = 15;

fn register(engine: &mut Engine) {
    engine
        .register_fn("suggest_k", |a: Affinity| -> Fallible<SuggestedK> {
            graph::suggest_k(&a, MAX_K.min(a.len().saturating_sub(1))).or_raise()
        })
        .register_fn("suggest_k", |a: Affinity, max_k: i64| -> Fallible<SuggestedK> {
            let bad = || {
                let most = a.len().saturating_sub(1);
                Error::argument(format!(
                    "The max_k parameter of suggest_k must be an integer from 2 to {most}. Got {max_k} instead."
                ))
            };
            let max_k = usize::try_from(max_k).map_err(|_| bad()).or_raise()?;
            graph::suggest_k(&a, max_k).or_raise()
        });
}
