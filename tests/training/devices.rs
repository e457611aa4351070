//! Models and trainings that move between devices: copies are equal, and how many run at once is no part of a run's id.

use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::models::heads::HEADS;
use cpsd::models::{Model, ModelSpec, Pass};
use cpsd::runs::{RunStore, kind_of};
use cpsd::training::job_file::{self, Task};
use cpsd::training::{Job, TrainOptions, run_all};
use tch::Device;

use super::formula::scattered;
use super::heads::spec;
use crate::common::labels;

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
