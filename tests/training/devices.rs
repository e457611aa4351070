//! Models and trainings that move between devices: copies are equal, and how many run at once is no part of a run's id.

use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::models::heads::HEADS;
use cpsd::models::{Model, ModelSpec, Pass};
use cpsd::runs::{RunStore, kind_of};
use cpsd::training::job_file::{self, Task};
use cpsd::training::options::Images;
use cpsd::training::{Job, TrainOptions, Trained, run, run_all};
use tch::Device;

use super::formula::scattered;
use super::heads::spec;
use crate::common::{alone_on_the_cpu, labels};

/// A training on a GPU is that of a copy of the model that was made on the CPU.
#[test]
fn a_copy_of_a_model_gives_its_logits_with_every_head() {
    for kind in HEADS {
        let spec = ModelSpec { backbone: "small_cnn".into(), ..spec(kind.name, 4) };
        let model = Model::new(&spec, &labels(4), 1, Device::Cpu).unwrap();
        let side = model.image_size();
        let x = scattered("pictures", &[2, 3, side, side], 1.0);
        let copy = model.twin_on(Device::Cpu).unwrap();
        let logits = |model: &Model| tch::no_grad(|| model.forward(&x, Pass::EVAL).unwrap());
        // The same values at other addresses, where a product of matrices may add in another order.
        let (came, expected) = (logits(&copy), logits(&model));
        let gap = f64::try_from((came - &expected).abs().max()).unwrap();
        assert!(gap <= 1e-6 * f64::try_from(expected.abs().max()).unwrap(), "{}: {gap}", kind.name);
        assert_eq!(copy.initial_fingerprint().unwrap(), model.initial_fingerprint().unwrap(), "{}", kind.name);
        let frozen = |model: &Model| model.trainable().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(frozen(&copy), frozen(&model), "{}", kind.name);
    }
}

fn job(name: &str) -> Job {
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 32, val: 16, test: 16, test_shifted: 1, size: 32, ..SceneOptions::default() };
    let data = splits(&options).unwrap();
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), freeze: 1, ..ModelSpec::default() };
    Job {
        name: name.into(),
        train: data[0].1.clone(),
        val: Some(data[1].1.clone()),
        labels: vec!["person".into(), "car".into()],
        options: TrainOptions { model, epochs: 1, batch: 16, threads: 1, views: 2, ..TrainOptions::default() },
        distillation: None,
    }
}

#[test]
fn how_many_trainings_run_at_once_is_no_part_of_an_id() {
    let job = job("one");
    let (train, val) = job.splits().unwrap();
    let mut other = job.clone();
    other.options.per_gpu = 3;
    assert_eq!(other.spec(&train, &val, "weights"), job.spec(&train, &val, "weights"));
    assert!(job.spec(&train, &val, "weights")["options"].get("per_gpu").is_none());
}

#[test]
fn a_worker_computes_the_features_that_trainings_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path().join("runs"));
    let job = job("features");
    let file = folder.path().join("job.json");
    std::fs::create_dir_all(store.root()).unwrap();
    job_file::write(&store, &job, Task::Features, &file).unwrap();
    assert_eq!(job_file::work(&file).unwrap(), "");
    let kinds = || store.list().iter().map(|run| kind_of(&run.id).unwrap_or("").to_string()).collect::<Vec<_>>();
    assert_eq!(kinds(), ["features", "features"]);
    let trained = run_all(&store, vec![job], cpsd::training::Callbacks::default()).unwrap();
    assert!(trained[0].model().device == Device::Cpu);
    let mut after = kinds();
    after.sort();
    assert_eq!(after, ["features", "features", "train"]);
}

/// Losses and scores of the epochs, with all their bits.
fn course(trained: &Trained) -> Vec<String> {
    let lines = trained.run.as_ref().unwrap().metrics().unwrap();
    lines.iter().map(|l| format!("{} {} {}", l["loss"], l["val_mAP"], l["val_mAP_ema"])).collect()
}

#[test]
fn teachers_of_some_images_read_the_features_of_all() {
    alone_on_the_cpu!();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path().join("runs"));
    let of = |labels: &[&str], images: Images| {
        let mut job = job("teacher");
        job.labels = labels.iter().map(|label| label.to_string()).collect();
        job.options.images = images;
        job
    };
    let features = || store.list().iter().filter(|run| kind_of(&run.id) == Some("features")).count();
    let first = of(&["person", "car"], Images::Containing);
    let (train, _) = first.splits().unwrap();
    assert!((1..first.train.len()).contains(&train.len()), "{} images contain a label", train.len());
    // Each by itself, and both in one call, with a teacher of all images: one set of the training split, one of the validation split.
    run(&store, &first).unwrap();
    assert_eq!(features(), 2);
    run(&store, &of(&["cup"], Images::Containing)).unwrap();
    let more = vec![of(&["dog"], Images::Containing), of(&["dog"], Images::All)];
    let trained = run_all(&store, more, cpsd::training::Callbacks::default()).unwrap();
    assert_eq!(features(), 2);
    assert_ne!(course(&trained[0]), course(&trained[1]));

    // Where all images contain a label, the teacher is that of all images, also of those that have labels at all.
    let whole = Job { train, ..first };
    for labelled in [1.0, 0.7] {
        let with = |images: Images| {
            let mut job = whole.clone();
            (job.options.images, job.options.labelled) = (images, labelled);
            run(&store, &job).unwrap()
        };
        let (containing, all) = (with(Images::Containing), with(Images::All));
        assert_ne!(containing.id, all.id);
        assert_eq!(course(&containing), course(&all), "labelled: {labelled}");
    }
}

#[test]
fn only_kept_features_of_all_images_give_a_training_another_name() {
    let named = |change: &dyn Fn(&mut Job)| {
        let mut job = job("teacher");
        job.options.images = Images::Containing;
        change(&mut job);
        let (train, val) = job.splits().unwrap();
        job.spec(&train, &val, "weights").get("features").cloned()
    };
    assert_eq!(named(&|_| ()), Some("all images".into()));
    assert_eq!(named(&|job| job.options.images = Images::All), None);
    assert_eq!(named(&|job| job.options.views = 0), None);
    assert_eq!(named(&|job| job.options.model.freeze = 0), None);
}
