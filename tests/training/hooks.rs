//! What hooks into a training: the same bits whether it was interrupted or not, mixtures and frozen stages as PyTorch's.
//!
//! `goldens/training/mixing.py` and `freezing.py` write the references.

use std::cell::{Cell, RefCell};

use cpsd::error::{Error, Result};
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::images::{Dataset, Picture};
use cpsd::losses::{LossSpec, Script};
use cpsd::models::{Model, ModelSpec};
use cpsd::random::Generator;
use cpsd::runs::RunStore;
use cpsd::training::freezing::FreezeByEpoch;
use cpsd::training::hooks::{BatchLine, Hook};
use cpsd::training::mixing::{Mixture, with_partners};
use cpsd::training::optimiser::{Flat, Groups, TrainedRun, UpdateRule};
use cpsd::training::options::{DecayOn, DistillScale, Optimiser, ScheduleKind, TeacherMode, TeacherWeights};
use cpsd::training::sampler::Sampler;
use cpsd::training::{Callbacks, Distillation, Ensemble, Job, TrainOptions, Trained, run, run_with};
use rand::RngExt;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{alone_on_the_cpu, golden, numbers};

fn data() -> Vec<Dataset> {
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 48, val: 16, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    splits(&options).unwrap().into_iter().map(|(_, d)| d).collect()
}

/// Three updates in each of four epochs.
fn job(data: &[Dataset]) -> Job {
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    Job {
        name: "test".into(),
        train: data[0].clone(),
        val: Some(data[1].clone()),
        labels: ["person", "car", "cup"].map(String::from).to_vec(),
        options: TrainOptions { model, epochs: 4, batch: 16, threads: 1, views: 0, ..TrainOptions::default() },
        distillation: None,
    }
}

fn script(code: &str) -> Script {
    Script { code: code.into() }
}

fn bytes(trained: &Trained) -> Vec<u8> {
    std::fs::read(trained.run.as_ref().unwrap().path("model.safetensors")).unwrap()
}

fn measured(trained: &Trained) -> Vec<Value> {
    let lines = trained.run.as_ref().unwrap().metrics().unwrap();
    let line = |l: &Value| serde_json::json!([l["epoch"], l["loss"], l["lr"], l["val_mAP"], l["val_mAP_ema"]]);
    lines.iter().map(line).collect()
}

fn mirrored(picture: Tensor, mut generator: Generator) -> Result<Tensor> {
    let picture = if generator.random::<bool>() { picture.f_flip([2])? } else { picture };
    Picture::of_tensor(&picture)?.to_tensor()
}

/// Trains whole, and interrupted after some updates and at the end of an epoch; the two must be equal. Gives the whole one and its store.
fn whole_and_in_pieces(job: &Job, what: &str) -> (Trained, tempfile::TempDir) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [whole, pieces] = folders.each_ref().map(|folder| RunStore::new(folder.path()));
    let stop = Cell::new(false);
    let schedule = |now: &Value| Ok(1e-3 / (1.0 + now["update"].as_f64().unwrap()));
    let sampler = |epoch: u64| Ok((0..40).map(|i| (i * 5 + epoch as i64) % 48).collect());
    let ends = |line: &BatchLine| job.options.on_batch.may_stop() && line.update == 8;
    let epoch_ends = |line: &Value| job.options.on_epoch.may_stop() && line["epoch"] == 3;
    let functions = || Callbacks {
        schedule: Some(&schedule),
        sampler: Some(&sampler),
        augment: Some(&mirrored),
        stop: Some(&stop),
        ..Callbacks::default()
    };
    let batch = |line: BatchLine| {
        stop.set(ends(&line));
        Ok(())
    };
    let mut epoch = |line: &Value| {
        stop.set(epoch_ends(line));
        Ok(())
    };
    let all = Callbacks { batch: Some(&batch), epoch: Some(&mut epoch), ..functions() };
    let whole = run_with(&whole, job, all).unwrap();
    // Interrupted once after each of these updates, and once after the second epoch.
    let waiting = RefCell::new(vec![1, 2, 5, 7, 11]);
    let ended = Cell::new(false);
    let mut pieces_of = 0;
    let trained = loop {
        let batch = |line: BatchLine| {
            let mut waiting = waiting.borrow_mut();
            if let Some(at) = waiting.iter().position(|at| *at == line.update) {
                waiting.remove(at);
                return Err(Error::interrupted());
            }
            stop.set(ends(&line));
            Ok(())
        };
        let mut epoch = |line: &Value| {
            if line["epoch"] == 2 && !ended.replace(true) {
                return Err(Error::interrupted());
            }
            stop.set(epoch_ends(line));
            Ok(())
        };
        let all = Callbacks { batch: Some(&batch), epoch: Some(&mut epoch), ..functions() };
        match run_with(&pieces, job, all) {
            Ok(trained) => break trained,
            Err(error) => assert_eq!(error.message, "interrupted", "{what}"),
        }
        pieces_of += 1;
        assert!(pieces_of < 20, "{what}: it makes no progress");
    };
    assert!(pieces_of >= 4, "{what}: {pieces_of} interruptions");
    assert_eq!(whole.id, trained.id);
    assert_eq!(measured(&whole), measured(&trained), "{what}");
    assert!(bytes(&whole) == bytes(&trained), "{what}: in pieces it ends otherwise");
    let [kept, _] = folders;
    (whole, kept)
}

#[test]
fn every_hook_gives_the_same_bits_interrupted_or_not() {
    alone_on_the_cpu!();
    let data = data();
    let (plain, _plain) = whole_and_in_pieces(&job(&data), "plain");
    let folder = tempfile::tempdir().unwrap();
    let other =
        run(&RunStore::new(folder.path()), &Job { labels: vec!["cup".into(), "dog".into()], ..job(&data) }).unwrap();
    let weights: Vec<f64> = (0..48).map(|i| f64::from(i % 5)).collect();
    type Change = Box<dyn Fn(&mut TrainOptions)>;
    let cases: Vec<(&str, Change)> = vec![
        ("mixup", Box::new(|o| o.mixup = 0.2)),
        ("both", Box::new(|o| (o.mixup, o.cutmix, o.known) = (0.5, 1.0, 0.8))),
        ("weights", Box::new(move |o| o.sampler = Sampler::Weights(weights.clone()))),
        ("sampler", Box::new(|o| o.sampler = Sampler::Script(script("s")))),
        ("freeze", Box::new(|o| o.freeze = FreezeByEpoch(vec![(0, 3), (1, 1), (2, 4), (3, 0)]))),
        (
            "freeze, kept features",
            Box::new(|o| {
                (o.model.freeze, o.views) = (1, 2);
                o.freeze = FreezeByEpoch(vec![(0, 3), (2, 1)]);
            }),
        ),
        ("augment", Box::new(|o| o.augment.script = Some("a".into()))),
        (
            "augment, kept features",
            Box::new(|o| {
                o.augment.script = Some("a".into());
                (o.model.freeze, o.views) = (2, 2);
            }),
        ),
        ("schedule", Box::new(|o| o.schedule = ScheduleKind::Rate(script("r")))),
        ("start", Box::new(move |o| o.start_from(other.clone(), false))),
        ("on_epoch", Box::new(|o| o.on_epoch = Hook::MayStop(script("e")))),
        ("on_batch", Box::new(|o| o.on_batch = Hook::MayStop(script("b")))),
    ];
    let mut ids = std::collections::BTreeSet::from([plain.id.clone()]);
    for (what, change) in cases {
        let mut job = job(&data);
        change(&mut job.options);
        let (trained, _kept) = whole_and_in_pieces(&job, what);
        assert!(ids.insert(trained.id.clone()), "{what} is not in the run's name");
        assert_ne!(bytes(&trained), bytes(&plain), "{what} changes nothing");
        let summary = trained.run.as_ref().unwrap().summary().unwrap();
        let (stopped, updates) = (summary["stopped"].to_string(), summary["updates"].as_u64().unwrap());
        match what {
            "on_epoch" => assert_eq!((stopped.as_str(), updates), ("{\"by\":\"on_epoch\",\"epoch\":3}", 9)),
            "on_batch" => assert_eq!((stopped.as_str(), updates), ("{\"by\":\"on_batch\",\"epoch\":3,\"step\":2}", 8)),
            // 40 images in batches of 16.
            "sampler" => assert_eq!((stopped.as_str(), updates), ("null", 8)),
            _ => assert_eq!((stopped.as_str(), updates), ("null", 12), "{what}"),
        }
    }
}

#[test]
fn mixtures_equal_torchvisions() {
    let goldens = golden("training/mixing.json");
    let size: Vec<i64> = numbers(&goldens["size"]).into_iter().map(|n| n as i64).collect();
    let [n, m, h, w] = size[..] else { panic!("{size:?}") };
    let wave = |n: i64, rate: f64| -> Tensor {
        let values: Vec<f64> = (0..n).map(|i| (i as f64 * rate).sin()).collect();
        Tensor::from_slice(&values).to_kind(Kind::Float)
    };
    let pictures = wave(n * 3 * h * w, 0.7).view([n, 3, h, w]);
    let labels = wave(n * m, 1.3).gt(0.2).to_kind(Kind::Float).view([n, m]);
    let cases = goldens["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let share = case["share"].as_f64().unwrap();
        let mixture = match case["kind"].as_str().unwrap() {
            "mixup" => Mixture::Mixup { share },
            _ => Mixture::cut(share, (case["x"].as_i64().unwrap(), case["y"].as_i64().unwrap()), (h, w)),
        };
        let (own, partners) = with_partners(&pictures, false).unwrap();
        let mixed = mixture.pictures(&own, &partners).unwrap();
        let (own, partners) = with_partners(&labels, false).unwrap();
        let targets = mixture.targets(&own, &partners).unwrap();
        for (what, came) in [("pictures", mixed), ("targets", targets)] {
            let expected = Tensor::from_slice(&numbers(&case[what])).to_kind(Kind::Float);
            let worst = (came.flatten(0, -1) - expected).abs().max().double_value(&[]);
            assert!(worst < 1e-7, "{case}: {what} differ by {worst}");
        }
    }
}

#[test]
fn values_without_a_gradient_stay_as_in_pytorch() {
    let goldens = golden("training/freezing.json");
    let per_epoch = goldens["per_epoch"].as_u64().unwrap();
    let frozen: Vec<bool> = goldens["frozen"].as_array().unwrap().iter().map(|f| f.as_bool().unwrap()).collect();
    let wave = |n: i64, f: &dyn Fn(f64) -> f64| Tensor::from_slice(&(0..n).map(|i| f(i as f64)).collect::<Vec<f64>>());
    for (name, rows) in goldens["cases"].as_object().unwrap() {
        for form in crate::fused::forms() {
            let x = wave(12, &|n| (n * 0.7).sin()).reshape([6, 2]);
            let y = wave(6, &|n| (n * 0.3).cos()).reshape([6, 1]);
            let mut weight = wave(4, &|n| (n * 1.3 + 0.4).sin()).reshape([2, 2]).set_requires_grad(true);
            let head = wave(2, &|n| (n * 2.1 + 0.2).cos()).reshape([1, 2]).set_requires_grad(true);
            let bias = wave(1, &|_| 0.5).set_requires_grad(true);
            let leaves = [("stage1.weight", &weight), ("head.weight", &head), ("head.bias", &bias)];
            let leaves = leaves.map(|(name, t)| (name.to_string(), t.shallow_clone())).into_iter().collect::<Vec<_>>();
            let mut flat = Flat::of(leaves, vec![]).unwrap();
            let (optimiser, lr) = match name.as_str() {
                "adam" => (Optimiser::Adam, 0.05),
                "adamw" => (Optimiser::AdamW, 0.05),
                _ => (Optimiser::Sgd, 0.02),
            };
            let options = TrainOptions { optimiser, weight_decay: 0.1, ..TrainOptions::default() };
            let groups = Groups::new(&flat, 0.1, DecayOn::Weights);
            let mut rule = UpdateRule::new(&flat, &options, groups).unwrap().with_form(form);
            let places: Vec<(String, i64, i64)> =
                flat.places().into_iter().map(|(name, first, n)| (name.to_string(), first, n)).collect();
            for update in 0..per_epoch * frozen.len() as u64 {
                let epoch = (update / per_epoch) as usize;
                let _ = weight.requires_grad_(!frozen[epoch]);
                flat.zero_gradients().unwrap();
                let hidden = x.linear(&weight, None::<&Tensor>).tanh();
                (hidden.linear(&head, Some(&bias)) - &y).square().sum(Kind::Double).backward();
                let before = |stage: bool| match stage {
                    true => (0..epoch).filter(|e| !frozen[*e]).count() as u64 * per_epoch + update % per_epoch,
                    false => update,
                };
                let trained = places.iter().filter(|(name, ..)| !(frozen[epoch] && name.starts_with("stage1")));
                let runs: Vec<TrainedRun> = trained
                    .map(|(name, first, number)| TrainedRun {
                        first: *first,
                        number: *number,
                        updates: before(name.starts_with("stage1")),
                    })
                    .collect();
                rule.update_runs(&flat, lr, None, &runs).unwrap();
                let all = Tensor::cat(&[&weight, &head, &bias].map(|t| t.detach().flatten(0, -1)), 0);
                for (i, wanted) in numbers(&rows[update as usize]).into_iter().enumerate() {
                    let came = all.double_value(&[i as i64]);
                    let near = (came - wanted).abs() <= 1e-9 * wanted.abs().max(1e-2);
                    assert!(near, "{name} {form:?}, value {i} after update {update}: {came} instead of {wanted}");
                }
            }
        }
    }
}

#[test]
fn frozen_stages_keep_weights_and_statistics_while_they_are_frozen() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut job = job(&data);
    (job.options.ema, job.options.epochs) = (0.0, 2);
    job.options.select = cpsd::training::options::Select::Last;
    let initial = Model::new(&job.options.model, &job.labels, 0, Device::Cpu).unwrap();
    let moved = |freeze: &[(u64, usize)]| -> Vec<bool> {
        let mut job = job.clone();
        job.options.freeze = FreezeByEpoch(freeze.to_vec());
        let end: std::collections::HashMap<String, Tensor> =
            run(&store, &job).unwrap().model().state().into_iter().collect();
        let of = |part: &str| {
            let all = initial.state();
            let mut tensors = all.iter().filter(|(name, _)| name.starts_with(part));
            tensors.any(|(name, start)| end[name] != *start)
        };
        ["stage1.", "stage2.", "stage3.", "stage4.", "fc."].map(of).to_vec()
    };
    assert_eq!(moved(&[]), [true; 5]);
    assert_eq!(moved(&[(0, 2)]), [false, false, true, true, true]);
    assert_eq!(moved(&[(0, 4), (1, 3)]), [false, false, false, true, true]);
    assert_eq!(moved(&[(0, 4)]), [false, false, false, false, true]);
    // Frozen for the whole training by the option or by the model: the same weights.
    let mut of_model = job.clone();
    of_model.options.model.freeze = 2;
    let mut by_epoch = job.clone();
    by_epoch.options.freeze = FreezeByEpoch(vec![(0, 2)]);
    let [a, b] = [of_model, by_epoch].map(|job| run(&store, &job).unwrap());
    assert_ne!(a.id, b.id);
    let state = |t: &Trained| t.model().state();
    for ((name, a), (_, b)) in state(&a).into_iter().zip(state(&b)) {
        let worst = (a - b).abs().max().double_value(&[]);
        assert!(worst < 1e-5, "{name} differs by {worst}");
    }
}

#[test]
fn what_cannot_be_mixed_is_refused_and_live_teachers_see_the_mixture() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let problem = |change: &dyn Fn(&mut Job)| {
        let mut job = job(&data);
        job.options.epochs = 1;
        job.options.mixup = 0.2;
        change(&mut job);
        let checked = job.options.check_further("train_teacher");
        checked.and_then(|()| run(&store, &job).map(drop)).err().map_or(String::new(), |e| e.message)
    };
    assert_eq!(problem(&|_| {}), "");
    assert!(problem(&|j| j.options.loss = LossSpec::named("mse").unwrap()).contains("loss \"mse\" takes logits"));
    assert!(
        problem(&|j| (j.options.model.freeze, j.options.views) = (1, 2)).contains("kept frozen features reads none")
    );
    assert!(problem(&|j| j.options.model.head = "cadm".into()).contains("head \"cadm\" needs targets of 0 or 1"));
    let all = data[0].labels.labels().to_vec();
    let teacher = run(
        &store,
        &Job { labels: all.clone(), options: TrainOptions { epochs: 1, ..job(&data).options }, ..job(&data) },
    );
    let teach = |views: u32, mode: TeacherMode| {
        let teacher = teacher.clone().unwrap();
        let all = all.clone();
        move |j: &mut Job| {
            (j.labels, j.options.views) = (all.clone(), views);
            j.distillation = Some(Distillation {
                ensembles: vec![Ensemble::merge(vec![teacher.clone()], None).unwrap()],
                weights: vec![1.0],
                loss: LossSpec::default_distillation(),
                label_weight: 1.0,
                teacher_mode: mode,
                teacher_weights: TeacherWeights::Even,
                scale: DistillScale::Plain,
                features: false,
                mutual: None,
            });
        }
    };
    assert!(problem(&teach(2, TeacherMode::Eval)).contains("kept for views that are not mixed"));
    assert_eq!(problem(&teach(0, TeacherMode::Eval)), "");
    assert_eq!(problem(&teach(2, TeacherMode::Train)), "");
}
