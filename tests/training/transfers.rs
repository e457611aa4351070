//! How often a training waits for its device: two uploads in each step, one read-back in sixteen. Transfers are counted on the CPU as
//! they would be on a GPU; tests/data/read_backs.rs sees that there are no others.

use std::path::Path;

use cpsd::images::augment::AugmentOptions;
use cpsd::images::{Dataset, Picture};
use cpsd::labels::LabelTable;
use cpsd::losses::LossSpec;
use cpsd::models::heads::HEADS;
use cpsd::models::{Model, ModelSpec};
use cpsd::runs::RunStore;
use cpsd::torch::{Transfers, transfers};
use cpsd::training::options::{DistillScale, Select, TeacherMode, TeacherWeights};
use cpsd::training::{Callbacks, Distillation, Ensemble, Job, TrainOptions, Trained, run_with};
use tch::Device;

use crate::common::{alone, labels};
use crate::heads::spec;

const LABELS: usize = 4;
const STEPS: usize = 16;
const BATCH: usize = 2;

fn data(folder: &Path) -> Dataset {
    let paths: Vec<String> = (0..STEPS * BATCH)
        .map(|i| {
            let path = folder.join(format!("{i}.png"));
            let pixels = (0..32 * 32 * 3).map(|p| ((p + 1) * (p + 7 * i + 3) * 31 / 7 % 256) as u8).collect();
            std::fs::write(&path, Picture::new(32, 32, pixels).unwrap().to_png().unwrap()).unwrap();
            path.display().to_string()
        })
        .collect();
    let unlabelled = Dataset::of_files(&paths, &labels(LABELS)).unwrap();
    let lists: Vec<Vec<u32>> =
        (0..paths.len() as u32).map(|i| vec![i % 4, 4].into_iter().filter(|j| *j < 4).collect()).collect();
    Dataset { labels: LabelTable::from_lists(labels(LABELS), paths, &lists).unwrap(), ..unlabelled }
}

fn job(data: &Dataset, model: ModelSpec) -> Job {
    let options = TrainOptions {
        model,
        epochs: 2,
        batch: BATCH,
        select: Select::Last,
        views: 1,
        augment: AugmentOptions { cutout: 0.0, ..AugmentOptions::default() },
        threads: 1,
        ..TrainOptions::default()
    };
    Job {
        name: "test".into(),
        train: data.clone(),
        // Without images: no evaluation.
        val: Some(data.take(vec![]).unwrap()),
        labels: labels(LABELS),
        options,
        distillation: None,
    }
}

/// The transfers of the second epoch, which has no preparations.
fn of_an_epoch(job: &Job, what: &str) -> Transfers {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    let mut epoch = |_: &serde_json::Value| {
        ends.push(transfers());
        Ok(())
    };
    let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
    run_with(&RunStore::new(folder.path()), job, callbacks).unwrap_or_else(|e| panic!("{what}: {e}"));
    let [first, second, ..] = ends[..] else { panic!("{what}: {} epochs", ends.len()) };
    Transfers { uploads: second.uploads - first.uploads, read_backs: second.read_backs - first.read_backs }
}

/// No checkpoint is written meanwhile. Call it once the test is alone in its process.
fn without_checkpoints() {
    cpsd::activity::console::set_quiet(true);
    // SAFETY: no other thread reads the environment yet.
    unsafe { std::env::set_var("CPSD_CHECKPOINT_EVERY", "1e6") };
}

fn small(head: &str) -> ModelSpec {
    ModelSpec { image_size: Some(32), ..spec(head, LABELS) }
}

const LEAN: Transfers = Transfers { uploads: 2 * STEPS as u64, read_backs: 1 };

#[test]
fn a_step_of_every_head_uploads_twice_and_seldom_reads_back() {
    alone!();
    without_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for kind in HEADS {
        // Their methods decide on the host: where to crop, how many labels each picture has.
        let more = match kind.name {
            "mcar" => STEPS as u64,
            "cadm" => STEPS as u64,
            _ => 0,
        };
        // C-Tran draws the labels that a step shows on the CPU: what is shown and what is known go up.
        let up = if kind.name == "c_tran" { 2 * STEPS as u64 } else { 0 };
        let expected = Transfers { uploads: LEAN.uploads + up, read_backs: LEAN.read_backs + more };
        assert_eq!(of_an_epoch(&job(&data, small(kind.name)), kind.name), expected, "{}", kind.name);
    }
}

#[test]
fn a_step_of_every_family_of_backbones_uploads_twice_and_seldom_reads_back() {
    alone!();
    without_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for (backbone, stages, side) in [
        ("resnet18", 2, 32),
        ("resnext50_32x4d", 1, 32),
        ("tresnet_m", 2, 32),
        ("efficientnet_lite0", 3, 32),
        ("convnext_tiny", 2, 32),
        ("vit_small_patch14_reg4_dinov2", 1, 28),
        ("swin_t", 2, 32),
    ] {
        let model =
            ModelSpec { backbone: backbone.into(), stages: Some(stages), image_size: Some(side), ..small("gap") };
        assert_eq!(of_an_epoch(&job(&data, model), backbone), LEAN, "{backbone}");
    }
}

#[test]
fn so_does_a_step_of_every_kind_of_training() {
    alone!();
    without_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let plain = job(&data, ModelSpec { stages: Some(2), ..small("gap") });
    let with = |change: &dyn Fn(&mut Job)| {
        let mut job = plain.clone();
        change(&mut job);
        job
    };
    let teacher = |seed| {
        let model = Model::new(&plain.options.model.resolved().unwrap(), &labels(LABELS), seed, Device::Cpu).unwrap();
        Trained::new(model, format!("teacher {seed}"), None, labels(LABELS))
    };
    let taught = |views: u32, teacher_weights| {
        with(&|job| {
            // The APs of the teachers are those on validation pictures, which are evaluated in the last epoch.
            (job.options.views, job.options.epochs, job.options.eval_every) = (views, 3, 3);
            job.val = Some(data.clone());
            job.distillation = Some(Distillation {
                ensembles: vec![
                    Ensemble::merge(vec![teacher(1)], None).unwrap(),
                    Ensemble::merge(vec![teacher(2)], None).unwrap(),
                ],
                weights: vec![0.05, 0.1],
                loss: LossSpec::default_distillation(),
                label_weight: 1.0,
                teacher_mode: TeacherMode::Eval,
                teacher_weights,
                scale: DistillScale::Plain,
                features: false,
                mutual: None,
            });
        })
    };
    let jobs = [
        ("new views each epoch", with(&|job| job.options.views = 0)),
        ("frozen features", with(&|job| job.options.model.freeze = 1)),
        ("frozen stages, new views each epoch", with(&|job| (job.options.model.freeze, job.options.views) = (1, 0))),
        (
            "clipped, averaged, accumulated",
            with(&|job| {
                job.options.clip = 1.0;
                job.options.ema = 0.9;
                job.options.accumulate = 2;
            }),
        ),
        ("taught by kept outputs", taught(1, TeacherWeights::Even)),
        ("taught by weighted kept outputs", taught(2, TeacherWeights::ValAp)),
        ("taught at every step", taught(0, TeacherWeights::Even)),
    ];
    for (what, job) in jobs {
        assert_eq!(of_an_epoch(&job, what), LEAN, "{what}");
    }
}

/// One pass for the regular and the averaged weights, whose logits are read back once each.
#[test]
fn an_evaluation_reads_back_once_for_each_kind_of_weights() {
    alone!();
    without_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    for (ema, logits) in [(0.0, 1), (0.9, 2)] {
        let mut job = job(&data, ModelSpec { stages: Some(2), ..small("gap") });
        (job.options.ema, job.options.eval_every) = (ema, 1);
        job.val = Some(data.clone());
        // 32 pictures are one batch. Scores come from logits on the CPU, which counts again.
        let expected = Transfers { uploads: LEAN.uploads + 1, read_backs: LEAN.read_backs + 2 * logits };
        assert_eq!(of_an_epoch(&job, "evaluated"), expected);
    }
}
