//! Heads held to the published classes. Each file of `goldens/heads/` has the source of its numbers: repository, commit, class and
//! options. The class ran with weights and inputs of formulas that this test repeats, under the names of its own state dict, so
//! the test also holds the names of its checkpoints.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use cpsd::models::heads::{Answer, Head, HeadSetup, HeadValue, LabelLoss, SECOND, Seen, Truth, find};
use cpsd::models::params::{Params, Scope};
use cpsd::models::{LabelGraph, ModelSpec, Pass};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, numbers};
use crate::formula::{drawn, scattered};

/// The largest relative difference that rounding explains.
const TOLERANCE: f64 = 1e-5;

/// A head with the golden's weights, and the names here of the golden's tensors.
struct Built {
    params: Params,
    head: Box<dyn Head>,
    names: HashMap<String, String>,
}

fn build(case: &Value) -> Built {
    let size = |key: &str| case[key].as_i64().unwrap();
    let (m, here) = (size("labels"), &case["cpsd"]);
    let head_options: BTreeMap<String, HeadValue> =
        here.get("head_options").map_or_else(BTreeMap::new, |o| serde_json::from_value(o.clone()).unwrap());
    let kind = find(here["head"].as_str().unwrap()).unwrap();
    let graph = case.get("graph").map(|rows| LabelGraph {
        labels: labels(m as usize),
        rows: serde_json::from_value(rows.clone()).unwrap(),
        shares: case.get("shares").map_or(vec![], numbers),
    });
    let spec = ModelSpec {
        backbone: here.get("backbone").and_then(Value::as_str).unwrap_or("resnet101").into(),
        head: kind.name.into(),
        head_options,
        head_width: here.get("head_width").and_then(Value::as_i64),
        word_vectors: kind.needs_words.then(|| "learned".into()),
        graph,
        ..ModelSpec::default()
    };
    let spec = spec.resolved().unwrap();
    let names = labels(m as usize);
    let params = RefCell::new(Params::default());
    let setup = HeadSetup::new(&spec, size("channels"), &names, "fc").unwrap();
    let head = (kind.build)(&Scope::root(&params, 3, Device::Cpu), &setup).unwrap();
    let params = params.into_inner();
    // The golden's tensors, by the layout of its checkpoints.
    let layout = kind.published.layouts.get(here.get("layout").and_then(Value::as_u64).unwrap_or(0) as usize);
    let mut filled = HashMap::new();
    for entry in case["state"].as_array().unwrap() {
        let name = entry[0].as_str().unwrap();
        let shape: Vec<i64> = serde_json::from_value(entry[1].clone()).unwrap();
        let scale = entry.get(2).and_then(Value::as_f64).unwrap_or(1.0);
        // Without a layout of whole checkpoints, a golden has the names of this crate, or says them.
        let own = match (case.get("names"), layout) {
            (Some(names), _) => names[name].as_str().map(String::from),
            (None, Some(layout)) => (layout.rename)(name, "fc"),
            (None, None) => Some(name.to_string()),
        };
        let own = own.unwrap_or_else(|| panic!("{}: no place for {name}", kind.name));
        let param = params.list.iter().find(|p| p.name == own);
        let param = param.unwrap_or_else(|| panic!("{}: {name} is {own}, which the head does not have", kind.name));
        assert_eq!(param.tensor.size(), shape, "{}: {name}", kind.name);
        tch::no_grad(|| param.tensor.detach().copy_(&drawn(name, &shape, scale)));
        assert!(filled.insert(own, name.to_string()).is_none(), "{}: {name} is a second one", kind.name);
    }
    if kind.needs_words {
        let words = params.list.iter().find(|p| p.name == "head.words").unwrap();
        let shape = words.tensor.size();
        tch::no_grad(|| words.tensor.detach().copy_(&scattered("words", &shape, 1.0)));
        filled.insert("head.words".into(), "words".into());
    }
    // Tensors that the class makes of the graph by itself, so the head must have made the same.
    for name in case.get("made").and_then(Value::as_array).into_iter().flatten() {
        let own = (layout.unwrap().rename)(name.as_str().unwrap(), "fc").unwrap();
        filled.insert(own, name.as_str().unwrap().into());
    }
    // The class got maps in place of its second backbone.
    let replaced = |name: &str| kind.name == "mgtn" && name.starts_with(SECOND);
    for param in params.list.iter().filter(|p| !replaced(&p.name)) {
        assert!(filled.contains_key(&param.name), "{}: the golden has no {}", kind.name, param.name);
    }
    Built { params, head, names: filled.into_iter().map(|(own, theirs)| (theirs, own)).collect() }
}

/// The norm of a tensor of f64, and its product with a probe of its name.
fn summarised(held: &mut impl FnMut(&str, f64, f64, f64), what: &str, name: &str, came: &Tensor, reference: &Value) {
    let probe = scattered(&format!("probe {name}"), &came.size(), 1.0).to_kind(Kind::Double);
    let (norm, what) = (reference["norm"].as_f64().unwrap(), format!("{what} {name}"));
    held(&what, f64::try_from(came.norm()).unwrap(), norm, norm);
    held(&what, f64::try_from((came * &probe).sum(Kind::Double)).unwrap(), reference["dot"].as_f64().unwrap(), norm);
}

/// The numbers of one golden; returns the largest relative difference.
fn check(file: &str, case: &Value) -> f64 {
    let size = |key: &str| case[key].as_i64().unwrap();
    let (n, m) = (size("images"), size("labels"));
    let Built { params, head, names } = build(case);
    // Of a head with two backbones, the class sees the maps of both side by side in place of them.
    let backbones = case.get("backbones").and_then(Value::as_i64).unwrap_or(1);
    let maps = scattered("features", &[n, backbones * size("channels"), size("height"), size("width")], 1.0);
    // The maps of the stage before the last, for heads that read them.
    let earlier: Vec<Tensor> = case.get("earlier").map_or(vec![], |shape| {
        vec![scattered("earlier", &serde_json::from_value::<Vec<i64>>(shape.clone()).unwrap(), 1.0)]
    });
    // For heads that look at crops again: average pooling is the backbone, and pictures are the maps in squares of one colour.
    let pool = case.get("rest").map(|rest| rest["pool"].as_i64().unwrap());
    let rest = |x: &Tensor| {
        Ok(pool
            .map_or_else(|| x.shallow_clone(), |side| x.adaptive_avg_pool2d([x.size()[2] / side, x.size()[3] / side])))
    };
    let input = match pool {
        Some(side) => maps.upsample_nearest2d([size("height") * side, size("width") * side], None, None),
        None => maps,
    };
    let features = rest(&input).unwrap();
    let seen = |truth| Seen { maps: &features, earlier: &earlier, tokens: &[], input: &input, rest: &rest, truth };
    let gradient = |name: &str| {
        let tensor = &params.list.iter().find(|p| p.name == names[name]).unwrap().tensor;
        tensor.grad().to_kind(Kind::Double)
    };
    let mut largest = 0.0_f64;
    let mut held = |what: &str, came: f64, expected: f64, scale: f64| {
        let difference = (came - expected).abs() / scale;
        assert!(difference <= TOLERANCE, "{file}, {what}: {came} instead of {expected} ({difference:.1e} of {scale})");
        largest = largest.max(difference);
    };
    let answer = match backbones {
        1 => head.answer(&seen(None), Pass::EVAL).unwrap(),
        _ => Answer { logits: head.logits(&features, Pass::EVAL).unwrap(), own_loss: None },
    };
    let expected = numbers(&case["logits"]);
    let scale = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let came = to_vec_f32(&answer.logits).unwrap();
    assert_eq!(came.len(), expected.len(), "{file}");
    for (came, expected) in came.iter().zip(&expected) {
        held("logits", f64::from(*came), *expected, scale);
    }
    // Gradients of the sum of the logits, each times a number of its own.
    if let Some(gradients) = case.get("gradients").and_then(Value::as_object) {
        (answer.logits * scattered("probe", &[n, m], 1.0)).sum(Kind::Float).backward();
        for (name, reference) in gradients {
            summarised(&mut held, "gradient of", name, &gradient(name), reference);
        }
    }
    // The lateral connections from the outputs of stages.
    for lateral in case.get("lateral").and_then(Value::as_array).into_iter().flatten() {
        let stage = lateral["stage"].as_u64().unwrap();
        let shape: Vec<i64> = serde_json::from_value(lateral["shape"].clone()).unwrap();
        let came = head.lateral(stage as usize, &scattered(&format!("stage {stage}"), &shape, 1.0)).unwrap().unwrap();
        let name = format!("lateral {stage}");
        summarised(&mut held, "the", &name, &came.to_kind(Kind::Double), lateral);
    }
    // The head's own loss, in evaluation mode so that nothing is random.
    if let Some(loss) = case.get("loss") {
        let targets = scattered("targets", &[n, m], 1.0).gt(0.0).to_kind(Kind::Float);
        let answer = head.answer(&seen(Some(Truth { targets: &targets, known: None })), Pass::EVAL).unwrap();
        let spec = serde_json::from_value(loss["spec"].clone()).unwrap();
        let label_loss = LabelLoss { spec: &spec, function: None, known: None };
        let mut value = answer.loss(label_loss, &targets).unwrap();
        if let Some(more) = head.auxiliary().unwrap() {
            value += more;
        }
        let expected = loss["value"].as_f64().unwrap();
        held("loss", f64::try_from(&value).unwrap(), expected, expected.abs());
        if let Some(gradients) = loss.get("gradients").and_then(Value::as_object) {
            params.list.iter().for_each(|p| p.tensor.shallow_clone().zero_grad());
            value.backward();
            for (name, reference) in gradients {
                summarised(&mut held, "gradient of the loss by", name, &gradient(name), reference);
            }
        }
    }
    largest
}

macro_rules! goldens {
    ($($name:ident,)*) => {$(
        #[test]
        fn $name() {
            let file = concat!("heads/", stringify!($name), ".json");
            let golden = golden(file);
            for case in golden["cases"].as_array().unwrap() {
                let largest = check(file, case);
                println!("{file}: largest relative difference {largest:.1e}");
            }
        }
    )*};
}

goldens! {
    add_gcn,
    c_tran,
    cpcl,
    csra,
    dsdl,
    gap,
    kssnet,
    mcar,
    mgtn,
    ml_decoder,
    ml_gcn,
    q2l,
    srn,
    ssgrl,
    tf,
}
