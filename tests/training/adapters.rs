//! Prompts and low-rank updates of vision transformers: held to timm's blocks, and to the plain transformer where they change nothing.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use cpsd::error::Result;
use cpsd::models::functions::{Code, Function, Given, Init, Input, Layers};
use cpsd::models::{Layer, Lora, Model, ModelSpec, Pass};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, numbers};
use crate::formula::{drawn, scattered};

const WIDTH: i64 = 384;

/// Prompts between the class token and the patches.
#[derive(Clone, Copy)]
struct Prompts {
    count: i64,
    /// New ones before each block.
    deep: bool,
    /// None looks at another.
    masked: bool,
}

fn named(pairs: impl IntoIterator<Item = (&'static str, Tensor)>) -> BTreeMap<String, Tensor> {
    pairs.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect()
}

impl Function for Prompts {
    fn call(&self, inputs: &[Input], layers: &Rc<Layers>) -> Result<Given> {
        let [Input::Number(block), Input::Named(tokens)] = inputs else { panic!("{}", inputs.len()) };
        let mut out = named(tokens.iter().map(|(name, tensor)| (*name, tensor.shallow_clone())));
        let (k, patches) = (self.count, out["patches"].size()[1]);
        if k > 0 && (self.deep || *block == 0) {
            let prompts = layers.parameter(&format!("prompt{block}"), &[k, WIDTH], &Init::Default)?;
            out.insert("prompts".into(), prompts);
        }
        if self.masked {
            let mask = Tensor::ones([1 + k + patches; 2], (Kind::Bool, Device::Cpu));
            let own = Tensor::eye(k, (Kind::Float, Device::Cpu)).to_kind(Kind::Bool);
            mask.narrow(0, 1, k).narrow(1, 1, k).copy_(&own);
            out.insert("mask".into(), mask);
        }
        Ok(Given::Named(out))
    }

    fn meanwhile(&self, wait: &mut dyn FnMut()) {
        wait()
    }
}

/// A linear layer on the class token plus the mean of the prompts.
struct Reader;

impl Function for Reader {
    fn call(&self, _: &[Input], layers: &Rc<Layers>) -> Result<Given> {
        let tokens: BTreeMap<_, _> = layers.tokens()?.into_iter().collect();
        let class = tokens["class_token"].squeeze_dim(1);
        let read = match tokens.get("prompts") {
            Some(prompts) => class + prompts.mean_dim(1, false, Kind::Float),
            None => class,
        };
        let logits = layers.linear("fc", &read, layers.num_labels(), true, &Init::Default)?;
        Ok(Given::One(logits))
    }

    fn meanwhile(&self, wait: &mut dyn FnMut()) {
        wait()
    }
}

fn code(name: &str, function: impl Function + 'static) -> Code {
    Code::known(format!("adapters-{name}"), Arc::new(function))
}

fn vit() -> ModelSpec {
    ModelSpec {
        backbone: "vit_small_patch14_dinov2".into(),
        image_size: Some(28),
        stages: Some(2),
        ..ModelSpec::default()
    }
}

fn read() -> ModelSpec {
    ModelSpec { head: "script".into(), head_code: Some(code("reader", Reader)), ..vit() }
}

fn prompts(name: &str, prompts: Prompts) -> ModelSpec {
    ModelSpec { adapter: Some(code(name, prompts)), ..read() }
}

const DEEP: Prompts = Prompts { count: 5, deep: true, masked: false };

fn model(spec: &ModelSpec) -> Model {
    Model::new(spec, &labels(3), 7, Device::Cpu).unwrap()
}

fn filled(spec: &ModelSpec) -> Model {
    let mut model = model(spec);
    let state: Vec<_> =
        model.state().iter().map(|(name, tensor)| (name.clone(), drawn(name, &tensor.size(), 1.0))).collect();
    assert_eq!(model.load_state(&state).unwrap(), Default::default());
    model
}

fn input() -> Tensor {
    scattered("input", &[2, 3, 28, 28], 1.0)
}

fn number(tensor: Tensor) -> f64 {
    f64::try_from(tensor).unwrap()
}

/// Logits and gradients within 1e-5 of the largest number.
fn held(what: &str, spec: &ModelSpec, golden: &Value) {
    let model = filled(spec);
    let logits = model.forward(&input(), false).unwrap();
    let expected = numbers(&golden["logits"]);
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    for (came, expected) in to_vec_f32(&logits).unwrap().into_iter().zip(&expected) {
        assert!((f64::from(came) - expected).abs() <= 1e-5 * largest, "{what}: {came} instead of {expected}");
    }
    (&logits * scattered("probe", &logits.size(), 1.0)).sum(Kind::Float).backward();
    let gradients = golden["gradients"].as_object().unwrap();
    let trained: BTreeMap<String, Tensor> = model.trainable().into_iter().collect();
    for (name, expected) in gradients {
        let gradient = trained[name].grad().to_kind(Kind::Double);
        let norm = expected["norm"].as_f64().unwrap();
        let dot = number((&gradient * scattered(&format!("probe {name}"), &gradient.size(), 1.0)).sum(Kind::Double));
        let came = number(gradient.norm());
        assert!((came - norm).abs() <= 1e-5 * norm, "{what}, norm of {name}: {came} instead of {norm}");
        let expected = expected["dot"].as_f64().unwrap();
        assert!((dot - expected).abs() <= 2e-5 * norm, "{what}, {name}: {dot} instead of {expected}");
    }
}

#[test]
fn prompts_and_masks_are_those_of_timms_blocks() {
    let golden = golden("models/adapters.json");
    held("shallow", &prompts("shallow", Prompts { deep: false, ..DEEP }), &golden["shallow"]);
    held("deep", &prompts("deep", DEEP), &golden["deep"]);
    held("masked", &prompts("masked", Prompts { masked: true, ..DEEP }), &golden["masked"]);
    assert_ne!(golden["masked"]["logits"], golden["deep"]["logits"]);
}

#[test]
fn low_rank_updates_are_those_of_the_formula() {
    let golden = golden("models/adapters.json");
    let lora = Lora { rank: 4, alpha: 8.0, on: vec![Layer::Fc2, Layer::Qkv, Layer::Proj, Layer::Fc1] };
    held("lora", &ModelSpec { lora: Some(lora), ..read() }, &golden["lora"]);
}

#[test]
fn without_an_effect_the_bits_are_those_of_the_plain_transformer() {
    let plain = model(&vit()).forward(&input(), false).unwrap();
    let same = |spec: ModelSpec| assert_eq!(model(&spec).forward(&input(), false).unwrap(), plain);
    same(ModelSpec { adapter: Some(code("nothing", Prompts { count: 0, ..DEEP })), ..vit() });
    // B starts from 0.
    same(ModelSpec { lora: Some(Lora::default()), ..vit() });
    for backbone in ["vit_small_patch14_reg4_dinov2", "vit_b_16"] {
        let size = if backbone == "vit_b_16" { 32 } else { 28 };
        let spec = ModelSpec { backbone: backbone.into(), image_size: Some(size), stages: Some(1), ..vit() };
        let x = scattered("input", &[2, 3, size, size], 1.0);
        let plain = model(&spec).forward(&x, false).unwrap();
        let adapter = Some(code("nothing", Prompts { count: 0, ..DEEP }));
        for spec in [
            ModelSpec { adapter, ..spec.clone() },
            ModelSpec { lora: Some(Lora { on: vec![Layer::Qkv, Layer::Fc2], ..Lora::default() }), ..spec },
        ] {
            assert_eq!(model(&spec).forward(&x, false).unwrap(), plain, "{backbone}");
        }
    }
}

#[test]
fn a_frozen_backbone_lets_gradients_through_to_what_is_trained() {
    let lora = Some(Lora { rank: 2, ..Lora::default() });
    let spec = ModelSpec { frozen: true, lora, ..prompts("deep", DEEP) };
    let model = model(&spec);
    let trained: Vec<String> = model.trainable().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        trained,
        [
            "adapter.prompt0",
            "adapter.prompt1",
            "head.fc.bias",
            "head.fc.weight",
            "lora.0.qkv.A",
            "lora.0.qkv.B",
            "lora.1.qkv.A",
            "lora.1.qkv.B"
        ]
    );
    // Nothing can be computed once: the features are the pictures.
    assert_eq!(model.spec.fixed_stages(), 0);
    assert_eq!(model.frozen_features(&input()).unwrap(), input());
    let before: BTreeMap<String, Tensor> = model.state().into_iter().map(|(name, t)| (name, t.copy())).collect();
    model.forward(&input(), Pass::step(1, 0, 0)).unwrap().square().sum(Kind::Float).backward();
    for (name, mut tensor) in model.trainable() {
        // With B = 0, A has no gradient yet.
        let moved = number(tensor.grad().abs().sum(Kind::Double));
        assert_eq!(moved > 0.0, !name.ends_with(".A"), "{name}");
        tch::no_grad(|| {
            let step = tensor.grad() * 0.1;
            let _ = tensor.f_sub_(&step).unwrap();
        });
    }
    for (name, tensor) in model.state() {
        let free = trained.contains(&name) && !name.ends_with(".A");
        assert_eq!(tensor != before[&name], free, "{name}");
    }
}

#[test]
fn specifications_without_them_are_as_before() {
    let text = serde_json::to_string(&vit().resolved().unwrap()).unwrap();
    assert!(!text.contains("lora") && !text.contains("adapter"), "{text}");
    let of = |on: Vec<Layer>| ModelSpec { lora: Some(Lora { on, ..Lora::default() }), ..vit() }.resolved();
    // The order of the layers is of no importance.
    assert_eq!(of(vec![Layer::Fc1, Layer::Qkv, Layer::Qkv]).unwrap(), of(vec![Layer::Qkv, Layer::Fc1]).unwrap());
    let problem = |spec: ModelSpec| Model::new(&spec, &labels(2), 0, Device::Cpu).err().unwrap().message;
    assert_eq!(of(vec![]).unwrap_err().message, "lora needs at least one layer in on. Got [] instead.");
    let none = ModelSpec { lora: Some(Lora { rank: 0, ..Lora::default() }), ..vit() };
    assert_eq!(problem(none), "option \"rank\" of lora must be from 1 to 4096; got 0");
    let cnn = |spec: ModelSpec| ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), stages: None, ..spec };
    assert_eq!(
        problem(cnn(ModelSpec { lora: Some(Lora::default()), ..vit() })),
        "option \"lora\" is for a vision transformer"
    );
    assert_eq!(
        problem(cnn(ModelSpec { head: "gap".into(), head_code: None, ..prompts("deep", DEEP) })),
        "option \"adapter\" is for a vision transformer"
    );
}

#[test]
fn models_with_them_are_copied_saved_and_read() {
    let spec = ModelSpec { lora: Some(Lora::default()), ..prompts("deep", DEEP) };
    let model = filled(&spec);
    let logits = model.forward(&input(), false).unwrap();
    assert_eq!(model.twin().unwrap().forward(&input(), false).unwrap(), logits);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, &Value::Null).unwrap();
    let (read, _) = Model::load(&path, Device::Cpu).unwrap();
    assert_eq!(read.forward(&input(), false).unwrap(), logits);
    // As initial weights of a plain transformer they bring the backbone.
    let plain =
        Model::new(&ModelSpec { weights: Some(path.display().to_string()), ..vit() }, &labels(3), 1, Device::Cpu);
    let plain = plain.unwrap();
    let state: BTreeMap<String, Tensor> = model.state().into_iter().collect();
    assert!(plain.state().iter().all(|(name, tensor)| name.starts_with("head.") || *tensor == state[name]));
    // Initial weights without prompts are taken, and the prompts start from random ones.
    plain.save(&path, &Value::Null).unwrap();
    let spec = ModelSpec { weights: Some(path.display().to_string()), ..prompts("deep", DEEP) };
    Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
}
