//! Recipes: how each row of the paper is trained, as data that a script can print, change and pass on.
//!
//! A recipe is a JSON object of sections: the data set and its division (`data`, `k`, `branches`) and the options of
//! words (`affinity`, `partition`, `teacher`, `student`, `evaluate`). The values are those of the authors' code (CPSD,
//! IJCAI 2022).

mod readings;

pub use readings::{READINGS, Reading, readings_table};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// One row of the paper's tables for one data set.
pub struct Recipe {
    pub name: &'static str,
    pub summary: &'static str,
    pub data: &'static str,
    backbone: &'static str,
    head: &'static str,
    image_size: i64,
    family: Family,
}

/// The optimiser and loss of a recipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Adam, ASL 4/0.
    Common,
    /// AdamW, ASL 2/0, as Query2Label intends.
    Query2Label,
}

use Family::{Common, Query2Label};

const fn row(
    name: &'static str,
    data: &'static str,
    backbone: &'static str,
    head: &'static str,
    image_size: i64,
    family: Family,
    summary: &'static str,
) -> Recipe {
    Recipe { name, summary, data, backbone, head, image_size, family }
}

const TRANSFORMER: &str = "ResNet-101 and a transformer over patches and label words";
const Q2L: &str = "Query2Label on ResNet-101, as the authors' code means it";
const Q2L_AS_RUN: &str = "the same with the Adam recipe, which the authors' code comes to";
const RESNEXT: &str = "ResNeXt-50 32x4d (semi-weakly supervised weights), average pooling";

/// All recipes, one line each.
pub const RECIPES: &[Recipe] = &[
    row("cpsd-coco-r101", "coco2014", "resnet101", "gap", 448, Common, "ResNet-101, average pooling"),
    row("cpsd-coco-r101-tf", "coco2014", "resnet101", "tf", 448, Common, TRANSFORMER),
    row("cpsd-coco-r101-tf-576", "coco2014", "resnet101", "tf", 576, Common, "the same at 576 pixels"),
    row("cpsd-coco-q2l", "coco2014", "resnet101", "q2l", 448, Query2Label, Q2L),
    row("cpsd-coco-q2l-as-run", "coco2014", "resnet101", "q2l", 448, Common, Q2L_AS_RUN),
    row("cpsd-coco-tresnet-l", "coco2014", "tresnet_l", "gap", 448, Common, "TResNet-L, average pooling"),
    row("cpsd-coco-resnext50", "coco2014", "resnext50_32x4d", "gap", 448, Common, RESNEXT),
    row("cpsd-nuswide-r101", "nuswide", "resnet101", "gap", 448, Common, "ResNet-101, average pooling"),
    row("cpsd-nuswide-r101-tf", "nuswide", "resnet101", "tf", 448, Common, TRANSFORMER),
    row("cpsd-nuswide-q2l", "nuswide", "resnet101", "q2l", 448, Query2Label, Q2L),
    row("cpsd-nuswide-q2l-as-run", "nuswide", "resnet101", "q2l", 448, Common, Q2L_AS_RUN),
    row("cpsd-nuswide-tresnet-l", "nuswide", "tresnet_l", "gap", 448, Common, "TResNet-L, average pooling"),
    row("cpsd-nuswide-resnext50", "nuswide", "resnext50_32x4d", "gap", 448, Common, RESNEXT),
];

/// The recipe of that name in one reading of paper and code. Errors: an unknown name, with the nearest.
pub fn recipe(name: &str, reading: Reading) -> Result<Value> {
    let row = RECIPES
        .iter()
        .find(|r| r.name == name)
        .ok_or_else(|| Error::unknown("recipe", name, RECIPES.iter().map(|r| r.name)))?;
    let mut recipe = json!({
        "name": row.name,
        "reading": reading.name(),
        "summary": row.summary,
        "data": row.data,
        "k": 5,
        "branches": ["co", "dis"],
        "affinity": { "co": { "power": 0.5 }, "dis": { "power": 0.5 } },
        "partition": { "seed": 0 },
        "teacher": row.training(false),
        "student": row.training(true),
        "evaluate": { "convention": "field", "top_k": 3 },
    });
    readings::apply(&mut recipe, reading);
    Ok(recipe)
}

impl Recipe {
    fn training(&self, student: bool) -> Value {
        let q2l = self.family == Query2Label;
        let batch = 24;
        let lr = match (q2l, student) {
            (true, _) => 1e-4 * f64::from(batch) / 256.0,
            (false, false) => 1e-4,
            (false, true) => 1e-5,
        };
        let mut model = json!({
            "backbone": self.backbone,
            "head": self.head,
            // The paper's ResNeXt-50 is the semi-weakly supervised one.
            "weights": if self.backbone == "resnext50_32x4d" { "swsl" } else { "imagenet" },
            "image_size": self.image_size,
            // Pixel values in [0, 1] are not normalised.
            "normalise": "none",
        });
        if self.head == "tf" {
            model["word_vectors"] = json!("glove.txt");
        }
        if self.head == "q2l" {
            // Freezes stem and layer1, and all batch norms of the backbone.
            model["freeze"] = json!(2);
            model["frozen_norms"] = json!(true);
        }
        let mut loss = json!({ "name": "asl", "gamma_neg": 4.0, "gamma_pos": 0.0, "clip": 0.05, "eps": 1e-8 });
        if q2l {
            loss = json!({ "name": "asl", "gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.0, "eps": 1e-5 });
        }
        let mut options: Map<String, Value> = Map::new();
        let mut set = |key: &str, value: Value| options.insert(key.to_string(), value);
        set("model", model);
        set("loss", loss);
        set("epochs", json!(80));
        set("batch", json!(batch));
        set("lr", json!(lr));
        set("pct_start", json!(0.1));
        set("div_factor", json!(25.0));
        set("final_div_factor", json!(1e4));
        // PyTorch's OneCycleLR cycles by default, and the authors keep the default.
        set("cycle_momentum", json!(true));
        set("optimiser", json!(if q2l { "adamw" } else { "adam" }));
        // The authors train in mixed precision of half floats with a gradient scaler; bfloat16 needs none.
        set("precision", json!("bfloat16"));
        set("weight_decay", json!(if q2l && !student { 1e-2 } else { 1e-4 }));
        set("ema", json!(0.9997));
        set("ema_warmup", json!(false));
        set("views", json!(0));
        // A plain resize to a square, Cutout, RandAugment.
        set(
            "augment",
            json!({
                "resized_crop_scale": [1.0, 1.0], "flip": 0.0, "cutout": 0.5, "cutout_factor": 0.5, "randaugment": 2, "randaugment_level": 9,
            }),
        );
        set("eval_every", json!(1));
        if student {
            set("distillation", json!({ "name": "mse", "space": "logits" }));
        }
        Value::Object(options)
    }
}

/// The recipes for the documentation: name, data set, summary.
pub fn table() -> Vec<(&'static str, &'static str, &'static str)> {
    RECIPES.iter().map(|r| (r.name, r.data, r.summary)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::training::{DistillOptions, TrainOptions};

    #[test]
    fn every_recipe_in_every_reading_is_what_the_words_take() {
        for row in RECIPES {
            for reading in Reading::ALL {
                let recipe = recipe(row.name, reading).unwrap();
                let teacher: TrainOptions = serde_json::from_value(recipe["teacher"].clone()).unwrap();
                teacher.check("train_teacher").unwrap();
                teacher.check_further("train_teacher").unwrap();
                teacher.loss.validate().unwrap();
                teacher.model.resolved().unwrap();
                let student: DistillOptions = serde_json::from_value(recipe["student"].clone()).unwrap();
                student.check("distill").unwrap();
                student.train.check_further("distill").unwrap();
                student.distillation.validate().unwrap();
                serde_json::from_value::<crate::graph::PartitionOptions>(recipe["partition"].clone()).unwrap();
                serde_json::from_value::<crate::metrics::MetricOptions>(recipe["evaluate"].clone()).unwrap();
            }
        }
        assert!(recipe("cpsd-coco-r100", Reading::Fixed).unwrap_err().help.unwrap().contains("cpsd-coco-r101"));
    }
}
