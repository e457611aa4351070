//! C-Tran's label mask training, held to the published class: every state of a picture's labels, and its loss.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cpsd::losses::LossSpec;
use cpsd::models::heads::{Answer, Head, HeadSetup, HeadValue, Known, LabelLoss, Seen, Truth, find};
use cpsd::models::params::{Params, Scope};
use cpsd::models::{ModelSpec, Pass};
use cpsd::torch::to_vec_f32;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, numbers};
use crate::formula::{drawn, scattered};

fn built(case: &Value) -> (Params, Box<dyn Head>) {
    let options: BTreeMap<String, HeadValue> = serde_json::from_value(case["cpsd"]["head_options"].clone()).unwrap();
    let spec = ModelSpec { head: "c_tran".into(), head_options: options, ..ModelSpec::default() }.resolved().unwrap();
    let params = RefCell::new(Params::default());
    let names = labels(case["labels"].as_u64().unwrap() as usize);
    let setup = HeadSetup::new(&spec, case["channels"].as_i64().unwrap(), &names, "fc").unwrap();
    let head = (find("c_tran").unwrap().build)(&Scope::root(&params, 3, Device::Cpu), &setup).unwrap();
    (params.into_inner(), head)
}

/// The head with the golden's weights.
fn published(case: &Value) -> (Params, Box<dyn Head>) {
    let (params, head) = built(case);
    let rename = find("c_tran").unwrap().published.layouts[0].rename;
    for entry in case["state"].as_array().unwrap() {
        let name = entry[0].as_str().unwrap();
        let own = rename(name, "fc").unwrap();
        let tensor = &params.list.iter().find(|p| p.name == own).unwrap().tensor;
        let scale = entry.get(2).and_then(Value::as_f64).unwrap_or(1.0);
        tch::no_grad(|| tensor.detach().copy_(&drawn(name, &tensor.size(), scale)));
    }
    (params, head)
}

fn answer(head: &dyn Head, features: &Tensor, targets: &Tensor, known: Option<&Known>, pass: Pass) -> Answer {
    let rest = |x: &Tensor| Ok(x.shallow_clone());
    let truth = Some(Truth { targets, known });
    head.answer(&Seen { maps: features, earlier: &[], tokens: &[], input: features, rest: &rest, truth }, pass).unwrap()
}

/// Which of the golden's states these logits are.
fn state_of(logits: &Tensor, states: &[Value]) -> usize {
    let came = to_vec_f32(logits).unwrap();
    let same = |state: &&Value| {
        numbers(&state["logits"]).iter().zip(&came).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-5 * 1.5)
    };
    let all: Vec<usize> = (0..states.len()).filter(|i| same(&&states[*i])).collect();
    assert_eq!(all.len(), 1, "{came:?} are the logits of {} states", all.len());
    all[0]
}

#[test]
fn a_step_shows_labels_as_the_published_code_does() {
    let golden = golden("heads/c_tran_states.json");
    let case = &golden["cases"][0];
    let (_params, head) = published(case);
    let features = scattered("features", &[1, case["channels"].as_i64().unwrap(), 2, 3], 1.0);
    let given: Vec<f32> = numbers(&case["targets"]).into_iter().map(|x| x as f32).collect();
    let targets = Tensor::from_slice(&given).view([1, 3]);
    let states = case["states"].as_array().unwrap();
    let spec = LossSpec::named("bce").unwrap();
    let mut seen = vec![0; states.len()];
    for key in 0..150 {
        let answer = answer(&*head, &features, &targets, None, Pass::step(1, 0, key));
        let at = state_of(&answer.logits, states);
        seen[at] += 1;
        let loss = answer.loss(LabelLoss { spec: &spec, function: None, known: None }, &targets).unwrap();
        let expected = states[at]["loss"].as_f64().unwrap();
        assert!((f64::try_from(loss).unwrap() - expected).abs() < 1e-5 * expected.max(1.0), "state {at}");
    }
    // Up to `most_shown` of the three, each number and each choice as likely; 150 draws leave none out.
    for (state, count) in states.iter().zip(&seen) {
        let shown = numbers(&state["shown"]).iter().sum::<f64>();
        assert_eq!(*count > 0, shown <= case["most_shown"].as_f64().unwrap(), "{state}: {count}");
    }
    let none = f64::from(seen[0]) / 150.0;
    assert!((none - 1.0 / 3.0).abs() < 0.16, "{none}");

    // An unknown label is never shown and not learned.
    let known = Known::new(vec![true, false, true], 3, Device::Cpu).unwrap();
    for key in 0..50 {
        let answer = answer(&*head, &features, &targets, Some(&known), Pass::step(1, 0, key));
        let at = state_of(&answer.logits, states);
        assert_eq!(numbers(&states[at]["shown"])[1], 0.0);
        let loss = answer.loss(LabelLoss { spec: &spec, function: None, known: Some(&known) }, &targets).unwrap();
        let logit = numbers(&states[at]["logits"])[1];
        let expected = states[at]["loss"].as_f64().unwrap() - (1.0 + logit.exp()).ln();
        assert!((f64::try_from(loss).unwrap() - expected).abs() < 2e-5);
    }
    // No entry is known: no loss, and no NaN.
    let nothing = Known::new(vec![false; 3], 3, Device::Cpu).unwrap();
    let answer_of_nothing = answer(&*head, &features, &targets, Some(&nothing), Pass::step(1, 0, 0));
    let loss =
        answer_of_nothing.loss(LabelLoss { spec: &spec, function: None, known: Some(&nothing) }, &targets).unwrap();
    assert_eq!(f64::try_from(loss).unwrap(), 0.0);
    // Evaluation knows nothing.
    assert_eq!(state_of(&head.logits(&features, Pass::EVAL).unwrap(), states), 0);
}

#[test]
fn the_unknown_state_gets_no_gradient_and_masks_can_be_turned_off() {
    let golden = golden("heads/c_tran_states.json");
    let case = &golden["cases"][0];
    let (params, head) = published(case);
    let features = scattered("features", &[8, case["channels"].as_i64().unwrap(), 2, 3], 1.0);
    let targets = scattered("targets", &[8, 3], 1.0).gt(0.0).to_kind(Kind::Float);
    let spec = LossSpec::named("bce").unwrap();
    let loss = LabelLoss { spec: &spec, function: None, known: None };
    answer(&*head, &features, &targets, None, Pass::step(1, 0, 4)).loss(loss, &targets).unwrap().backward();
    let states = params.list.iter().find(|p| p.name == "head.known_label_lt.weight").unwrap();
    let sizes = to_vec_f32(&states.tensor.grad().abs().sum_dim_intlist(&[1i64][..], false, Kind::Float)).unwrap();
    assert!(sizes[0] == 0.0 && sizes[1] > 0.0 && sizes[2] > 0.0, "{sizes:?}");

    // A softmax over labels cannot leave some out.
    let kl: LossSpec = serde_json::from_value(serde_json::json!({"name": "kl", "form": "softmax"})).unwrap();
    let shown = answer(&*head, &features, &targets, None, Pass::step(1, 0, 4));
    let error = shown.loss(LabelLoss { spec: &kl, function: None, known: None }, &targets).unwrap_err();
    assert!(error.message.contains("c_tran") && error.help.unwrap().contains("label_mask: false"), "{}", error.message);

    let mut plain = case.clone();
    plain["cpsd"]["head_options"]["label_mask"] = false.into();
    let (params, head_without) = built(&plain);
    assert!(params.list.iter().all(|p| !p.name.contains("known_label")));
    let answer = answer(&*head_without, &features, &targets, None, Pass::step(1, 0, 4));
    assert!(answer.own_loss.is_none());
}
