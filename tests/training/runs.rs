//! Trainings through the run store: the same bits again, also after an interruption, and no training is done twice.

use std::time::Duration;

use cpsd::activity::interrupt;
use cpsd::error::Error;
use cpsd::images::Dataset;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::losses::LossSpec;
use cpsd::models::ModelSpec;
use cpsd::runs::RunStore;
use cpsd::training::options::{DistillScale, TeacherMode, TeacherWeights};
use cpsd::training::predict::Predictor;
use cpsd::training::{Callbacks, Distillation, Ensemble, Job, TrainOptions, made_with, predict, run, run_with};

use crate::common::{CPSD, ON_THE_CPU, alone_on_the_cpu};

fn data() -> Vec<Dataset> {
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 96, val: 24, test: 24, test_shifted: 1, size: 32, ..SceneOptions::default() };
    splits(&options).unwrap().into_iter().map(|(_, d)| d).collect()
}

fn job(data: &[Dataset], labels: &[&str], epochs: u64) -> Job {
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    Job {
        name: "test".into(),
        train: data[0].clone(),
        val: Some(data[1].clone()),
        labels: labels.iter().map(|l| l.to_string()).collect(),
        options: TrainOptions { model, epochs, batch: 16, threads: 1, views: 2, ..TrainOptions::default() },
        distillation: None,
    }
}

fn bytes(trained: &cpsd::training::Trained) -> Vec<u8> {
    std::fs::read(trained.run.as_ref().unwrap().path("model.safetensors")).unwrap()
}

#[test]
fn the_same_call_gives_the_same_bits_interrupted_or_not() {
    // The interrupt flag is the process's.
    alone_on_the_cpu!();
    let data = data();
    let job = job(&data, &["person", "car", "cup"], 8);
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let stores: Vec<RunStore> = folders.iter().map(|f| RunStore::new(f.path())).collect();
    let whole = run(&stores[0], &job).unwrap();
    let again = run(&stores[1], &job).unwrap();
    assert_eq!(whole.id, again.id);
    assert!(bytes(&whole) == bytes(&again), "two trainings of one specification differ");

    // The same training, stopped again and again at whatever moment.
    let mut stops = 0;
    let pieces = loop {
        interrupt::clear();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(40 + stops * 13));
            interrupt::request();
        });
        let result = run(&stores[2], &job);
        stopper.join().unwrap();
        match result {
            Ok(trained) => break trained,
            Err(error) => assert_eq!(error.message, "interrupted"),
        }
        stops += 1;
        assert!(stops < 400, "it makes no progress");
    };
    interrupt::clear();
    assert!(stops > 0, "it was never interrupted");
    assert!(bytes(&whole) == bytes(&pieces), "a training in {stops} pieces differs from a whole one");
    let measured = |trained: &cpsd::training::Trained| -> Vec<serde_json::Value> {
        let lines = trained.run.as_ref().unwrap().metrics().unwrap();
        let line =
            |l: &serde_json::Value| serde_json::json!([l["epoch"], l["loss"], l["lr"], l["val_mAP"], l["val_mAP_ema"]]);
        lines.iter().map(line).collect()
    };
    assert_eq!(measured(&whole), measured(&pieces));

    // A second call is answered by the store; another seed is another run.
    let before = stores[0].list().len();
    run(&stores[0], &job).unwrap();
    assert_eq!(stores[0].list().len(), before);
    let mut other = job.clone();
    other.options.seed = 1;
    assert_ne!(run(&stores[0], &other).unwrap().id, whole.id);
}

#[test]
fn a_training_that_goes_on_with_other_threads_says_both_numbers() {
    alone_on_the_cpu!();
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut job = job(&data, &["person", "car", "cup"], 3);
    let mut stop = |line: &serde_json::Value| if line["epoch"] == 2 { Err(Error::interrupted()) } else { Ok(()) };
    let callbacks = Callbacks { epoch: Some(&mut stop), ..Callbacks::default() };
    assert_eq!(run_with(&store, &job, callbacks).err().unwrap().message, "interrupted");
    job.options.threads = 2;
    let summary = run(&store, &job).unwrap().run.unwrap().summary().unwrap();
    let said = made_with::in_words(&summary).unwrap();
    let (before, after) = said.split_once(", then ").unwrap();
    assert!(before.starts_with("1 thread of ") && after.starts_with("2 threads of "), "{said}");
    // One that was not stopped, or went on with as many, has one number.
    let other = Job { options: TrainOptions { seed: 1, ..job.options.clone() }, ..job };
    let summary = run(&store, &other).unwrap().run.unwrap().summary().unwrap();
    assert!(made_with::in_words(&summary).unwrap().starts_with("2 threads of "));
    assert!(summary.get("earlier").is_none());
}

#[test]
fn merged_teachers_predict_in_label_order_and_teach_a_student() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let all: Vec<&str> = data[0].labels.labels().iter().map(String::as_str).collect();
    // Every second label to each teacher, so that concatenation is not label order.
    let tasks = [all.iter().step_by(2).copied().collect::<Vec<_>>(), all.iter().skip(1).step_by(2).copied().collect()];
    let teachers: Vec<_> = tasks.iter().map(|t| run(&store, &job(&data, t, 1)).unwrap()).collect();
    let alone: Vec<_> =
        teachers.iter().map(|t| predict(&store, &Predictor::Model(t.clone()), &data[2]).unwrap()).collect();
    let ensemble = Ensemble::merge(teachers, None).unwrap();
    let merged = predict(&store, &Predictor::Ensemble(ensemble.clone()), &data[2]).unwrap();
    assert_eq!(merged.labels, data[0].labels.labels());
    let m = merged.labels.len();
    for image in 0..merged.images.len() {
        for (j, label) in merged.labels.iter().enumerate() {
            let (t, place) =
                (0..2).find_map(|t| alone[t].labels.iter().position(|l| l == label).map(|p| (t, p))).unwrap();
            let own = alone[t].scores[image * alone[t].labels.len() + place];
            // Kept outputs are half precision.
            assert!((merged.scores[image * m + j] - own).abs() < 2e-3, "{label} of image {image}");
        }
    }
    // A student with an overwhelming weight on its teachers comes near them.
    let mut student = job(&data, &all, 6);
    student.distillation = Some(Distillation {
        ensembles: vec![ensemble.clone()],
        weights: vec![10.0],
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    });
    let taught = run(&store, &student).unwrap();
    student.distillation = None;
    let untaught = run(&store, &student).unwrap();
    assert_ne!(taught.id, untaught.id);
    let apart = |trained| {
        let own = predict(&store, &Predictor::Model(trained), &data[0]).unwrap();
        let theirs = predict(&store, &Predictor::Ensemble(ensemble.clone()), &data[0]).unwrap();
        own.scores.iter().zip(&theirs.scores).map(|(a, b)| f64::from((a - b).powi(2))).sum::<f64>()
    };
    assert!(apart(taught) < apart(untaught));
}

/// The process is killed outright at many random moments, in the middle of writing too; the last call ends with the bits
/// of an uninterrupted training.
#[test]
fn a_killed_training_ends_bit_for_bit_as_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let script = "let data = dataset(\"emoji-scenes\", #{train: 96, val: 24, test: 1, test_shifted: 1, size: 32}); \
                  train_teacher(data, [\"person\", \"car\", \"cup\"], #{model: #{backbone: \"small_cnn\", image_size: 32}, \
                  epochs: 40, batch: 16, threads: 1, views: 2}).save(\"OUT\")";
    let call = |runs: &str, out: &str| {
        let mut command = std::process::Command::new(CPSD);
        command
            .args(["eval", &script.replace("OUT", out)])
            .env("CPSD_RUNS", runs)
            .envs(ON_THE_CPU)
            .current_dir(folder.path());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    };
    let begun = std::time::Instant::now();
    assert!(call("whole", "whole.safetensors").status().unwrap().success());
    let whole = begun.elapsed();
    let mut kills = 0;
    // Uneven parts of the whole time, from a seventh up: long enough that every sitting may get somewhere.
    for part in [0.30, 0.15, 0.45, 0.22, 0.37, 0.18, 0.51, 0.26, 0.33, 0.41] {
        let mut child = call("killed", "killed.safetensors").spawn().unwrap();
        std::thread::sleep(whole.mul_f64(part));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 1, "it was hardly killed");
    assert!(call("killed", "killed.safetensors").status().unwrap().success());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("whole.safetensors") == read("killed.safetensors"), "killed {kills} times, it ends otherwise");
}

#[test]
fn gradients_add_up_and_training_stops_when_it_gets_no_better() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut patient = job(&data, &["person", "car"], 60);
    patient.options.patience = 3;
    patient.options.eval_every = 1;
    let run_of = |job: &Job| run(&store, job).unwrap().run.unwrap();
    let stopped = run_of(&patient).metrics().unwrap();
    assert!(stopped.len() < 60, "{} epochs", stopped.len());
    let best = |m: &serde_json::Value| m["val_mAP"].as_f64().unwrap().max(m["val_mAP_ema"].as_f64().unwrap());
    let maps: Vec<f64> = stopped.iter().map(best).collect();
    let top = maps.iter().cloned().fold(f64::MIN, f64::max);
    assert_eq!(maps.iter().position(|&m| m == top).unwrap() + 1 + 3, stopped.len());

    let mut small = job(&data, &["person", "car"], 2);
    small.options.batch = 8;
    small.options.accumulate = 2;
    small.options.clip = 1.0;
    let run = run_of(&small);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.path("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["updates"], 12, "{summary}");
    assert!(run.path("events.out.tfevents.0.cpsd").metadata().unwrap().len() > 100);
}
