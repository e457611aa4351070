//! Backbones held to torchvision and timm: logits and gradients under weights that a formula gives, and the published
//! ImageNet weights. `goldens/models/generate.py` writes the references.

use std::collections::BTreeMap;

use cpsd::images::{Crop, Picture};
use cpsd::models::backbones::BACKBONES;
use cpsd::models::weights::read_safetensors;
use cpsd::models::{Model, ModelSpec, Pass, Precision};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, numbers, root};
use crate::formula::formula;

/// The generator's `fill`.
fn fill(model: &mut Model) -> Vec<(String, Tensor)> {
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
    state
}

fn close(what: &str, came: f64, expected: f64, scale: f64) {
    assert!((came - expected).abs() <= 1e-4 * scale.max(1e-6), "{what}: {came} instead of {expected}");
}

fn equal(what: &str, came: &Tensor, expected: &Value) {
    let expected = numbers(expected);
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let came = to_vec_f32(came).unwrap();
    assert_eq!(came.len(), expected.len(), "{what}");
    for (i, (came, expected)) in came.into_iter().zip(&expected).enumerate() {
        close(&format!("{what} {i}"), f64::from(came), *expected, largest);
    }
}

fn number(tensor: Tensor) -> f64 {
    f64::try_from(tensor).unwrap()
}

/// Name → shape of the golden tree of names, without the counters that only PyTorch has.
fn golden_names(node: &Value, path: &str, out: &mut BTreeMap<String, Vec<i64>>) {
    match node {
        Value::Object(inner) => {
            for (key, value) in inner {
                golden_names(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, out);
            }
        }
        shape if !path.ends_with("num_batches_tracked") => {
            out.insert(path.into(), serde_json::from_value(shape.clone()).unwrap());
        }
        _ => {}
    }
}

fn parity(backbone: &str) {
    parity_with(backbone, &golden("models/models.json")[backbone]);
}

fn parity_with(backbone: &str, golden: &Value) {
    let kind = cpsd::models::backbones::find(backbone).unwrap();
    let size = golden["image_size"].as_i64().unwrap();
    let spec =
        ModelSpec { backbone: backbone.into(), head: "gap".into(), image_size: Some(size), ..ModelSpec::default() };
    let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    let state = fill(&mut model);
    let x = formula("input", &[2, 3, size, size], 1.0);

    // Logits, and the gradient of at least one parameter per stage.
    let logits = model.forward(&x, false).unwrap();
    equal(&format!("{backbone} logit"), &logits, &golden["logits"]);
    logits.square().sum(Kind::Float).backward();
    let parameters = model.trainable();
    let references = golden["gradients"].as_object().unwrap();
    let largest = references.values().map(|r| r["norm"].as_f64().unwrap()).fold(0.0, f64::max);
    for (name, reference) in references {
        let (_, parameter) = parameters.iter().find(|(n, _)| n == name).unwrap();
        let gradient = parameter.grad().to_kind(Kind::Double);
        let norm = reference["norm"].as_f64().unwrap();
        // A gradient that vanishes (efficientnet_lite2's stem: 10⁻¹¹ of the last layers') comes through few units. One of
        // them that a processor rounds to the other side of a kink of ReLU6 moves it by up to a percent: 5 % are allowed.
        let slack = if norm < largest * 2.0f64.powi(-24) { 500.0 } else { 1.0 };
        close(&format!("{backbone} gradient norm of {name}"), number(gradient.norm()), norm, norm * slack);
        let scale = norm * slack * (gradient.numel() as f64).sqrt();
        close(
            &format!("{backbone} gradient sum of {name}"),
            number(gradient.sum(Kind::Double)),
            reference["sum"].as_f64().unwrap(),
            scale,
        );
    }

    // The documented numbers.
    let channels = (kind.stages)().last().unwrap().channels;
    assert_eq!(kind.image_size, golden["default_size"].as_i64().unwrap());
    assert_eq!(model.num_parameters(), golden["parameters_10"].as_i64().unwrap() - positions(golden, backbone, size));
    assert_eq!(kind.parameters + (channels + 1) * 1000, golden["parameters_1000"].as_i64().unwrap());
    let gmacs = golden["gmacs"].as_f64().unwrap();
    assert!(
        (kind.gflops - gmacs).abs() < 0.005 * gmacs,
        "{backbone}: {} instead of {gmacs} billion multiply-adds",
        kind.gflops
    );

    // The first half of the stages frozen: the same function, nothing there moves, and its features are the reference's.
    let references = golden["stages"].as_array().unwrap();
    let frozen = references.len() / 2;
    let spec = ModelSpec { freeze: frozen, ..spec };
    let mut half = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    assert_eq!(half.load_state(&state).unwrap(), Default::default());
    let features = half.frozen_features(&x).unwrap();
    assert!(!features.requires_grad() && features.dim() == 4);
    let reference = &references[frozen - 1];
    let norm = reference["norm"].as_f64().unwrap();
    close(&format!("{backbone} features' norm"), number(features.to_kind(Kind::Double).norm()), norm, norm);
    close(
        &format!("{backbone} features' sum"),
        number(features.sum(Kind::Double)),
        reference["sum"].as_f64().unwrap(),
        norm * (features.numel() as f64).sqrt(),
    );
    equal(&format!("{backbone} logit from features"), &half.forward_from(&features, false).unwrap(), &golden["logits"]);
    let moving: Vec<String> = half.trainable().into_iter().chain(half.buffers()).map(|(n, _)| n).collect();
    let _ = half.forward_from(&half.frozen_features(&x).unwrap(), true).unwrap();
    for (name, tensor) in half.state() {
        if !moving.contains(&name) {
            assert!(!tensor.requires_grad(), "{backbone}: {name} is frozen");
            let (_, before) = state.iter().find(|(n, _)| *n == name).unwrap();
            assert_eq!(&tensor, before, "{backbone}: {name} is frozen");
        }
    }
    assert!(moving.len() < state.len());
}

/// Mixed precision stays as near PyTorch's f32 as bfloat16 allows, and is not f32; gradients stay f32.
///
/// A layer rounds its input, its weights and its result to 8 bits, each by at most u = 2⁻⁸ of its size. Over L layers
/// these are n = 3 L independent roundings, and their sum stays below λ √n u with probability 1 - 2 exp(-λ² / 2)
/// (N. Higham and T. Mary, "A new approach to probabilistic rounding error analysis", 2019): the bound on the distance of
/// the logits, as a share of their norm, with λ = 3. Eleven of the twelve backbones stay below 2 u, resnext50_32x4d below
/// 8 u. A golden in bfloat16 could hold no more: the order of a processor's sums decides which way a value is rounded,
/// so two right results are as far from each other as from f32.
#[test]
fn bfloat16_stays_near_float32_and_is_not_float32() {
    const U: f64 = 1.0 / 256.0;
    let goldens = golden("models/models.json");
    for kind in BACKBONES.iter().filter(|kind| goldens[kind.name]["image_size"].is_i64()) {
        let (backbone, golden) = (kind.name, &goldens[kind.name]);
        let size = golden["image_size"].as_i64().unwrap();
        let spec =
            ModelSpec { backbone: backbone.into(), head: "gap".into(), image_size: Some(size), ..ModelSpec::default() };
        let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
        let layers = fill(&mut model).iter().filter(|(_, tensor)| tensor.dim() >= 2).count();
        let x = formula("input", &[2, 3, size, size], 1.0);
        let full = Tensor::from_slice(&numbers(&golden["logits"]));
        let apart =
            |logits: &Tensor| number((logits.to_kind(Kind::Double).view(-1) - &full).norm()) / number(full.norm());
        let logits = model.forward(&x, Pass::EVAL.within(Precision::BFloat16)).unwrap();
        assert_eq!(logits.kind(), Kind::Float);
        let (low, high) = (apart(&logits), apart(&model.forward(&x, Pass::EVAL).unwrap()));
        println!(
            "{backbone}: {layers} layers; from PyTorch's f32 bfloat16 is {:.2} u away, f32 {:.5} u",
            low / U,
            high / U
        );
        let bound = 3.0 * (3.0 * layers as f64).sqrt() * U;
        assert!(low < bound, "{backbone}: {low} of the logits' norm away from f32; {bound} is allowed");
        // f32 rounds 2¹⁶ times finer.
        assert!(low > 16.0 * high, "{backbone} computes in f32: {low} away from PyTorch's, f32 itself {high}");
        // Slow without hardware for it: once is enough.
        if backbone != "resnet18" {
            continue;
        }
        logits.square().sum(Kind::Float).backward();
        assert!(model.trainable().iter().all(|(_, t)| t.grad().kind() == Kind::Float), "{backbone}");
    }
}

/// As torchvision's FrozenBatchNorm2d, which Query2Label's ResNet has: only convolutions and the head are trained.
#[test]
fn frozen_norms_stay_as_they_are() {
    let spec = ModelSpec {
        backbone: "resnet18".into(),
        image_size: Some(64),
        freeze: 1,
        frozen_norms: true,
        ..ModelSpec::default()
    };
    let mut model = Model::new(&spec, &labels(4), 0, Device::Cpu).unwrap();
    fill(&mut model);
    let before: Vec<(String, Tensor)> = model.state().into_iter().map(|(name, t)| (name, t.copy())).collect();
    let x = formula("input", &[2, 3, 64, 64], 1.0);
    let eval = model.forward(&x, false).unwrap();
    assert_eq!(eval, model.forward(&x, true).unwrap(), "a batch's statistics are used");
    for ((name, now), (_, then)) in model.state().iter().zip(&before) {
        assert_eq!(now, then, "{name}");
    }
    let trained: Vec<String> = model.trainable().into_iter().map(|(name, _)| name).collect();
    assert!(trained.contains(&"layer2.0.conv1.weight".to_string()) && trained.contains(&"fc.weight".to_string()));
    assert!(trained.iter().all(|name| !name.contains("bn") && !name.contains("downsample.1")), "{trained:?}");
    assert!(model.buffers().is_empty());
}

/// How many parameters fewer the position embedding of a smaller picture has.
fn positions(golden: &Value, backbone: &str, size: i64) -> i64 {
    if backbone != "vit_b_16" {
        return 0;
    }
    let side = golden["default_size"].as_i64().unwrap();
    ((side / 16).pow(2) - (size / 16).pow(2)) * 768
}

/// `save` writes exactly the names and shapes of the reference's state dict.
#[test]
fn saved_names_are_the_references() {
    let golden = golden("models/names.json");
    let folder = tempfile::tempdir().unwrap();
    for kind in BACKBONES.iter().filter(|k| golden.get(k.name).is_some()) {
        let spec = ModelSpec { backbone: kind.name.into(), ..ModelSpec::default() };
        let model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
        let file = folder.path().join("model.safetensors");
        model.save(&file, &Value::Null).unwrap();
        let (tensors, _) = read_safetensors(&file).unwrap();
        let came: BTreeMap<String, Vec<i64>> =
            tensors.into_iter().map(|(name, tensor)| (name, tensor.size())).collect();
        let mut expected = BTreeMap::new();
        golden_names(&golden[kind.name], "", &mut expected);
        assert_eq!(came, expected, "{}", kind.name);
        let config: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.path().join("model.json")).unwrap()).unwrap();
        let classifier = config["pretrained_cfg"]["classifier"].as_str().unwrap();
        assert_eq!(
            came[&format!("{classifier}.weight")],
            [10, config["num_features"].as_i64().unwrap()],
            "{}",
            kind.name
        );
        assert!(
            came.contains_key(&format!("{}.weight", config["pretrained_cfg"]["first_conv"].as_str().unwrap())),
            "{}",
            kind.name
        );
    }
}

#[test]
fn small_cnn_is_as_large_as_stated() {
    let model = Model::new(&ModelSpec::default(), &labels(10), 0, Device::Cpu).unwrap();
    let kind = cpsd::models::backbones::find("small_cnn").unwrap();
    assert_eq!(model.num_parameters() - 193 * 10, kind.parameters);
    // Multiply-adds at 64 pixels: three 3×3 convolutions per stage.
    let (mut sum, mut inputs, mut side) = (0, 3, 64);
    for width in [32, 64, 128, 192] {
        side /= 2;
        sum += side * side * 9 * (inputs * width + 2 * width * width);
        inputs = width;
    }
    assert!((kind.gflops - sum as f64 / 1e9).abs() < 0.0005, "{sum}");
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
fn resnet50_equals_torchvision() {
    parity("resnet50");
}

#[test]
fn resnet101_equals_torchvision() {
    parity("resnet101");
}

#[test]
fn resnext50_32x4d_equals_torchvision() {
    parity("resnext50_32x4d");
}

#[test]
fn efficientnet_lite0_equals_timm() {
    parity("efficientnet_lite0");
}

#[test]
fn efficientnet_lite1_equals_timm() {
    parity("efficientnet_lite1");
}

#[test]
fn efficientnet_lite2_equals_timm() {
    parity("efficientnet_lite2");
}

#[test]
fn tresnet_m_equals_timm() {
    parity("tresnet_m");
}

#[test]
fn tresnet_l_equals_timm() {
    parity("tresnet_l");
}

#[test]
fn tresnet_v2_l_equals_timm() {
    parity_with("tresnet_v2_l", &golden("models/tresnet_v2_l.json"));
}

#[test]
fn vit_b_16_equals_torchvision() {
    parity("vit_b_16");
}

#[test]
fn swin_t_equals_torchvision() {
    parity("swin_t");
}

/// 64 pixels pad every window; 112 pad only the last stage's, and some windows are whole without shift.
#[test]
fn swin_t_equals_torchvision_at_another_size() {
    let spec = ModelSpec { backbone: "swin_t".into(), image_size: Some(112), ..ModelSpec::default() };
    let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    fill(&mut model);
    let logits = model.forward(&formula("input", &[1, 3, 112, 112], 1.0), false).unwrap();
    equal("swin_t logit", &logits, &golden("models/models.json")["swin_t"]["logits_112"]);
}

/// Any head on any family: maps of the stated channels, and a training step's gradient in every trainable weight.
#[test]
fn every_family_feeds_a_convolutional_head() {
    for (backbone, stages, freeze) in [
        ("resnet50", 2, 1),
        ("tresnet_m", 1, 0),
        ("tresnet_m", 2, 1),
        ("efficientnet_lite1", 3, 1),
        ("vit_b_16", 2, 1),
        ("vit_b_16", 4, 3),
        ("swin_t", 2, 1),
        ("swin_t", 4, 3),
        ("small_cnn", 3, 1),
    ] {
        let spec = ModelSpec {
            backbone: backbone.into(),
            head: "conv".into(),
            image_size: Some(64),
            stages: Some(stages),
            freeze,
            dropout: 0.1,
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
        let stage = &(cpsd::models::backbones::find(backbone).unwrap().stages)()[stages - 1];
        assert_eq!(model.channels(), stage.channels);
        let x = formula("input", &[2, 3, 64, 64], 1.0);
        // As the run store keeps features: half precision, channels last.
        let kept = model.frozen_features(&x).unwrap().permute([0, 2, 3, 1]).to_kind(Kind::Half).contiguous();
        let features = kept.to_kind(Kind::Float).permute([0, 3, 1, 2]);
        let logits = model.forward_from(&features, true).unwrap();
        assert_eq!(logits.size(), [2, 3]);
        logits.square().sum(Kind::Float).backward();
        for (name, parameter) in model.trainable() {
            assert!(parameter.grad().defined(), "{backbone}: no gradient in {name}");
        }
        let maps = model.class_maps(&x).unwrap().unwrap();
        assert_eq!(maps.size(), [2, 3, 64 / stage.stride, 64 / stage.stride], "{backbone}");
        assert_eq!(model.forward(&x, false).unwrap(), model.forward(&x, false).unwrap());
    }
    let spec = |size| ModelSpec { backbone: "vit_b_16".into(), image_size: Some(size), ..ModelSpec::default() };
    let error = Model::new(&spec(70), &labels(3), 1, Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("multiple of 16") && error.message.contains("70"), "{}", error.message);
    let model = Model::new(&spec(64), &labels(3), 1, Device::Cpu).unwrap();
    let error = model.forward(&formula("input", &[1, 3, 96, 96], 1.0), false).unwrap_err();
    assert!(error.message.contains("16 patches") && error.message.contains("36"), "{}", error.message);
}

fn published(backbone: &str) {
    let file = root(&format!("weights/{backbone}.pth"));
    if !file.exists() {
        eprintln!("skipped: weights/{backbone}.pth is absent");
        return;
    }
    let weights = file.display().to_string();
    let golden = &golden("models/models.json")[format!("{backbone}_imagenet")];
    let spec = ModelSpec {
        backbone: backbone.into(),
        head: "conv".into(),
        weights: Some(weights.clone()),
        image_size: Some(128),
        stages: Some(5),
        freeze: 5,
        ..ModelSpec::default()
    };
    let model = Model::new(&spec, &labels(3), 0, Device::Cpu).unwrap();
    let x = formula("input", &[1, 3, 128, 128], 1.0);
    let features = model.frozen_features(&x).unwrap();
    assert_eq!(serde_json::json!(features.size()), golden["stage5_shape"]);
    let first = features.select(0, 0).narrow(0, 0, 8).select(1, 3).select(1, 4);
    equal("a stage-5 feature", &first, &golden["stage5_first"]);
    close(
        "the sum of all stage-5 features",
        number(features.sum(Kind::Double)),
        golden["stage5_sum"].as_f64().unwrap(),
        100.0,
    );

    // With as many labels as the file has classes its last layer is taken too.
    let spec =
        ModelSpec { weights: Some(weights), image_size: Some(128), backbone: backbone.into(), ..ModelSpec::default() };
    let model = Model::new(&spec, &labels(1000), 0, Device::Cpu).unwrap();
    assert!(model.notes().is_empty(), "{:?}", model.notes());
    let logits = model.forward(&x, false).unwrap();
    equal("logit", &logits.narrow(1, 0, 20), &golden["logits"]);
    let top = Vec::<i64>::try_from(logits.topk(5, 1, true, true).1.view([-1])).unwrap();
    assert_eq!(serde_json::json!(top), golden["top"]);
}

#[test]
fn published_efficientnet_lite0_gives_timms_features_and_classes() {
    published("efficientnet_lite0");
}

/// A cat, a cup of coffee and a rocket: the classes of ImageNet that they are, among the five likeliest.
#[test]
fn the_published_weights_know_what_photographs_show() {
    let photographs: [(&str, &[i64]); 3] = [
        // tabby, tiger cat, Egyptian cat
        ("chelsea.png", &[281, 282, 285]),
        // espresso, cup, coffee mug
        ("coffee.png", &[967, 968, 504]),
        // missile, projectile, space shuttle
        ("rocket.jpg", &[657, 744, 812]),
    ];
    for backbone in ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"] {
        let weights = root(&format!("weights/{backbone}.pth"));
        if !weights.exists() {
            eprintln!("skipped: weights/{backbone}.pth is absent");
            continue;
        }
        let spec = ModelSpec {
            backbone: backbone.into(),
            weights: Some(weights.display().to_string()),
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels(1000), 0, Device::Cpu).unwrap();
        let side = model.image_size();
        for (file, right) in photographs {
            let path = root("target/pictures").join(file);
            if !path.exists() {
                eprintln!("skipped: target/pictures/{file} is absent (setup/pictures.sh brings it)");
                continue;
            }
            let picture = Picture::open(&path).unwrap();
            // The middle square, as timm's evaluation crops it.
            let cut = 0.875 * f64::from(picture.width.min(picture.height));
            let middle = |whole: u32| (f64::from(whole) - cut) / 2.0;
            let crop = Crop { left: middle(picture.width), top: middle(picture.height), width: cut, height: cut };
            let pixels = picture.crop_resize(crop, side as u32, side as u32).unwrap();
            let pixels = Tensor::from_slice(&pixels).view([1, side, side, 3]);
            let logits = model.forward(&model.normalise(&pixels).unwrap(), false).unwrap();
            let top = Vec::<i64>::try_from(logits.topk(5, 1, true, true).1.view([-1])).unwrap();
            assert!(top.iter().any(|class| right.contains(class)), "{backbone}, {file}: {top:?}");
        }
    }
}

#[test]
fn published_efficientnet_lite1_gives_timms_features_and_classes() {
    published("efficientnet_lite1");
}

#[test]
fn published_efficientnet_lite2_gives_timms_features_and_classes() {
    published("efficientnet_lite2");
}
