//! Every head in bfloat16: finite, near its f32 answer, with gradients for every weight.

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::heads::{HEADS, LabelLoss};
use cpsd::models::params::Role;
use cpsd::models::{Model, ModelSpec, Pass, Precision};
use tch::{Device, Kind, Tensor};

use crate::common::labels;
use crate::formula::formula;
use crate::heads::{answer, build, spec};

/// The unit roundoff of bfloat16, which has 8 bits of precision.
const U: f64 = 1.0 / 256.0;

fn norm(x: &Tensor) -> f64 {
    f64::try_from(x.to_kind(Kind::Double).norm()).unwrap()
}

#[test]
fn every_head_in_bfloat16_is_near_its_float32() {
    let bce = LossSpec::from(Bce { reduction: Reduction::Mean });
    let label_loss = LabelLoss { spec: &bce, function: None, known: None };
    let mut far = Vec::new();
    for kind in HEADS {
        let m = 5;
        let spec = spec(kind.name, m);
        let (params, head) = build(&spec, 16, m);
        let leaves: Vec<(&str, &Tensor)> = (params.list.iter())
            .filter(|p| p.role == Role::Weight && !p.frozen)
            .map(|p| (p.name.as_str(), &p.tensor))
            .collect();
        let features = formula("features", &[6, 16, 4, 4], 1.0);
        let targets = formula("targets", &[6, m as i64], 1.0).gt(0.0).to_kind(Kind::Float);
        // Logits of an evaluation, and the gradients of a step.
        let of = |precision: Precision| {
            let eval = precision.during(|| answer(&*head, &spec, &features, None, Pass::EVAL)).logits;
            for (_, leaf) in &leaves {
                let mut gradient = leaf.grad();
                if gradient.defined() {
                    let _ = gradient.zero_();
                }
            }
            let pass = Pass::step(0, 0, 0).within(precision);
            let step = precision.during(|| answer(&*head, &spec, &features, Some(&targets), pass));
            let loss = step.loss(label_loss, &targets).unwrap();
            assert_eq!(loss.kind(), Kind::Float, "{}", kind.name);
            loss.backward();
            // Some weights belong to what the head adds to the backbone, which is not here.
            let gradients = leaves.iter().map(|(_, leaf)| leaf.grad()).filter(Tensor::defined);
            let gradients: Vec<Tensor> = gradients.map(|gradient| gradient.copy()).collect();
            (eval.to_kind(Kind::Float), gradients)
        };
        let (full, gradients) = of(Precision::Float32);
        let (low, low_gradients) = of(Precision::BFloat16);
        let off = norm(&(&low - &full)) / norm(&full);
        println!("{}: logits {:.2} u", kind.name, off / U);
        // How far rounded features and weights alone move the logits tells how much of a rounding survives in them: little, or more where
        // large numbers cancel. The products between are rounded once or twice per layer too.
        let kept: Vec<Tensor> = leaves.iter().map(|(_, leaf)| leaf.detach().copy()).collect();
        let rounded = |t: &Tensor| t.detach().to_kind(Kind::BFloat16).to_kind(Kind::Float);
        leaves.iter().for_each(|(_, leaf)| leaf.detach().copy_(&rounded(leaf)));
        let moved = answer(&*head, &spec, &rounded(&features), None, Pass::EVAL).logits;
        leaves.iter().zip(&kept).for_each(|((_, leaf), kept)| leaf.detach().copy_(kept));
        let sensitive = norm(&(&moved - &full)) / norm(&full);
        if !(off > 0.0 && off < 8.0 * U.max(sensitive)) {
            far.push(format!(
                "{}: logits are {:.2} u away, {:.2} by rounded weights",
                kind.name,
                off / U,
                sensitive / U
            ));
        }
        let whole = |gradients: &[Tensor]| gradients.iter().map(|g| norm(g).powi(2)).sum::<f64>().sqrt();
        let difference: Vec<Tensor> = gradients.iter().zip(&low_gradients).map(|(a, b)| a - b).collect();
        let off = whole(&difference) / whole(&gradients);
        println!("{}: gradients {:.2} u", kind.name, off / U);
        if off.is_nan() || off >= 32.0 * U {
            far.push(format!("{}: gradients are {:.2} u away", kind.name, off / U));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn a_models_logits_are_float32_in_either_precision() {
    for kind in HEADS {
        let spec = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..spec(kind.name, 4) };
        let model = Model::new(&spec, &labels(4), 1, Device::Cpu).unwrap();
        let x = formula("pictures", &[2, 3, 32, 32], 1.0);
        let logits = |precision| model.forward(&x, Pass::EVAL.within(precision)).unwrap();
        let [full, low] = [Precision::Float32, Precision::BFloat16].map(logits);
        assert_eq!((full.kind(), low.kind()), (Kind::Float, Kind::Float), "{}", kind.name);
        assert!(bool::try_from(low.isfinite().all()).unwrap() && low != full, "{}", kind.name);
    }
}
