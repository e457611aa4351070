//! Public data sets: each miniature, written in its exact layout, is read back with the labels that its scenes have.

use std::collections::BTreeSet;
use std::path::Path;

use cpsd::images::scenes::{MINIATURES, SceneOptions, splits, write_miniature};
use cpsd::images::{DATASETS, Dataset, open};
use serde_json::json;

use crate::common::shared;

const TRAIN: usize = 60;
const TEST: usize = 40;

fn options() -> SceneOptions {
    cpsd::activity::console::set_quiet(true);
    SceneOptions { train: TRAIN, val: TEST, test: TEST, test_shifted: 0, size: 48, ..SceneOptions::default() }
}

/// The labels of every test picture that has any, under another name where `name` gives one, in no order.
fn shown(split: &str, name: impl Fn(&str) -> Option<String>) -> Vec<BTreeSet<String>> {
    let all = splits(&options()).unwrap();
    let (_, dataset) = all.iter().find(|(s, _)| s == split).unwrap();
    let rows = (0..dataset.len())
        .filter(|i| i % 13 != 5)
        .map(|i| dataset.labels.row(i).iter().filter_map(|&l| name(&dataset.labels.labels()[l as usize])).collect());
    rows.filter(|row: &BTreeSet<String>| !row.is_empty()).collect()
}

fn labels(dataset: &Dataset) -> Vec<BTreeSet<String>> {
    (0..dataset.len())
        .map(|i| dataset.labels.row(i).iter().map(|&l| dataset.labels.labels()[l as usize].clone()).collect())
        .collect()
}

fn written(name: &str, folder: &Path, given: serde_json::Value) -> Vec<(String, Dataset)> {
    write_miniature(name, &options(), folder).unwrap();
    open(name, Some(folder), &given).unwrap()
}

fn split<'a>(all: &'a [(String, Dataset)], name: &str) -> &'a Dataset {
    &all.iter().find(|(split, _)| split == name).unwrap().1
}

fn sorted(mut rows: Vec<BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    rows.sort();
    rows
}

#[test]
fn coco_is_read_as_it_was_drawn() {
    for name in ["coco2014", "coco2017"] {
        let folder = tempfile::tempdir().unwrap();
        let all = written(name, folder.path(), json!({}));
        let expected = shown("test", |label| Some(label.to_string()));
        assert_eq!(labels(split(&all, "test")), expected);
        let (train, val) = (split(&all, "train"), split(&all, "val"));
        assert_eq!(train.len() + val.len(), shown("train", |label| Some(label.to_string())).len());
        assert!(!val.is_empty() && val.len() < train.len());
        // The order of ML-GCN and of the authors is the alphabet's.
        let order: Vec<&str> = train.labels.labels().iter().map(String::as_str).take(4).collect();
        assert_eq!(order, ["apple", "banana", "bed", "bicycle"]);
        let every = open(name, Some(folder.path()), &json!({ "unlabelled": true })).unwrap();
        assert_eq!(split(&every, "test").len(), TEST);
        // All pictures can be read, also those in grey and in CMYK.
        let test = split(&every, "test");
        (0..test.len()).for_each(|i| assert_eq!(test.picture(i).unwrap().width, 48));
        let grey = |i: usize| test.picture(i).unwrap().rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
        assert!(grey(3) && !grey(4) && !grey(7));
    }
}

#[test]
fn cocos_labels_stand_in_the_authors_order() {
    let Some(file) = shared("coco_cooccurrence.csv") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    let theirs: Vec<&str> = text.lines().next().unwrap().split(',').skip(1).collect();
    assert_eq!(cpsd::images::card("coco2014").unwrap().labels, theirs);
}

#[test]
fn voc_has_twenty_classes_and_difficult_objects() {
    const VOC: [(&str, &str); 20] = [
        ("airplane", "aeroplane"),
        ("bicycle", "bicycle"),
        ("bird", "bird"),
        ("boat", "boat"),
        ("bottle", "bottle"),
        ("bus", "bus"),
        ("car", "car"),
        ("cat", "cat"),
        ("chair", "chair"),
        ("cow", "cow"),
        ("dog", "dog"),
        ("horse", "horse"),
        ("motorcycle", "motorbike"),
        ("person", "person"),
        ("couch", "sofa"),
        ("train", "train"),
        ("tv", "tvmonitor"),
        ("sheep", "sheep"),
        ("potted plant", "pottedplant"),
        ("dining table", "diningtable"),
    ];
    let class = |label: &str| VOC.iter().find(|(coco, _)| *coco == label).map(|(_, voc)| voc.to_string());
    for name in ["voc2007", "voc2012"] {
        let folder = tempfile::tempdir().unwrap();
        let all = written(name, folder.path(), json!({}));
        let test = split(&all, "test");
        assert_eq!(labels(test), shown("test", class), "{name}");
        let order = cpsd::images::card(name).unwrap().labels.clone();
        let places: Vec<usize> =
            test.labels.labels().iter().map(|l| order.iter().position(|o| o == l).unwrap()).collect();
        assert!(places.is_sorted(), "{:?}", test.labels.labels());
        // Without difficult objects some labels are gone, and none is new.
        let easy = open(name, Some(folder.path()), &json!({ "difficult": false, "unlabelled": true })).unwrap();
        let every = open(name, Some(folder.path()), &json!({ "unlabelled": true })).unwrap();
        let (easy, every) = (labels(split(&easy, "test")), labels(split(&every, "test")));
        assert!(easy.iter().zip(&every).all(|(easy, every)| easy.is_subset(every)) && easy != every);
    }
}

#[test]
fn nus_wide_has_81_concepts_and_pictures_in_folders() {
    const CONCEPTS: [(&str, &str); 13] = [
        ("airplane", "plane"),
        ("bear", "bear"),
        ("bird", "birds"),
        ("boat", "boats"),
        ("book", "book"),
        ("car", "cars"),
        ("bus", "vehicle"),
        ("cat", "cat"),
        ("cow", "cow"),
        ("dog", "dog"),
        ("horse", "horses"),
        ("person", "person"),
        ("train", "train"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let all = written("nuswide", folder.path(), json!({}));
    let test = split(&all, "test");
    assert_eq!(test.labels.num_labels(), 81);
    assert_eq!(
        labels(test),
        shown("test", |label| CONCEPTS.iter().find(|(coco, _)| *coco == label).map(|(_, c)| c.to_string()))
    );
    assert!(
        test.labels
            .images()
            .iter()
            .all(|image| image.contains('/') && folder.path().join("Flickr").join(image).is_file())
    );
    assert_eq!(test.picture(0).unwrap().height, 48);
}

#[test]
fn open_images_names_its_classes_and_keeps_refuted_labels_out() {
    let folder = tempfile::tempdir().unwrap();
    let all = written("openimages", folder.path(), json!({}));
    for name in ["train", "val", "test"] {
        assert_eq!(sorted(labels(split(&all, name))), sorted(shown(name, |label| Some(label.to_string()))), "{name}");
    }
    assert!(!split(&all, "test").labels.labels().iter().any(|l| l.contains("general")));
}

#[test]
fn open_images_tells_classes_of_one_name_apart() {
    let folder = tempfile::tempdir().unwrap();
    let plain = written("openimages", folder.path(), json!({}));
    let path = folder.path().join("oidv7-class-descriptions.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let id = |name: &str| text.lines().find_map(|l| l.strip_suffix(&format!(",{name}"))).unwrap().to_string();
    let (cat, dog) = (id("cat"), id("dog"));
    std::fs::write(&path, format!("\u{feff}{}", text.replace(&format!("{dog},dog"), &format!("{dog},cat")))).unwrap();
    let told = open("openimages", Some(folder.path()), &json!({})).unwrap();
    for name in ["train", "val", "test"] {
        let (before, after) = (split(&plain, name), split(&told, name));
        let renamed: Vec<String> = (before.labels.labels().iter())
            .map(|label| match label.as_str() {
                "cat" => format!("cat ({cat})"),
                "dog" => format!("cat ({dog})"),
                other => other.to_string(),
            })
            .collect();
        assert_eq!(after.labels.labels(), renamed);
        assert!(before.labels.csr() == after.labels.csr());
    }
    std::fs::write(&path, format!("{text}{dog},wolf\n")).unwrap();
    let error = open("openimages", Some(folder.path()), &json!({})).map(|_| ()).unwrap_err();
    assert!(error.message.contains("class-descriptions.csv, line ") && error.message.contains(&dog), "{error}");
}

#[test]
fn options_of_a_wrong_type_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let of = |given| open("coco2014", Some(folder.path()), &given).map(|_| ()).unwrap_err().message;
    assert_eq!(of(json!({"val": "x"})), "option \"val\" of dataset \"coco2014\" must be a number; got \"x\"");
    assert_eq!(
        of(json!({"seed": -1})),
        "option \"seed\" of dataset \"coco2014\" must be a non-negative integer; got -1"
    );
    assert_eq!(
        of(json!({"unlabelled": 1})),
        "option \"unlabelled\" of dataset \"coco2014\" must be true or false; got 1"
    );
}

#[test]
fn visual_genome_numbers_its_labels() {
    let folder = tempfile::tempdir().unwrap();
    let all = written("visual-genome-500", folder.path(), json!({}));
    let test = split(&all, "test");
    let catalogue = splits(&options()).unwrap()[0].1.labels.labels().to_vec();
    let number = |label: &str| Some(format!("{:03}", catalogue.iter().position(|l| l == label).unwrap() * 12));
    assert_eq!(labels(test), shown("test", number));
    assert_eq!(test.labels.num_labels(), 500);
    assert_eq!(test.picture(0).unwrap().height, 48);
}

#[test]
fn what_is_missing_is_said_with_the_layout_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for miniature in MINIATURES {
        for root in [None, Some(folder.path())] {
            let error = open(miniature.name, root, &json!({})).map(|_| ()).unwrap_err();
            let help = error.help.unwrap_or_default();
            let card = cpsd::images::card(miniature.name).unwrap();
            assert!(
                error.message.contains(miniature.name) && help.contains("ROOT/") && help.contains(&card.get),
                "{}: {} {help}",
                miniature.name,
                error.message
            );
        }
        let error = open(miniature.name, Some(folder.path()), &json!({ "unlabeled": true })).map(|_| ()).unwrap_err();
        assert!(error.help.unwrap_or_default().contains("unlabelled"), "{}", error.message);
        assert!(DATASETS.iter().any(|d| d.name == miniature.name));
    }
    // A list whose pictures are elsewhere.
    write_miniature("voc2007", &options(), folder.path()).unwrap();
    let pictures = folder.path().join("VOCdevkit/VOC2007/JPEGImages");
    std::fs::rename(&pictures, folder.path().join("elsewhere")).unwrap();
    std::fs::create_dir(&pictures).unwrap();
    let error = open("voc2007", Some(folder.path()), &json!({})).map(|_| ()).unwrap_err();
    assert!(error.message.contains("there is no") && error.message.contains(".jpg"), "{}", error.message);
    let unknown = write_miniature("coco2015", &options(), folder.path()).unwrap_err();
    assert!(unknown.help.unwrap_or_default().contains("coco201"), "{}", unknown.message);
}
