//! Maps stay channels-last from the picture to the head, and passes after the first copy nothing to the device.

use std::cell::RefCell;

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::backbones::BACKBONES;
use cpsd::models::heads::{HEADS, Known, LabelLoss, Truth};
use cpsd::models::memory_format::{self, Seen, is_channels_last};
use cpsd::models::params::{FirstValues, Params, Scope};
use cpsd::models::{Model, ModelSpec, Pass};
use cpsd::torch::transfers;
use tch::{Device, Kind, Tensor};

use crate::common::labels;
use crate::formula::formula;
use crate::heads::spec;

/// Two pictures as they come from `Model::normalise`.
fn pictures(side: i64) -> Tensor {
    formula("pictures", &[2, side, side, 3], 1.0).permute([0, 3, 1, 2])
}

fn assert_channels_last(name: &str, seen: &[Seen]) {
    assert!(!seen.is_empty(), "{name} has no convolution");
    for (i, convolution) in seen.iter().enumerate() {
        assert_eq!(convolution.channels_last, [true, true], "{name}: convolution {i} {convolution:?}");
    }
}

#[test]
fn every_convolution_of_every_backbone_is_channels_last_up_to_the_head() {
    for kind in BACKBONES.iter().filter(|kind| !kind.from_file) {
        // Convolutions are in the first stage of a vision transformer only; the others would be large.
        let is_vit = kind.name.starts_with("vit");
        let side = if kind.name.contains("patch14") { 56 } else { 64 };
        let spec = ModelSpec {
            backbone: kind.name.into(),
            image_size: Some(side),
            stages: is_vit.then_some(1),
            ..ModelSpec::default()
        };
        let spec = spec.resolved().unwrap();
        // The order in memory does not depend on the weights, which are slow to draw.
        let params = RefCell::new(Params::new(FirstValues::Zeros));
        let backbone = (kind.build)(&Scope::root(&params, 1, Device::Cpu), &spec).unwrap();
        for train in [true, false] {
            let pass = || {
                let mut x = pictures(side);
                for stage in 1..=spec.stages.unwrap() {
                    x = backbone.stage(stage, &x, train).unwrap();
                }
                x
            };
            let (maps, seen) = memory_format::during(pass);
            assert_channels_last(kind.name, &seen);
            // A transformer's maps are views of its tokens, whose channels are neighbours.
            assert!(is_channels_last(&maps) || maps.stride()[1] == 1, "{}: {:?}", kind.name, maps.stride());
            let before = transfers();
            let _ = pass();
            assert_eq!(transfers(), before, "{}: a second pass copies to the device", kind.name);
        }
    }
}

#[test]
fn every_convolution_of_every_head_is_channels_last() {
    let bce = LossSpec::from(Bce { reduction: Reduction::Mean });
    for kind in HEADS {
        let spec = ModelSpec { backbone: "small_cnn".into(), image_size: Some(64), ..spec(kind.name, 4) };
        let model = Model::new(&spec, &labels(4), 1, Device::Cpu).unwrap();
        let targets = formula("targets", &[2, 4], 1.0).gt(0.0).to_kind(Kind::Float);
        for known in [None, Some(vec![true, false, true, true, false, true, true, true])] {
            let uploads_of_known = 1;
            let step = |number: u64| {
                let known = known.clone().map(|entries| Known::new(entries, 4, Device::Cpu).unwrap());
                let truth = Truth { targets: &targets, known: known.as_ref() };
                let answer = model.answer(&pictures(64), Pass::step(1, 0, number), Some(truth)).unwrap();
                let loss = LabelLoss { spec: &bce, function: None, known: known.as_ref() };
                answer.loss(loss, &targets).unwrap().backward();
            };
            let (_, seen) = memory_format::during(|| step(0));
            assert_channels_last(kind.name, &seen);
            let before = transfers().uploads;
            step(1);
            // C-Tran draws the labels that a step shows, and the positions of the others, on the CPU.
            let own = if kind.name == "c_tran" { 2 } else { 0 };
            let expected = own + if known.is_some() { uploads_of_known } else { 0 };
            assert_eq!(transfers().uploads - before, expected, "{}", kind.name);
        }
    }
}
