//! Schedule, optimisers and losses held to PyTorch. `goldens/training/generate.py` writes the references.

use cpsd::losses::LossSpec;
use cpsd::training::optimiser::{Adam, Average, BETA1, Flat, Groups};
use cpsd::training::options::{DecayOn, Optimiser};
use cpsd::training::schedule::OneCycle;
use serde_json::json;
use tch::{Kind, Tensor};

use crate::common::{golden, numbers};
use crate::formula::formula;
use crate::fused::forms;

#[test]
fn one_cycle_equals_pytorch() {
    for case in golden("training/training.json")["one_cycle"].as_array().unwrap() {
        let o = &case["options"];
        let schedule = OneCycle {
            max_lr: o["max_lr"].as_f64().unwrap(),
            total_steps: o["total_steps"].as_u64().unwrap(),
            pct_start: o["pct_start"].as_f64().unwrap(),
            div_factor: o["div_factor"].as_f64().unwrap_or(25.0),
            final_div_factor: o["final_div_factor"].as_f64().unwrap_or(1e4),
        };
        for (step, rate) in numbers(&case["rates"]).into_iter().enumerate() {
            let came = schedule.lr(step as u64);
            assert!((came / rate - 1.0).abs() < 1e-9, "step {step}: {came} instead of {rate}");
        }
        for (step, beta) in numbers(&case["betas"]).into_iter().enumerate() {
            let came = schedule.momentum(step as u64);
            assert!((came / beta - 1.0).abs() < 1e-9, "step {step}: momentum {came} instead of {beta}");
        }
    }
}

/// Twenty steps on a linear least-squares problem, weights decaying and biases not, in double precision.
#[test]
fn twenty_steps_of_adam_equal_pytorch() {
    let goldens = golden("training/training.json");
    let kinds = [("adam", Optimiser::Adam), ("adamw", Optimiser::AdamW)];
    for (form, (name, kind)) in forms().flat_map(|form| kinds.map(|kind| (form, kind))) {
        let golden = &goldens[name];
        let x = Tensor::from_slice(&wave(24, |n| (n * 0.7).sin())).reshape([6, 4]);
        let y = Tensor::from_slice(&wave(18, |n| (n * 0.3).cos())).reshape([6, 3]);
        let weight = Tensor::from_slice(&wave(12, |n| (n * 1.3).sin())).reshape([3, 4]).set_requires_grad(true);
        let bias = Tensor::from_slice(&wave(3, |n| (n * 2.1).cos())).set_requires_grad(true);
        let leaves = vec![("bias".to_string(), bias.shallow_clone()), ("weight".to_string(), weight.shallow_clone())];
        let mut flat = Flat::of(leaves, vec![]).unwrap();
        let mut adam =
            Adam::new(&flat, kind, Groups::new(&flat, golden["decay"].as_f64().unwrap(), DecayOn::Weights)).unwrap();
        adam.form = form;
        let mut average = Average::new(&flat, 0.9, false).unwrap();
        let mut expected = Vec::<f64>::try_from(&flat.values).unwrap();
        for step in 1..=20 {
            flat.zero_gradients().unwrap();
            (x.linear(&weight, Some(&bias)) - &y).square().sum(Kind::Double).backward();
            adam.update(&mut flat, 0.05, BETA1).unwrap();
            average.update(&flat, step).unwrap();
            let now = Vec::<f64>::try_from(&flat.values).unwrap();
            expected.iter_mut().zip(now).for_each(|(e, x)| *e = 0.9 * *e + 0.1 * x);
        }
        for (tensor, key) in [(&weight, "weight"), (&bias, "bias")] {
            let came = Vec::<f64>::try_from(tensor.detach().flatten(0, -1)).unwrap();
            for (came, wanted) in came.iter().zip(numbers(&golden[key])) {
                assert!((came - wanted).abs() < 1e-9, "{name}, {key}: {came} instead of {wanted}");
            }
        }
        let averaged = Vec::<f64>::try_from(&average.values).unwrap();
        assert!(averaged.iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-12), "{name}: the moving average");
    }
}

fn wave(n: i64, f: fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(i as f64)).collect()
}

#[test]
fn losses_and_their_gradients_equal_pytorch() {
    let goldens = golden("training/training.json");
    let cases = [
        ("asl", json!({"name": "asl"})),
        ("asl_positive", json!({"name": "asl", "gamma_neg": 2, "gamma_pos": 1, "clip": 0, "eps": 1e-5})),
        ("bce", json!({"name": "bce"})),
        ("focal", json!({"name": "focal"})),
        ("mse", json!({"name": "mse"})),
        ("mse_probabilities", json!({"name": "mse", "space": "probabilities"})),
        ("kl_softmax", json!({"name": "kl", "form": "softmax"})),
        ("kl_bernoulli", json!({"name": "kl"})),
    ];
    for (name, spec) in cases {
        let spec: LossSpec = serde_json::from_value(spec).unwrap();
        let logits = Tensor::from_slice(&wave(12, |i| (i * 1.7).sin() * 4.0)).reshape([3, 4]).set_requires_grad(true);
        let targets = match name.starts_with("mse") || name.starts_with("kl") {
            true => Tensor::from_slice(&wave(12, |i| (i * 0.9).cos() * 3.0)).reshape([3, 4]),
            false => Tensor::from_slice(&wave(12, |i| f64::from((i * 2.3).cos() > 0.2))).reshape([3, 4]),
        };
        let loss = spec.compute(&logits, &targets).unwrap();
        loss.backward();
        let golden = &goldens["losses"][name];
        let value = golden["value"].as_f64().unwrap();
        assert!((f64::try_from(&loss).unwrap() / value - 1.0).abs() < 1e-9, "{name}: {loss:?} instead of {value}");
        let gradient = Vec::<f64>::try_from(logits.grad().to_kind(Kind::Double).reshape([-1])).unwrap();
        for (came, expected) in gradient.iter().zip(numbers(&golden["gradient"])) {
            assert!(
                (came - expected).abs() < 1e-9 * expected.abs().max(1.0),
                "{name}: gradient {came} instead of {expected}"
            );
        }
    }
}

#[test]
fn a_nan_logit_does_not_hide_in_a_loss() {
    let logits = Tensor::from_slice(&[f32::NAN, 0.0]).reshape([1, 2]);
    let targets = Tensor::from_slice(&[1.0f32, 0.0]).reshape([1, 2]);
    for name in ["asl", "bce", "focal", "mse", "kl"] {
        let loss = LossSpec::named(name).unwrap().compute(&logits, &targets).unwrap();
        assert!(f64::try_from(&loss).unwrap().is_nan(), "{name}");
    }
}

/// [`Groups::set_factors`] corresponds to PyTorch's parameter groups with rates of their own: the same as one optimiser per group.
#[test]
fn discriminative_rates_are_those_of_groups() {
    for kind in [Optimiser::Adam, Optimiser::AdamW] {
        let leaf = |name: &str, shape: &[i64]| (name.to_string(), formula(name, shape, 1.0).set_requires_grad(true));
        let names = ["backbone.weight", "head.weight", "head.bias"];
        let leaves = || vec![leaf(names[0], &[3, 4]), leaf(names[1], &[2, 3]), leaf(names[2], &[2])];
        let factor = |name: &str| if name.starts_with("backbone") { 0.1 } else { 1.0 };
        let copies = |leaves: &[(String, Tensor)]| {
            leaves.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect::<Vec<_>>()
        };
        let together = leaves();
        let mut flat = Flat::of(copies(&together), vec![]).unwrap();
        let mut groups = Groups::new(&flat, 0.05, DecayOn::Weights);
        groups.set_factors(&flat, factor);
        let mut adam = Adam::new(&flat, kind, groups).unwrap();
        let apart = leaves();
        let mut groups: Vec<(Flat, Adam, f64)> = (apart.iter())
            .map(|(name, tensor)| {
                let flat = Flat::of(vec![(name.clone(), tensor.shallow_clone())], vec![]).unwrap();
                let adam = Adam::new(&flat, kind, Groups::new(&flat, 0.05, DecayOn::Weights)).unwrap();
                (flat, adam, factor(name))
            })
            .collect();
        for step in 0..10 {
            let loss = |leaves: &[(String, Tensor)]| {
                leaves.iter().map(|(_, t)| (t * (1.0 + f64::from(step))).square().sum(tch::Kind::Float)).sum::<Tensor>()
            };
            flat.zero_gradients().unwrap();
            loss(&together).backward();
            adam.update(&mut flat, 0.01, BETA1).unwrap();
            groups.iter_mut().for_each(|(flat, ..)| flat.zero_gradients().unwrap());
            loss(&apart).backward();
            for (flat, adam, factor) in &mut groups {
                adam.update(flat, 0.01 * *factor, BETA1).unwrap();
            }
        }
        for ((name, one), (_, other)) in together.iter().zip(&apart) {
            let apart = f64::try_from((one - other).abs().max()).unwrap();
            assert!(apart < 1e-6, "{name}: {apart}");
        }
    }
}
