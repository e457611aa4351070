//! `affinity`: the weights of the label graph on one branch.

use rhai::{Engine, Map};

use crate::graph::{Affinity, AffinityOptions, Branch, Cooccurrence};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
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
2022). m × m for m labels; the power p is 1/2 in the paper.",
    options: Some(OptionDocs {
        defaults: options::defaults::<AffinityOptions>,
        docs: || {
            crate::options::list(&[
                ("power", "the exponent p"),
                ("complement", "\"ones\": 1 - P+, as the authors ran it; \"identity\": I - P+, as printed"),
                ("preset", "\"authors\": p = 1/2 on \"co\" and 1/3 on \"dis\""),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 200, val: 1, test: 1, test_shifted: 1});\nlet a = affinity(cooccurrence(data.train), \"co\");\na.branch",
        prints: "co",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("affinity", |counts: Cooccurrence, branch: &str| affinity(counts, branch, Map::new()));
    engine.register_fn("affinity", affinity);
}

fn affinity(counts: Cooccurrence, branch: &str, map: Map) -> Fallible<Affinity> {
    let options: AffinityOptions = options::parse("affinity", &map).or_raise()?;
    let branch: Branch = branch.parse().or_raise()?;
    Affinity::new(&counts, branch, &options).or_raise()
}
