//! Recipes at toy size: every one trains on miniature COCO; only sizes, weights and the backbone are others, and each backbone of
//! theirs trains with its first stages. The parameters that they freeze. The loss of Query2Label held to its authors' class.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use cpsd::images::scenes::{SceneOptions, write_miniature};
use cpsd::losses::LossSpec;
use cpsd::models::heads::{HEADS, HeadKind};
use cpsd::models::params::{FirstValues, Params, Role, Scope};
use cpsd::models::{ModelSpec, backbones};
use cpsd::training::recipes::{RECIPES, Reading, SYSTEMS, recipe};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use crate::common::{eval, golden, numbers, session};

/// Options that make heads narrow, by head, as a map of the language.
fn widths() -> String {
    let size = |head: &str, name: &str| match name {
        // The backbone's, which Query2Label's own code has.
        "width" if head == "q2l" => Some(0),
        "width" | "feed_forward" | "hidden" => Some(16),
        "dim_head" => Some(8),
        "groups" => Some(3),
        "layers" => Some(1),
        _ => None,
    };
    let of = |head: &HeadKind| -> String {
        let options = head.options.iter().filter_map(|o| Some(format!("{}: {}", o.name, size(head.name, o.name)?)));
        format!("{}: #{{ {} }}", head.name, options.collect::<Vec<_>>().join(", "))
    };
    format!("#{{ {} }}", HEADS.iter().map(of).collect::<Vec<_>>().join(", "))
}

/// The data and the settings of a toy, and a training of either kind of recipe.
fn toy(root: &str) -> String {
    let widths = widths();
    format!(
        r#"import "data" as sets;
import "reproduce" as reproduce;
let data = sets::labelled(dataset("coco2014", #{{ root: "{root}", val: 0.0 }}));
let settings = #{{
    epochs: 1, batch: 12, size: 32, backbone: "small_cnn", head: "", weights: "none", words: "learned", workers: "threads", k: 2, val: 0.0
}};
let widths = {widths};
let small = |options| {{
    options.threads = 1;
    options.model.head_options = (options.model.get("head_options") ?? #{{}}) + widths[options.model.head];
    options
}};
let ours = |name, reading| {{
    import "reproduce" as reproduce;
    let r = reproduce::changed(recipe(name, #{{ reading: reading }}), settings);
    let taught = merge([train_teacher(data, data.train.names, small.call(r.teacher))]);
    evaluate(distill(data, [taught, taught], small.call(r.student)), data.test, r.evaluate).mAP
}};
let system = |name| {{
    import "reproduce" as reproduce;
    let r = reproduce::changed_system(recipe(name), settings);
    r.train = small.call(r.train);
    evaluate(reproduce::system(data, r, 0), data.test, r.evaluate).mAP
}};
// With the first stages of its own backbone.
let own = |name| {{
    import "reproduce" as reproduce;
    let r = reproduce::changed_system(recipe(name), settings + #{{ backbone: "" }});
    r.train = small.call(r.train);
    r.train.model.stages = 2;
    evaluate(reproduce::system(data, r, 0), data.test, r.evaluate).mAP
}};
"#
    )
}

#[test]
fn every_recipe_trains_on_the_miniature_at_toy_size() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("coco");
    let options = SceneOptions { train: 24, val: 0, test: 12, test_shifted: 0, size: 40, ..SceneOptions::default() };
    write_miniature("coco2014", &options, &root).unwrap();
    let mut session = session(&folder.path().join("runs"));
    let _ = eval(&mut session, &toy(&root.display().to_string()));
    let mut trained = 0;
    let mut train = |code: String| {
        let map = eval(&mut session, &code).as_float().unwrap();
        assert!((0.0..=100.0).contains(&map), "{code}: {map}");
        trained += 1;
    };
    // At toy size rows that differ in backbone and input alone are the same training, which the run store answers.
    for row in RECIPES {
        train(format!("ours.call(\"{}\", \"fixed\")", row.name));
    }
    for reading in ["paper", "as-released"] {
        train(format!("ours.call(\"cpsd-coco-r101\", \"{reading}\")"));
    }
    let mut backbones = BTreeSet::new();
    for system in SYSTEMS {
        train(format!("system.call(\"{}\")", system.name));
        let recipe = recipe(system.name, Reading::Fixed).unwrap();
        if backbones.insert(recipe["train"]["model"]["backbone"].as_str().unwrap().to_string()) {
            train(format!("own.call(\"{}\")", system.name));
        }
    }
    assert!(backbones.iter().eq(["resnet101", "resnext50_32x4d", "tresnet_l", "tresnet_v2_l"]), "{backbones:?}");
    // 13 rows of CPSD and 2 more readings of one, 35 systems, 4 backbones.
    assert_eq!(trained, 54);
}

/// Names of the weights of the backbone of a recipe's model; whether each is frozen, and whether it is of a batch norm.
fn weights_of_backbone(model: &Value) -> Vec<(String, bool, bool)> {
    let spec: ModelSpec = serde_json::from_value(model.clone()).unwrap();
    let spec = spec.resolved().unwrap();
    let mut params = Params::default();
    params.first = FirstValues::None;
    let params = RefCell::new(params);
    let scope = Scope::root(&params, 0, Device::Cpu).frozen_norms_if(spec.frozen_norms);
    (backbones::find(&spec.backbone).unwrap().build)(&scope, &spec).unwrap();
    let list = params.into_inner().list;
    let norms: HashSet<&str> = list.iter().filter_map(|p| p.name.strip_suffix(".running_mean")).collect();
    let of_norm = |name: &str| name.rsplit_once('.').is_some_and(|(module, _)| norms.contains(module));
    list.iter().filter(|p| p.role == Role::Weight).map(|p| (p.name.clone(), p.frozen, of_norm(&p.name))).collect()
}

/// Query2Label's `BackboneBase` keeps every parameter whose name is without layer2, layer3 and layer4, and its ResNets have
/// `FrozenBatchNorm2d`, all of whose tensors are buffers. SSGRL's main.py keeps `resnet_101` but for its layer4.
#[test]
fn recipes_freeze_the_parameters_that_their_authors_freeze() {
    let mut freezing = Vec::new();
    let mut check = |name: &str, model: &Value| {
        if model.get("freeze").is_none() && model.get("frozen_norms").is_none() {
            return;
        }
        let weights = weights_of_backbone(model);
        assert!(weights.iter().any(|w| w.1) && weights.iter().any(|w| !w.1) && weights.iter().any(|w| w.2), "{name}");
        for (weight, frozen, of_norm) in weights {
            let kept = match model["head"].as_str().unwrap() {
                "q2l" => {
                    let buffer = of_norm && model["backbone"] == "resnet101";
                    buffer || !["layer2", "layer3", "layer4"].iter().any(|layer| weight.contains(layer))
                }
                "ssgrl" => !weight.contains("layer4"),
                head => panic!("{name}: the parameters that {head} freezes are not known here"),
            };
            assert_eq!(frozen, kept, "{name}: {weight}");
        }
        freezing.push(name.to_string());
    };
    for row in RECIPES {
        let recipe = recipe(row.name, Reading::Fixed).unwrap();
        check(row.name, &recipe["teacher"]["model"]);
        check(row.name, &recipe["student"]["model"]);
    }
    for system in SYSTEMS {
        check(system.name, &recipe(system.name, Reading::Fixed).unwrap()["train"]["model"]);
    }
    // Teachers and students of four rows of CPSD, five systems with Query2Label, two with SSGRL.
    assert_eq!(freezing.len(), 15, "{freezing:?}");
}

#[test]
fn the_loss_of_query2label_is_that_of_its_authors() {
    let golden = golden("training/q2l_loss.json");
    let (n, m) = (golden["images"].as_i64().unwrap(), golden["labels"].as_i64().unwrap());
    let at =
        |f: fn(i64, i64) -> f64| -> Vec<f32> { (0..n).flat_map(|i| (0..m).map(move |j| f(i, j) as f32)).collect() };
    let tensor = |values: Vec<f32>| Tensor::from_slice(&values).view([n, m]);
    let logits = tensor(at(|i, j| ((i * 7 + j * 5) % 11 - 5) as f64 * 0.7)).set_requires_grad(true);
    let targets = tensor(at(|i, j| f64::from(u8::from((i * 3 + j * 2) % 4 == 0))));
    let recipe = recipe("q2l-coco", Reading::Fixed).unwrap();
    let loss: LossSpec = serde_json::from_value(recipe["train"]["loss"].clone()).unwrap();
    let value = loss.compute(&logits, &targets).unwrap();
    value.backward();
    let expected = golden["loss"].as_f64().unwrap();
    assert!((value.double_value(&[]) - expected).abs() < 1e-5 * expected, "{value:?}");
    let gradient = Vec::<f32>::try_from(logits.grad().flatten(0, 1)).unwrap();
    let most = numbers(&golden["gradient"]).iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for (came, expected) in gradient.iter().zip(numbers(&golden["gradient"])) {
        assert!((f64::from(*came) - expected).abs() < 1e-5 * most, "{came} {expected}");
    }
}

#[test]
fn a_scale_of_one_is_left_out_of_a_runs_specification() {
    let plain: LossSpec = serde_json::from_value(json!({ "name": "asl" })).unwrap();
    assert!(plain.to_spec().get("scale").is_none());
    let scaled: LossSpec = serde_json::from_value(json!({ "name": "asl", "scale": 1000.0 })).unwrap();
    assert_eq!(scaled.to_spec()["scale"], 1000.0);
}
