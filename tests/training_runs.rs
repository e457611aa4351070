//! Trainings through the run store: the same bits again, after an interruption too, and what is kept is not paid twice.

use std::time::Duration;

use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::images::Dataset;
use cpsd::models::ModelSpec;
use cpsd::runs::RunStore;
use cpsd::training::predict::Predictor;
use cpsd::training::{Distillation, Ensemble, Job, TrainOptions, predict, run};
use cpsd::{interrupt, losses::LossSpec};

fn data() -> Vec<Dataset> {
    cpsd::progress::set_quiet(true);
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

/// One test, because the interrupt flag is the process's.
#[test]
fn the_same_call_gives_the_same_bits_interrupted_or_not() {
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
    assert_eq!(whole.run.unwrap().metrics().unwrap().len(), pieces.run.unwrap().metrics().unwrap().len());

    // A second call is answered by the store; another seed is another run.
    let before = stores[0].list().len();
    run(&stores[0], &job).unwrap();
    assert_eq!(stores[0].list().len(), before);
    let mut other = job.clone();
    other.options.seed = 1;
    assert_ne!(run(&stores[0], &other).unwrap().id, whole.id);
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
    let alone: Vec<_> = teachers.iter().map(|t| predict(&store, &Predictor::Model(t.clone()), &data[2]).unwrap()).collect();
    let ensemble = Ensemble::merge(teachers, None).unwrap();
    let merged = predict(&store, &Predictor::Ensemble(ensemble.clone()), &data[2]).unwrap();
    assert_eq!(merged.labels, data[0].labels.labels());
    let m = merged.labels.len();
    for image in 0..merged.images.len() {
        for (j, label) in merged.labels.iter().enumerate() {
            let (t, place) = (0..2).find_map(|t| alone[t].labels.iter().position(|l| l == label).map(|p| (t, p))).unwrap();
            let own = alone[t].scores[image * alone[t].labels.len() + place];
            // Kept outputs are half precision.
            assert!((merged.scores[image * m + j] - own).abs() < 2e-3, "{label} of image {image}");
        }
    }
    // A student with an overwhelming weight on its teachers comes near them.
    let mut student = job(&data, &all, 6);
    student.distillation = Some(Distillation { ensembles: vec![ensemble.clone()], weights: vec![10.0], loss: LossSpec::default_distillation() });
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
