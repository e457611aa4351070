//! Heads whose authors published no code, held piece by piece to libtorch: explicit maps, cosines, weighted losses.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::heads::{Head, HeadSetup, HeadValue, Known, LabelLoss, Seen, find};
use cpsd::models::params::{Params, Scope};
use cpsd::models::{LabelGraph, Model, ModelSpec, Pass};
use cpsd::torch::to_vec_f32;
use tch::{Device, Kind, Tensor};

use crate::common::{alone, labels};
use crate::formula::scattered;

/// P(j|i), not symmetric, whose mean with P(i|j) vectors can have as cosines.
fn rows(m: usize) -> Vec<Vec<f64>> {
    let weight = |i: usize, j: usize| match i.cmp(&j) {
        std::cmp::Ordering::Less => 1.2 * mean(i, j),
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => 0.8 * mean(i, j),
    };
    (0..m).map(|i| (0..m).map(|j| weight(i, j)).collect()).collect()
}

/// Of P(j|i) and P(i|j).
fn mean(i: usize, j: usize) -> f64 {
    0.8 * (-(i.abs_diff(j) as f64) / 3.0).exp()
}

fn shares(m: usize) -> Vec<f64> {
    (0..m).map(|i| (i + 1) as f64 / (m + 2) as f64).collect()
}

fn spec(head: &str, m: usize, options: &[(&str, f64)]) -> ModelSpec {
    let graph = LabelGraph { labels: labels(m), rows: rows(m), shares: shares(m) };
    ModelSpec {
        head: head.into(),
        head_options: options.iter().map(|(k, v)| (k.to_string(), HeadValue::from(*v))).collect::<BTreeMap<_, _>>(),
        graph: find(head).unwrap().needs_graph.then_some(graph),
        ..ModelSpec::default()
    }
}

/// The head of that specification for maps of `channels` channels. Every weight but fixed ones is drawn anew, norms too.
fn build(spec: &ModelSpec, m: usize, channels: i64) -> (Params, Box<dyn Head>) {
    let (spec, labels) = (spec.resolved().unwrap(), labels(m));
    let params = RefCell::new(Params::default());
    let setup = HeadSetup::new(&spec, channels, &labels, "fc").unwrap();
    let head = (find(&spec.head).unwrap().build)(&Scope::root(&params, 3, Device::Cpu), &setup).unwrap();
    let params = params.into_inner();
    for param in params.list.iter().filter(|p| !p.frozen) {
        let norm = param.name.contains(".bn") && (param.name.ends_with("weight") || param.name.ends_with("var"));
        let values = scattered(&param.name, &param.tensor.size(), 0.3) + if norm { 1.0 } else { 0.0 };
        tch::no_grad(|| param.tensor.detach().copy_(&values));
    }
    (params, head)
}

fn param<'a>(params: &'a Params, name: &str) -> &'a Tensor {
    let found = params.list.iter().find(|p| p.name == name);
    &found
        .unwrap_or_else(|| panic!("no {name} in {:?}", params.list.iter().map(|p| &p.name).collect::<Vec<_>>()))
        .tensor
}

fn close(came: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(came.size(), expected.size());
    let apart = f64::try_from((came - expected).abs().max()).unwrap();
    assert!(apart <= tolerance, "{came} instead of {expected}: {apart:.1e} apart");
}

fn number(tensor: &Tensor) -> f64 {
    f64::try_from(tensor).unwrap()
}

const MS_CMA: &[(&str, f64)] = &[("width", 7.0), ("embedding", 5.0)];

fn seen<'a>(
    maps: &'a Tensor,
    earlier: &'a [Tensor],
    rest: &'a dyn Fn(&Tensor) -> cpsd::error::Result<Tensor>,
) -> Seen<'a> {
    Seen { maps, earlier, tokens: &[], input: maps, rest, truth: None }
}

fn same(x: &Tensor) -> cpsd::error::Result<Tensor> {
    Ok(x.shallow_clone())
}

/// Bce's specification: own losses take the reduction from it.
fn bce(reduction: Reduction) -> LossSpec {
    Bce { reduction }.into()
}

/// Probabilities `[N, m]` and attention `[N, m, h * w]` of one scale of MS-CMA, with every vector formed.
fn explicit(params: &Params, scale: &str, classifier: &str, maps: &Tensor) -> (Tensor, Tensor) {
    let get = |leaf: &str| param(params, &format!("head.{scale}.{leaf}"));
    let layer = |x: &Tensor, n: usize| {
        let x = x.conv2d(get(&format!("conv{n}.weight")), None::<&Tensor>, 1, 0, 1, 1);
        let norm = |leaf: &str| Some(get(&format!("bn{n}.{leaf}")));
        x.batch_norm(norm("weight"), norm("bias"), norm("running_mean"), norm("running_var"), false, 0.1, 1e-5, true)
    };
    let projected = layer(&layer(maps, 1).relu(), 2).flatten(2, 3).transpose(1, 2);
    let embeddings = param(params, "head.label_embeddings");
    // [N, m, P]
    let cosines = Tensor::cosine_similarity(&projected.unsqueeze(1), &embeddings.unsqueeze(0).unsqueeze(2), 3, 1e-8);
    let near = cosines.relu();
    let attention = &near / (near.sum_dim_intlist(2i64, true, Kind::Float) + 1e-6);
    // [N, m, C]
    let features = attention.matmul(&maps.flatten(2, 3).transpose(1, 2));
    let weight = param(params, &format!("{classifier}.weight"));
    let logits =
        (features * weight).sum_dim_intlist(2i64, false, Kind::Float) + param(params, &format!("{classifier}.bias"));
    (logits.sigmoid(), attention)
}

#[test]
fn ms_cma_pools_by_the_cosines_of_positions_and_labels() {
    let (m, n) = (4, 3);
    let (params, head) = build(&spec("ms_cma", m, MS_CMA), m, 6);
    assert_eq!(head.earlier(), 1);
    let maps = scattered("maps", &[n, 6, 3, 2], 1.0);
    // Of the small CNN's stage before the last, and not of twice the size.
    let earlier = [scattered("earlier", &[n, 128, 4, 5], 1.0)];
    let (last, attention) = explicit(&params, "last", "fc", &maps);
    let (before, _) = explicit(&params, "earlier", "head.earlier.classifier", &earlier[0]);
    let answer = head.answer(&seen(&maps, &earlier, &same), Pass::EVAL).unwrap();
    close(&answer.logits.sigmoid(), &((&last + &before) / 2.0), 2e-6);
    close(&head.logits(&maps, Pass::EVAL).unwrap().sigmoid(), &last, 2e-6);
    close(&head.class_maps(&maps).unwrap().unwrap().flatten(2, 3), &attention, 2e-6);
    // Every weight of both scales takes part, and the embeddings are fixed.
    answer.logits.sum(Kind::Float).backward();
    for p in params.list.iter().filter(|p| !p.name.contains("running")) {
        assert_eq!(p.frozen, p.name == "head.label_embeddings", "{}", p.name);
        assert!(p.frozen || number(&p.tensor.grad().abs().sum(Kind::Double)) > 0.0, "{}", p.name);
    }
}

#[test]
fn ms_cma_weighs_labels_by_their_shares() {
    let (m, n) = (4, 3);
    let maps = scattered("maps", &[n, 6, 3, 2], 1.0);
    let earlier = [scattered("earlier", &[n, 128, 4, 5], 1.0)];
    let targets = scattered("targets", &[n, m as i64], 1.0).gt(0.0).to_kind(Kind::Float);
    let known = scattered("known", &[n, m as i64], 1.0).gt(-0.3);
    let of = |beta: f64, reduction, known: Option<&Tensor>| {
        let (_, head) = build(&spec("ms_cma", m, &[MS_CMA, &[("beta", beta)]].concat()), m, 6);
        let answer = head.answer(&seen(&maps, &earlier, &same), Pass::EVAL).unwrap();
        let known = known.map(|mask| Known::of_mask(mask).unwrap());
        let loss =
            answer.loss(LabelLoss { spec: &bce(reduction), function: None, known: known.as_ref() }, &targets).unwrap();
        (number(&loss), to_vec_f32(&answer.logits).unwrap())
    };
    let (y, is_known) = (to_vec_f32(&targets).unwrap(), Vec::<bool>::try_from(known.flatten(0, -1)).unwrap());
    for beta in [0.0, 0.4] {
        let (all, logits) = of(beta, Reduction::Sum, None);
        let elements: Vec<f64> = (0..logits.len())
            .map(|at| {
                let (p, x) = (shares(m)[at % m], f64::from(logits[at]));
                match y[at] == 1.0 {
                    true => (beta * (1.0 - p)).exp() * (1.0 + (-x).exp()).ln(),
                    false => (beta * p).exp() * (1.0 + x.exp()).ln(),
                }
            })
            .collect();
        let sum: f64 = elements.iter().sum();
        assert!((all / sum - 1.0).abs() < 1e-5, "{all} instead of {sum}");
        let mean = of(beta, Reduction::Mean, None).0;
        assert!((mean * elements.len() as f64 / sum - 1.0).abs() < 1e-5, "{mean}");
        let some: f64 = elements.iter().zip(&is_known).filter(|(_, known)| **known).map(|(e, _)| e).sum();
        let masked = of(beta, Reduction::Sum, Some(&known)).0;
        assert!(some < sum && (masked / some - 1.0).abs() < 1e-5, "{masked} instead of {some}");
        assert_eq!(of(beta, Reduction::Mean, Some(&known.zeros_like())).0, 0.0);
    }
}

#[test]
fn ms_cma_trains_its_embeddings_and_nothing_else() {
    alone!();
    let m = 12;
    let spec =
        ModelSpec { image_size: Some(32), freeze: 2, ..spec("ms_cma", m, &[("width", 8.0), ("embedding", 64.0)]) };
    let model = |seed| Model::new(&spec, &labels(m), seed, Device::Cpu).unwrap();
    let embeddings = |model: &Model| {
        let state = model.state();
        state.iter().find(|(name, _)| name == "head.label_embeddings").unwrap().1.copy()
    };
    // Neither libtorch's generator nor whether gradients are kept has a part in it, or changes by it.
    tch::manual_seed(5);
    let drawn = Tensor::rand([3], (Kind::Float, Device::Cpu));
    tch::manual_seed(5);
    let first = tch::no_grad(|| model(1));
    assert_eq!(drawn, Tensor::rand([3], (Kind::Float, Device::Cpu)));
    assert!((Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true) * 2.0).requires_grad());
    let e = embeddings(&first);
    assert_eq!(e, embeddings(&model(1)));
    assert_ne!(e, embeddings(&model(2)));
    assert!(first.trainable().iter().all(|(name, _)| name != "head.label_embeddings"));

    let cosines = Tensor::cosine_similarity(&e.unsqueeze(1), &e.unsqueeze(0), 2, 1e-8);
    for i in 0..m {
        for j in (0..m).filter(|&j| j != i) {
            let wanted = mean(i, j);
            let cosine = cosines.double_value(&[i as i64, j as i64]);
            let there = (cosine - wanted).abs() < 0.01 || (wanted < 0.3 && cosine < 0.3);
            assert!(there, "{i} and {j}: {cosine} instead of {wanted}");
        }
    }

    // In files and copies.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    first.save(&file, &serde_json::Value::Null).unwrap();
    let (read, _) = Model::load(&file, Device::Cpu).unwrap();
    assert_eq!(read.initial_fingerprint().unwrap(), first.initial_fingerprint().unwrap());
    assert_eq!(first.twin().unwrap().initial_fingerprint().unwrap(), first.initial_fingerprint().unwrap());
    // Frozen stages have the same output under any labels and head.
    let few = Model::new(&spec, &labels(3), 1, Device::Cpu).unwrap();
    let gap = ModelSpec { head: "gap".into(), head_options: BTreeMap::new(), graph: None, ..spec.clone() };
    let gap = Model::new(&gap, &labels(m), 1, Device::Cpu).unwrap();
    for other in [&few, &gap] {
        assert_eq!(other.frozen_fingerprint().unwrap(), first.frozen_fingerprint().unwrap());
    }
}

#[test]
fn ms_cma_says_what_it_needs() {
    let error = |change: &dyn Fn(&mut ModelSpec)| {
        let mut spec = spec("ms_cma", 3, MS_CMA);
        change(&mut spec);
        Model::new(&spec, &labels(3), 0, Device::Cpu).err().unwrap().message
    };
    let graph = |spec: &mut ModelSpec, change: &dyn Fn(&mut LabelGraph)| change(spec.graph.as_mut().unwrap());
    let message = error(&|spec| graph(spec, &|g| g.rows[0][1] = 3.0));
    assert!(message.contains("probabilities") && message.contains("\"label 0\" and \"label 1\""), "{message}");
    let message = error(&|spec| {
        graph(spec, &|g| g.shares.clear());
        spec.head_options.insert("beta".into(), 0.4.into());
    });
    assert!(message.contains("shares"), "{message}");
    assert!(error(&|spec| spec.graph = None).contains("needs a label graph"));
    assert!(error(&|spec| spec.stages = Some(1)).contains("reads the last 2 stages"));
    assert!(error(&|spec| spec.freeze = 4).contains("freeze must be at most 3"));
    // Without weights of the loss it needs no shares.
    let mut plain = spec("ms_cma", 3, MS_CMA);
    graph(&mut plain, &|g| g.shares.clear());
    assert!(Model::new(&plain, &labels(3), 0, Device::Cpu).is_ok());
}

#[test]
fn cadm_adds_the_loss_of_pairs_of_its_label_vectors() {
    let (m, n) = (5, 4);
    let maps = scattered("maps", &[n, 6, 3, 2], 1.0);
    // A picture without labels, one with one, one with all.
    let targets = scattered("targets", &[n, m], 1.0).gt(0.0).to_kind(Kind::Float);
    let _ = targets.get(0).zero_();
    let _ = targets.get(2).fill_(1.0);
    let known = scattered("known", &[n, m], 1.0).gt(-0.3);
    for (delta, weight) in [(1.0, 0.1), (0.4, 2.0)] {
        let options = [("width", 7.0), ("delta", delta), ("weight", weight)];
        let (params, head) = build(&spec("cadm", m as usize, &options), m as usize, 6);
        let answer = || head.answer(&seen(&maps, &[], &same), Pass::EVAL).unwrap();
        let (class, bias) = (param(&params, "fc.weight"), param(&params, "fc.bias"));
        close(&answer().logits, &maps.amax([2i64, 3], false).linear(class, Some(bias)), 1e-6);
        // The maps of each class, [N, m, D, h, w], and distances of the vectors, [N, m, m].
        let of_class = maps.unsqueeze(1) * class.view([1, m, 6, 1, 1]);
        let pooled = of_class.amax([3i64, 4], false);
        let (w, b) = (param(&params, "head.embedding.weight"), param(&params, "head.embedding.bias"));
        let vectors = pooled.linear(w, Some(b));
        let vectors = &vectors / vectors.norm_scalaropt_dim(2.0, 2i64, true);
        let distances = Tensor::cdist(&vectors, &vectors, 2.0, None::<i64>);
        let minus = Tensor::from(-1.0_f32);
        for known in [None, Some(&known)] {
            let (mut sum, mut pairs) = (0.0, 0);
            let is = |tensor: &Tensor, image, label| tensor.double_value(&[image, label]) != 0.0;
            for image in 0..n {
                for i in 0..m {
                    for j in i + 1..m {
                        let (one, two) = (is(&targets, image, i), is(&targets, image, j));
                        let both_known = known.is_none_or(|known| is(known, image, i) && is(known, image, j));
                        if !(one || two) || !both_known {
                            continue;
                        }
                        let d = distances.get(image).get(i).get(j);
                        let element = match one && two {
                            true => d,
                            false => d.hinge_embedding_loss(&minus, delta, tch::Reduction::None),
                        };
                        sum += number(&element.square());
                        pairs += 1;
                    }
                }
            }
            assert!(pairs > 8);
            for (reduction, expected) in [(Reduction::Sum, sum), (Reduction::Mean, sum / f64::from(pairs))] {
                let spec = bce(reduction);
                let known = known.map(|mask| Known::of_mask(mask).unwrap());
                let label_loss = LabelLoss { spec: &spec, function: None, known: known.as_ref() };
                let answer = answer();
                let of_labels = number(&label_loss.compute(&answer.logits, &targets).unwrap());
                let whole = answer.loss(label_loss, &targets).unwrap();
                let came = (number(&whole) - of_labels) / weight;
                assert!((came - expected).abs() < 2e-4 * expected, "{came} instead of {expected}");
                whole.backward();
            }
        }
        assert!(number(&w.grad().abs().sum(Kind::Double)) > 0.0);
    }
}

#[test]
fn losses_and_gradients_stay_finite_in_every_corner() {
    for head in ["ms_cma", "cadm"] {
        for m in [1, 3] {
            for (n, side, scale) in [(1, 1, 1.0), (1, 1, 0.0), (2, 3, 0.0), (2, 2, 1e4)] {
                let options: &[(&str, f64)] = if head == "ms_cma" { MS_CMA } else { &[("width", 7.0)] };
                let (params, head_) = build(&spec(head, m, options), m, 6);
                let maps = scattered("maps", &[n, 6, side, side], scale);
                let earlier = [scattered("earlier", &[n, 128, side, side], scale)];
                for known in [true, false] {
                    let targets = Tensor::zeros([n, m as i64], (Kind::Float, Device::Cpu));
                    let _ = targets.get(0).fill_(1.0);
                    let known = targets.full_like(f64::from(u8::from(known))).to_kind(Kind::Bool);
                    let answer = head_.answer(&seen(&maps, &earlier, &same), Pass::step(0, 0, 0));
                    if head == "ms_cma" && n * side == 1 {
                        let message = answer.err().unwrap().message;
                        assert!(message.contains("more than one value per channel"), "{message}");
                        continue;
                    }
                    let answer = answer.unwrap();
                    let spec = bce(Reduction::Mean);
                    let known = Known::of_mask(&known).unwrap();
                    let label_loss = LabelLoss { spec: &spec, function: None, known: Some(&known) };
                    let loss = answer.loss(label_loss, &targets).unwrap();
                    loss.backward();
                    assert!(number(&loss).is_finite(), "{head}, {m} labels, {n} of {side}, {scale}");
                }
                for p in params.list.iter().filter(|p| p.tensor.grad().defined()) {
                    let sum = number(&p.tensor.grad().abs().sum(Kind::Double));
                    assert!(sum.is_finite(), "{head}, {m} labels, {n} of {side}, {scale}: {}", p.name);
                }
            }
        }
    }
}
