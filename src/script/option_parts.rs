//! Options that are maps with keys of their own: `model: #{...}`, `augment: #{...}`, `head_options: #{...}`; and the names that options take.

use std::collections::BTreeSet;

use super::docs::short_default;
use super::head_docs::text_of;
use super::vocabulary;
use super::word::Word;
use crate::images::DATASETS;
use crate::images::augment::AugmentOptions;
use crate::losses::LOSSES;
use crate::models::backbones::BACKBONES;
use crate::models::heads::{HEADS, HeadOption, Takes};
use crate::options::{Options, defaults};
use crate::training::recipes::{self, Reading};

/// The options whose maps have keys of their own.
pub const PARTS: &[&str] = &["model", "augment", "head_options"];

/// One key of such a map.
pub struct Part {
    pub key: &'static str,
    pub text: String,
    /// As it is written; empty where there is none.
    pub default: String,
}

/// The keys of the map at the end of `path`: of `["model"]`, `["model", "head_options"]`. Empty for options that are no such maps.
pub fn parts(path: &[&str]) -> Vec<Part> {
    match path.last() {
        Some(&"model") => of_model(),
        Some(&"augment") => {
            let usual = defaults::<AugmentOptions>();
            let part = |doc: crate::options::OptionDoc| Part {
                key: doc.key,
                text: doc.text.to_string(),
                default: usual.get(doc.key).map_or(String::new(), short_default),
            };
            AugmentOptions::docs().into_iter().map(part).collect()
        }
        Some(&"head_options") => of_heads(),
        _ => vec![],
    }
}

/// Those of the word `model`, but for what the call of a training says itself, and the backbone.
fn of_model() -> Vec<Part> {
    let backbone = Part { key: "backbone", text: "its name: ?models lists them".into(), default: String::new() };
    let Some(options) = vocabulary::find("model").and_then(|word| word.options.as_ref()) else { return vec![backbone] };
    let usual = (options.defaults)();
    let others = (options.docs)().into_iter().filter(|doc| !["labels", "seed"].contains(&doc.key)).map(|doc| Part {
        key: doc.key,
        text: doc.text.to_string(),
        default: usual.get(doc.key).map_or(String::new(), short_default),
    });
    std::iter::once(backbone).chain(others).collect()
}

/// Those of all heads, each once, with the heads that have it.
fn of_heads() -> Vec<Part> {
    let mut found: Vec<(&HeadOption, Vec<&str>)> = Vec::new();
    for head in HEADS {
        for option in head.options {
            match found.iter_mut().find(|(known, _)| known.name == option.name) {
                Some((_, heads)) => heads.push(head.name),
                None => found.push((option, vec![head.name])),
            }
        }
    }
    let part = |(option, heads): (&HeadOption, Vec<&str>)| Part {
        key: option.name,
        text: format!("of {}: {}", heads.join(", "), text_of(option)),
        default: if heads.len() == 1 { option.default().to_string() } else { String::new() },
    };
    found.into_iter().map(part).collect()
}

/// The names that the option at the end of `path` takes, in an options map of `word` or of an unknown one. Empty if it takes no names.
pub fn choices(word: Option<&Word>, path: &[&str]) -> Vec<&'static str> {
    let named: Vec<&'static str> = match path.last() {
        Some(&"backbone" | &"model") => backbones(),
        Some(&"head") => HEADS.iter().map(|h| h.name).collect(),
        Some(&"loss" | &"distillation") => LOSSES.iter().map(|l| l.0).collect(),
        Some(&"reading") => Reading::ALL.iter().map(|r| r.name()).collect(),
        Some(&"executor") => vec!["here", "slurm"],
        Some(&"weights") if path.len() > 1 || word.is_some_and(|word| word.name == "model") => {
            let sets: BTreeSet<&str> = BACKBONES.iter().flat_map(|b| b.weights.sets).map(|set| set.name).collect();
            sets.into_iter().collect()
        }
        Some(key) if path.contains(&"head_options") => {
            let options = HEADS.iter().flat_map(|head| head.options).filter(|option| option.name == *key);
            let names: BTreeSet<&str> = options
                .flat_map(|option| match &option.takes {
                    Takes::OneOf(names) => names.to_vec(),
                    _ => vec![],
                })
                .collect();
            names.into_iter().collect()
        }
        _ => vec![],
    };
    if !named.is_empty() {
        return named;
    }
    match word.and_then(|word| word.options.as_ref()) {
        Some(options) => (options.choices)(path),
        // `let o = #{schedule: "`: most maps of options are of trainings.
        None => crate::options::choices::<crate::training::DistillOptions>(path),
    }
}

/// The names that an argument of a word takes, by its position from 0.
pub fn arguments(word: &str, position: usize) -> Vec<&'static str> {
    match (word, position) {
        // Further ones are in `cpsd.toml`.
        ("cluster", 0) => vec!["slurm"],
        _ => names(word, position).map_or(vec![], |(_, names)| names),
    }
}

/// The names that an argument of a word takes, where no others do, and what errors call them.
pub fn names(word: &str, position: usize) -> Option<(&'static str, Vec<&'static str>)> {
    match (word, position) {
        ("dataset", 0) => Some(("data set", DATASETS.iter().map(|d| d.name).collect())),
        ("recipe", 0) => Some(("recipe", recipes::names().collect())),
        ("model", 0) => Some(("backbone", backbones())),
        ("affinity", 1) => Some(("branch", vec!["co", "dis"])),
        _ => None,
    }
}

/// The same of the option at the end of `path`, in the options of `word`: names that no option's type knows.
pub fn option_names(word: &Word, path: &[&str]) -> Option<(&'static str, Vec<&'static str>)> {
    let heads = || Some(("head", HEADS.iter().map(|head| head.name).collect()));
    let has_model = || word.options.as_ref().is_some_and(|options| (options.defaults)()["model"].is_object());
    match path {
        ["head"] if word.name == "model" => heads(),
        ["model"] | ["model", "backbone"] if has_model() => Some(("backbone", backbones())),
        ["model", "head"] if has_model() => heads(),
        _ => None,
    }
}

fn backbones() -> Vec<&'static str> {
    BACKBONES.iter().map(|backbone| backbone.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_maps_have_their_keys() {
        crate::primitives::install();
        let keys = |path: &[&str]| parts(path).iter().map(|part| part.key).collect::<Vec<_>>();
        assert!(keys(&["model"]).contains(&"freeze") && keys(&["model"]).contains(&"backbone"));
        assert!(!keys(&["model"]).contains(&"labels"));
        assert!(keys(&["augment"]).contains(&"randaugment"));
        assert!(keys(&["model", "head_options"]).contains(&"decoder_layers"));
        assert!(keys(&["epochs"]).is_empty() && keys(&[]).is_empty());
    }

    #[test]
    fn names_are_those_that_the_options_take() {
        crate::primitives::install();
        let of = |word: &str, path: &[&str]| choices(vocabulary::find(word), path);
        assert_eq!(of("train_teacher", &["schedule"]), ["onecycle", "step", "cosine", "constant"]);
        assert_eq!(of("distill", &["optimiser"]), ["adam", "adamw", "sgd"]);
        assert_eq!(of("distill", &["teacher_mode"]), ["eval", "train"]);
        assert_eq!(of("train_teacher", &["augment", "crop"]), ["resized", "multi_scale", "squares"]);
        assert_eq!(of("train_teacher", &["model", "normalise"]), ["backbone", "none"]);
        assert!(of("train_teacher", &["model", "head"]).contains(&"csra"));
        assert!(of("train_teacher", &["loss"]).contains(&"asl"));
        assert!(of("train_teacher", &["epochs"]).is_empty());
        assert_eq!(choices(None, &["schedule"]), ["onecycle", "step", "cosine", "constant"]);
        assert_eq!(arguments("affinity", 1), ["co", "dis"]);
    }
}
