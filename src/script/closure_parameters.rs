//! What the closures that options and words take are given. The prompt completes inside of them by it.

/// A parameter of such a closure.
#[derive(Debug)]
pub struct Given {
    /// Its kind as users know it: `Tensor`, `integer`, `map`, `map of Tensor`.
    pub kind: &'static str,
    /// The keys of a map with their kinds.
    pub keys: &'static [(&'static str, &'static str)],
}

const fn given(kind: &'static str) -> Given {
    Given { kind, keys: &[] }
}

const TENSOR: Given = given("Tensor");
const INTEGER: Given = given("integer");
const LAYERS: Given = given("Layers");

/// The options that take closures, with the parameters of each form that they take.
pub const OPTIONS: &[(&str, &[&[Given]])] = &[
    ("head", &[&[TENSOR, LAYERS]]),
    ("adapter", &[&[INTEGER, Given { kind: "map of Tensor", keys: TOKENS }, LAYERS]]),
    ("loss", &[&[TENSOR, TENSOR]]),
    (
        "distillation",
        &[
            &[TENSOR, TENSOR],
            &[TENSOR, TENSOR, Given { kind: "map", keys: FEATURES }],
            &[TENSOR, TENSOR, Given { kind: "map", keys: FEATURES }, LAYERS],
        ],
    ),
    ("schedule", &[&[Given { kind: "map", keys: NOW }], &[INTEGER, INTEGER]]),
    ("augment", &[&[TENSOR, given("Random")]]),
    ("sampler", &[&[INTEGER]]),
    ("freeze", &[&[INTEGER]]),
    ("on_epoch", &[&[Given { kind: "map", keys: EPOCH }]]),
    ("on_batch", &[&[Given { kind: "map", keys: BATCH }]]),
    ("rule", &[&[TENSOR]]),
];

/// The words and methods that take closures, and the position of the closure from 0.
pub const WORDS: &[(&str, usize, &[&[Given]])] =
    &[("grad", 0, &[&[TENSOR]]), ("gradients", 1, &[&[TENSOR, TENSOR]]), ("sweep", 1, &[&[given("map")]])];

/// The tokens of a vision transformer.
const TOKENS: &[(&str, &str)] = &[
    ("class_token", "Tensor"),
    ("registers", "Tensor"),
    ("prompts", "Tensor"),
    ("patches", "Tensor"),
    ("mask", "Tensor"),
];

const FEATURES: &[(&str, &str)] =
    &[("student", "map of Tensor"), ("teacher", "map of Tensor"), ("teachers", "array of map of Tensor")];

const NOW: &[(&str, &str)] = &[
    ("progress", "number"),
    ("epoch", "number"),
    ("epochs", "integer"),
    ("update", "integer"),
    ("updates", "integer"),
];

const EPOCH: &[(&str, &str)] = &[
    ("name", "string"),
    ("epoch", "integer"),
    ("loss", "number"),
    ("lr", "number"),
    ("images_per_second", "number"),
    ("seconds", "number"),
    ("val_mAP", "number"),
    ("val_mAP_ema", "number"),
];

const BATCH: &[(&str, &str)] = &[
    ("name", "string"),
    ("epoch", "integer"),
    ("step", "integer"),
    ("update", "integer"),
    ("loss", "number"),
    ("lr", "number"),
    ("grad_norm", "number"),
    ("outputs", "Tensor"),
    ("targets", "Tensor"),
];

/// The parameters of the closure that is the value of an option.
pub fn of_option(key: &str, parameters: usize) -> Option<&'static [Given]> {
    let (_, forms) = OPTIONS.iter().find(|(known, _)| *known == key)?;
    forms.iter().find(|form| form.len() == parameters).copied()
}

/// The parameters of a closure that has the names of the documentation's: `|maps, p|` is a head.
pub fn of_names(names: &[String]) -> Option<&'static [Given]> {
    let option = match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["maps", "p"] => "head",
        ["block", "x", "p"] => "adapter",
        ["picture", "random"] => "augment",
        ["student", "teacher", "features"] | ["student", "teacher", "features", "p"] => "distillation",
        _ => return None,
    };
    of_option(option, names.len())
}

/// The parameters of the closure that is an argument of a word or method.
pub fn of_argument(word: &str, position: usize, parameters: usize) -> Option<&'static [Given]> {
    let (_, _, forms) = WORDS.iter().find(|(known, at, _)| *known == word && *at == position)?;
    forms.iter().find(|form| form.len() == parameters).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::vocabulary;
    use super::*;

    /// The numbers of parameters of the closures in a text: 2 of `a closure |picture, random| that`.
    fn parameters(text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('|') {
            let Some((names, after)) = after.split_once('|') else { break };
            found.push(names.split(',').count());
            rest = after;
        }
        found
    }

    #[test]
    fn options_are_those_whose_documentation_has_closures() {
        crate::primitives::install();
        let mut documented: BTreeSet<(&str, usize)> = BTreeSet::new();
        for options in vocabulary::words().iter().filter_map(|word| word.options.as_ref()) {
            for doc in (options.docs)() {
                documented.extend(parameters(doc.text).into_iter().map(|n| (doc.key, n)));
            }
        }
        let known: BTreeSet<(&str, usize)> =
            OPTIONS.iter().flat_map(|(key, forms)| forms.iter().map(|form| (*key, form.len()))).collect();
        assert_eq!(known, documented);
    }

    #[test]
    fn kinds_are_known() {
        crate::primitives::install();
        let of_options = OPTIONS.iter().flat_map(|(_, forms)| *forms);
        for given in of_options.chain(WORDS.iter().flat_map(|(.., forms)| *forms)).flat_map(|form| *form) {
            for kind in given.keys.iter().map(|(_, kind)| *kind).chain([given.kind]) {
                for part in kind.split(" of ") {
                    let is_known =
                        vocabulary::find_kind(part).is_some() || super::super::own_types::find(part).is_some();
                    assert!(is_known, "{kind}");
                }
            }
        }
    }
}
