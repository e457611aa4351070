//! Labels that are partly unknown, pictures without labels, and teachers weighed label by label.

use cpsd::images::Dataset;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::labels::LabelTable;
use cpsd::losses::LossSpec;
use cpsd::models::ModelSpec;
use cpsd::runs::RunStore;
use cpsd::training::options::{TeacherMode, TeacherWeights};
use cpsd::training::{Distillation, Ensemble, Job, TrainOptions, Trained, run};

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
    assert_ne!(turned.dense(), table.dense());
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
