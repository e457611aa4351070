//! Optimisers, schedules and parameter groups held to PyTorch and to the rates of published trainings; last batches, rates by
//! part and averages from another head in whole trainings.
//!
//! `goldens/training/optimisers.py` writes optimisers.json. published_rates.json holds numbers of the authors' own code.

use cpsd::activity::interrupt;
use cpsd::images::Dataset;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::losses::LossSpec;
use cpsd::models::{Model, ModelSpec};
use cpsd::runs::RunStore;
use cpsd::training::checkpoint::{TrainingPosition, TrainingState};
use cpsd::training::model_inputs::steps_per_epoch;
use cpsd::training::optimiser::{Average, Flat, Groups, UpdateRule};
use cpsd::training::options::{
    DecayOn, DistillScale, EmaStart, Optimiser, ScheduleKind, Select, TeacherMode, TeacherWeights,
};
use cpsd::training::schedule::Schedule;
use cpsd::training::{Callbacks, Distillation, Ensemble, Job, TrainOptions, Trained, run, run_with};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::common::{alone_on_the_cpu, eval, golden, labels, numbers, session};
use crate::fused::forms;

fn options(case: &Value) -> TrainOptions {
    let map = case["options"].as_object().unwrap();
    let options: TrainOptions = cpsd::options::read("train_teacher", map).unwrap();
    // The parts of the problem are those of a model with one stage.
    let model = ModelSpec { stages: Some(1), ..ModelSpec::default() };
    TrainOptions { model, ..options }
}

fn near(what: &str, came: f64, wanted: f64) {
    assert!((came - wanted).abs() <= 1e-9 * wanted.abs().max(1e-2), "{what}: {came} instead of {wanted}");
}

fn wave(n: i64, f: impl Fn(f64) -> f64) -> Tensor {
    Tensor::from_slice(&(0..n).map(|i| f(i as f64)).collect::<Vec<f64>>())
}

#[test]
fn twenty_updates_of_every_optimiser_and_schedule_equal_pytorch() {
    let goldens = golden("training/optimisers.json");
    let per_epoch = goldens["updates_per_epoch"].as_u64().unwrap();
    let cases = goldens["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 24);
    let both = forms().flat_map(|form| cases.iter().map(move |(name, case)| (form, format!("{name}, {form:?}"), case)));
    for (form, name, case) in both {
        let options = TrainOptions { epochs: goldens["epochs"].as_u64().unwrap(), ..options(case) };
        options.check_further("train_teacher").unwrap();
        let schedule = Schedule::new(&options, per_epoch);
        let polynomial =
            |now: &Value| -> cpsd::error::Result<f64> { Ok((1.0 - now["progress"].as_f64().unwrap()).powf(0.9)) };
        let x = wave(12, |n| (n * 0.7).sin()).reshape([6, 2]);
        let y = wave(6, |n| (n * 0.3).cos()).reshape([6, 1]);
        let weight = wave(4, |n| (n * 1.3 + 0.4).sin()).reshape([2, 2]).set_requires_grad(true);
        let head = wave(2, |n| (n * 2.1 + 0.2).cos()).reshape([1, 2]).set_requires_grad(true);
        let bias = wave(1, |_| 0.5).set_requires_grad(true);
        let leaves = vec![
            ("head.bias".to_string(), bias.shallow_clone()),
            ("stage1.weight".to_string(), weight.shallow_clone()),
            ("head.weight".to_string(), head.shallow_clone()),
        ];
        let mut flat = Flat::of(leaves, vec![]).unwrap();
        let mut groups = Groups::new(&flat, options.weight_decay, options.decay_on);
        let factor = |part: &str| options.lr_factors.get(part).copied().unwrap_or(1.0);
        let factors = |name: &str| match name.split_once('.').unwrap().0 {
            "head" => factor("head"),
            part => options.backbone_lr * factor(part),
        };
        if !options.lr_factors.is_empty() || options.backbone_lr != 1.0 {
            groups.set_factors(&flat, factors);
        }
        let mut rule = UpdateRule::new(&flat, &options, groups).unwrap().with_form(form);
        let (rates, parameters) = (numbers(&case["rates"]), case["parameters"].as_array().unwrap());
        assert_eq!((rates.len(), parameters.len()), (20, 20), "{name}");
        for update in 0..20 {
            let lr = schedule.lr(update, Some(&polynomial)).unwrap();
            near(&format!("{name}, rate of update {update}"), lr, rates[update as usize]);
            flat.zero_gradients().unwrap();
            let hidden = x.linear(&weight, None::<&Tensor>).tanh();
            (hidden.linear(&head, Some(&bias)) - &y).square().sum(Kind::Double).backward();
            if options.clip > 0.0 {
                flat.clip_gradients(options.clip).unwrap();
            }
            rule.update(&mut flat, lr, schedule.momentum(update)).unwrap();
            let all = Tensor::cat(&[&weight, &head, &bias].map(|t| t.detach().flatten(0, -1)), 0);
            for (i, wanted) in numbers(&parameters[update as usize]).into_iter().enumerate() {
                near(&format!("{name}, parameter {i} after update {update}"), all.double_value(&[i as i64]), wanted);
            }
        }
    }
}

#[test]
fn rates_of_published_trainings_come_out() {
    for (name, case) in golden("training/published_rates.json").as_object().unwrap() {
        let options = options(case);
        options.check_further("train_teacher").unwrap();
        let schedule = Schedule::new(&options, case["updates_per_epoch"].as_u64().unwrap());
        for (update, rate) in numbers(&case["rates"]).into_iter().enumerate() {
            let lr = schedule.lr(update as u64, None).unwrap();
            // CSRA divides by the number of updates plus 1e-8.
            assert!((lr - rate).abs() <= 1e-8 * rate, "{name}, update {update}: {lr} instead of {rate}");
        }
    }
}

#[test]
fn a_factor_of_a_schedule_must_be_a_number_from_0() {
    let script: ScheduleKind = serde_json::from_value(json!({"script": {"code": "x"}})).unwrap();
    let schedule = Schedule::new(&TrainOptions { schedule: script, ..TrainOptions::default() }, 10);
    assert_eq!(schedule.lr(3, Some(&|_| Ok(0.5))).unwrap(), 1.5e-3);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(schedule.lr(3, Some(&|_| Ok(bad))).unwrap_err().message.contains("0 or above"));
    }
    assert!(schedule.lr(3, None).unwrap_err().message.contains("nowhere else"));
}

fn data() -> Vec<Dataset> {
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 41, val: 12, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    splits(&options).unwrap().into_iter().map(|(_, d)| d).collect()
}

fn job(data: &[Dataset], epochs: u64) -> Job {
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    Job {
        name: "test".into(),
        train: data[0].clone(),
        val: Some(data[1].clone()),
        labels: data[0].labels.labels()[..4].to_vec(),
        options: TrainOptions {
            model,
            epochs,
            batch: 16,
            threads: 1,
            views: 2,
            select: Select::Last,
            ..TrainOptions::default()
        },
        distillation: None,
    }
}

fn updates(trained: &Trained) -> u64 {
    trained.run.as_ref().unwrap().summary().unwrap()["updates"].as_u64().unwrap()
}

fn state(trained: &Trained) -> Vec<(String, Tensor)> {
    trained.model().state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
}

#[test]
fn the_last_batch_is_kept_on_every_path() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    assert_eq!(
        [(41, true), (41, false), (48, false), (7, true)].map(|(n, drop)| steps_per_epoch(n, 16, drop)),
        [2, 3, 3, 1]
    );
    // 41 pictures in batches of 16: a last batch of 9.
    let dropped = run(&store, &job(&data, 2)).unwrap();
    let mut kept = job(&data, 2);
    kept.options.drop_last = false;
    let teacher = run(&store, &kept).unwrap();
    assert_eq!((updates(&dropped), updates(&teacher)), (4, 6));
    assert_ne!(dropped.id, teacher.id);
    // With gradients of two batches per update the third is one of its own.
    kept.options.accumulate = 2;
    assert_eq!(updates(&run(&store, &kept).unwrap()), 4);
    kept.options.accumulate = 1;
    // From kept features of frozen stages, under kept outputs of a teacher.
    kept.options.model.freeze = 2;
    kept.distillation = Some(Distillation {
        ensembles: vec![Ensemble::merge(vec![teacher], Some(kept.labels.clone())).unwrap()],
        weights: vec![1.0],
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    });
    let student = run(&store, &kept).unwrap();
    assert_eq!(updates(&student), 6);
    assert!(student.run.unwrap().metrics().unwrap().iter().all(|line| line["loss"].as_f64().unwrap().is_finite()));
}

#[test]
fn a_last_batch_of_one_value_per_channel_is_an_error_in_words() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    // 41 pictures in batches of 20: the last one is alone. Its map has one position after four stages of 16 pixels.
    let mut job = job(&data, 1);
    (job.options.batch, job.options.drop_last, job.options.model.image_size) = (20, false, Some(16));
    let error = run(&RunStore::new(folder.path()), &job).err().unwrap();
    assert!(error.message.contains("more than one value per channel"), "{}", error.message);
    assert!(error.help.unwrap().contains("drop_last: true"));
    job.options.model.image_size = Some(32);
    run(&RunStore::new(folder.path()), &job).unwrap();
}

#[test]
fn sgd_with_kept_batches_resumes_to_the_same_bits() {
    // The interrupt flag is the process's.
    alone_on_the_cpu!();
    let data = data();
    let mut job = job(&data, 12);
    let o = &mut job.options;
    (o.optimiser, o.drop_last, o.nesterov, o.lr) = (Optimiser::Sgd, false, true, 1e-4);
    (o.schedule, o.milestones, o.warmup) = (ScheduleKind::Step, vec![4, 9], 1.5);
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let whole = run(&RunStore::new(folders[0].path()), &job).unwrap();
    let mut stops = 0;
    let pieces = loop {
        interrupt::clear();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30 + stops * 17));
            interrupt::request();
        });
        let result = run(&RunStore::new(folders[1].path()), &job);
        stopper.join().unwrap();
        match result {
            Ok(trained) => break trained,
            Err(error) => assert_eq!(error.message, "interrupted"),
        }
        stops += 1;
        assert!(stops < 400, "it makes no progress");
    };
    interrupt::clear();
    assert_eq!(updates(&whole), 36);
    assert_eq!(state(&whole), state(&pieces), "in {stops} pieces");
    let rates = |trained: &Trained| -> Vec<Value> {
        trained.run.as_ref().unwrap().metrics().unwrap().iter().map(|line| line["lr"].clone()).collect()
    };
    assert_eq!(rates(&whole), rates(&pieces));
    near("rate of the last epoch", rates(&whole)[11].as_f64().unwrap(), 1e-6);
}

#[test]
fn a_checkpoint_of_another_optimiser_is_refused_and_the_state_kept() {
    let state = |optimiser: Optimiser| {
        let model = Model::new(&ModelSpec { stages: Some(1), ..ModelSpec::default() }, &labels(2), 0, Device::Cpu);
        let flat = Flat::new(&model.unwrap()).unwrap();
        let options = TrainOptions { optimiser, ..TrainOptions::default() };
        let rule = UpdateRule::new(&flat, &options, Groups::new(&flat, 0.0, DecayOn::Weights)).unwrap();
        let average = Average::new(&flat, 0.9, false).unwrap();
        TrainingState { flat, rule, average, best: None, position: TrainingPosition::default(), metrics: String::new() }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut sgd = state(Optimiser::Sgd);
    let _ = sgd.flat.gradients.fill_(1.0);
    sgd.rule.update(&mut sgd.flat, 0.1, None).unwrap();
    sgd.position.updates = 1;
    sgd.snapshot().unwrap().write(&path).unwrap();
    let mut adam = state(Optimiser::Adam);
    let before = adam.flat.values.copy();
    let error = adam.load(&path).unwrap_err();
    assert!(error.message.contains("not a checkpoint of this training: no adam.mean in it"), "{}", error.message);
    assert_eq!((&adam.flat.values, adam.position.updates), (&before, 0));
    let mut other = state(Optimiser::Sgd);
    other.load(&path).unwrap();
    assert_eq!((&other.flat.values, other.rule.state()[0].1), (&sgd.flat.values, sgd.rule.state()[0].1));
}

#[test]
fn rates_by_part_reach_the_parts_of_a_model() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let mut job = job(&data, 1);
    job.options.ema = 0.0;
    job.options.optimiser = Optimiser::Sgd;
    (job.options.schedule, job.options.lr, job.options.weight_decay) = (ScheduleKind::Constant, 1e-3, 0.0);
    let initial = Model::new(&job.options.model, &job.labels, job.options.seed, Device::Cpu).unwrap();
    let moved = |job: &Job, part: &str| {
        let trained = run(&RunStore::new(folder.path()), job).unwrap();
        let start = initial.state().into_iter().filter(|(name, _)| name.starts_with(part) && !name.contains("running"));
        let end: std::collections::HashMap<String, Tensor> = trained.model().state().into_iter().collect();
        let change = |(name, tensor): (String, Tensor)| (&end[&name] - tensor).square().sum(Kind::Double);
        f64::try_from(start.map(change).sum::<Tensor>()).unwrap().sqrt()
    };
    job.options.lr_factors = [("stage1".to_string(), 0.0), ("stage3".to_string(), 2.0)].into();
    assert_eq!(moved(&job, "stage1."), 0.0);
    assert!(moved(&job, "stage2.") > 0.0);
    // Between neighbours the rates halve towards the picture.
    let whole = |job: &mut Job, decay: f64| {
        (job.options.lr_factors, job.options.layer_decay) = (Default::default(), decay);
        // One update: gradients are those of the same weights.
        job.options.batch = 41;
        ["stage2.", "stage4.", "fc."].map(|part| moved(job, part))
    };
    let (even, decayed) = (whole(&mut job, 1.0), whole(&mut job, 0.5));
    for (part, share) in [0.125, 0.5, 1.0].into_iter().enumerate() {
        assert!((decayed[part] / even[part] - share).abs() < 1e-2 * share, "{part}: {decayed:?} of {even:?}");
    }
}

#[test]
fn an_average_starts_from_another_head() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    // One epoch of two updates that hardly move: the average is what it started from.
    let mut job = job(&data, 1);
    (job.options.ema, job.options.ema_warmup, job.options.lr) = (0.9999, false, 1e-12);
    let start = Model::new(&job.options.model, &job.labels, job.options.seed, Device::Cpu).unwrap();
    let file = folder.path().join("start.safetensors");
    let backbone: Vec<(String, Tensor)> =
        start.state().into_iter().filter(|(name, _)| start.is_of_backbone(name)).collect();
    cpsd::models::weights::write_safetensors(&file, &backbone, &[]).unwrap();
    job.options.model.weights = Some(file.display().to_string());
    let apart = |trained: &Trained, part: &str| {
        let end: std::collections::HashMap<String, Tensor> = trained.model().state().into_iter().collect();
        let weights = start.state().into_iter().filter(|(name, _)| name.starts_with(part) && name.ends_with("weight"));
        weights.map(|(name, t)| f64::try_from((&end[&name] - t).abs().max()).unwrap()).fold(0.0, f64::max)
    };
    let own = run(&store, &job).unwrap();
    job.options.ema_start = EmaStart::AnotherHead;
    let other = run(&store, &job).unwrap();
    assert_ne!(own.id, other.id);
    assert!(apart(&own, "fc.") < 1e-5 && apart(&own, "stage") < 1e-5);
    assert!(apart(&other, "fc.") > 1e-2 && apart(&other, "stage") < 1e-5);
}

#[test]
fn later_options_at_their_defaults_do_not_change_the_name_of_a_run() {
    let data = data();
    let job = job(&data, 1);
    let spec = job.spec(&data[0], &data[1], "initial");
    let keys: Vec<&str> = spec["options"].as_object().unwrap().keys().map(String::as_str).collect();
    let first = [
        "model",
        "loss",
        "epochs",
        "batch",
        "accumulate",
        "clip",
        "lr",
        "backbone_lr",
        "pct_start",
        "div_factor",
        "final_div_factor",
        "optimiser",
        "weight_decay",
        "ema",
        "ema_warmup",
        "views",
        "augment",
        "images",
        "select",
        "select_on",
        "eval_every",
        "patience",
        "seed",
    ];
    assert_eq!(keys, first);
}

#[test]
fn a_schedule_of_a_script_is_asked_once_per_update() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    // 41 pictures in batches of 16, whose gradients are added up in twos: two updates per epoch.
    let mut job = job(&data, 2);
    (job.options.drop_last, job.options.accumulate) = (false, 2);
    job.options.schedule = serde_json::from_value(json!({"script": {"code": "x"}})).unwrap();
    let asked = std::cell::RefCell::new(Vec::new());
    let schedule = |now: &Value| -> cpsd::error::Result<f64> {
        asked.borrow_mut().push(now["update"].as_u64().unwrap());
        Ok(1.0 / (1.0 + now["update"].as_f64().unwrap()))
    };
    let mut rates = Vec::new();
    let mut epoch = |line: &Value| -> cpsd::error::Result<()> {
        rates.push(line["lr"].as_f64().unwrap() / 3e-3);
        Ok(())
    };
    let callbacks = Callbacks { epoch: Some(&mut epoch), schedule: Some(&schedule), ..Callbacks::default() };
    run_with(&RunStore::new(folder.path()), &job, callbacks).unwrap();
    assert_eq!(*asked.borrow(), [0, 1, 2, 3]);
    // Those of the last updates.
    near("rate of the first epoch", rates[0], 0.5);
    near("rate of the second epoch", rates[1], 0.25);
}

#[test]
fn a_script_writes_its_own_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let code = |schedule: &str| {
        format!(
            "let data = dataset(\"emoji-scenes\", #{{train: 32, val: 8, test: 1, test_shifted: 1, size: 32}});
             let rates = [];
             let o = #{{epochs: 3, batch: 16, views: 0, threads: 1, lr: 1e-3, optimiser: \"sgd\", schedule: {schedule},
                 model: #{{backbone: \"small_cnn\", image_size: 32}}, on_epoch: |line| rates.push(line.lr)}};
             train_teacher(data, [\"person\", \"dog\"], o);
             [rates[0], rates[1], rates[2], rates.len()]"
        )
    };
    let rates = eval(&mut session, &code("|now| 1.0 - now.update / (2.0 * now.updates)")).into_array().unwrap();
    assert_eq!(rates[3].as_int().unwrap(), 3);
    // Of the last of two updates of each epoch.
    for (came, update) in rates.iter().zip([1.0, 3.0, 5.0]) {
        near("rate", came.as_float().unwrap(), 1e-3 * (1.0 - update / 12.0));
    }
    let failure = session.eval(&code("|now| \"fast\""), "test").unwrap_err();
    assert!(failure.message.contains("a factor on lr, a number"), "{}", failure.message);
}
