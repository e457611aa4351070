//! Backbones held to torchvision and timm: logits and gradients under weights that a formula gives, and the published
//! ImageNet weights. `goldens/models/generate.py` writes the references.

use cpsd::models::{Model, ModelSpec};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

fn goldens() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/models/models.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// zlib's CRC-32, which gives the formula its phase.
fn crc32(text: &str) -> u32 {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The generator's `formula`.
fn formula(name: &str, shape: &[i64], scale: f64) -> Tensor {
    let phase = f64::from(crc32(name) % 1000);
    let n: i64 = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((i as f64 * 0.37 + phase).sin() * scale) as f32).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// The generator's `fill`.
fn fill(model: &mut Model) {
    let state: Vec<(String, Tensor)> = model
        .state()
        .into_iter()
        .map(|(name, tensor)| {
            let shape = tensor.size();
            let value = if name.ends_with("running_mean") {
                formula(&name, &shape, 0.1)
            } else if name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight")) {
                formula(&name, &shape, 0.2) + 1.0
            } else if shape.len() == 1 {
                formula(&name, &shape, 0.1)
            } else {
                let fan_in: i64 = shape[1..].iter().product();
                formula(&name, &shape, (2.0 / fan_in as f64).sqrt())
            };
            (name, value)
        })
        .collect();
    let report = model.load_state(&state).unwrap();
    assert_eq!(report, Default::default());
}

fn labels(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("label {i}")).collect()
}

fn close(what: &str, came: f64, expected: f64, scale: f64) {
    assert!((came - expected).abs() <= 1e-4 * scale.max(1e-6), "{what}: {came} instead of {expected}");
}

fn parity(backbone: &str) {
    let golden = &goldens()[backbone];
    let size = golden["image_size"].as_i64().unwrap();
    let spec = ModelSpec { backbone: backbone.into(), head: "gap".into(), image_size: Some(size), ..ModelSpec::default() };
    let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    fill(&mut model);
    let x = formula("input", &[2, 3, size, size], 1.0);
    let logits = model.forward(&x, false).unwrap();
    let expected: Vec<f64> = golden["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    for (i, (came, expected)) in to_vec_f32(&logits).unwrap().into_iter().zip(&expected).enumerate() {
        close(&format!("{backbone} logit {i}"), f64::from(came), *expected, largest);
    }
    logits.square().sum(Kind::Float).backward();
    let parameters = model.trainable();
    for (name, reference) in golden["gradients"].as_object().unwrap() {
        let (_, parameter) = parameters.iter().find(|(n, _)| n == name).unwrap();
        let gradient = parameter.grad().to_kind(Kind::Double);
        let norm = reference["norm"].as_f64().unwrap();
        close(&format!("{backbone} gradient norm of {name}"), f64::try_from(gradient.norm()).unwrap(), norm, norm);
        close(&format!("{backbone} gradient sum of {name}"), f64::try_from(gradient.sum(Kind::Double)).unwrap(), reference["sum"].as_f64().unwrap(), norm * (gradient.numel() as f64).sqrt());
    }
}

#[test]
fn resnet18_equals_torchvision() {
    parity("resnet18");
}

#[test]
fn resnet34_equals_torchvision() {
    parity("resnet34");
}

#[test]
fn efficientnet_lite0_equals_timm() {
    parity("efficientnet_lite0");
}

#[test]
fn published_imagenet_weights_give_timms_features() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/efficientnet_lite0.pth");
    if !std::path::Path::new(file).exists() {
        eprintln!("skipped: weights/efficientnet_lite0.pth is absent; `make weights` brings it");
        return;
    }
    let golden = &goldens()["efficientnet_lite0_imagenet"];
    let spec = ModelSpec {
        backbone: "efficientnet_lite0".into(),
        head: "conv".into(),
        weights: Some(file.into()),
        image_size: Some(128),
        stages: Some(5),
        freeze: 5,
        ..ModelSpec::default()
    };
    let model = Model::new(&spec, &labels(3), 0, Device::Cpu).unwrap();
    let features = model.frozen_features(&formula("input", &[1, 3, 128, 128], 1.0)).unwrap();
    assert_eq!(serde_json::json!(features.size()), golden["stage5_shape"]);
    let first = features.select(0, 0).narrow(0, 0, 8).select(1, 3).select(1, 4);
    for (came, expected) in to_vec_f32(&first).unwrap().into_iter().zip(golden["stage5_first"].as_array().unwrap()) {
        close("a stage-5 feature", f64::from(came), expected.as_f64().unwrap(), 1.0);
    }
    let sum = f64::try_from(features.sum(Kind::Double)).unwrap();
    close("the sum of all stage-5 features", sum, golden["stage5_sum"].as_f64().unwrap(), 100.0);
}
