//! Checkpoints of the authors' whole systems: state dicts of random weights in their layouts, loaded as `weights` of a model. The names
//! and shapes in `goldens/heads/checkpoints_*.json` come from the authors' classes, whose repositories, commits and names stand
//! beside them.

use std::collections::{BTreeMap, BTreeSet};

use cpsd::models::heads::{HeadValue, find};
use cpsd::models::weights::write_safetensors;
use cpsd::models::{LabelGraph, Model, ModelSpec};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, root};
use crate::formula::crc32;

/// The first number of the tensor of that name.
fn start(name: &str) -> f64 {
    0.5 + f64::from(crc32(name) >> 16) / 4096.0
}

/// A tensor that tells its name: a start and a step that the name gives.
fn told(name: &str, shape: &[i64]) -> Tensor {
    let step = f64::from(crc32(name) & 0xffff) / 65536.0;
    let n: i64 = shape.iter().product();
    (Tensor::arange(n, (Kind::Float, Device::Cpu)).remainder(7.0) * step + start(name)).reshape(shape)
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().map_or(vec![], |all| all.iter().map(|s| s.as_str().unwrap().to_string()).collect())
}

fn options(value: &Value) -> BTreeMap<String, HeadValue> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// The model for a system: `smaller` keeps its file small by fewer layers.
fn spec(system: &Value, path: &std::path::Path) -> ModelSpec {
    let (here, m) = (&system["cpsd"], system["labels"].as_u64().unwrap() as usize);
    let kind = find(here["head"].as_str().unwrap()).unwrap();
    let mut head_options = options(&here["head_options"]);
    head_options.extend(options(&system["smaller"]["head_options"]));
    let rows = vec![vec![0.0; m]; m];
    ModelSpec {
        backbone: here["backbone"].as_str().unwrap().into(),
        head: kind.name.into(),
        head_options,
        weights: Some(path.display().to_string()),
        word_vectors: kind.needs_words.then(|| "learned".into()),
        graph: kind.needs_graph.then(|| LabelGraph { labels: labels(m), rows, shares: vec![0.1; m] }),
        ..ModelSpec::default()
    }
}

/// Every tensor of the file that has a place goes to one tensor of the model, and none is left over.
fn loads(system: &Value) {
    let what = system["system"].as_str().unwrap();
    let entry = |entry: &Value| -> (String, Vec<i64>) { serde_json::from_value(entry.clone()).unwrap() };
    let without = strings(&system["smaller"]["without"]);
    let names: Vec<(String, Vec<i64>)> = (system["state"].as_array().unwrap().iter().map(entry))
        .filter(|(name, _)| !without.iter().any(|beginning| name.starts_with(beginning.as_str())))
        .collect();
    let counter = |name: &str| name.ends_with("num_batches_tracked");
    let prefix = system["prefix"].as_str().unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.safetensors");
    let state: Vec<(String, Tensor)> = (names.iter())
        .map(|(name, shape)| {
            let tensor = match counter(name) {
                true => Tensor::zeros(shape.as_slice(), (Kind::Int64, Device::Cpu)),
                false => told(name, shape),
            };
            (format!("{prefix}{name}"), tensor)
        })
        .collect();
    write_safetensors(&path, &state, &[]).unwrap();
    drop(state);
    let spec = spec(system, &path);
    let labels = labels(system["labels"].as_u64().unwrap() as usize);
    let model = Model::new(&spec, &labels, 1, Device::Cpu).unwrap_or_else(|e| panic!("{what}: {e}"));

    // By their values, independent of names.
    let useless = strings(&system["useless"]);
    let mut left: Vec<&(String, Vec<i64>)> =
        names.iter().filter(|(name, _)| !counter(name) && !useless.contains(name)).collect();
    let mut missing = Vec::new();
    for (name, tensor) in model.state() {
        let leaf = |name: &str| name.rsplit('.').next().unwrap().to_string();
        let first = tensor.flatten(0, -1).double_value(&[0]);
        // In-place ABN's weights get 1e-5 more.
        let is = |theirs: &(String, Vec<i64>)| {
            (first - start(&theirs.0)).abs() < 3e-5
                && theirs.1 == tensor.size()
                && f64::try_from((&tensor - told(&theirs.0, &theirs.1)).abs().max()).unwrap() < 3e-5
        };
        match left.iter().position(|theirs| is(theirs)) {
            Some(at) => {
                let theirs = leaf(&left.swap_remove(at).0);
                let plain = ["weight", "bias", "running_mean", "running_var"];
                assert!(!plain.contains(&&*theirs) || theirs == leaf(&name), "{what}: {name} is their {theirs}");
            }
            None => missing.push(name),
        }
    }
    assert_eq!(missing, strings(&system["missing"]), "{what}");
    assert!(left.is_empty(), "{what}: no place for {left:?}");

    let notes = model.notes();
    let kind = find(&spec.head).unwrap();
    let said = |text: &str| notes.iter().any(|note| note.contains(text));
    let systems = kind.published.layouts.iter().map(|l| format!("read as a checkpoint of {}", l.system));
    assert!(systems.into_iter().any(|text| said(&text)), "{what}: {notes:?}");
    assert!(!said("no place for"), "{what}: {notes:?}");
    assert_eq!(said("start from random weights"), !missing.is_empty(), "{what}: {notes:?}");
}

/// The layers that `smaller` leaves out have names of their own too.
fn every_name_is_known(system: &Value) {
    let kind = find(system["cpsd"]["head"].as_str().unwrap()).unwrap();
    let backbone = cpsd::models::backbones::find(system["cpsd"]["backbone"].as_str().unwrap()).unwrap();
    let names: Vec<String> =
        system["state"].as_array().unwrap().iter().map(|entry| entry[0].as_str().unwrap().to_string()).collect();
    let named = |layout: &cpsd::models::heads::Layout| {
        let own: Vec<String> = (names.iter())
            .filter(|name| !name.ends_with("num_batches_tracked"))
            .filter_map(|name| (layout.rename)(name, backbone.classifier))
            .filter(|name| !name.is_empty())
            .collect();
        (own.iter().collect::<BTreeSet<_>>().len() == own.len()).then_some(own.len())
    };
    let counted = names.iter().filter(|name| !name.ends_with("num_batches_tracked")).count();
    let all = counted - strings(&system["useless"]).len();
    assert!(kind.published.layouts.iter().any(|layout| named(layout) == Some(all)), "{}", system["system"]);
}

/// The systems of all files, by name.
fn systems() -> Vec<Value> {
    let files = std::fs::read_dir(root("tests/goldens/heads")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let goldens = names.filter(|name| name.starts_with("checkpoints_")).map(|name| golden(&format!("heads/{name}")));
    goldens.flat_map(|golden| golden["systems"].as_array().unwrap().clone()).collect()
}

/// One test per system, since each writes and reads a whole model.
macro_rules! loaded {
    ($($test:ident: $system:literal,)*) => {
        $(
            #[test]
            fn $test() {
                loads(systems().iter().find(|system| system["system"] == $system).unwrap());
            }
        )*

        #[test]
        fn every_published_system_is_loaded_or_equal_to_one_that_is() {
            let (all, tested) = (systems(), [$($system),*]);
            let state = |system: &Value| [system["cpsd"].clone(), system["state"].clone()];
            let of_tested: Vec<_> = (all.iter())
                .filter(|system| tested.contains(&system["system"].as_str().unwrap()))
                .map(state)
                .collect();
            assert_eq!(of_tested.len(), tested.len());
            for system in &all {
                every_name_is_known(system);
                assert!(of_tested.contains(&state(system)), "{}", system["system"]);
            }
        }
    };
}

loaded! {
    the_checkpoint_of_cpsd_resnet_101: "CPSD ResNet-101",
    the_checkpoint_of_cpsd_resnext_50: "CPSD ResNeXt-50",
    the_checkpoint_of_cpsd_resnet_101_tf: "CPSD ResNet-101 + TF",
    the_checkpoint_of_cpsd_tresnet_l: "CPSD TResNet-L",
    the_checkpoint_of_cpsd_query2label: "CPSD Query2Label",
    the_checkpoint_of_query2label_resnet_101: "Query2Label ResNet-101",
    the_checkpoint_of_ml_decoder_tresnet_m: "ML-Decoder TResNet-M",
    the_checkpoint_of_ml_decoder_tresnet_l: "ML-Decoder TResNet-L",
    the_checkpoint_of_csra_resnet_101_1_head: "CSRA ResNet-101, 1 head",
    the_checkpoint_of_csra_resnet_101_6_heads: "CSRA ResNet-101, 6 heads",
    the_checkpoint_of_c_tran_resnet_101: "C-Tran ResNet-101",
    the_checkpoint_of_ml_gcn: "ML-GCN",
    the_checkpoint_of_add_gcn: "ADD-GCN",
    the_checkpoint_of_ssgrl: "SSGRL",
    the_checkpoint_of_dsdl: "DSDL",
    the_checkpoint_of_mgtn: "MGTN",
    the_checkpoint_of_cpcl: "CPCL",
    the_checkpoint_of_mcar: "MCAR",
}

/// Query2Label's own checkpoints have no input_proj, the default head has one: said, not silent.
#[test]
fn a_checkpoint_without_a_layer_of_the_head_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.safetensors");
    let base = ModelSpec { backbone: "resnet18".into(), stages: Some(1), head: "q2l".into(), ..ModelSpec::default() };
    let small: BTreeMap<String, HeadValue> =
        [("width", 64.0), ("heads", 2.0), ("feed_forward", 8.0)].map(|(k, v)| (k.to_string(), v.into())).into();
    let without = [("input_proj".to_string(), HeadValue::Flag(false))];
    let theirs = ModelSpec { head_options: small.clone().into_iter().chain(without).collect(), ..base.clone() };
    let source = Model::new(&theirs, &labels(3), 5, Device::Cpu).unwrap();
    let renamed: Vec<(String, Tensor)> = (source.state().into_iter())
        .map(|(name, tensor)| {
            let name = match name.strip_prefix("head.") {
                Some(rest) => rest.to_string(),
                None if name.starts_with("fc.") => name.replace("weight", "W").replace("bias", "b"),
                None => format!("backbone.0.body.{name}"),
            };
            (name, tensor)
        })
        .collect();
    write_safetensors(&path, &renamed, &[]).unwrap();
    let weights = Some(path.display().to_string());
    let fits = Model::new(&ModelSpec { weights: weights.clone(), ..theirs }, &labels(3), 6, Device::Cpu).unwrap();
    assert_eq!(fits.notes().len(), 1, "{:?}", fits.notes());
    assert!(fits.state().iter().zip(source.state()).all(|((_, came), (_, given))| *came == given));
    let other = Model::new(&ModelSpec { weights, head_options: small, ..base }, &labels(3), 6, Device::Cpu).unwrap();
    let note = other.notes().iter().find(|note| note.contains("start from random weights")).unwrap();
    assert!(note.contains("head.input_proj.weight") && note.contains("head.input_proj.bias"), "{note}");
}

#[test]
fn a_checkpoint_of_coco_is_read_by_the_names_of_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("csra.safetensors");
    let spec = ModelSpec { backbone: "resnet18".into(), head: "csra".into(), stages: Some(1), ..ModelSpec::default() };
    let mut state = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap().state();
    state.retain(|(name, _)| !name.starts_with("fc."));
    // Row i is i everywhere.
    let rows =
        Tensor::arange(80, (Kind::Float, Device::Cpu)).view([80, 1, 1, 1]).expand([80, 64, 1, 1], false).contiguous();
    state.push(("classifier.multi_head.0.head.weight".into(), rows));
    write_safetensors(&path, &state, &[]).unwrap();
    let spec = ModelSpec { weights: Some(path.display().to_string()), ..spec };
    // The first, the last and the second by COCO's ids.
    let names: Vec<String> = ["person", "toothbrush", "bicycle"].map(String::from).into();
    let model = Model::new(&spec, &names, 1, Device::Cpu).unwrap();
    let (_, last) = model.state().into_iter().find(|(name, _)| name == "fc.0.weight").unwrap();
    assert_eq!(Vec::<f32>::try_from(last.select(1, 0).flatten(0, -1)).unwrap(), [0.0, 79.0, 1.0]);
    assert!(model.notes().iter().any(|n| n.contains("category ids, are taken by name")), "{:?}", model.notes());
    // Labels that are not COCO's are taken one after the other, which is said.
    let model = Model::new(&spec, &labels(80), 1, Device::Cpu).unwrap();
    let said = "its labels, in the order of COCO's category ids, are taken as this model's, one after the other";
    assert!(model.notes().iter().any(|n| n.contains(said)), "{:?}", model.notes());
}

/// Each tensor of a head that a file does not give is named, whatever names the file has.
#[test]
fn what_a_head_does_not_get_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.safetensors");
    let of = |m: usize, layers: f64, weights: Option<String>| {
        let head_options = [("width", 16.0), ("heads", 2.0), ("feed_forward", 8.0), ("decoder_layers", layers)]
            .map(|(k, v)| (k.to_string(), v.into()))
            .into();
        let spec = ModelSpec {
            backbone: "small_cnn".into(),
            head: "q2l".into(),
            head_options,
            weights,
            ..ModelSpec::default()
        };
        Model::new(&spec, &labels(m), 1, Device::Cpu).unwrap()
    };
    write_safetensors(&path, &of(3, 1.0, None).state(), &[]).unwrap();
    let notes = |m, layers| of(m, layers, Some(path.display().to_string())).notes().join("\n");
    assert_eq!(notes(3, 1.0), "");
    // A layer that the file does not have, and labels of another number.
    assert!(
        notes(3, 2.0)
            .contains("head \"q2l\" start from random weights: missing 12: \"head.transformer.decoder.layers.1"),
        "{}",
        notes(3, 2.0)
    );
    let other = notes(4, 1.0);
    assert!(
        other.contains("of another shape 3") && other.contains("\"fc.weight\" is [1, 3, 16] instead of [1, 4, 16]"),
        "{other}"
    );
}

/// A file of names that nobody knows is refused soon, however many prefixes they have.
#[test]
fn a_file_of_unknown_names_is_refused_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.safetensors");
    let tensors: Vec<(String, Tensor)> = (0..20_000)
        .map(|i| (format!("a{i}.b{i}.c{i}.d.e.f.weight"), Tensor::zeros([1], (Kind::Float, Device::Cpu))))
        .collect();
    write_safetensors(&path, &tensors, &[]).unwrap();
    let weights = Some(path.display().to_string());
    let spec = ModelSpec { backbone: "small_cnn".into(), weights, ..ModelSpec::default() };
    let error = Model::new(&spec, &labels(3), 1, Device::Cpu).err().unwrap();
    assert!(error.message.contains("none of its 20000 tensors has a name that small_cnn knows"), "{error}");
}

#[test]
fn a_tensor_beyond_memory_is_an_error() {
    let head_options =
        [("width".to_string(), HeadValue::Number(8192.0)), ("dim_head".to_string(), HeadValue::Number(8192.0))];
    let spec = ModelSpec {
        head: "tf".into(),
        head_options: head_options.into_iter().chain([("heads".to_string(), HeadValue::Number(64.0))]).collect(),
        word_vectors: Some("learned".into()),
        ..ModelSpec::default()
    };
    let error = Model::new(&spec, &labels(3), 1, Device::Cpu).err().unwrap();
    assert!(error.message.contains("numbers are allowed") && error.help.unwrap().contains("head_options"));
}
