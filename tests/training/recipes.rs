//! Recipes at toy size: every one trains on miniature COCO; only sizes, weights and the backbone are others. The loss of Query2Label
//! held to its authors' class.

use cpsd::images::scenes::{SceneOptions, write_miniature};
use cpsd::losses::LossSpec;
use cpsd::models::heads::{self, HEADS, HeadKind};
use cpsd::training::recipes::{RECIPES, Reading, SYSTEMS, recipe};
use serde_json::json;
use tch::Tensor;

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
        r#"import "reproduce" as reproduce;
let data = reproduce::labelled(dataset("coco2014", #{{ root: "{root}", val: 0.0 }}));
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
    for system in SYSTEMS {
        let recipe = recipe(system.name, Reading::Fixed).unwrap();
        if heads::find(recipe["train"]["model"]["head"].as_str().unwrap()).is_ok() {
            train(format!("system.call(\"{}\")", system.name));
        }
    }
    assert!(trained >= 40, "{trained}");
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
