//! Soft targets, given outputs, merged teachers, features and mutual learning held to PyTorch, and what becomes of a group that was stopped.
//! `goldens/training/teaching.py` writes the reference.

use std::path::Path;

use cpsd::error::{Error, Result};
use cpsd::images::Dataset;
use cpsd::losses::{Bce, Kl, LossSpec, Reduction, Script};
use cpsd::models::{Model, StageMaps};
use cpsd::runs::RunStore;
use cpsd::training::distillation_loss::Features;
use cpsd::training::image_rows::ImageRows;
use cpsd::training::merge_rule::{Combined, Rule, RuleKind};
use cpsd::training::options::{DistillScale, Optimiser, TeacherMode, TeacherWeights};
use cpsd::training::{Callbacks, Distillation, Ensemble, Job, Trained, run, run_together, run_with, together};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::common::{golden, labels, tolerance};
use crate::steps::{IMAGES, LABELS, compare_trained, data, job, spec, weights};

/// The job of the reference, from the weights under `prefix`.
fn student(data: &Dataset, folder: &Path, prefix: &str) -> Job {
    cpsd::activity::console::set_quiet(true);
    let start = folder.join(format!("{prefix}safetensors"));
    cpsd::models::weights::write_safetensors(&start, &weights(prefix), &[]).unwrap();
    let mut job = job(data, &start);
    job.options.cycle_momentum = false;
    job.options.views = 0;
    job
}

fn teacher(prefix: &str) -> Trained {
    let mut teacher = Model::new(&spec(None), &labels(LABELS), 0, Device::Cpu).unwrap();
    teacher.load_state(&weights(prefix)).unwrap();
    Trained::new(teacher, prefix.into(), None, labels(LABELS))
}

fn taught_by(ensembles: Vec<Ensemble>) -> Option<Distillation> {
    Some(Distillation {
        weights: vec![0.05; ensembles.len()],
        ensembles,
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    })
}

fn rows(data: &Dataset, value: impl Fn(usize, usize) -> f32) -> ImageRows {
    let values = (0..IMAGES).flat_map(|i| (0..LABELS).map(move |j| (i, j))).map(|(i, j)| value(i, j)).collect();
    ImageRows::new(data.labels.images(), data.labels.labels(), values).unwrap()
}

fn reference(case: &str) -> Value {
    golden("training/teaching.json")[case].clone()
}

#[test]
fn targets_and_outputs_from_numbers_equal_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let store = RunStore::new(folder.path().join("runs"));
    let mut soft = student(&data, folder.path(), "student.");
    soft.options.loss = Bce::default().into();
    soft.options.targets = Some(rows(&data, |i, j| ((i * 3 + j * j) % 4) as f32 / 3.0));
    let trained = run(&store, &soft).unwrap();
    compare_trained(&reference("soft_targets"), &trained);
    let spec = trained.run.as_ref().unwrap().spec().unwrap();
    assert_eq!(spec["options"]["targets"], soft.options.targets.as_ref().unwrap().fingerprint());
    assert!(soft.options.check_targets("a test").is_ok());

    let mut given = student(&data, folder.path(), "student.");
    let outputs = |more: f32| rows(&data, move |i, j| (((i * 5 + j * 7) % 11) as f32 - 5.0) / 2.0 + more);
    given.distillation = taught_by(vec![Ensemble::given(outputs(0.0))]);
    compare_trained(&reference("outputs"), &run(&store, &given).unwrap());
    // With fixed views too, every view of an image has the same row.
    given.options.views = 3;
    compare_trained(&reference("outputs"), &run(&store, &given).unwrap());

    let mut wrong = soft.clone();
    wrong.options.targets = Some(outputs(0.0));
    let error = wrong.options.check_targets("a test").unwrap_err().message;
    assert!(error.contains("must be from 0 to 1, as the loss bce needs them; got -2.5 for image"), "{error}");
    wrong.options.loss = LossSpec::default_distillation();
    assert!(wrong.options.check_targets("a test").is_ok());
    wrong.options.known = 0.5;
    assert!(wrong.options.check_targets("a test").unwrap_err().message.contains("\"known\""));
    given.distillation.as_mut().unwrap().teacher_weights = TeacherWeights::ValAp;
    assert!(run(&store, &given).err().unwrap().message.contains("which a Tensor does not have"));
}

/// Teachers whose distance is the loss on the labels itself, and whose probabilities are the labels, are, scaled, so much more of it.
#[test]
fn a_scaled_distillation_has_its_weights_share_of_the_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let share = |i: usize, j: usize| ((i * 3 + j * j) % 4) as f32 / 3.0;
    let targets = rows(&data, share);
    let outputs = rows(&data, |i, j| (share(i, j) / (1.0 - share(i, j))).ln().clamp(-30.0, 30.0));
    let trained = |label_weight: f64, weight: f64, scale: DistillScale, reduction: Reduction| {
        let store = RunStore::new(folder.path().join("runs"));
        let mut job = student(&data, folder.path(), "student.");
        // Adam would not see a factor on the whole loss.
        job.options.optimiser = Optimiser::Sgd;
        job.options.loss = Bce::default().into();
        job.options.targets = Some(targets.clone());
        job.distillation = taught_by(vec![Ensemble::given(outputs.clone())]);
        let distillation = job.distillation.as_mut().unwrap();
        distillation.loss = Bce { reduction }.into();
        (distillation.label_weight, distillation.weights, distillation.scale) = (label_weight, vec![weight], scale);
        let trained = run(&store, &job).unwrap();
        let all: Vec<Tensor> = trained.model().trainable().into_iter().map(|(_, t)| t.reshape([-1])).collect();
        (trained.id.clone(), Tensor::cat(&all, 0))
    };
    let (_, expected) = trained(1.5, 0.0, DistillScale::Plain, Reduction::Sum);
    let away = |other: &Tensor| f64::try_from((other - &expected).norm() / expected.norm()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for reduction in [Reduction::Sum, Reduction::Mean] {
        let (id, scaled) = trained(1.0, 0.5, DistillScale::Gradient, reduction);
        assert!(away(&scaled) < tolerance(1e-4), "{}", away(&scaled));
        ids.insert(id);
        let (id, plain) = trained(1.0, 0.5, DistillScale::Plain, reduction);
        assert_eq!(away(&plain) < 1e-4, reduction == Bce::default().reduction, "{}", away(&plain));
        ids.insert(id);
    }
    assert_eq!(ids.len(), 4);
}

#[test]
fn merged_teachers_and_features_equal_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let store = RunStore::new(folder.path().join("runs"));
    let mut job = student(&data, folder.path(), "student.");
    let rule = Rule { kind: RuleKind::Mean, of: Combined::Probabilities };
    let both = Ensemble::merge_by(vec![teacher("teacher."), teacher("second.")], None, Some(rule)).unwrap();
    job.distillation = taught_by(vec![both]);
    compare_trained(&reference("merged"), &run(&store, &job).unwrap());

    job.distillation = taught_by(vec![Ensemble::merge(vec![teacher("teacher.")], None).unwrap()]);
    let distillation = job.distillation.as_mut().unwrap();
    (distillation.features, distillation.loss) = (true, LossSpec::Script(Script { code: "features".into() }));
    let energy = |maps: &StageMaps, stage: usize| -> Result<Tensor> {
        let (number, maps) = &maps[stage - 1];
        assert_eq!(*number, stage);
        Ok(maps.f_square()?.f_mean_dim(Some(&[1i64][..]), false, None)?)
    };
    let distance = |student: &Tensor, teacher: &Tensor, seen: &Features| -> Result<Tensor> {
        let mut distance = student.f_sub(teacher)?.f_square()?.f_sum(Kind::Float)?;
        for stage in [1, 2] {
            let gap = energy(seen.student, stage)?.f_sub(&energy(&seen.teachers[0], stage)?)?;
            distance = distance.f_add(&gap.f_square()?.f_sum(Kind::Float)?)?;
        }
        Ok(distance)
    };
    let callbacks = || Callbacks { features: Some(&distance), ..Callbacks::default() };
    compare_trained(&reference("features"), &run_with(&store, &job, callbacks()).unwrap());
    // Fixed views: the teachers are asked all the same.
    job.options.views = 1;
    compare_trained(&reference("features"), &run_with(&store, &job, callbacks()).unwrap());
    job.options.model.freeze = 1;
    let error = run_with(&store, &job, callbacks()).err().unwrap();
    assert!(
        error.message.starts_with("a distillation loss that sees features needs pictures at every step"),
        "{error}"
    );
}

/// Two students from the weights of the reference.
fn group(data: &Dataset, folder: &Path, lr: f64) -> Vec<Job> {
    let mut jobs: Vec<Job> = ["student.", "teacher."].map(|prefix| student(data, folder, prefix)).into();
    for job in &mut jobs {
        let mut distillation = taught_by(vec![]).unwrap();
        distillation.loss = Kl { temperature: 1.0, ..Kl::default() }.into();
        job.distillation = Some(distillation);
    }
    jobs[1].options.lr = lr;
    together::group(&mut jobs, &[2.0, 2.0]).unwrap();
    jobs
}

fn bits(trained: &Trained) -> Vec<Vec<u8>> {
    let bytes = |(_, tensor): (String, Tensor)| {
        Vec::<f32>::try_from(&tensor.reshape([-1])).unwrap().iter().flat_map(|x| x.to_le_bytes()).collect()
    };
    trained.model().state().into_iter().map(bytes).collect()
}

#[test]
fn students_that_teach_one_another_equal_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let store = RunStore::new(folder.path().join("runs"));
    let jobs = group(&data, folder.path(), 5e-4);
    let students = run_together(&store, jobs.clone(), Callbacks::default()).unwrap();
    for (i, student) in students.iter().enumerate() {
        compare_trained(&reference("mutual")[i], student);
    }
    // The other student is part of each one's name.
    let others = group(&data, folder.path(), 4e-4);
    let mut lines = 0;
    let mut epoch = |_: &Value| {
        lines += 1;
        Ok(())
    };
    let again = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
    let found = run_together(&store, jobs.clone(), again).unwrap();
    assert_eq!(lines, 40);
    assert!(found.iter().zip(&students).all(|(a, b)| a.id == b.id && bits(a) == bits(b)));
    let ids = |trained: &[Trained]| -> Vec<String> { trained.iter().map(|t| t.id.clone()).collect() };
    let other = ids(&run_together(&store, others, Callbacks::default()).unwrap());
    assert!(ids(&students).iter().all(|id| !other.contains(id)));
    // Alone, a student of a group is nobody's.
    let error = run(&RunStore::new(folder.path().join("alone")), &jobs[0]).err().unwrap();
    assert!(error.message.contains("learns from other students, and is trained with them alone"), "{error}");
    let mut patient = group(&data, folder.path(), 5e-4);
    patient[0].options.patience = 3;
    assert!(together::group(&mut patient, &[1.0, 1.0]).unwrap_err().message.contains("\"patience\""));
    assert!(together::group(&mut patient[1..], &[1.0]).unwrap_err().message.contains("at least two students; got 1"));
}

#[test]
fn a_group_that_was_stopped_goes_on_with_equal_bits() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let jobs = || group(&data, folder.path(), 5e-4);
    let whole = run_together(&RunStore::new(folder.path().join("whole")), jobs(), Callbacks::default()).unwrap();

    let store = RunStore::new(folder.path().join("stopped"));
    let mut seen = Vec::new();
    let mut epoch = |line: &Value| {
        seen.push(line["epoch"].as_u64().unwrap());
        if line["epoch"] == 7 { Err(Error::interrupted()) } else { Ok(()) }
    };
    let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
    assert!(run_together(&store, jobs(), callbacks).is_err());
    assert!(seen.contains(&7) && !seen.contains(&9), "{seen:?}");
    let students = run_together(&store, jobs(), Callbacks::default()).unwrap();
    assert!(whole.iter().zip(&students).all(|(a, b)| a.id == b.id && bits(a) == bits(b)));

    // One of the two runs is lost: it is made again, with the other one beside it, which stays.
    let kept = students[0].run.as_ref().unwrap().dir.join("summary.json");
    let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    std::fs::remove_dir_all(&students[1].run.as_ref().unwrap().dir).unwrap();
    let students = run_together(&store, jobs(), Callbacks::default()).unwrap();
    assert!(whole.iter().zip(&students).all(|(a, b)| a.id == b.id && bits(a) == bits(b)));
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), before);
    assert!(students.iter().all(|student| student.run.is_some()));
}
