//! Backbones held to torchvision and timm: logits and gradients under weights that a formula gives, and the published
//! ImageNet weights. `goldens/models/generate.py` writes the references.

use std::collections::BTreeMap;

use cpsd::images::{Crop, Picture};
use cpsd::models::backbones::BACKBONES;
use cpsd::models::weights::{read_safetensors, write_safetensors};
use cpsd::models::{FrozenCompute, Model, ModelSpec, Pass, Precision};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, numbers, root};
use crate::formula::{Formula, chirp, formula};

/// The generator's `value`.
fn value(name: &str, shape: &[i64], formula: Formula) -> Tensor {
    if name.ends_with("running_mean") {
        formula(name, shape, 0.1)
    } else if name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight")) {
        formula(name, shape, 0.2) + 1.0
    } else if shape.len() == 1 {
        formula(name, shape, 0.1)
    } else {
        let fan_in: i64 = shape[1..].iter().product();
        formula(name, shape, (2.0 / fan_in as f64).sqrt())
    }
}

/// The generator's `fill`.
fn fill_by(model: &mut Model, formula: Formula) -> Vec<(String, Tensor)> {
    let state: Vec<(String, Tensor)> = (model.state().into_iter())
        .map(|(name, tensor)| {
            let value = value(&name, &tensor.size(), formula);
            (name, value)
        })
        .collect();
    let report = model.load_state(&state).unwrap();
    assert_eq!(report, Default::default());
    state
}

fn fill(model: &mut Model) -> Vec<(String, Tensor)> {
    fill_by(model, formula)
}

/// The formula of a golden's weights.
fn formula_of(golden: &Value) -> Formula {
    if golden["weights"] == "chirp" { chirp } else { formula }
}

fn close(what: &str, came: f64, expected: f64, scale: f64) {
    within(1e-4, what, came, expected, scale);
}

fn within(share: f64, what: &str, came: f64, expected: f64, scale: f64) {
    assert!((came - expected).abs() <= share * scale.max(1e-6), "{what}: {came} instead of {expected}");
}

fn equal(what: &str, came: &Tensor, expected: &Value) {
    equal_within(1e-4, what, came, expected);
}

fn equal_within(share: f64, what: &str, came: &Tensor, expected: &Value) {
    let expected = numbers(expected);
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let came = to_vec_f32(came).unwrap();
    assert_eq!(came.len(), expected.len(), "{what}");
    for (i, (came, expected)) in came.into_iter().zip(&expected).enumerate() {
        within(share, &format!("{what} {i}"), f64::from(came), *expected, largest);
    }
}

/// Features held to the generator's `measured` or `sample`.
fn features_equal(share: f64, what: &str, features: &Tensor, reference: &Value) {
    let norm = reference["norm"].as_f64().unwrap();
    within(share, &format!("{what}: features' norm"), number(features.to_kind(Kind::Double).norm()), norm, norm);
    within(
        share,
        &format!("{what}: features' sum"),
        number(features.sum(Kind::Double)),
        reference["sum"].as_f64().unwrap(),
        norm * (features.numel() as f64).sqrt(),
    );
    if reference["sample"].is_array() {
        let n = features.numel() as i64;
        let places = Tensor::from_slice(&(0..16).map(|i| i * n / 16).collect::<Vec<i64>>());
        let came = features.reshape([-1]).index_select(0, &places);
        // Of normal numbers the largest of 16 is about twice their root mean square.
        let (came, expected) = (to_vec_f32(&came).unwrap(), numbers(&reference["sample"]));
        for (i, (came, expected)) in came.into_iter().zip(&expected).enumerate() {
            let scale = 2.0 * norm / (n as f64).sqrt();
            within(
                share,
                &format!("{what}: sampled feature {i}"),
                f64::from(came),
                *expected,
                scale.max(expected.abs()),
            );
        }
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
    // Of large ones the first stages alone are compared.
    let cut = golden["stages_used"].as_u64().map(|stages| stages as usize);
    let share = golden["tolerance"].as_f64().unwrap_or(1e-4);
    let spec = ModelSpec {
        backbone: backbone.into(),
        head: "gap".into(),
        image_size: Some(size),
        stages: cut,
        ..ModelSpec::default()
    };
    // As the generator does. One unit of tresnet_l's last stage lies within a rounding of ReLU's kink: with channels-last maps and two
    // threads PyTorch's own gradient of the first convolution has a norm of 214.7 instead of 217.4.
    tch::set_num_threads(1);
    let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    let state = fill_by(&mut model, formula_of(golden));
    let x = formula("input", &[2, 3, size, size], 1.0);

    // Logits, and the gradient of at least one parameter per stage.
    let logits = model.forward(&x, false).unwrap();
    equal_within(share, &format!("{backbone} logit"), &logits, &golden["logits"]);
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
    if cut.is_none() {
        let fewer = positions(golden, backbone, size);
        assert_eq!(model.num_parameters(), golden["parameters_10"].as_i64().unwrap() - fewer);
    }
    assert_eq!(kind.parameters + (channels + 1) * 1000, golden["parameters_1000"].as_i64().unwrap());
    let gmacs = golden["gmacs"].as_f64().unwrap();
    assert!(
        (kind.gflops - gmacs).abs() < 0.005 * gmacs,
        "{backbone}: {} instead of {gmacs} billion multiply-adds",
        kind.gflops
    );

    let config = &golden["config"];
    if config.is_object() {
        assert_eq!(serde_json::json!(kind.mean), config["mean"]);
        assert_eq!(serde_json::json!(kind.std), config["std"]);
        assert_eq!(kind.crop_pct, config["crop_pct"].as_f64().unwrap());
        let words = [kind.interpolation, kind.classifier, kind.first_conv];
        assert_eq!(words, ["interpolation", "classifier", "first_conv"].map(|key| config[key].as_str().unwrap()));
        let repositories: Vec<&str> =
            golden["repositories"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
        for set in kind.weights.sets {
            assert!(set.hub.is_none_or(|hub| repositories.contains(&hub)), "{backbone}: timm has no {:?}", set.hub);
        }
        let first = kind.weights.sets.iter().find(|set| set.hub == config["hf_hub_id"].as_str());
        assert!(first.is_some(), "{backbone}: the configuration is that of no set");
    }

    // The first half of the stages frozen: the same function, nothing there moves, and its features are the reference's.
    let references = golden["stages"].as_array().unwrap();
    let frozen = (references.len() / 2).max(1);
    let spec = ModelSpec { freeze: frozen, ..spec };
    let mut half = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
    assert_eq!(half.load_state(&state).unwrap(), Default::default());
    let features = half.frozen_features(&x).unwrap();
    assert!(!features.requires_grad() && features.dim() == 4);
    features_equal(share, backbone, &features, &references[frozen - 1]);
    let logits = half.forward_from(&features, false).unwrap();
    equal_within(share, &format!("{backbone} logit from features"), &logits, &golden["logits"]);
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
/// the logits, as a share of their norm, with λ = 3. Most backbones stay below 2 u, resnext50_32x4d below 8 u. A golden in bfloat16 could hold no more: the order of a processor's sums decides which way a value is rounded,
/// so two right results are as far from each other as from f32.
#[test]
fn bfloat16_stays_near_float32_and_is_not_float32() {
    const U: f64 = 1.0 / 256.0;
    let goldens = golden("models/models.json");
    let whole =
        |golden: &Value| golden["image_size"].is_i64() && golden["stages_used"].is_null() && golden["large"] != true;
    for kind in BACKBONES.iter().filter(|kind| whole(&goldens[kind.name])) {
        let (backbone, golden) = (kind.name, &goldens[kind.name]);
        let size = golden["image_size"].as_i64().unwrap();
        let spec =
            ModelSpec { backbone: backbone.into(), head: "gap".into(), image_size: Some(size), ..ModelSpec::default() };
        let mut model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap();
        let layers = fill_by(&mut model, formula_of(golden)).iter().filter(|(_, tensor)| tensor.dim() >= 2).count();
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

/// The reference is the unfolded network, which is held to PyTorch above.
#[test]
fn frozen_stages_compute_as_they_are_told() {
    for (backbone, freeze) in [("efficientnet_lite0", 5), ("resnet18", 3), ("small_cnn", 2)] {
        let with = |frozen_compute: FrozenCompute| {
            let spec = ModelSpec {
                backbone: backbone.into(),
                image_size: Some(64),
                freeze,
                frozen_compute,
                ..ModelSpec::default()
            };
            let mut model = Model::new(&spec, &labels(4), 0, Device::Cpu).unwrap();
            fill(&mut model);
            model
        };
        let x = formula("input", &[2, 3, 64, 64], 1.0);
        let exact = with(FrozenCompute::Exact);
        let expected = exact.frozen_features(&x).unwrap();
        let away = |model: &Model| {
            let came = model.frozen_features(&x).unwrap();
            assert_eq!((came.kind(), came.size()), (Kind::Float, expected.size()), "{backbone}");
            f64::try_from((came - &expected).norm() / expected.norm()).unwrap()
        };
        let mut folded = with(FrozenCompute::Folded);
        assert!(away(&folded) < 1e-5, "{backbone}: {}", away(&folded));
        let bfloat16 = with(FrozenCompute::BFloat16);
        let rounded = away(&bfloat16);
        assert!((1e-4..0.05).contains(&rounded), "{backbone}: {rounded}");
        // The features of a stage too, of which the later ones are computed from the frozen ones.
        for model in [&exact, &folded, &bfloat16] {
            let stage = freeze;
            assert!(model.features(&x, stage, false).unwrap().equal(&model.frozen_features(&x).unwrap()), "{backbone}");
        }
        let pooled = |model: &Model| model.features(&x, freeze - 1, true).unwrap();
        assert!(!pooled(&bfloat16).equal(&pooled(&exact)), "{backbone}");
        // What was folded follows its tensors.
        let doubled: Vec<(String, Tensor)> = folded.state().into_iter().map(|(name, t)| (name, t * 1.5)).collect();
        folded.load_state(&doubled).unwrap();
        assert!(away(&folded) > 0.1, "{backbone}");
        folded.load_state(&exact.state()).unwrap();
        assert!(away(&folded) < 1e-5, "{backbone}: {}", away(&folded));
        // In all of a model's passes, and in the name of what is kept.
        let logits = folded.forward(&x, false).unwrap() - exact.forward(&x, false).unwrap();
        assert!(f64::try_from(logits.abs().max()).unwrap() < 1e-3, "{backbone}");
        assert_ne!(folded.frozen_fingerprint().unwrap(), exact.frozen_fingerprint().unwrap());
    }
    let refused = |spec: ModelSpec, said: &str| {
        let error = Model::new(&spec, &labels(4), 0, Device::Cpu).err().unwrap();
        assert!(error.message.starts_with(said), "{}", error.message);
    };
    let folded = ModelSpec { frozen_compute: FrozenCompute::Folded, ..ModelSpec::default() };
    refused(folded.clone(), "frozen_compute has no effect");
    let of_layer_norms = ModelSpec { backbone: "convnext_tiny".into(), freeze: 1, ..folded };
    refused(of_layer_norms, "frozen_compute \"folded\" has no effect: \"convnext_tiny\" has no batch norm");
}

/// How many parameters fewer the position embedding of a smaller picture has.
fn positions(golden: &Value, backbone: &str, size: i64) -> i64 {
    if !backbone.starts_with("vit_") {
        return 0;
    }
    let side = golden["default_size"].as_i64().unwrap();
    let stage = &(cpsd::models::backbones::find(backbone).unwrap().stages)()[0];
    ((side / stage.stride).pow(2) - (size / stage.stride).pow(2)) * stage.channels
}

/// `save` writes exactly the names and shapes of the reference's state dict.
#[test]
fn saved_names_are_the_references() {
    let (golden, models) = (golden("models/names.json"), golden("models/models.json"));
    let folder = tempfile::tempdir().unwrap();
    for kind in BACKBONES.iter().filter(|k| golden.get(k.name).is_some()) {
        let stages = models[kind.name]["stages_used"].as_u64().map(|stages| stages as usize);
        let spec = ModelSpec { backbone: kind.name.into(), stages, ..ModelSpec::default() };
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

#[test]
fn the_first_stages_of_tresnet_xl_equal_timm() {
    parity("tresnet_xl");
}

#[test]
fn convnext_tiny_equals_timm() {
    parity("convnext_tiny");
}

#[test]
fn the_first_stages_of_convnext_base_equal_timm() {
    parity("convnext_base");
}

#[test]
fn dinov2_small_with_registers_equals_timm() {
    parity("vit_small_patch14_reg4_dinov2");
}

#[test]
fn the_first_blocks_of_dinov2_equal_timm() {
    parity("vit_base_patch14_reg4_dinov2");
    parity("vit_large_patch14_reg4_dinov2");
    parity("vit_small_patch14_dinov2");
    parity("vit_base_patch14_dinov2");
    parity("vit_large_patch14_dinov2");
}

#[test]
fn the_first_blocks_of_clip_equal_timm() {
    parity("vit_base_patch16_clip_224");
    parity("vit_base_patch16_clip_quickgelu_224");
}

#[test]
fn siglip_equals_timm() {
    parity("vit_base_patch16_siglip_224");
}

/// Files under the names of timm, torchvision and authors, positions for another size among them, give the features
/// of timm's models that loaded them.
#[test]
fn files_of_others_give_timms_features() {
    let (names, models) = (golden("models/names.json"), golden("models/models.json"));
    let folder = tempfile::tempdir().unwrap();
    for case in models["files"].as_array().unwrap() {
        let what = case["what"].as_str().unwrap();
        let mut shapes = BTreeMap::new();
        golden_names(&names[format!("file: {what}")], "", &mut shapes);
        let state: Vec<(String, Tensor)> = shapes.iter().map(|(n, s)| (n.clone(), value(n, s, chirp))).collect();
        let file = folder.path().join("weights.safetensors");
        write_safetensors(&file, &state, &[]).unwrap();
        let (stages, size) = (case["stages"].as_u64().unwrap() as usize, case["image_size"].as_i64().unwrap());
        let spec = ModelSpec {
            backbone: case["backbone"].as_str().unwrap().into(),
            weights: Some(file.display().to_string()),
            image_size: Some(size),
            stages: Some(stages),
            freeze: stages,
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels(10), 0, Device::Cpu).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(model.notes().is_empty(), "{what}: {:?}", model.notes());
        let features = model.frozen_features(&formula("input", &[1, 3, size, size], 1.0)).unwrap();
        let shape: Vec<i64> = serde_json::from_value(case["shape"].clone()).unwrap();
        // Of a transformer, the tokens of the patches, which come last.
        let patches = shape[2] * shape[3];
        let features = match features.size() == shape {
            true => features,
            false => features.narrow(2, features.size()[2] - patches, patches).reshape(shape.as_slice()),
        };
        features_equal(1e-5, what, &features, case);
    }
}

#[test]
fn positions_are_interpolated_as_in_timm() {
    for case in golden("models/models.json")["positions"].as_array().unwrap() {
        let size = |key: &str| -> Vec<i64> { serde_json::from_value(case[key].clone()).unwrap() };
        let backbone = match case["prefix"].as_i64().unwrap() {
            0 => "vit_small_patch14_reg4_dinov2",
            _ => "vit_base_patch16_clip_224",
        };
        let convert = cpsd::models::backbones::find(backbone).unwrap().weights.convert;
        let given = formula("pos_embed", &size("given"), 1.0);
        let came = convert("pos_embed", "pos_embed", given, &size("shape")).unwrap();
        assert_eq!(came.size(), size("shape"));
        features_equal(1e-5, backbone, &came, case);
    }
}

/// `freeze` counts blocks: two of twelve, the norm after them and the head are trained.
#[test]
fn a_transformer_is_frozen_by_blocks() {
    let spec = ModelSpec {
        backbone: "vit_small_patch14_reg4_dinov2".into(),
        image_size: Some(56),
        freeze: 10,
        ..ModelSpec::default()
    };
    let model = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
    let x = formula("input", &[2, 3, 56, 56], 1.0);
    let tokens = model.frozen_features(&x).unwrap();
    // The class token, four registers and 4 × 4 patches.
    assert_eq!(tokens.size(), [2, 384, 21, 1]);
    let logits = model.forward_from(&tokens, true).unwrap();
    assert_eq!(logits, model.forward(&x, false).unwrap());
    logits.square().sum(Kind::Float).backward();
    let trained = model.trainable();
    for (name, parameter) in &trained {
        assert!(parameter.grad().defined(), "{name}");
        let of = ["blocks.10.", "blocks.11.", "norm.", "head."];
        assert!(of.iter().any(|part| name.starts_with(part)), "{name} is trained");
    }
    // 14 tensors per block, 2 of the norm, 2 of the head.
    assert_eq!(trained.len(), 32);
    let whole = ModelSpec { freeze: 0, frozen: true, ..spec };
    let model = Model::new(&whole, &labels(3), 1, Device::Cpu).unwrap();
    assert_eq!(model.trainable().len(), 2);
}

/// The weights of pooling exist where the head pools, and only there: nothing is left without a gradient.
#[test]
fn own_pooling_is_built_for_heads_that_pool() {
    for (head, there) in [("gap", true), ("csra", false)] {
        let spec = ModelSpec {
            backbone: "convnext_tiny".into(),
            image_size: Some(32),
            head: head.into(),
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
        assert_eq!(model.state().iter().any(|(name, _)| name.starts_with("head.norm.")), there, "{head}");
        let logits = model.forward(&formula("input", &[1, 3, 32, 32], 1.0), true).unwrap();
        logits.square().sum(Kind::Float).backward();
        assert!(model.trainable().iter().all(|(_, parameter)| parameter.grad().defined()), "{head}");
    }
    // Another head leaves a file's pooling out without a word.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let spec = ModelSpec { backbone: "convnext_tiny".into(), image_size: Some(32), ..ModelSpec::default() };
    Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap().save(&file, &Value::Null).unwrap();
    let spec = ModelSpec { head: "conv".into(), weights: Some(file.display().to_string()), ..spec };
    let model = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
    assert!(model.notes().is_empty(), "{:?}", model.notes());

    let spec = ModelSpec { backbone: "convnext_tiny".into(), image_size: Some(24), ..ModelSpec::default() };
    let error = Model::new(&spec, &labels(3), 1, Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("at least 32. Got 24"), "{}", error.message);
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
    for (backbone, stages, freeze, side) in [
        ("resnet50", 2, 1, 64),
        ("tresnet_m", 1, 0, 64),
        ("tresnet_m", 2, 1, 64),
        ("efficientnet_lite1", 3, 1, 64),
        ("convnext_tiny", 2, 1, 64),
        ("convnext_tiny", 4, 3, 64),
        ("vit_b_16", 2, 1, 64),
        ("vit_b_16", 4, 3, 64),
        ("vit_small_patch14_reg4_dinov2", 12, 10, 56),
        ("vit_base_patch16_clip_quickgelu_224", 2, 1, 64),
        ("vit_base_patch16_siglip_224", 2, 1, 64),
        ("swin_t", 2, 1, 64),
        ("swin_t", 4, 3, 64),
        ("small_cnn", 3, 1, 64),
    ] {
        let spec = ModelSpec {
            backbone: backbone.into(),
            head: "conv".into(),
            image_size: Some(side),
            stages: Some(stages),
            freeze,
            dropout: 0.1,
            ..ModelSpec::default()
        };
        let model = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
        let stage = &(cpsd::models::backbones::find(backbone).unwrap().stages)()[stages - 1];
        assert_eq!(model.channels(), stage.channels);
        let x = formula("input", &[2, 3, side, side], 1.0);
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
        assert_eq!(maps.size(), [2, 3, side / stage.stride, side / stage.stride], "{backbone}");
        assert_eq!(model.forward(&x, false).unwrap(), model.forward(&x, false).unwrap());
    }
    let spec = |size| ModelSpec { backbone: "vit_b_16".into(), image_size: Some(size), ..ModelSpec::default() };
    let error = Model::new(&spec(70), &labels(3), 1, Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("multiple of 16") && error.message.contains("70"), "{}", error.message);
    assert_eq!(error.help.as_deref(), Some("the nearest are 64 and 80"));
    let dinov2 =
        ModelSpec { backbone: "vit_small_patch14_reg4_dinov2".into(), image_size: Some(440), ..ModelSpec::default() };
    let error = Model::new(&dinov2, &labels(3), 1, Device::Cpu).map(|_| ()).unwrap_err();
    assert!(error.message.contains("multiple of 14. Got 440"), "{}", error.message);
    assert_eq!(error.help.as_deref(), Some("the nearest are 434 and 448"));
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
