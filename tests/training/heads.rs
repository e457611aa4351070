//! Every head trained, alone and through the whole method.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::backbones;
use cpsd::models::heads::{Answer, HEADS, Head, HeadSetup, HeadValue, LabelLoss, Seen, Truth, find};
use cpsd::models::params::{Params, Role, Scope};
use cpsd::models::{LabelGraph, Model, ModelSpec, Part, Pass};
use cpsd::training::optimiser::{Adam, Average, BETA1, Flat, Groups};
use cpsd::training::options::{DecayOn, Optimiser};
use tch::{Device, Kind, Tensor};

use crate::common::{alone, labels, session};
use crate::formula::formula;

/// A specification with everything that the head needs, and small sizes.
pub fn spec(head: &str, m: usize) -> ModelSpec {
    let kind = find(head).unwrap();
    let small = |name: &str| match name {
        "width" | "feed_forward" | "embedding" => Some(16.0),
        "hidden" => Some(12.0),
        "dim_head" => Some(4.0),
        "groups" => Some(3.0),
        "heads" if head == "csra" => Some(2.0),
        "ridge" => Some(1.0),
        "filter" => Some(4.0),
        _ => None,
    };
    let head_options: BTreeMap<String, HeadValue> =
        kind.options.iter().filter_map(|o| Some((o.name.to_string(), small(o.name)?.into()))).collect();
    let rows =
        (0..m).map(|i| (0..m).map(|j| if i == j { 0.0 } else { 0.9 / (1.0 + (i + 2 * j) as f64) }).collect()).collect();
    ModelSpec {
        head: head.into(),
        head_options,
        head_width: kind.default_width.map(|_| 16),
        word_vectors: kind.needs_words.then(|| "learned".into()),
        graph: kind.needs_graph.then(|| LabelGraph { labels: labels(m), rows, shares: vec![0.25; m] }),
        ..ModelSpec::default()
    }
}

pub fn build(spec: &ModelSpec, channels: i64, m: usize) -> (Params, Box<dyn Head>) {
    let spec = spec.resolved().unwrap();
    let labels = labels(m);
    let params = RefCell::new(Params::default());
    let setup = HeadSetup::new(&spec, channels, &labels, "fc").unwrap();
    let head = (find(&spec.head).unwrap().build)(&Scope::root(&params, 3, Device::Cpu), &setup).unwrap();
    (params.into_inner(), head)
}

/// The answer of a head, which gets maps of the stages before the last too if it reads them. `targets` are those of a
/// training step.
pub fn answer(head: &dyn Head, spec: &ModelSpec, features: &Tensor, targets: Option<&Tensor>, pass: Pass) -> Answer {
    // Its second backbone has not as many channels as the features here.
    if spec.head == "mgtn" {
        return Answer { logits: head.logits(features, pass).unwrap(), own_loss: None };
    }
    let stages = (backbones::find(&spec.backbone).unwrap().stages)();
    let maps = |stage: &backbones::StageInfo| formula(stage.name, &[features.size()[0], stage.channels, 4, 4], 1.0);
    let earlier: Vec<Tensor> = stages.iter().rev().skip(1).take(head.earlier()).map(maps).collect();
    let rest = |x: &Tensor| Ok(x.shallow_clone());
    let truth = targets.map(|targets| Truth { targets, known: None });
    head.answer(&Seen { maps: features, earlier: &earlier, tokens: &[], input: features, rest: &rest, truth }, pass)
        .unwrap()
}

fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0 / 1e6
}

#[test]
fn every_head_learns_and_holds_its_memory() {
    alone!();
    tch::set_num_threads(1);
    let bce = LossSpec::from(Bce { reduction: Reduction::Mean });
    let label_loss = LabelLoss { spec: &bce, function: None, known: None };
    for kind in HEADS {
        for m in [2, 5] {
            let spec = spec(kind.name, m);
            let (params, head) = build(&spec, 16, m);
            // A label's images have something in common: a channel.
            let targets = formula("targets", &[6, m as i64], 1.0).gt(0.0).to_kind(Kind::Float);
            let features = formula("features", &[6, 16, 4, 4], 1.0);
            let _ = features.narrow(1, 0, m as i64).f_add_(&(&targets * 3.0).unsqueeze(-1).unsqueeze(-1)).unwrap();
            let eval = |head: &dyn Head| answer(head, &spec, &features, None, Pass::EVAL).logits;
            assert_eq!(eval(&*head).size(), [6, m as i64], "{}", kind.name);
            assert_eq!(eval(&*head), eval(&*head), "{}", kind.name);
            if let Some(maps) = head.class_maps(&features).unwrap() {
                assert_eq!(maps.size(), [6, m as i64, 4, 4], "{}", kind.name);
            }
            let leaves: Vec<(String, Tensor)> = (params.list.iter())
                .filter(|p| p.role == Role::Weight && !p.frozen)
                .map(|p| (p.name.clone(), p.tensor.shallow_clone()))
                .collect();
            let mut flat =
                Flat::of(leaves.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(), vec![]).unwrap();
            let mut adam = Adam::new(&flat, Optimiser::Adam, Groups::new(&flat, 0.0, DecayOn::Weights)).unwrap();
            let mut average = Average::new(&flat, 0.9, false).unwrap();
            let (mut losses, mut memory) = (Vec::new(), 0.0);
            for step in 0..60 {
                flat.zero_gradients().unwrap();
                let answer = answer(&*head, &spec, &features, Some(&targets), Pass::step(0, 0, step));
                let mut loss = answer.loss(label_loss, &targets).unwrap();
                if let Some(more) = head.auxiliary().unwrap() {
                    loss += more;
                }
                loss.backward();
                if step == 0 {
                    for (name, leaf) in &leaves {
                        assert!(
                            leaf.grad().defined()
                                && f64::try_from(leaf.grad().abs().sum(Kind::Double)).unwrap().is_finite(),
                            "{}: {name}",
                            kind.name
                        );
                    }
                }
                losses.push(f64::try_from(&loss).unwrap());
                adam.update(&mut flat, 0.02, BETA1).unwrap();
                average.update(&flat, step + 1).unwrap();
                if step == 20 {
                    memory = resident_mb();
                }
            }
            assert!(losses.iter().all(|l| l.is_finite()), "{}: {losses:?}", kind.name);
            let (first, last) = (losses[..3].iter().sum::<f64>(), losses[57..].iter().sum::<f64>());
            assert!(last < 0.9 * first, "{} with {m} labels: loss from {first} to {last}", kind.name);
            // A few copies of all parameters may be in use at once; one per step would be ten times that.
            let copies = 6.0 * 4e-6 * flat.values.numel() as f64;
            assert!(resident_mb() < memory + 20.0 + copies, "{}: from {memory} to {} MB", kind.name, resident_mb());
        }
    }
}

#[test]
fn the_rate_of_the_backbone_is_that_of_its_parameters_alone() {
    for kind in HEADS {
        let spec = ModelSpec { backbone: "small_cnn".into(), ..spec(kind.name, 4) };
        let model = Model::new(&spec, &labels(4), 1, Device::Cpu).unwrap();
        for (name, part) in model.parts().unwrap() {
            assert_eq!(model.is_of_backbone(&name), part != Part::Head, "{}: {name}", kind.name);
        }
    }
}

#[test]
fn options_and_needs_of_a_head_are_checked() {
    let of = |spec: ModelSpec| spec.resolved().unwrap_err();
    let with = |head: &str, options: &[(&str, f64)]| ModelSpec {
        head: head.into(),
        head_options: options.iter().map(|(k, v)| (k.to_string(), (*v).into())).collect(),
        ..ModelSpec::default()
    };
    let error = of(with("q2l", &[("layer", 2.0)]));
    assert!(error.message.contains("head \"q2l\" has no option \"layer\""), "{error}");
    assert!(of(with("q2l", &[("heads", 2.5)])).message.contains("must be an integer from 1 to 64; got 2.5"));
    assert!(of(with("csra", &[("lambda", -1.0)])).message.contains("must be a number from 0 to 10; got -1"));
    assert_eq!(of(with("q21", &[])).help.as_deref(), Some("did you mean \"q2l\"?"));
    assert!(
        of(ModelSpec { word_vectors: Some("learned".into()), ..ModelSpec::default() })
            .message
            .contains("takes no word_vectors")
    );
    let labels = labels(3);
    for (head, needs) in [("ml_gcn", "needs a label graph"), ("tf", "needs word vectors")] {
        let spec = with(head, &[]).resolved().unwrap();
        let setup = HeadSetup::new(&spec, 16, &labels, "fc").unwrap();
        let params = RefCell::default();
        let error = (find(head).unwrap().build)(&Scope::root(&params, 0, Device::Cpu), &setup).err().unwrap();
        assert!(error.message.contains(needs), "{error}");
    }
    let graph = LabelGraph { labels: labels[..2].to_vec(), rows: vec![vec![0.0; 2]; 2], shares: vec![] };
    assert!(graph.between(&labels).unwrap_err().message.contains("no label \"label 2\""));
}

/// The whole method with every head on a backbone, at toy size: two teachers on each branch, one student.
fn every_head_goes_through_the_whole_method_on(backbone: &str) {
    // A whole number of patches.
    let side = if backbone.contains("patch14") { 28 } else { 32 };
    for kind in HEADS {
        // Two stages of a large backbone for heads that read two only: its weights take long to draw.
        let reads_two = build(&spec(kind.name, 4), 16, 4).1.earlier() > 0;
        let backbone = if reads_two { backbone.replace("stages: 1", "stages: 2") } else { backbone.to_string() };
        // One store per head: checkpoints and weights of all heads together are gigabytes.
        let folder = tempfile::tempdir().unwrap();
        let numbers: Vec<String> = spec(kind.name, 4).head_options.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        let words = if kind.needs_words { ", word_vectors: \"learned\"" } else { "" };
        let graph = if kind.needs_graph { ", graph: counts" } else { "" };
        let code = format!(
            "let data = dataset(\"emoji-scenes\", #{{train: 16, val: 8, test: 8, test_shifted: 1, size: 32}});
             let counts = cooccurrence(data.train);
             let options = #{{epochs: 1, batch: 16, views: 1, threads: 1, model: #{{{backbone}, image_size: {side},
                 head: \"{}\", head_options: #{{{}}}{words}{graph}}}}};
             let teachers = |branch| merge(train_teachers(data, spectral_partition(affinity(counts, branch), 2), options));
             let student = distill(data, [teachers.call(\"co\"), teachers.call(\"dis\")], options);
             evaluate(student, data.test).mAP",
            kind.name, numbers.join(", ")
        );
        let mut session = session(&folder.path().join("runs"));
        match session.eval(&code, kind.name) {
            Ok(map) => assert!((0.0..=100.0).contains(&map.as_float().unwrap()), "{}", kind.name),
            Err(failure) => panic!("{}: {}", kind.name, failure.render(false, 100)),
        }
    }
    // Thirty steps need no more memory than three.
    let train = |epochs: u64| {
        let code = format!(
            "train_teacher(dataset(\"emoji-scenes\", #{{train: 16, val: 8, test: 8, test_shifted: 1, size: 32}}), [\"person\", \"dog\"],
                 #{{epochs: {epochs}, batch: 16, views: 1, threads: 1, model: #{{{backbone}, image_size: {side}}}}});"
        );
        let folder = tempfile::tempdir().unwrap();
        let mut session = session(&folder.path().join("runs"));
        let _ = session.eval(&code, "memory").unwrap_or_else(|failure| panic!("{}", failure.render(false, 100)));
        resident_mb()
    };
    let (few, many) = (train(3), train(30));
    assert!(many < few + 100.0, "from {few} to {many} MB");
}

/// One test per family of backbones; of the large ones, the first stages.
macro_rules! families {
    ($($name:ident: $backbone:literal,)*) => {$(
        #[test]
        fn $name() {
            alone!();
            every_head_goes_through_the_whole_method_on($backbone);
        }
    )*};
}

families! {
    every_head_on_the_small_cnn: "backbone: \"small_cnn\"",
    every_head_on_a_resnet: "backbone: \"resnet18\", stages: 2",
    every_head_on_a_resnext: "backbone: \"resnext50_32x4d\", stages: 2",
    every_head_on_a_tresnet: "backbone: \"tresnet_m\", stages: 2",
    every_head_on_an_efficientnet: "backbone: \"efficientnet_lite0\", stages: 3",
    every_head_on_a_convnext: "backbone: \"convnext_tiny\", stages: 2",
    every_head_on_a_dinov2: "backbone: \"vit_small_patch14_reg4_dinov2\", stages: 2",
    every_head_on_a_swin: "backbone: \"swin_t\", stages: 2",
}
