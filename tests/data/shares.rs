//! Shares that are held out, pictures that are missing, and folders of one's own.

use std::path::Path;

use cpsd::error::Error;
use cpsd::images::scenes::{SceneOptions, write_miniature};
use cpsd::images::{Dataset, OnBadImage, Picture, Request, open, open_with};
use cpsd::labels::{LabelTable, stratified_split};
use serde_json::{Value, json};

/// A picture that is told from others by its colour.
fn picture(path: &Path, colour: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = Picture::new(8, 8, vec![colour; 8 * 8 * 3]).unwrap();
    let png = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    std::fs::write(path, if png { picture.to_png() } else { picture.to_jpeg(95) }.unwrap()).unwrap();
}

/// 12 pictures `FOLDER/train_N.jpg` and a table of them, `NAMES` giving the name of picture N.
fn kaggle(root: &Path, folder: &str, table: &str, name: impl Fn(usize) -> String) {
    let mut text = "image,label\n".to_string();
    for i in 0..12 {
        picture(&root.join(folder).join(format!("train_{i}.jpg")), 20 * i as u8);
        for label in [["sky", "sea"][i % 2], "haze"] {
            text += &format!("{},{label}\n", name(i));
        }
    }
    std::fs::write(root.join(table), text).unwrap();
}

fn sizes(all: &[(String, Dataset)]) -> Vec<usize> {
    all.iter().map(|(_, dataset)| dataset.len()).collect()
}

fn folder(root: &Path, options: Value) -> Result<Vec<(String, Dataset)>, Error> {
    cpsd::activity::console::set_quiet(true);
    open("folder", Some(root), &options)
}

fn refused(root: &Path, options: Value) -> Error {
    folder(root, options).map(|all| sizes(&all)).unwrap_err()
}

/// Every picture's colour is the one of its name.
fn check_pictures(all: &[(String, Dataset)]) {
    for (_, dataset) in all {
        for (i, name) in dataset.labels.images().iter().enumerate() {
            let digits: String = name.chars().filter(char::is_ascii_digit).collect();
            let colour = 20 * digits.parse::<u32>().unwrap();
            let seen = dataset.picture(i).unwrap().rgb[0];
            assert!(colour.abs_diff(seen.into()) < 4, "{name}: {seen}");
        }
    }
}

#[test]
fn a_share_of_zero_holds_nothing_out() {
    cpsd::activity::console::set_quiet(true);
    let place = tempfile::tempdir().unwrap();
    let scenes = SceneOptions { train: 12, val: 6, test: 6, test_shifted: 0, size: 48, ..SceneOptions::default() };
    write_miniature("coco2014", &scenes, place.path()).unwrap();
    let coco = |val: Value| open("coco2014", Some(place.path()), &json!({ "val": val, "unlabelled": true }));
    for zero in [json!(0), json!(0.0)] {
        let all = coco(zero).unwrap();
        assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["train", "val", "test"]);
        assert_eq!(sizes(&all), [12, 0, 6]);
    }
    assert_eq!(sizes(&coco(json!(0.25)).unwrap()), [9, 3, 6]);
    for (val, came) in [(json!(1.0), "1"), (json!(-0.1), "-0.1"), (json!(3), "3")] {
        let message = coco(val).map(|_| ()).unwrap_err().message;
        assert_eq!(message, format!("option \"val\" of dataset \"coco2014\" must be from 0 to below 1; got {came}"));
    }
    let message = coco(json!("a tenth")).map(|_| ()).unwrap_err().message;
    assert_eq!(message, "option \"val\" of dataset \"coco2014\" must be a number; got \"a tenth\"");
    let error = coco(json!(0.01)).map(|_| ()).unwrap_err();
    assert_eq!(error.message, "option \"val\" of dataset \"coco2014\" is 0.01: of 12 pictures, none is held out");
    assert!(error.help.unwrap().contains("val: 0"));
}

#[test]
fn shares_of_a_folder_add_up_or_are_refused_with_the_users_numbers() {
    let place = tempfile::tempdir().unwrap();
    kaggle(place.path(), "jpg", "labels.csv", |i| format!("jpg/train_{i}.jpg"));
    for (val, test, expected) in [
        (json!(0.25), json!(0.25), [6, 3, 3]),
        (json!(0), json!(0), [12, 0, 0]),
        (json!(0), json!(0.25), [9, 0, 3]),
        (json!(0.25), json!(0), [9, 3, 0]),
    ] {
        let all = folder(place.path(), json!({ "val": val, "test": test, "seed": 1 })).unwrap();
        assert_eq!(sizes(&all), expected);
        check_pictures(&all);
    }
    for (val, test) in [(0.5, 0.5), (0.9, 0.9), (0.2, 0.8)] {
        let message = refused(place.path(), json!({ "val": val, "test": test })).message;
        assert!(message.ends_with(&format!("got {val} and {test}, together {}", val + test)), "{message}");
    }
    for (options, key) in
        [(json!({ "test": 1.0 }), "test"), (json!({ "val": -0.1 }), "val"), (json!({ "val": 3 }), "val")]
    {
        let message = refused(place.path(), options).message;
        assert!(
            message.starts_with(&format!("option \"{key}\" of dataset \"folder\" must be from 0 to below 1")),
            "{message}"
        );
    }
    // Too near to 1 for a picture to train on.
    let message = refused(place.path(), json!({ "val": 0.0, "test": 0.99 })).message;
    assert!(message.contains("option \"test\" of dataset \"folder\" is 0.99"), "{message}");
}

#[test]
fn no_part_of_a_split_of_labels_is_empty() {
    let names = |n: usize| (0..n).map(|i| format!("{i}")).collect();
    let lists: Vec<Vec<u32>> = (0..60).map(|i| vec![i % 8, i % 5]).collect();
    let table = LabelTable::from_lists(names(8), names(60), &lists).unwrap();
    for shares in [[0.99, 0.01], [0.9999, 0.0001], [0.5, 0.5]] {
        let parts = stratified_split(&table, &shares, 0).unwrap();
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 60);
        assert!(parts.iter().all(|part| !part.is_empty()), "{shares:?}");
    }
}

#[test]
fn pictures_are_found_below_the_root_and_without_their_ending() {
    // As Kaggle's competitions have them.
    let place = tempfile::tempdir().unwrap();
    kaggle(place.path(), "train-jpg", "labels.csv", |i| format!("train_{i}"));
    let found = folder(place.path(), json!({})).unwrap();
    check_pictures(&found);
    assert_eq!(sizes(&found).iter().sum::<usize>(), 12);
    // Options say the same.
    for options in [
        json!({ "folder": "train-jpg", "extension": ".jpg" }),
        json!({ "folder": "train-jpg", "extension": "jpg" }),
        json!({ "folder": "train-jpg" }),
        json!({ "extension": "jpg" }),
        json!({ "folder": place.path().join("train-jpg") }),
    ] {
        let all = folder(place.path(), options.clone()).unwrap();
        assert_eq!(all[0].1.labels.images(), found[0].1.labels.images(), "{options}");
        check_pictures(&all);
    }
    let error = refused(place.path(), json!({ "folder": "train-jgp" }));
    assert!(error.message.starts_with("option \"folder\" of dataset \"folder\": there is no folder"), "{error}");
    assert_eq!(error.help.as_deref(), Some("there: \"train-jpg\""));
    assert!(refused(place.path(), json!({ "extension": ".tif" })).message.contains("all 12 pictures"));
    // A second folder with the same names is chosen by nobody.
    kaggle(place.path(), "more", "labels.csv", |i| format!("train_{i}"));
    let message = refused(place.path(), json!({})).message;
    assert!(message.contains("folder: \"more\", extension: \".jpg\" or folder: \"train-jpg\""), "{message}");
    check_pictures(&folder(place.path(), json!({ "folder": "more" })).unwrap());
    // Names with backslashes.
    let place = tempfile::tempdir().unwrap();
    kaggle(place.path(), "a/b", "labels.csv", |i| format!("a\\b\\train_{i}.jpg"));
    check_pictures(&folder(place.path(), json!({})).unwrap());
}

#[test]
fn the_label_file_may_have_any_name() {
    let place = tempfile::tempdir().unwrap();
    kaggle(place.path(), "p", "train_v2.csv", |i| format!("p/train_{i}.jpg"));
    check_pictures(&folder(place.path(), json!({})).unwrap());
    std::fs::create_dir(place.path().join("meta")).unwrap();
    std::fs::copy(place.path().join("train_v2.csv"), place.path().join("meta/old.csv")).unwrap();
    check_pictures(&folder(place.path(), json!({ "file": "meta/old.csv" })).unwrap());
    let message = refused(place.path(), json!({ "file": "train_v3.csv" })).message;
    assert!(message.ends_with("did you mean \"train_v2.csv\"?"), "{message}");
    std::fs::write(place.path().join("sample_submission.csv"), "image,label\nx,y\n").unwrap();
    let message = refused(place.path(), json!({})).message;
    assert!(message.contains("2 other label files: sample_submission.csv, train_v2.csv; file: takes one"), "{message}");
    check_pictures(&folder(place.path(), json!({ "file": "train_v2.csv" })).unwrap());
    // The options of label files.
    let all = folder(place.path(), json!({ "file": "train_v2.csv", "labels": ["sea", "sky"] })).unwrap();
    assert_eq!(all[0].1.labels.labels(), ["sea", "sky"]);
    let error = refused(place.path(), json!({ "file": "train_v2.csv", "extention": "jpg" }));
    assert_eq!(error.message, "dataset \"folder\" has no option \"extention\"");
    assert_eq!(error.help.as_deref(), Some("did you mean \"extension\"?"));
}

#[test]
fn coco_json_and_a_folder_per_class() {
    let place = tempfile::tempdir().unwrap();
    let images: Vec<Value> =
        (0..12).map(|i| json!({ "id": i, "file_name": format!("{i}.png"), "width": 8, "height": 8 })).collect();
    let boxes: Vec<Value> =
        (0..12).map(|i| json!({ "id": i, "image_id": i, "category_id": 1 + i % 2, "bbox": [0, 0, 1, 1] })).collect();
    let categories = json!([{ "id": 1, "name": "cat" }, { "id": 2, "name": "dog" }]);
    let coco = json!({ "images": images, "annotations": boxes, "categories": categories });
    std::fs::write(place.path().join("instances.json"), coco.to_string()).unwrap();
    (0..12).for_each(|i| picture(&place.path().join(format!("val2014/{i}.png")), 20 * i as u8));
    for options in [json!({}), json!({ "file": "instances.json", "folder": "val2014" })] {
        check_pictures(&folder(place.path(), options).unwrap());
    }
    let place = tempfile::tempdir().unwrap();
    let nothing = refused(place.path(), json!({})).message;
    assert!(nothing.contains("there is no label file in"), "{nothing}");
    (0..4).for_each(|i| picture(&place.path().join(format!("{}/{i}.png", ["cat", "dog"][i % 2])), 7));
    let message = refused(place.path(), json!({})).message;
    assert!(
        message.contains("cat/, dog/ hold pictures: a folder per class gives every picture one label"),
        "{message}"
    );
    let message = refused(&place.path().join("nowhere"), json!({})).message;
    assert!(message.ends_with("is not there"), "{message}");
}

#[test]
fn missing_pictures_are_counted_and_the_nearest_file_is_named() {
    let place = tempfile::tempdir().unwrap();
    kaggle(place.path(), "p", "labels.csv", |i| format!("p/train_{i}.jpg"));
    std::fs::rename(place.path().join("p/train_3.jpg"), place.path().join("p/train_3.jpeg")).unwrap();
    std::fs::remove_file(place.path().join("p/train_7.jpg")).unwrap();
    let error = refused(place.path(), json!({}));
    assert!(error.message.starts_with("2 of the 12 pictures of dataset \"folder\" that labels.csv names are missing"));
    assert!(error.message.ends_with("p/train_3.jpg; the nearest there is \"train_3.jpeg\""), "{}", error.message);
    assert!(error.help.unwrap().contains("on_bad_image: \"skip\""));
    let options = json!({ "val": 0.2, "test": 0.2 });
    let request = Request { root: Some(place.path()), options: &options, on_bad_image: OnBadImage::Skip };
    let kept = open_with("folder", &request).unwrap();
    assert_eq!(sizes(&kept), [6, 2, 2]);
    check_pictures(&kept);
    (0..12).for_each(|i| drop(std::fs::remove_file(place.path().join(format!("p/train_{i}.jpg")))));
    let error = open_with("folder", &request).map(|_| ()).unwrap_err();
    assert!(error.message.starts_with("all 12 pictures of dataset \"folder\""), "{}", error.message);
    std::fs::create_dir(place.path().join("p/train_0.jpg")).unwrap();
    let error = open_with("folder", &request).map(|_| ()).unwrap_err();
    assert!(error.message.ends_with("p/train_0.jpg is a folder, not a file"), "{}", error.message);
}

#[test]
fn a_download_with_gaps_is_opened_without_them() {
    cpsd::activity::console::set_quiet(true);
    let place = tempfile::tempdir().unwrap();
    let scenes = SceneOptions { train: 12, val: 6, test: 6, test_shifted: 0, size: 48, ..SceneOptions::default() };
    write_miniature("coco2014", &scenes, place.path()).unwrap();
    let pictures = crate::common::files(&place.path().join("train2014"));
    assert_eq!(pictures.len(), 12);
    let options = json!({ "val": 0, "unlabelled": true });
    let open_it =
        |on_bad_image| open_with("coco2014", &Request { root: Some(place.path()), options: &options, on_bad_image });
    // One in the middle is an error when it is read, the first when the data set is opened.
    std::fs::remove_file(&pictures[5]).unwrap();
    assert_eq!(sizes(&open_it(OnBadImage::Error).unwrap()), [12, 0, 6]);
    assert_eq!(sizes(&open_it(OnBadImage::Skip).unwrap()), [11, 0, 6]);
    for end in [&pictures[0], &pictures[11]] {
        std::fs::remove_file(end).unwrap();
    }
    let error = open_it(OnBadImage::Error).map(|_| ()).unwrap_err();
    assert!(error.message.contains("3 of the 12 pictures of split train2014"), "{}", error.message);
    assert_eq!(sizes(&open_it(OnBadImage::Skip).unwrap()), [9, 0, 6]);
}
