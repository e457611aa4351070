//! `affinity`: the weights of the label graph on one branch.

use crate::error::Result;
use crate::graph::{Affinity, AffinityOptions, Branch, Cooccurrence};
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "affinity",
    chapter: Chapter::Graph,
    signatures: &[
        "affinity(cooccurrence, branch) -> Affinity",
        "affinity(cooccurrence, branch, #{options}) -> Affinity",
    ],
    summary: "The label graph's weights on one branch: \"co\" joins labels that appear together, \"dis\" those that do not.",
    details: "With S_ij = e_ij / n_i: P+ = (S^p + (S^p)ᵀ)/2 on \"co\", element-wise 1 - P+ on \"dis\", zero diagonal (CPSD, IJCAI \
2022). The ones on the diagonal of complement \"identity\", I - P+, count in degrees and eigenvalues alone. m × m for m labels; the power p is 1/2 in the paper.",
    options: Some(OptionDocs::of::<AffinityOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet a = affinity(cooccurrence(data.train), \"co\");\na.branch",
        prints: "co",
    }],
    register: |word| {
        word.form(affinity);
    },
};

fn affinity(counts: Cooccurrence, branch: Branch, options: AffinityOptions) -> Result<Affinity> {
    Affinity::new(&counts, branch, &options)
}
