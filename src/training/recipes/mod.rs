//! Recipes: how the systems of the paper's tables are trained, as data that a script can print, change and pass on.
//!
//! A recipe is a JSON object of sections. Rows of CPSD (`ours`) have the data set and its division (`data`, `dataset`, `k`,
//! `branches`, `partition_files`) and the options of words (`affinity`, `partition`, `teacher`, `student`, `evaluate`), with the
//! values of the authors' code (CPSD, IJCAI 2022). Compared systems (`systems`) have one training (`train`) in place of teachers
//! and a student.

mod ours;
mod readings;
mod systems;

pub use ours::{RECIPES, Recipe};
pub use readings::{READING_NOTES, READINGS, Reading, readings_table};
pub use systems::{SYSTEMS, System};

use serde_json::Value;

use crate::error::{Error, Result};

/// The recipe of that name; a row of CPSD in one reading of paper and code. Errors: an unknown name, with the nearest.
pub fn recipe(name: &str, reading: Reading) -> Result<Value> {
    if let Some(system) = SYSTEMS.iter().find(|s| s.name == name) {
        return system.recipe();
    }
    let row = RECIPES.iter().find(|r| r.name == name).ok_or_else(|| Error::unknown("recipe", name, names()))?;
    let mut recipe = row.recipe();
    readings::apply(&mut recipe, reading);
    Ok(recipe)
}

/// The names of all recipes, those of CPSD first.
pub fn names() -> impl Iterator<Item = &'static str> {
    RECIPES.iter().map(|r| r.name).chain(SYSTEMS.iter().map(|s| s.name))
}

/// The recipes of CPSD for the documentation: name, data set, summary.
pub fn table() -> Vec<(&'static str, &'static str, &'static str)> {
    RECIPES.iter().map(|r| (r.name, r.data, r.summary)).collect()
}

/// Writes `changes` into `options`; a map inside changes the map that is there.
fn merge(options: &mut Value, changes: Value) {
    match (options, changes) {
        (Value::Object(options), Value::Object(changes)) => {
            for (key, value) in changes {
                merge(options.entry(key).or_insert(Value::Null), value);
            }
        }
        (options, changes) => *options = changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::training::{DistillOptions, TrainOptions};

    /// Checks the options of one training.
    fn check_training(options: &TrainOptions, name: &str) {
        options.check("train_teacher").unwrap();
        options.check_further("train_teacher").unwrap_or_else(|error| panic!("{name}: {}", error.message));
        options.loss.validate().unwrap();
        options.model.resolved().unwrap_or_else(|error| panic!("{name}: {}", error.message));
    }

    #[test]
    fn every_recipe_in_every_reading_is_what_the_words_take() {
        for row in RECIPES {
            for reading in Reading::ALL {
                let recipe = recipe(row.name, reading).unwrap();
                check_training(&serde_json::from_value(recipe["teacher"].clone()).unwrap(), row.name);
                let student: DistillOptions = serde_json::from_value(recipe["student"].clone()).unwrap();
                student.check("distill").unwrap();
                check_training(&student.train, row.name);
                student.distillation.validate().unwrap();
                serde_json::from_value::<crate::graph::PartitionOptions>(recipe["partition"].clone()).unwrap();
                serde_json::from_value::<crate::metrics::MetricOptions>(recipe["evaluate"].clone()).unwrap();
            }
        }
        assert!(recipe("cpsd-coco-r100", Reading::Fixed).unwrap_err().help.unwrap().contains("cpsd-coco-r101"));
        assert!(recipe("ml-gnc-coco", Reading::Fixed).unwrap_err().help.unwrap().contains("ml-gcn-coco"));
    }

    #[test]
    fn every_recipe_of_a_compared_system_is_what_the_words_take() {
        for system in SYSTEMS {
            let recipe = recipe(system.name, Reading::Fixed).unwrap();
            let train: TrainOptions = serde_json::from_value(recipe["train"].clone())
                .unwrap_or_else(|error| panic!("{}: {error}", system.name));
            let head = crate::models::heads::find(&train.model.head).unwrap();
            check_training(&train, system.name);
            assert_eq!(recipe.get("graph").is_some(), head.needs_graph, "{}", system.name);
            assert_eq!(train.model.word_vectors.is_some(), head.needs_words, "{}", system.name);
            let data = crate::images::DATASETS.iter().find(|d| d.name == system.data).unwrap();
            for key in recipe["dataset"].as_object().unwrap().keys() {
                assert!((data.options.defaults)().get(key).is_some(), "{}: {key}", system.name);
            }
            serde_json::from_value::<crate::metrics::MetricOptions>(recipe["evaluate"].clone()).unwrap();
            assert!(!system.source.is_empty() && !system.differs.is_empty(), "{}", system.name);
        }
        // A clipped gradient and pictures as they are: in every recipe that has ML-GCN's training.
        for name in ["resnet101-coco", "ml-gcn-voc2007", "kssnet-coco", "ms-cma-nuswide", "cadm-coco"] {
            let train = &recipe(name, Reading::Fixed).unwrap()["train"];
            assert_eq!((&train["clip"], &train["augment"]["resize_first"]), (&10.0.into(), &0.into()), "{name}");
            assert_eq!((&train["lr"], &train["batch"]), (&0.01.into(), &32.into()), "{name}");
        }
        let mut all: Vec<&str> = names().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn query2label_has_the_peak_rates_and_the_loss_of_its_code() {
        let recipe = recipe("cpsd-nuswide-q2l", Reading::Fixed).unwrap();
        assert_eq!((&recipe["teacher"]["lr"], &recipe["student"]["lr"]), (&Value::from(1e-4), &Value::from(1e-5)));
        assert_eq!(recipe["teacher"]["decay_on"], "all");
        assert_eq!(recipe["teacher"]["loss"]["scale"], 1000.0);
        assert_eq!(recipe["affinity"]["dis"]["power"], 0.25);
    }
}
