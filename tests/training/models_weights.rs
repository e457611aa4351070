//! Weights from elsewhere: files that PyTorch wrote in every form, names of several publishers, files that are broken, and
//! modules that come as TorchScript. `goldens/models/generate.py` writes files and references.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cpsd::error::{Error, ErrorKind};
use cpsd::models::backbones::{self, BACKBONES};
use cpsd::models::weights::{fit, read, read_safetensors, write_safetensors};
use cpsd::models::{LoadSummary, Model, ModelSpec};
use cpsd::torch::to_vec_f32;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, root};
use crate::formula::formula;

fn golden_file(name: &str) -> PathBuf {
    root("tests/goldens/models").join(name)
}

fn stage1(backbone: &str) -> ModelSpec {
    ModelSpec { backbone: backbone.into(), stages: Some(1), image_size: Some(64), ..ModelSpec::default() }
}

fn make(spec: &ModelSpec, n: usize) -> Result<Model, Error> {
    Model::new(spec, &labels(n), 7, Device::Cpu)
}

fn refused(result: Result<Model, Error>) -> Error {
    match result {
        Ok(_) => panic!("it was taken"),
        Err(error) => {
            assert!(!error.message.contains('\n'), "one sentence: {}", error.message);
            error
        }
    }
}

/// The wrong number of stages is found when a model is built.
#[test]
fn weights_that_are_none_are_refused_before_a_model_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("x.npy"), "").unwrap();
    let of = |weights: &str| {
        refused(make(&ModelSpec { stages: Some(99), weights: Some(weights.into()), ..stage1("resnet101") }, 1)).message
    };
    assert!(of(&at("x.npy")).starts_with("weights are read from .safetensors"), "{}", of(&at("x.npy")));
    assert!(of(&at("absent.pth")).ends_with("absent.pth: there is no such file"), "{}", of(&at("absent.pth")));
    std::fs::create_dir(at("folder.pth")).unwrap();
    assert!(of(&at("folder.pth")).ends_with("folder.pth: this is a folder, not a file"), "{}", of(&at("folder.pth")));
    assert_eq!(of("imagnet"), "unknown weights \"imagnet\" of resnet101");
    assert!(of("imagenet").contains("must be an integer from 1 to"), "{}", of("imagenet"));
}

fn number(tensor: Tensor) -> f64 {
    f64::try_from(tensor).unwrap()
}

fn close(what: &str, came: f64, expected: f64, scale: f64) {
    assert!((came - expected).abs() <= 1e-4 * scale, "{what}: {came} instead of {expected}");
}

/// A file of `state` with every name changed.
fn renamed(folder: &Path, state: &[(String, Tensor)], change: impl Fn(&str) -> Option<String>) -> PathBuf {
    let path = folder.join("renamed.safetensors");
    let state: Vec<(String, Tensor)> =
        state.iter().filter_map(|(n, t)| change(n).map(|n| (n, t.shallow_clone()))).collect();
    write_safetensors(&path, &state, &[]).unwrap();
    path
}

fn same_backbone(a: &Model, b: &Model, classifier: &str) {
    for ((name, x), (_, y)) in a.state().iter().zip(b.state()) {
        if !name.starts_with(classifier) {
            assert_eq!(x, &y, "{name}");
        }
    }
}

#[test]
fn pytorchs_files_load_in_every_form() {
    let golden = &golden("models/weights.json")["stage1"];
    for file in ["stage1.safetensors", "stage1.pth", "stage1_legacy.pth", "stage1.ckpt", "stage1_legacy.ckpt"] {
        let spec = ModelSpec {
            weights: Some(golden_file(file).display().to_string()),
            freeze: 1,
            ..stage1("efficientnet_lite0")
        };
        let model = make(&spec, 3).unwrap_or_else(|e| panic!("{file}: {e}"));
        let features = model.frozen_features(&formula("input", &[2, 3, 64, 64], 1.0)).unwrap();
        let (norm, elements) = (golden["norm"].as_f64().unwrap(), golden["elements"].as_f64().unwrap());
        assert_eq!(features.numel() as f64, elements, "{file}");
        close(file, number(features.to_kind(Kind::Double).norm()), norm, norm);
        close(file, number(features.sum(Kind::Double)), golden["sum"].as_f64().unwrap(), norm * elements.sqrt());
    }
}

#[test]
fn tensors_of_every_form_are_read_as_pytorch_means_them() {
    let golden = &golden("models/weights.json")["forms"];
    for file in ["forms.pth", "forms_legacy.pth"] {
        let tensors = read(&golden_file(file)).unwrap();
        assert_eq!(tensors.len(), golden.as_object().unwrap().len());
        for (name, tensor) in tensors {
            assert_eq!(json!(tensor.size()), golden[&name]["shape"], "{file} {name}");
            let values: Vec<f64> = to_vec_f32(&tensor).unwrap().into_iter().map(f64::from).collect();
            let expected: Vec<f64> = serde_json::from_value(golden[&name]["values"].clone()).unwrap();
            assert!(
                values.len() == expected.len() && values.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9),
                "{file} {name}"
            );
        }
    }
}

#[test]
fn what_save_writes_is_read_back_as_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.safetensors");
    let first = make(&stage1("resnet18"), 4).unwrap();
    first.save(&path, &Value::Null).unwrap();
    let spec = ModelSpec { weights: Some(path.display().to_string()), ..stage1("resnet18") };
    let second = Model::new(&spec, &labels(4), 8, Device::Cpu).unwrap();
    assert_eq!(first.initial_fingerprint().unwrap(), second.initial_fingerprint().unwrap());
    assert!(second.notes().is_empty());
}

#[test]
fn a_pickle_with_code_is_refused_and_nothing_is_run() {
    for file in ["evil.pth", "evil_legacy.pth"] {
        let error = read(&golden_file(file)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
        assert!(error.message.contains("posix.system") && error.message.contains("was not run"), "{}", error.message);
    }
    assert!(!Path::new("code-of-a-pickle-was-run").exists());
    let error = read(&golden_file("whole_model.pth")).unwrap_err();
    assert!(error.message.contains("torch.nn.modules.linear.Linear"), "{}", error.message);
    assert!(error.help.unwrap().contains("state_dict"));
    let error = read(&golden_file("traced.pt")).unwrap_err();
    assert!(error.message.contains("TorchScript") && error.help.unwrap().contains("torchscript"), "{}", error.message);
}

#[test]
fn nan_is_refused_by_name() {
    let error = read(&golden_file("nan.pth")).unwrap_err();
    assert!(error.message.contains("\"b.weight\"") && error.message.contains("NaN"), "{}", error.message);
}

/// A file that is cut, or has a byte changed, gives an error or other numbers and never ends the process.
#[test]
fn broken_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["stage1.safetensors", "stage1.pth", "stage1_legacy.pth", "forms.pth", "forms_legacy.pth"] {
        let bytes = std::fs::read(golden_file(file)).unwrap();
        let path = folder.path().join(file);
        for keep in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let Err(error) = read(&path) else {
                panic!("{file} was read though cut to {keep} of {} bytes", bytes.len())
            };
            assert!(error.message.contains(file) && !error.message.contains('\n'), "{}", error.message);
        }
        let mut seed = 12345u64;
        for _ in 0..2000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut changed = bytes.clone();
            changed[(seed >> 33) as usize % bytes.len()] = (seed >> 20) as u8;
            std::fs::write(&path, &changed).unwrap();
            let _ = read(&path);
        }
    }
    std::fs::write(folder.path().join("text.pth"), "<html>404 not found, not weights</html>").unwrap();
    let error = read(&folder.path().join("text.pth")).unwrap_err();
    assert!(error.message.contains("no PyTorch file"), "{}", error.message);
    let error = read(&folder.path().join("absent.pth")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io);
    assert_eq!(read(Path::new("weights.onnx")).unwrap_err().kind, ErrorKind::Argument);
}

/// A pickle that nests a million tuples, or doubles a list a hundred times, exhausts neither stack nor memory.
#[test]
fn pickles_that_nest_are_only_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.pth");
    let legacy = std::fs::read(golden_file("forms_legacy.pth")).unwrap();
    // The magic number's pickle, then deep ones in place of the protocol's.
    let magic = legacy.iter().position(|&b| b == b'.').unwrap() + 1;
    let mut deep = legacy[..magic].to_vec();
    deep.extend(b"\x80\x02)");
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    std::fs::write(&path, &deep).unwrap();
    assert_eq!(read(&path).unwrap_err().kind, ErrorKind::Data);
    let mut double = legacy[..magic].to_vec();
    double.extend(b"\x80\x02)");
    for _ in 0..100 {
        double.extend(b"2\x86");
    }
    double.push(b'.');
    std::fs::write(&path, &double).unwrap();
    assert_eq!(read(&path).unwrap_err().kind, ErrorKind::Data);
}

#[test]
fn prefixes_of_checkpoints_are_taken_off() {
    let folder = tempfile::tempdir().unwrap();
    let source = Model::new(&stage1("resnet18"), &labels(3), 99, Device::Cpu).unwrap();
    for prefix in [
        "",
        "module.",
        "model.",
        "module.model.",
        "backbone.",
        "body.",
        "backbone.0.body.",
        "module.backbone.0.body.",
        "_orig_mod.",
        "student.net.",
    ] {
        let path = renamed(folder.path(), &source.state(), |n| match n.starts_with("fc.") {
            // A model around the backbone has a head of its own.
            true if prefix.contains("backbone") => Some(format!("module.{n}")),
            _ => Some(format!("{prefix}{n}")),
        });
        let spec = ModelSpec { weights: Some(path.display().to_string()), ..stage1("resnet18") };
        let model = make(&spec, 3).unwrap_or_else(|e| panic!("{prefix}: {e}"));
        same_backbone(&model, &source, "");
    }
}

#[test]
fn a_changed_class_count_starts_the_last_layer_anew_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let source = Model::new(&stage1("resnet18"), &labels(80), 99, Device::Cpu).unwrap();
    let path = renamed(folder.path(), &source.state(), |n| Some(n.into()));
    let spec = ModelSpec { weights: Some(path.display().to_string()), ..stage1("resnet18") };
    let model = make(&spec, 20).unwrap();
    same_backbone(&model, &source, "fc");
    let random = make(&stage1("resnet18"), 20).unwrap();
    let last =
        |m: &Model| m.state().into_iter().filter(|(n, _)| n.starts_with("fc")).map(|(_, t)| t).collect::<Vec<_>>();
    assert_eq!(last(&model), last(&random));
    assert_eq!(model.notes().len(), 1);
    assert!(model.notes()[0].contains("80 classes") && model.notes()[0].contains("20 labels"), "{:?}", model.notes());
    // As many classes: the last layer comes along.
    let model = make(&spec, 80).unwrap();
    assert_eq!(model.initial_fingerprint().unwrap(), source.initial_fingerprint().unwrap());
}

#[test]
fn what_does_not_fit_is_listed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let source = make(&stage1("resnet18"), 3).unwrap();
    let with = |path: &Path| make(&ModelSpec { weights: Some(path.display().to_string()), ..stage1("resnet18") }, 3);

    let path = renamed(folder.path(), &source.state(), |n| (!n.starts_with("layer1.1.")).then(|| n.into()));
    let error = refused(with(&path));
    assert!(error.message.contains("missing 10: \"layer1.1.conv1.weight\""), "{}", error.message);

    let path = folder.path().join("shape.safetensors");
    let mut state = source.state();
    for (name, tensor) in &mut state {
        if name == "conv1.weight" {
            *tensor = Tensor::zeros([64, 3, 3, 3], (Kind::Float, Device::Cpu));
        }
    }
    write_safetensors(&path, &state, &[]).unwrap();
    let error = refused(with(&path));
    assert!(
        error.message.contains("of another shape 1: \"conv1.weight\" is [64, 3, 3, 3] instead of [64, 3, 7, 7]"),
        "{}",
        error.message
    );

    let path = folder.path().join("other.safetensors");
    write_safetensors(&path, &[("encoder.weight".to_string(), Tensor::zeros([2], (Kind::Float, Device::Cpu)))], &[])
        .unwrap();
    let error = refused(with(&path));
    assert!(
        error.message.contains("its one tensor, \"encoder.weight\", has no name that resnet18 knows")
            && error.help.unwrap().contains("torchvision"),
        "{}",
        error.message
    );

    write_safetensors(&path, &[], &[]).unwrap();
    let error = refused(with(&path));
    assert!(error.message.ends_with("the file holds no tensors"), "{}", error.message);

    // Tensors beyond those needed are named, and do no harm.
    let small = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    let source = Model::new(&small, &labels(3), 99, Device::Cpu).unwrap();
    let path = folder.path().join("more.safetensors");
    let mut state = source.state();
    state.push(("extra.weight".into(), Tensor::zeros([2], (Kind::Float, Device::Cpu))));
    write_safetensors(&path, &state, &[]).unwrap();
    let model = make(&ModelSpec { weights: Some(path.display().to_string()), ..small }, 3).unwrap();
    assert!(model.notes()[0].contains("unexpected 1: \"extra.weight\""), "{:?}", model.notes());

    let summary = LoadSummary { missing: (0..6).map(|i| i.to_string()).collect(), ..LoadSummary::default() };
    assert_eq!(summary.to_string(), "missing 6: \"0\", \"1\", \"2\", \"3\", ...");
}

#[test]
fn the_authors_tresnet_of_in_place_abn_loads() {
    let folder = tempfile::tempdir().unwrap();
    let source = Model::new(&stage1("tresnet_m"), &labels(3), 99, Device::Cpu).unwrap();
    let state: Vec<(String, Tensor)> = source
        .state()
        .into_iter()
        .map(|(name, tensor)| match name.ends_with("bn.weight") {
            true => (name.clone(), formula(&name, &tensor.size(), 1.0)),
            false => (name, tensor),
        })
        .collect();
    for prefix in ["body.", "module.body.", "", "backbone.0.body."] {
        let path = renamed(folder.path(), &state, |n| match n.starts_with("head.fc.") {
            true => Some(n.replace("head.fc.", "fc.")),
            false => Some(n.replacen("body.", prefix, 1).replace(".conv.", ".0.").replace(".bn.", ".1.")),
        });
        let spec = ModelSpec { weights: Some(path.display().to_string()), ..stage1("tresnet_m") };
        let model = make(&spec, 3).unwrap_or_else(|e| panic!("{prefix}: {e}"));
        for ((name, came), (_, given)) in model.state().iter().zip(&state) {
            if name.starts_with("head") {
                continue;
            }
            match name.ends_with("bn.weight") {
                true => assert!(number((came - given.abs() - 1e-5).abs().max()) < 1e-7, "{prefix} {name}"),
                false => assert_eq!(came, given, "{prefix} {name}"),
            }
        }
    }
    // Under timm's names the weights are plain batch norm's.
    let path = renamed(folder.path(), &state, |n| Some(n.into()));
    let model = make(&ModelSpec { weights: Some(path.display().to_string()), ..stage1("tresnet_m") }, 3).unwrap();
    for ((name, came), (_, given)) in model.state().iter().zip(&state) {
        assert_eq!(came, given, "{name}");
    }
}

/// Name → shape of a golden tree of names.
fn flatten(node: &Value, path: &str, out: &mut Vec<(String, Vec<i64>)>) {
    match node {
        Value::Object(inner) => {
            for (key, value) in inner {
                flatten(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, out);
            }
        }
        shape => out.push((path.into(), serde_json::from_value(shape.clone()).unwrap())),
    }
}

#[test]
fn timms_transformers_have_every_tensor_of_torchvisions() {
    let names = golden("models/names.json");
    for backbone in ["vit_b_16", "swin_t"] {
        let kind = backbones::find(backbone).unwrap();
        let (mut ours, mut theirs) = (vec![], vec![]);
        flatten(&names[backbone], "", &mut ours);
        flatten(&names[format!("{backbone} in timm")], "", &mut theirs);
        let own: HashMap<String, Vec<i64>> =
            ours.into_iter().filter(|(n, _)| !n.ends_with("relative_position_index")).collect();
        let given: Vec<(String, Tensor)> = theirs
            .into_iter()
            .map(|(n, s)| (format!("module.{n}"), Tensor::zeros(s.as_slice(), (Kind::Float, Device::Cpu))))
            .collect();
        let fitted: HashMap<String, Vec<i64>> = fit(given, &own, &kind.weights, &[], kind.classifier)
            .unwrap()
            .tensors
            .into_iter()
            .map(|(n, t)| (n, t.size()))
            .collect();
        for (name, shape) in own {
            assert_eq!(fitted.get(&name), Some(&shape), "{backbone} {name}");
        }
    }
}

#[test]
fn every_backbone_says_its_size_and_source() {
    for kind in BACKBONES {
        assert!(!kind.summary.is_empty() && !kind.paper.is_empty(), "{}", kind.name);
        assert_eq!(kind.parameters > 0 && kind.gflops > 0.0, !kind.from_file, "{}", kind.name);
    }
}

fn torchscript(file: &str) -> ModelSpec {
    ModelSpec {
        backbone: "torchscript".into(),
        path: Some(golden_file(file).display().to_string()),
        image_size: Some(32),
        ..ModelSpec::default()
    }
}

/// The generator's last layer.
fn with_last_layer(mut model: Model) -> Model {
    let state = vec![
        ("head.classifier.weight".to_string(), formula("head.classifier.weight", &[10, 12], (2.0f64 / 12.0).sqrt())),
        ("head.classifier.bias".to_string(), formula("head.classifier.bias", &[10], 0.1)),
    ];
    let report = model.load_state(&state).unwrap();
    assert!(report.unexpected.is_empty() && report.mismatched.is_empty());
    model
}

#[test]
fn a_traced_module_is_a_backbone_and_trains() {
    let golden = &golden("models/models.json")["torchscript"];
    let x = formula("input", &[2, 3, 32, 32], 1.0);
    for file in ["traced.pt", "scripted.pt"] {
        let model = with_last_layer(make(&torchscript(file), 10).unwrap());
        assert_eq!(model.channels(), 12);
        let names: Vec<String> = model.trainable().into_iter().map(|(n, _)| n).collect();
        assert_eq!(
            names,
            [
                "deep.bias",
                "deep.weight",
                "head.classifier.bias",
                "head.classifier.weight",
                "norm.bias",
                "norm.weight",
                "stem.weight"
            ]
        );
        let expected: Vec<f64> = serde_json::from_value(golden["logits"].clone()).unwrap();
        let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let logits = model.forward(&x, true).unwrap();
        for (came, expected) in to_vec_f32(&logits).unwrap().into_iter().zip(&expected) {
            close(file, f64::from(came), *expected, largest);
        }
        logits.square().sum(Kind::Float).backward();
        let trainable = model.trainable();
        let (_, stem) = trainable.iter().find(|(n, _)| n == "stem.weight").unwrap();
        let gradient = stem.grad().to_kind(Kind::Double);
        let norm = golden["gradient"]["norm"].as_f64().unwrap();
        close(file, number(gradient.norm()), norm, norm);
        close(file, number(gradient.sum(Kind::Double)), golden["gradient"]["sum"].as_f64().unwrap(), norm * 15.0);

        // A step along the gradient, in the storage that an optimiser gives them, lowers the loss.
        let before = number(logits.square().sum(Kind::Double));
        for (_, mut parameter) in model.trainable() {
            let moved = tch::no_grad(|| parameter.detach() - parameter.grad() * 1e-4);
            parameter.set_data(&moved);
        }
        let after = number(model.forward(&x, true).unwrap().square().sum(Kind::Double));
        assert!(after < before, "{file}: {after} after {before}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model.save(&path, &json!({"epoch": 1})).unwrap();
        let (again, extra) = Model::load(&path, Device::Cpu).unwrap();
        assert_eq!(extra, json!({"epoch": 1}));
        assert_eq!(again.forward(&x, false).unwrap(), model.forward(&x, false).unwrap());
        assert_eq!(read_safetensors(&path).unwrap().0.len(), 7);
    }
}

#[test]
fn a_frozen_module_gives_features_and_keeps_its_weights() {
    let x = formula("input", &[2, 3, 32, 32], 1.0);
    let model = make(&ModelSpec { freeze: 1, ..torchscript("traced.pt") }, 10).unwrap();
    let names: Vec<String> = model.trainable().into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["head.classifier.bias", "head.classifier.weight"]);
    let features = model.frozen_features(&x).unwrap();
    assert_eq!(json!(features.size()), golden("models/models.json")["torchscript"]["shape"]);
    assert!(!features.requires_grad());
    assert_eq!(model.forward_from(&features, false).unwrap(), model.forward(&x, false).unwrap());
    // The code is part of what is computed: another module of the same weights has other features.
    let other = make(&ModelSpec { freeze: 1, ..torchscript("scripted.pt") }, 10).unwrap();
    assert_ne!(model.frozen_fingerprint().unwrap(), other.frozen_fingerprint().unwrap());
}

#[test]
fn bad_modules_are_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(make(&ModelSpec { backbone: "torchscript".into(), ..ModelSpec::default() }, 3));
    assert!(error.message.contains("path") && error.help.is_some(), "{}", error.message);
    let error = refused(make(&ModelSpec { path: Some("absent.pt".into()), ..torchscript("traced.pt") }, 3));
    assert_eq!(error.kind, ErrorKind::Io);
    let error = refused(make(&torchscript("stage1.pth"), 3));
    assert!(
        error.message.contains("not a TorchScript module") && error.help.unwrap().contains("torch.jit.trace"),
        "{}",
        error.message
    );
    let bytes = std::fs::read(golden_file("traced.pt")).unwrap();
    let cut = folder.path().join("cut.pt");
    for keep in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..keep]).unwrap();
        let error = refused(make(&ModelSpec { path: Some(cut.display().to_string()), ..torchscript("traced.pt") }, 3));
        assert!(error.message.contains("not a TorchScript module"), "{}", error.message);
    }
    let error = refused(make(&torchscript("pair.pt"), 3));
    assert!(error.message.contains("pair.pt"), "{}", error.message);
    let error = refused(make(&ModelSpec { features: Some(64), ..torchscript("traced.pt") }, 3));
    assert!(error.message.contains("must be 12") && error.message.contains("Got 64"), "{}", error.message);
    let error = refused(make(&ModelSpec { path: Some("net.pt".into()), ..stage1("resnet18") }, 3));
    assert!(error.message.contains("takes neither path nor features"), "{}", error.message);
}

#[test]
fn a_specification_without_a_module_is_written_as_before() {
    let text = serde_json::to_string(&ModelSpec::default().resolved().unwrap()).unwrap();
    assert!(!text.contains("path") && !text.contains("features"), "{text}");
}
