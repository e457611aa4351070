//! Labels that are partly unknown, pictures without labels, and teachers weighed label by label.

use cpsd::images::Dataset;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::labels::{LabelTable, Unknown};
use cpsd::losses::{Kl, KlForm, LossSpec};
use cpsd::metrics::MetricOptions;
use cpsd::models::{LabelGraph, ModelSpec};
use cpsd::runs::RunStore;
use cpsd::training::options::{DistillScale, TeacherMode, TeacherWeights};
use cpsd::training::predict::Predictor;
use cpsd::training::{Distillation, Ensemble, Job, TrainOptions, Trained, evaluate, predict, run};

use crate::common::alone_on_the_cpu;

const LABELS: [&str; 4] = ["person", "car", "cup", "dog"];

fn data() -> Vec<Dataset> {
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 96, val: 24, test: 24, test_shifted: 1, size: 32, ..SceneOptions::default() };
    splits(&options).unwrap().into_iter().map(|(_, d)| d.take_labels(&LABELS).unwrap()).collect()
}

fn job(train: &Dataset, val: &Dataset, distillation: Option<Distillation>) -> Job {
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    let options = TrainOptions { model, epochs: 3, batch: 16, threads: 1, views: 2, ..TrainOptions::default() };
    let labels = LABELS.iter().map(|l| l.to_string()).collect();
    Job { name: "test".into(), train: train.clone(), val: Some(val.clone()), labels, options, distillation }
}

/// Loss and mAP of every epoch, with all their bits: two trainings that agree in them have done the same steps.
fn course(trained: &Trained) -> Vec<[String; 3]> {
    let lines = trained.run.as_ref().unwrap().metrics().unwrap();
    lines.iter().map(|l| [l["loss"].to_string(), l["val_mAP"].to_string(), l["val_mAP_ema"].to_string()]).collect()
}

#[test]
fn unknown_labels_and_unlabelled_pictures_teach_nothing() {
    alone_on_the_cpu!();
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut partial = job(&data[0], &data[1], None);
    partial.options.known = 0.6;
    let known = partial.options.known_labels();
    // Every entry that is unknown is turned into the opposite: nothing else may change.
    let table = &data[0].labels;
    let turned: Vec<Vec<u32>> = (0..table.num_images())
        .map(|i| {
            let has = |j: u32| table.row(i).contains(&j);
            (0..LABELS.len() as u32)
                .filter(|&j| has(j) == known.knows(&table.images()[i], LABELS[j as usize]))
                .collect()
        })
        .collect();
    let turned = LabelTable::from_lists(table.labels().to_vec(), table.images().to_vec(), &turned).unwrap();
    assert_ne!(turned.dense().unwrap(), table.dense().unwrap());
    let lies = Dataset { labels: turned, ..data[0].clone() };
    let honest = run(&store, &partial).unwrap();
    let lied = run(&store, &Job { train: lies.clone(), ..partial.clone() }).unwrap();
    assert_ne!(honest.id, lied.id);
    assert_eq!(course(&honest), course(&lied));
    // With everything known the same lies are learned.
    let all = run(&store, &job(&data[0], &data[1], None)).unwrap();
    assert_ne!(course(&all), course(&run(&store, &job(&lies, &data[1], None)).unwrap()));
    assert_ne!(course(&all), course(&honest));

    // A teacher of half of the pictures is a teacher of that half alone.
    let mut half = job(&data[0], &data[1], None);
    half.options.labelled = 0.5;
    let kept: Vec<usize> =
        (0..table.num_images()).filter(|&i| half.options.known_labels().has_labels(&table.images()[i])).collect();
    assert!((20..76).contains(&kept.len()), "{}", kept.len());
    let alone = run(&store, &job(&data[0].take(kept).unwrap(), &data[1], None)).unwrap();
    let half = run(&store, &half).unwrap();
    assert_eq!(course(&half), course(&alone));

    // A student hears of the others through its teacher.
    let distillation = |weight: f64| Distillation {
        ensembles: vec![Ensemble::merge(vec![half.clone()], None).unwrap()],
        weights: vec![weight],
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    };
    let mut student = job(&data[0], &data[1], Some(distillation(0.1)));
    student.options.labelled = 0.5;
    let taught = run(&store, &student).unwrap();
    let untaught = run(&store, &Job { distillation: Some(distillation(0.0)), ..student.clone() }).unwrap();
    assert_ne!(course(&taught), course(&untaught));
    // Its labels of those pictures do not count.
    let lies_for_unlabelled: Vec<Vec<u32>> =
        (0..table.num_images())
            .map(|i| {
                if student.options.known_labels().has_labels(&table.images()[i]) {
                    table.row(i).to_vec()
                } else {
                    vec![]
                }
            })
            .collect();
    let table = LabelTable::from_lists(table.labels().to_vec(), table.images().to_vec(), &lies_for_unlabelled).unwrap();
    let same = run(&store, &Job { train: Dataset { labels: table, ..data[0].clone() }, ..student }).unwrap();
    assert_eq!(course(&same), course(&taught));
}

#[test]
fn unknown_entries_of_the_table_teach_nothing() {
    alone_on_the_cpu!();
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let mut partial = job(&data[0], &data[1], None);
    partial.options.known = 0.6;
    let known = partial.options.known_labels();
    let table = &data[0].labels;
    // The labels of each image for which `kept` is true of (is present, is known).
    let lists = |kept: fn(bool, bool) -> bool| -> Vec<Vec<u32>> {
        let row = |i: usize| {
            let knows = |j: u32| known.knows(&table.images()[i], LABELS[j as usize]);
            (0..LABELS.len() as u32).filter(|&j| kept(table.row(i).contains(&j), knows(j))).collect()
        };
        (0..table.num_images()).map(row).collect()
    };
    let (names, images) = (table.labels().to_vec(), table.images().to_vec());
    let certain = LabelTable::from_lists(names, images, &lists(|present, known| present && known)).unwrap();
    assert_ne!(certain.dense().unwrap(), table.dense().unwrap());
    let masked = certain.with_unknown(&lists(|_, known| !known)).unwrap();
    let of = |labels: LabelTable| Dataset { labels, ..data[0].clone() };
    let (absent, masked) = (of(certain), of(masked));

    // The option hides the same entries of a table in which some of them are present: their truth changes no bit.
    let by_option = run(&store, &partial).unwrap();
    let by_table = run(&store, &job(&masked, &data[1], None)).unwrap();
    assert_ne!(by_option.id, by_table.id);
    assert_eq!(course(&by_option), course(&by_table));
    assert_eq!(course(&by_table), course(&run(&store, &Job { train: masked.clone(), ..partial.clone() }).unwrap()));
    // Known to be absent, they are learned.
    assert_ne!(course(&by_table), course(&run(&store, &job(&absent, &data[1], None)).unwrap()));

    // A student's teacher teaches them all the same.
    let distillation = Distillation {
        ensembles: vec![Ensemble::merge(vec![by_table.clone()], None).unwrap()],
        weights: vec![0.1],
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    };
    let student = run(&store, &job(&masked, &data[1], Some(distillation.clone()))).unwrap();
    let student_by_option = Job { distillation: Some(distillation), ..partial.clone() };
    assert_eq!(course(&student), course(&run(&store, &student_by_option).unwrap()));
    assert_ne!(course(&student), course(&by_table));

    // Losses of heads leave them out as well.
    for head in ["cpcl", "mcar", "srn"] {
        let course_of = |mut job: Job| {
            let rows = (0..4).map(|i| (0..4).map(|j| if i == j { 0.0 } else { 0.5 }).collect()).collect();
            let labels = job.labels.clone();
            let model = &mut job.options.model;
            model.head = head.into();
            if head == "cpcl" {
                model.word_vectors = Some("learned".into());
                model.graph = Some(LabelGraph { labels, rows, shares: vec![] });
            }
            job.options.epochs = 1;
            course(&run(&store, &job).unwrap())
        };
        let masked = course_of(job(&masked, &data[1], None));
        assert_eq!(masked, course_of(partial.clone()), "{head}");
        assert_ne!(masked, course_of(job(&absent, &data[1], None)), "{head}");
    }

    // A loss that compares labels with each other cannot leave some out.
    let mut softmax = job(&masked, &data[1], None);
    softmax.options.loss = LossSpec::Kl(Kl { form: KlForm::Softmax, ..Kl::default() });
    let error = run(&store, &softmax).map(|_| ()).unwrap_err();
    assert!(error.message.contains("none may be unknown"), "{error}");
}

#[test]
fn unknown_entries_are_left_out_of_validation_and_evaluation() {
    alone_on_the_cpu!();
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let table = &data[1].labels;
    let lists = |hidden: bool| -> Vec<Vec<u32>> {
        let hides = |i: usize, j: u32| (i as u32 + j).is_multiple_of(3);
        let row =
            |i: usize| (0..4).filter(|&j| hides(i, j) == hidden && (hidden || table.row(i).contains(&j))).collect();
        (0..table.num_images()).map(row).collect()
    };
    let certain = LabelTable::from_lists(table.labels().to_vec(), table.images().to_vec(), &lists(false)).unwrap();
    let of = |labels: LabelTable| Dataset { labels, ..data[1].clone() };
    let (masked, absent) = (of(certain.with_unknown(&lists(true)).unwrap()), of(certain));
    let trained = run(&store, &job(&data[0], &masked, None)).unwrap();
    let whole = run(&store, &job(&data[0], &data[1], None)).unwrap();
    let losses = |t: &Trained| course(t).into_iter().map(|[loss, ..]| loss).collect::<Vec<_>>();
    assert_eq!(losses(&trained), losses(&whole));
    assert_ne!(course(&trained), course(&whole));

    // What selected the epoch is what the evaluation says.
    let predictions = predict(&store, &Predictor::Model(trained.clone()), &masked).unwrap();
    let go = |dataset: &Dataset, unknown: Option<Unknown>| {
        let options = MetricOptions { unknown, ..MetricOptions::default() };
        evaluate(&predictions, dataset, &options)
    };
    let evaluation = go(&masked, None).unwrap();
    let selected = trained.run.as_ref().unwrap().summary().unwrap()["val_mAP"].as_f64().unwrap();
    assert!((evaluation.map - selected).abs() < 1e-3, "{} {selected}", evaluation.map);
    let note = format!("{} of 96 targets are of unknown truth: left out of every metric", masked.labels.num_unknown());
    assert!(evaluation.notes.contains(&note), "{:?}", evaluation.notes);
    assert_eq!(go(&masked, Some(Unknown::Masked)).unwrap(), evaluation);
    assert_eq!(go(&masked, Some(Unknown::Negative)).unwrap().map, go(&absent, None).unwrap().map);
    assert!(go(&masked, Some(Unknown::Error)).unwrap_err().message.starts_with("targets must be 0 or 1; got -1"));
}

#[test]
fn teachers_weighed_by_label_are_one_mixture() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let teacher = |seed: u64| {
        let mut job = job(&data[0], &data[1], None);
        job.options.seed = seed;
        run(&store, &job).unwrap()
    };
    let (a, b) = (teacher(0), teacher(1));
    let student = |teachers: &[&Trained], weights: Vec<f64>, by: TeacherWeights| {
        let distillation = Distillation {
            ensembles: teachers.iter().map(|t| Ensemble::merge(vec![(*t).clone()], None).unwrap()).collect(),
            weights,
            loss: LossSpec::default_distillation(),
            label_weight: 1.0,
            teacher_mode: TeacherMode::Eval,
            teacher_weights: by,
            scale: DistillScale::Plain,
            features: false,
            mutual: None,
        };
        run(&store, &job(&data[0], &data[1], Some(distillation))).unwrap()
    };
    // The mixture of a teacher with itself is that teacher.
    let even = student(&[&a], vec![0.2], TeacherWeights::Even);
    let mixed = student(&[&a], vec![0.2], TeacherWeights::ValAp);
    assert_ne!(even.id, mixed.id);
    let close = |x: &Trained, y: &Trained| {
        let loss = |t: &Trained| -> Vec<f64> { course(t).iter().map(|l| l[0].parse().unwrap()).collect() };
        loss(x).iter().zip(loss(y)).all(|(x, y)| (x - y).abs() <= 1e-4 * y.abs())
    };
    assert!(close(&even, &mixed), "{:?}\n{:?}", course(&even), course(&mixed));
    // Of two it is another thing than both by their weights, and the worthless one of two has no say.
    let both = student(&[&a, &b], vec![0.1, 0.1], TeacherWeights::ValAp);
    assert!(!close(&both, &student(&[&a, &b], vec![0.1, 0.1], TeacherWeights::Even)));
    assert!(close(&even, &student(&[&a, &b], vec![0.2, 0.0], TeacherWeights::ValAp)));
}
