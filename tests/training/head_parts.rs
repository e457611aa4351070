//! Parts of heads that a golden of logits does not show: losses with unknown labels, dropout, maps of other sizes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::heads::{Answer, Head, HeadSetup, HeadValue, Known, LabelLoss, Seen, find};
use cpsd::models::params::{Params, Scope};
use cpsd::models::{LabelGraph, ModelSpec, Pass};
use tch::{Device, Kind, Tensor};

use crate::common::labels;
use crate::formula::scattered;

const M: i64 = 4;

fn build(head: &str, options: &[(&str, HeadValue)], more: ModelSpec) -> (Params, Box<dyn Head>) {
    let kind = find(head).unwrap();
    let (m, names) = (M as usize, labels(M as usize));
    let rows = (0..m).map(|i| (0..m).map(|j| if i == j { 0.0 } else { 0.2 + 0.1 * i as f64 }).collect()).collect();
    let head_options: BTreeMap<String, HeadValue> =
        options.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let spec = ModelSpec {
        head: head.into(),
        head_options,
        word_vectors: kind.needs_words.then(|| "learned".into()),
        graph: kind.needs_graph.then(|| LabelGraph { labels: names.clone(), rows, shares: vec![] }),
        ..more
    };
    let spec = spec.resolved().unwrap();
    let params = RefCell::new(Params::default());
    let setup = HeadSetup::new(&spec, 16, &names, "fc").unwrap();
    let head = (kind.build)(&Scope::root(&params, 3, Device::Cpu), &setup).unwrap();
    (params.into_inner(), head)
}

/// The answer to two pictures; `side` is that of the maps of the stage before the last of the small CNN.
fn answer(head: &dyn Head, side: i64, n: i64) -> Answer {
    let maps = scattered("features", &[2, 16, 4, 4], 1.0).narrow(0, 0, n);
    let earlier = [scattered("earlier", &[2, 128, side, side], 1.0).narrow(0, 0, n)];
    let rest = |x: &Tensor| Ok(x.shallow_clone());
    head.answer(
        &Seen { maps: &maps, earlier: &earlier, tokens: &[], input: &maps, rest: &rest, truth: None },
        Pass::EVAL,
    )
    .unwrap()
}

fn loss(answer: &Answer, reduction: Reduction, known: Option<&Tensor>) -> f64 {
    let n = answer.logits.size()[0];
    let targets = scattered("targets", &[2, M], 1.0).gt(0.0).to_kind(Kind::Float).narrow(0, 0, n);
    let spec = LossSpec::from(Bce { reduction });
    let known = known.map(|mask| Known::of_mask(mask).unwrap());
    let label_loss = LabelLoss { spec: &spec, function: None, known: known.as_ref() };
    f64::try_from(answer.loss(label_loss, &targets).unwrap()).unwrap()
}

#[test]
fn own_losses_leave_out_unknown_labels() {
    let number = |x: f64| HeadValue::Number(x);
    let heads = [
        ("cpcl", vec![("hidden", number(12.0)), ("width", number(16.0))]),
        ("mcar", vec![]),
        ("srn", vec![("width", number(8.0))]),
        ("srn", vec![("width", number(8.0)), ("losses", HeadValue::Name("two".into()))]),
    ];
    for (name, options) in heads {
        let (_, head) = build(name, &options, ModelSpec::default());
        let (both, first) = (answer(&*head, 8, 2), answer(&*head, 8, 1));
        let unknown = Tensor::zeros([2, M], (Kind::Bool, Device::Cpu));
        let known = unknown.copy();
        let _ = known.narrow(0, 0, 1).fill_(1);
        for reduction in [Reduction::Sum, Reduction::Mean] {
            let (alone, masked) = (loss(&first, reduction, None), loss(&both, reduction, Some(&known)));
            assert!((alone - masked).abs() < 1e-5 * alone, "{name}: {alone} and {masked}");
            assert!((loss(&both, reduction, None) - masked).abs() > 1e-3, "{name}");
            assert_eq!(loss(&both, reduction, Some(&unknown)), 0.0, "{name}");
        }
    }
}

#[test]
fn the_loss_of_cpcl_weighs_its_hinge() {
    let of = |beta: f64, margin: f64| {
        let options = [("hidden", 12.0), ("width", 16.0), ("beta", beta), ("margin", margin)];
        let (_, head) = build("cpcl", &options.map(|(name, x)| (name, x.into())), ModelSpec::default());
        loss(&answer(&*head, 8, 2), Reduction::Mean, None)
    };
    // With a margin far above all logits, the hinge is linear in it.
    let (none, once, twice) = (of(0.0, 100.0), of(1.0, 100.0), of(2.0, 100.0));
    assert!((twice - none - 2.0 * (once - none)).abs() < 1e-3, "{none} {once} {twice}");
    assert!((of(1.0, 200.0) - once - 100.0).abs() < 1e-3);
}

#[test]
fn srn_reads_maps_of_any_size() {
    let small = [("width", HeadValue::Number(8.0))];
    let (params, head) = build("srn", &small, ModelSpec::default());
    let filters = |params: &Params| params.list.iter().find(|p| p.name == "head.spatial.weight").unwrap().tensor.size();
    // The small CNN's third stage has a stride of 8, and pictures of 64 pixels.
    assert_eq!(filters(&params), [32, 1, 8, 8]);
    for side in [1, 5, 8, 16] {
        let logits = answer(&*head, side, 2).logits;
        assert_eq!(logits.size(), [2, M]);
        assert!(logits.isfinite().all().int64_value(&[]) == 1, "{side}");
    }
    let larger = ModelSpec { image_size: Some(100), ..ModelSpec::default() };
    assert_eq!(filters(&build("srn", &small, larger.clone()).0), [32, 1, 13, 13]);
    let fixed = [("width", HeadValue::Number(8.0)), ("filter", HeadValue::Number(14.0))];
    assert_eq!(filters(&build("srn", &fixed, larger).0), [32, 1, 14, 14]);
}

#[test]
fn kssnet_drops_features_in_training_and_adds_to_trained_stages() {
    let maps = scattered("features", &[2, 16, 4, 4], 1.0);
    let of = |dropout: f64, pass: Pass| {
        let (_, head) = build("kssnet", &[("dropout", dropout.into())], ModelSpec::default());
        head.logits(&maps, pass).unwrap()
    };
    assert_ne!(of(0.5, Pass::step(0, 0, 0)), of(0.5, Pass::EVAL));
    assert_eq!(of(0.0, Pass::step(0, 0, 0)), of(0.5, Pass::EVAL));
    // With two of four stages frozen, the output of the second is the first that is added to.
    let (_, head) = build("kssnet", &[], ModelSpec { freeze: 2, ..ModelSpec::default() });
    let added = |stage: usize, channels: i64| {
        head.lateral(stage, &scattered("maps", &[2, channels, 3, 3], 1.0)).unwrap().map(|x| x.size())
    };
    assert_eq!(added(1, 32), None);
    assert_eq!(added(2, 64), Some(vec![2, 64, 3, 3]));
    assert_eq!(added(3, 128), Some(vec![2, 128, 3, 3]));
    assert_eq!(added(4, 16), None);
}

#[test]
fn layouts_name_the_backbone_too() {
    let own = |head: &str, name: &str| (find(head).unwrap().published.layouts[0].rename)(name, "fc");
    for head in ["cpcl", "mcar"] {
        assert_eq!(own(head, "features.0.weight").as_deref(), Some("conv1.weight"));
        assert_eq!(own(head, "features.4.0.conv1.weight").as_deref(), Some("layer1.0.conv1.weight"));
        assert_eq!(own(head, "features.7.2.bn3.running_var").as_deref(), Some("layer4.2.bn3.running_var"));
    }
    // The graph is an option, so its tensor has no place; the class has its distances' maps under each other's name.
    assert_eq!(own("cpcl", "A").as_deref(), Some(""));
    assert_eq!(own("cpcl", "coupling_network.fc.bias").as_deref(), Some("head.decompose.bias"));
    assert_eq!(own("mcar", "convclass.bias").as_deref(), Some("fc.bias"));
}
