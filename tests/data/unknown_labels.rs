//! Label tables with entries of unknown truth, in the library and in scripts.

use cpsd::graph::Cooccurrence;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::labels::{LabelTable, Statistics, stratified_split};
use cpsd::script::show;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::{eval, session};

fn names(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i}")).collect()
}

/// A table of drawn entries: a fifth present, a tenth unknown.
fn drawn(n: usize, m: usize, seed: u64) -> LabelTable {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut present, mut unknown) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    for (present, unknown) in present.iter_mut().zip(&mut unknown) {
        for label in 0..m as u32 {
            match rng.random::<f64>() {
                x if x < 0.2 => present.push(label),
                x if x < 0.3 => unknown.push(label),
                _ => {}
            }
        }
    }
    let table = LabelTable::from_lists(names("label ", m), names("image ", n), &present).unwrap();
    table.with_unknown(&unknown).unwrap()
}

/// The truth of an entry by names: 1, 0, or -1 where it is unknown.
fn truth(t: &LabelTable, image: &str, label: &str) -> i32 {
    let i = t.images().iter().position(|name| name == image).unwrap();
    let l = t.label_index(label).unwrap() as u32;
    match (t.row(i).contains(&l), t.unknown_row(i).contains(&l)) {
        (true, false) => 1,
        (false, true) => -1,
        (false, false) => 0,
        (true, true) => panic!("{image}, {label}: both present and unknown"),
    }
}

fn assert_same_truths(part: &LabelTable, whole: &LabelTable) {
    for image in part.images() {
        for label in part.labels() {
            assert_eq!(truth(part, image, label), truth(whole, image, label), "{image}, {label}");
        }
    }
}

#[test]
fn every_operation_keeps_the_three_states() {
    let t = drawn(60, 8, 0);
    assert!(t.num_unknown() > 20);
    let some = ["label 6", "label 1", "label 3"];
    for part in [
        t.take_images(&[40, 3, 7, 59]).unwrap(),
        t.take_labels(&some).unwrap(),
        t.drop_labels(&some).unwrap(),
        t.drop_rare(11).unwrap(),
        t.drop_unlabelled().unwrap(),
        t.with_any(&some).unwrap(),
        t.with_all(&some[..2]).unwrap(),
        t.sample(20, 3).unwrap(),
        t.rename(&[]).unwrap(),
    ] {
        assert_same_truths(&part, &t);
    }
    let parts = stratified_split(&t, &[0.5, 0.3, 0.2], 1).unwrap();
    let parts: Vec<LabelTable> = parts.iter().map(|images| t.take_images(images).unwrap()).collect();
    parts.iter().for_each(|part| assert_same_truths(part, &t));
    assert_eq!(parts.iter().map(LabelTable::num_unknown).sum::<u64>(), t.num_unknown());
    let again = parts[2].concat(&parts[0]).unwrap().concat(&parts[1]).unwrap();
    assert_same_truths(&again, &t);
    assert_eq!((again.num_images(), again.num_unknown()), (60, t.num_unknown()));

    let renamed = t.rename(&[("label 0".into(), "other".into())]).unwrap();
    assert!(t.images().iter().all(|image| truth(&renamed, image, "other") == truth(&t, image, "label 0")));
    // Of three states, a merged label has the strongest of its members: present, unknown, absent.
    let merged = t.merge(&[("new".into(), vec!["label 2".into(), "label 5".into(), "label 7".into()])]).unwrap();
    let rank = |truth: i32| [1, 0, 2][(truth + 1) as usize];
    for image in t.images() {
        let members = ["label 2", "label 5", "label 7"].map(|label| truth(&t, image, label));
        let strongest = members.into_iter().max_by_key(|&truth| rank(truth)).unwrap();
        assert_eq!(truth(&merged, image, "new"), strongest, "{image}: {members:?}");
        assert_eq!(truth(&merged, image, "label 4"), truth(&t, image, "label 4"));
    }
}

#[test]
fn unknown_entries_count_as_absent_in_counts() {
    let t = drawn(200, 6, 1);
    let (offsets, indices) = t.csr();
    let certain = LabelTable::from_lists(t.labels().to_vec(), t.images().to_vec(), &rows(&t)).unwrap();
    let of = |t: &LabelTable, offsets, indices| Cooccurrence::count(t.labels(), offsets, indices).unwrap();
    let (a, b) = (of(&t, offsets, indices), of(&certain, certain.csr().0, certain.csr().1));
    assert_eq!(a.counts(), b.counts());
    let (s, plain) = (Statistics::of(&t), Statistics::of(&certain));
    assert_eq!((s.unknown, plain.unknown), (t.num_unknown(), 0));
    assert_eq!(Statistics { unknown: 0, ..s }, plain);
    assert_eq!(t.dense().unwrap(), certain.dense().unwrap());
    assert_eq!(t.targets().unwrap().iter().filter(|&&x| x == -1.0).count() as u64, t.num_unknown());
}

fn rows(t: &LabelTable) -> Vec<Vec<u32>> {
    (0..t.num_images()).map(|i| t.row(i).to_vec()).collect()
}

#[test]
fn scripts_see_unknown_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let labels = ["cat", "dog"].map(String::from).to_vec();
    let images = ["a", "b", "c"].map(String::from).to_vec();
    let certain = LabelTable::from_lists(labels, images, &[vec![0], vec![], vec![1]]).unwrap();
    let table = certain.with_unknown(&[vec![1], vec![], vec![0]]).unwrap();
    session.scope.push("certain", certain);
    session.scope.push("l", table.clone());
    let mut of = |code: &str| {
        let code = code.replace("FOLDER", folder.path().to_str().unwrap());
        show::plain(&eval(&mut session, &code))
    };
    assert!(of("l").contains("\n  unknown          2 entries (33.3 %)\n"), "{}", of("l"));
    assert!(!of("certain").contains("unknown"));
    assert_eq!(of("[l.unknown, certain.unknown, l.statistics().unknown]"), "[2, 0, 2]");
    assert_eq!(of("l.unknown_row(0)"), "[\"dog\"]");
    assert_eq!(of("l.row(0)"), "[\"cat\"]");
    assert_eq!(of("l.counts().columns"), "[\"label\", \"images\", \"share\", \"unknown\"]");
    assert_eq!(of("l.counts().column(\"unknown\")"), "[1, 1]");
    assert_eq!(of("certain.counts().columns"), "[\"label\", \"images\", \"share\"]");
    assert_eq!(of("l.filter(col(\"cat\") == 0).images"), "[\"b\"]");
    assert_eq!(of("l.filter(col(\"cat\").is_null()).images"), "[\"c\"]");
    assert_eq!(of("l.merge(#{pet: [\"cat\", \"dog\"]}).unknown"), "0");
    assert_eq!(of("cooccurrence(l).count(\"cat\")"), "1");
    let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    of("l.to_wide_table().write_csv(\"FOLDER/wide.csv\"); l.write_csv(\"FOLDER/long.csv\")");
    assert_eq!(file("wide.csv"), "image,cat,dog\na,1,\nb,0,0\nc,,1\n");
    assert_eq!(file("long.csv"), "image,label,value\na,cat,1\na,dog,-1\nb,,\nc,dog,1\nc,cat,-1\n");
    of("certain.write_csv(\"FOLDER/certain.csv\")");
    assert_eq!(file("certain.csv"), "image,label\na,cat\nb,\nc,dog\n");
}

#[test]
fn the_word_metrics_takes_unknown_targets() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let call = "metrics(tensor([[0.9, 0.6], [0.8, 0.1], [0.7, 0.2]]), tensor([[1, -1], [0.0 / 0.0, 0], [1, 1]])";
    let mut of = |code: &str| show::plain(&eval(&mut session, code));
    assert_eq!(of(&format!("let e = {call}, #{{unknown: \"masked\"}}); [e.mAP, e.unknown]")), "[100.0, 2]");
    assert_eq!(of("e.per_label.column(\"unknown\")"), "[1, 1]");
    assert!(of("e.notes").contains("2 of 6 targets are of unknown truth: left out of every metric"));
    assert_eq!(of(&format!("{call}, #{{unknown: \"negative\"}}).unknown")), "0");
    let failure = session.eval(&format!("{call})"), "test").unwrap_err();
    assert_eq!(failure.message, "targets must be 0 or 1; got -1 for image row 0, label \"1\"");
}

#[test]
fn a_data_set_carries_them_and_shows_them() {
    let options = SceneOptions { train: 12, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    let mut data = splits(&options).unwrap().remove(0).1;
    let whole = data.fingerprint();
    let absent = |i: usize| (0..data.labels.num_labels() as u32).find(|l| !data.labels.row(i).contains(l)).unwrap();
    let lists: Vec<Vec<u32>> = (0..12).map(|i| vec![absent(i)]).collect();
    data.labels = data.labels.with_unknown(&lists).unwrap();
    assert!(data.to_string().ends_with(", 12 entries unknown"), "{data}");
    assert_ne!(data.fingerprint(), whole);
    let (rest, held) = data.split(0.25, 3).unwrap();
    assert_eq!((rest.labels.num_unknown(), held.labels.num_unknown()), (9, 3));
    assert_eq!(data.take(vec![5, 1]).unwrap().labels.unknown_row(1), lists[1]);
}
