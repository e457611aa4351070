//! The rows of CPSD: teachers on tasks, and a student.

use serde_json::{Map, Value, json};

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

/// All recipes of CPSD, one line each.
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

impl Recipe {
    /// The recipe before a reading is chosen.
    pub(super) fn recipe(&self) -> Value {
        // The authors' files of partitions: of the label positions in alphabetical order.
        let files = if self.data == "nuswide" { "nus" } else { "idx" };
        json!({
            "name": self.name,
            // Its value follows from the reading.
            "reading": null,
            "summary": self.summary,
            "data": self.data,
            "dataset": { "val": 0.1 },
            "k": 5,
            "branches": ["co", "dis"],
            "affinity": { "co": { "power": 0.5 }, "dis": { "power": 0.5 } },
            "partition": { "seed": 0 },
            "partition_files": {
                "co": format!("{files}_coocurrence{{k}}_0.json"),
                "dis": format!("{files}_cluster{{k}}_0.json"),
            },
            "teacher": self.training(false),
            "student": self.training(true),
            "evaluate": { "convention": "field", "top_k": 3 },
        })
    }

    fn training(&self, student: bool) -> Value {
        let q2l = self.family == Query2Label;
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
            model["freeze"] = json!(1);
            model["frozen_norms"] = json!(true);
        }
        let mut loss = json!({ "name": "asl", "gamma_neg": 4.0, "gamma_pos": 0.0, "clip": 0.05, "eps": 1e-8 });
        if q2l {
            loss = json!({
                "name": "asl", "gamma_neg": 2.0, "gamma_pos": 0.0, "clip": 0.0, "eps": 1e-5,
                "reduction": "mean", "scale": 1000.0,
            });
        }
        let mut options: Map<String, Value> = Map::new();
        let mut set = |key: &str, value: Value| options.insert(key.to_string(), value);
        set("model", model);
        set("loss", loss);
        set("epochs", json!(80));
        set("batch", json!(24));
        // PyTorch's DataLoader keeps the last batch unless told otherwise.
        set("drop_last", json!(false));
        // OneCycleLR takes its peak from max_lr, so that AdamW's own rate, scaled by the batch, has no effect.
        set("lr", json!(if student { 1e-5 } else { 1e-4 }));
        set("pct_start", json!(0.1));
        set("div_factor", json!(25.0));
        set("final_div_factor", json!(1e4));
        // PyTorch's OneCycleLR cycles by default, and the authors keep the default.
        set("cycle_momentum", json!(true));
        set("optimiser", json!(if q2l { "adamw" } else { "adam" }));
        // The authors train in mixed precision of half floats with a gradient scaler; bfloat16 needs none.
        set("precision", json!("bfloat16"));
        set("weight_decay", json!(if q2l && !student { 1e-2 } else { 1e-4 }));
        set("decay_on", json!(if q2l { "all" } else { "weights" }));
        set("ema", json!(0.9997));
        set("ema_warmup", json!(false));
        set("views", json!(0));
        // A plain resize to a square, Cutout, RandAugment.
        set(
            "augment",
            json!({
                "resized_crop_scale": [1.0, 1.0], "flip": 0.0,
                "cutout": 1.0, "cutout_factor": 0.5, "cutout_inclusive": true,
                "randaugment": 2, "randaugment_policy": "uda",
            }),
        );
        set("eval_every", json!(1));
        if student {
            set("distillation", json!({ "name": "mse", "space": "logits" }));
        }
        Value::Object(options)
    }
}
