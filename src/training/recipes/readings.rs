//! Three consistent readings of the differences between the paper and its published code: one table, one line per
//! difference.

use serde_json::{Value, json};

use crate::error::{Error, Result};

/// One of the readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// The text of the paper.
    Paper,
    /// The authors' code as it runs, including faults that change numbers.
    AsReleased,
    /// As released, with the faults corrected.
    #[default]
    Fixed,
}

impl Reading {
    pub const ALL: [Reading; 3] = [Reading::Paper, Reading::AsReleased, Reading::Fixed];

    pub fn name(self) -> &'static str {
        match self {
            Reading::Paper => "paper",
            Reading::AsReleased => "as-released",
            Reading::Fixed => "fixed",
        }
    }

    /// Errors: an unknown name, with the nearest.
    pub fn named(name: &str) -> Result<Reading> {
        Reading::ALL
            .into_iter()
            .find(|r| r.name() == name)
            .ok_or_else(|| Error::unknown("reading", name, Reading::ALL.map(Reading::name)))
    }
}

/// One difference: its place in a recipe and its value in each reading, as JSON.
pub struct Difference {
    pub what: &'static str,
    /// Keys, from the recipe downwards.
    path: &'static [&'static str],
    paper: &'static str,
    as_released: &'static str,
    fixed: &'static str,
}

impl Difference {
    fn value(&self, reading: Reading) -> &'static str {
        match reading {
            Reading::Paper => self.paper,
            Reading::AsReleased => self.as_released,
            Reading::Fixed => self.fixed,
        }
    }
}

const fn line(
    what: &'static str,
    path: &'static [&'static str],
    [paper, as_released, fixed]: [&'static str; 3],
) -> Difference {
    Difference { what, path, paper, as_released, fixed }
}

/// All differences, one line each, with the values of paper, as-released and fixed.
pub const READINGS: &[Difference] = &[
    line(
        "exponent of S on the dis-occurrence branch",
        &["affinity", "dis", "power"],
        ["0.5", "0.3333333333333333", "0.3333333333333333"],
    ),
    line("embedding and choice among partitions", &["partition", "preset"], ["null", "\"authors\"", "\"authors\""]),
    line("training images of a teacher", &["teacher", "images"], ["\"containing\"", "\"all\"", "\"all\""]),
    line("split that selects a teacher", &["teacher", "select_on"], ["\"val\"", "\"test\"", "\"val\""]),
    line("split that selects the student", &["student", "select_on"], ["\"val\"", "\"test\"", "\"val\""]),
    line(
        "what the distillation loss compares",
        &["student", "distillation", "space"],
        ["\"probabilities\"", "\"logits\"", "\"logits\""],
    ),
    line("weight of the loss on labels", &["student", "label_weight"], ["1.0", "0.5", "0.5"]),
    line("weights of the two ensembles", &["student", "weights"], ["[0.5, 0.5]", "[0.25, 0.25]", "[0.25, 0.25]"]),
    line("teachers while they teach", &["student", "teacher_mode"], ["\"eval\"", "\"train\"", "\"eval\""]),
    line("threshold of CP to OF1", &["evaluate", "threshold"], ["0.5", "0.8", "0.5"]),
    line("top-3 drops what is under the threshold", &["evaluate", "above_threshold"], ["false", "true", "false"]),
];

/// Writes a reading's values into a recipe.
pub fn apply(recipe: &mut Value, reading: Reading) {
    for difference in READINGS {
        let mut place = &mut *recipe;
        for key in difference.path {
            place = &mut place[*key];
        }
        *place = serde_json::from_str(difference.value(reading)).unwrap_or(Value::Null);
    }
}

/// One row per difference: its name, its place, and its value in each reading.
pub fn readings_table() -> Vec<[String; 5]> {
    let shown = |text: &str| match serde_json::from_str::<Value>(text) {
        Ok(Value::Number(n)) => json!(n.as_f64().map(|x| (x * 1e4).round() / 1e4)).to_string(),
        _ => text.trim_matches('"').to_string(),
    };
    READINGS
        .iter()
        .map(|d| [d.what.to_string(), d.path.join("."), shown(d.paper), shown(d.as_released), shown(d.fixed)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_json_and_lands_where_its_path_says() {
        for reading in Reading::ALL {
            let mut recipe = json!({});
            apply(&mut recipe, reading);
            for difference in READINGS {
                let value: Value = serde_json::from_str(difference.value(reading)).unwrap();
                assert_eq!(recipe.pointer(&format!("/{}", difference.path.join("/"))), Some(&value));
            }
        }
        assert_eq!(Reading::named("as-released").unwrap(), Reading::AsReleased);
        assert!(Reading::named("as_released").unwrap_err().help.unwrap().contains("as-released"));
    }
}
