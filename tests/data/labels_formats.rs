//! Encodings, class lists of VOC, YOLO folders, ARFF and Hugging Face metadata: values of other readers, mistakes with
//! their places, and names that come back as they were written.

use std::path::{Path, PathBuf};

use cpsd::error::{About, Error, Result};
use cpsd::images::{Dataset, open};
use cpsd::labels::{LabelTable, LoadOptions, load};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// A folder of these files.
    fn of(files: &[(&str, &str)]) -> Folder {
        let folder = Folder::new();
        files.iter().for_each(|(name, content)| drop(folder.put(name, content)));
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn load(&self, inside: &str, options: Value) -> Result<LabelTable> {
        let path = if inside.is_empty() { self.path().to_path_buf() } else { self.path().join(inside) };
        load(&path, &serde_json::from_value::<LoadOptions>(options).unwrap())
    }

    fn read(&self, inside: &str) -> LabelTable {
        self.load(inside, json!({})).unwrap_or_else(|e| panic!("{e} ({:?})", e.help))
    }

    /// The error without the folder's name.
    fn refused(&self, inside: &str, options: Value) -> Error {
        let error = self.load(inside, options).unwrap_err();
        let message = error.message.replace(&format!("{}/", self.path().display()), "");
        Error { message: message.replace(&self.path().display().to_string(), "."), ..error }
    }

    fn message(&self, inside: &str) -> String {
        self.refused(inside, json!({})).message
    }
}

/// Image and labels of each row; labels of unknown truth behind a `?`.
fn rows(t: &LabelTable) -> Vec<String> {
    let name = |label: &u32| t.labels()[*label as usize].clone();
    let row = |i: usize| {
        let unknown = t.unknown_row(i).iter().map(|label| format!("?{}", name(label)));
        let words = std::iter::once(t.images()[i].clone()).chain(t.row(i).iter().map(name)).chain(unknown);
        words.collect::<Vec<_>>().join(" | ")
    };
    (0..t.num_images()).map(row).collect()
}

// Encodings

#[test]
fn lists_and_nuswide_in_other_encodings() {
    let folder = Folder::new();
    let utf16: Vec<u8> = "\u{feff}a.jpg Bär 猫\r\nb.jpg 猫\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.put("utf16.txt", utf16);
    folder.put("latin1.txt", b"a.jpg B\xe4r\nb.jpg caf\xe9\n");
    folder.put("mac.txt", "a.jpg Bär\rb.jpg 猫\r");
    assert_eq!(rows(&folder.read("utf16.txt")), ["a.jpg | Bär | 猫", "b.jpg | 猫"]);
    assert_eq!(rows(&folder.read("mac.txt")), ["a.jpg | Bär", "b.jpg | 猫"]);
    let latin1 = folder.load("latin1.txt", json!({"encoding": "latin1"})).unwrap();
    assert_eq!(rows(&latin1), ["a.jpg | Bär", "b.jpg | café"]);
    let error = folder.refused("latin1.txt", json!({}));
    assert_eq!(error.message, "latin1.txt, line 1: not UTF-8 text");
    assert!(error.help.unwrap().contains("encoding: \"windows-1252\""));
    let error = folder.refused("latin1.txt", json!({"encoding": "latin3x"}));
    assert_eq!((error.message.as_str(), error.help.is_some()), ("unknown encoding \"latin3x\"", true));
    folder.put("NUS/ImageList/ImageList/TrainImagelist.txt", b"stra\xdfe\\1.jpg\n");
    folder.put("NUS/Groundtruth/TrainTestLabels/Labels_sky_Train.txt", "1\n");
    let train = folder.load("NUS", json!({"split": "train", "encoding": "iso-8859-1"})).unwrap();
    assert_eq!(rows(&train), ["straße/1.jpg | sky"]);
}

#[test]
fn lists_with_commas_and_unknown_flags() {
    let folder = Folder::of(&[("t.txt", "1.jpg cat,dog\n2.jpg dog\n"), ("f.txt", "1.jpg 1 -1 0\n2.jpg 0 1 1\n")]);
    assert_eq!(rows(&folder.read("t.txt")), ["1.jpg | cat | dog", "2.jpg | dog"]);
    let whole = folder.load("t.txt", json!({"separator": ""})).unwrap();
    assert_eq!(whole.labels(), ["cat,dog", "dog"]);
    let error = folder.refused("f.txt", json!({}));
    assert_eq!(error.message, "f.txt, line 1: flag 2 must be 0 or 1; got -1, which is unknown");
    assert!(error.help.unwrap().contains("unknown: \"negative\""));
    let read = |unknown: &str| rows(&folder.load("f.txt", json!({ "unknown": unknown })).unwrap());
    assert_eq!(read("negative"), ["1.jpg | 0", "2.jpg | 1 | 2"]);
    assert_eq!(read("positive"), ["1.jpg | 0 | 1", "2.jpg | 1 | 2"]);
    assert_eq!(read("masked"), ["1.jpg | 0 | ?1", "2.jpg | 1 | 2"]);
    let other = Folder::of(&[("f.txt", "1.jpg 1.0 -1.0 FALSE\n2.jpg 0.0 true ?\n")]);
    let read = |options: Value| rows(&other.load("f.txt", options).unwrap());
    assert_eq!(read(json!({"unknown": "positive"})), ["1.jpg | 0 | 1", "2.jpg | 1"]);
    assert_eq!(read(json!({"unknown": "negative", "empty": "masked"})), ["1.jpg | 0", "2.jpg | 1 | ?2"]);
    let error = other.refused("f.txt", json!({"unknown": "negative", "empty": "error"}));
    assert_eq!(error.message, "f.txt, line 2: flag 3 must be 0 or 1; got ?, which is unknown");
    folder.put("classes.txt", "a\n\nb\n");
    assert!(folder.message("f.txt").contains("classes.txt, line 2: a blank line between class names"));
}

#[test]
fn lists_with_tabs_and_brackets() {
    let of = |text: &str, options: Value| rows(&Folder::of(&[("t.txt", text)]).load("t.txt", options).unwrap());
    let tabs = "my dog.jpg\ttraffic light\tcat\nb.jpg\tcat\nc.jpg\n";
    assert_eq!(of(tabs, json!({})), ["my dog.jpg | cat | traffic light", "b.jpg | cat", "c.jpg"]);
    assert_eq!(of(tabs, json!({"separator": " "}))[0], "my dog.jpg | cat | light | traffic");
    assert_eq!(of("a.jpg\t0 1 1\nb.jpg\t1 0 0\n", json!({})), ["a.jpg | 1 | 2", "b.jpg | 0"]);
    // Not every line has a tab, so blanks separate.
    assert_eq!(of("a.jpg\tbig cat\nb.jpg cat\n", json!({})), ["a.jpg | big | cat", "b.jpg | cat"]);
    assert_eq!(of("a.jpg [0, 1, 1]\nb.jpg [1, 0, 0]\n", json!({})), ["a.jpg | 1 | 2", "b.jpg | 0"]);
    assert_eq!(of("a.jpg [0 1 1]\nb.jpg [1. 0. 0.]\n", json!({})), ["a.jpg | 1 | 2", "b.jpg | 0"]);
    assert_eq!(of("a.jpg ['big cat', 'dog']\nb.jpg []\n", json!({})), ["a.jpg | big cat | dog", "b.jpg"]);
    assert_eq!(of("a.jpg [cat]\n", json!({"separator": ""})), ["a.jpg | [cat]"]);
    let message = Folder::of(&[("t.txt", "a.jpg cat\nmy dog.jpg cat\n")]).message("t.txt");
    // The image would be "my".
    assert_eq!(message, "t.txt, line 2: \"dog.jpg\" stands where a label is expected; has the image's name a blank?");
}

// Options, files and splits

#[test]
fn options_that_a_reader_does_not_take_are_refused() {
    let coco = json!({"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "category_id": 1}],
                      "categories": [{"id": 1, "name": "cat"}]});
    let folder = Folder::of(&[
        ("instances.json", &coco.to_string()),
        ("x.csv", "image,label\n1,cat\n"),
        ("t.txt", "1.jpg cat\n"),
        ("voc/Annotations/1.xml", "<annotation><object><name>cat</name></object></annotation>"),
    ]);
    let of = |inside: &str, options: Value| folder.refused(inside, options);
    let error = of("instances.json", json!({"separator": "|"}));
    assert_eq!(
        error.message,
        "instances.json: option separator is not taken by the format coco, whose options are labels, unlabelled"
    );
    assert!(matches!(error.about, Some(About::Option { ref key, .. }) if key == "separator"), "{:?}", error.about);
    assert!(
        of("x.csv", json!({"difficult": "drop"}))
            .message
            .contains("option difficult is not taken by the format csv-long")
    );
    assert!(of("t.txt", json!({"header": false})).message.contains("option header is not taken by the format list"));
    let error = of("voc", json!({"unknown": "masked"}));
    assert!(error.message.ends_with("whose options are difficult, encoding, labels, unlabelled, split"), "{error}");
    // A default changes nothing.
    assert_eq!(rows(&folder.load("t.txt", json!({"header": true, "unknown": "error"})).unwrap()), ["1.jpg | cat"]);
}

#[test]
fn a_table_called_labels_is_read_before_the_metadata_of_folders() {
    let record = "{\"file_name\": \"1.jpg\", \"labels\": [\"dog\"]}\n";
    let folder = Folder::of(&[("train/metadata.jsonl", record), ("about.csv", "a,b\n1,2\n")]);
    assert_eq!(rows(&folder.read("")), ["train/1.jpg | dog"]);
    folder.put("labels.csv", "image,label\ntrain/1.jpg,cat\n");
    assert_eq!(rows(&folder.read("")), ["train/1.jpg | cat"]);
    assert_eq!(rows(&folder.load("", json!({"format": "huggingface"})).unwrap()), ["train/1.jpg | dog"]);
    let deep = Folder::of(&[(
        "metadata.jsonl",
        "{\"file_name\": \"images/train/1.jpg\", \"labels\": [\"a\"]}\n\
         {\"file_name\": \"images/dev/1.jpg\", \"labels\": [\"b\"]}\n",
    )]);
    assert_eq!(rows(&deep.load("", json!({"split": "train"})).unwrap()), ["images/train/1.jpg | a"]);
    assert_eq!(rows(&deep.load("", json!({"split": "validation"})).unwrap()), ["images/dev/1.jpg | b"]);
}

/// Images of train, val and test as data set "folder" divides them.
fn divided(folder: &Folder, options: Value) -> Vec<Vec<String>> {
    cpsd::activity::console::set_quiet(true);
    let all: Vec<(String, Dataset)> = open("folder", Some(folder.path()), &options).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["train", "val", "test"]);
    assert!(all.iter().all(|(_, split)| split.labels.labels() == all[0].1.labels.labels()));
    all.iter().map(|(_, split)| split.labels.images().to_vec()).collect()
}

#[test]
fn the_splits_of_a_folder_are_those_of_the_data_set() {
    let folder =
        Folder::of(&[("data.yaml", "train: images/train\nval: images/val\ntest: images/test\nnames: [cat, dog]\n")]);
    for i in 0..10 {
        let split = if i < 8 { "train" } else { "val" };
        folder.put(&format!("images/{split}/{i}.jpg"), "");
        folder.put(&format!("labels/{split}/{i}.txt"), format!("{} 0.5 0.5 0.1 0.1\n", usize::from(i > 7)));
    }
    // The path of test is not there, so it is a share of train.
    let splits = divided(&folder, json!({"test": 0.25}));
    assert_eq!(splits.iter().map(Vec::len).collect::<Vec<_>>(), [6, 2, 2]);
    assert_eq!(splits[1], ["images/val/8.jpg", "images/val/9.jpg"]);
    // A split alone is divided by the shares.
    let train = divided(&folder, json!({"test": 0.25, "val": 0.25, "split": "train"}));
    assert_eq!(train.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2, 2]);
    assert!(train.iter().flatten().all(|image| image.starts_with("images/train/")));

    let voc = Folder::new();
    for i in 0..6 {
        let label = if i < 5 { "cat" } else { "dog" };
        voc.put(
            &format!("Annotations/{i}.xml"),
            format!("<annotation><filename>{i}.jpg</filename><object><name>{label}</name></object></annotation>"),
        );
        voc.put(&format!("JPEGImages/{i}.jpg"), "");
    }
    voc.put("ImageSets/Main/trainval.txt", "0\n1\n2\n3\n");
    voc.put("ImageSets/Main/test.txt", "4\n5\n");
    assert_eq!(
        divided(&voc, json!({"val": 0.0})),
        [&["0.jpg", "1.jpg", "2.jpg", "3.jpg"][..], &[], &["4.jpg", "5.jpg"]]
    );
    voc.put("ImageSets/Main/train.txt", "0\n1\n");
    voc.put("ImageSets/Main/val.txt", "2\n");
    // Picture 3 is in no split of these.
    assert_eq!(divided(&voc, json!({})), [&["0.jpg", "1.jpg"][..], &["2.jpg"], &["4.jpg", "5.jpg"]]);

    let face = Folder::new();
    for (split, n) in [("train", 4), ("validation", 1), ("test", 2)] {
        let record = |i: i32| format!("{{\"file_name\": \"{i}.jpg\", \"labels\": [\"{split}\"]}}\n");
        face.put(&format!("{split}/metadata.jsonl"), (0..n).map(record).collect::<String>());
        (0..n).for_each(|i| drop(face.put(&format!("{split}/{i}.jpg"), "")));
    }
    let splits = divided(&face, json!({}));
    assert_eq!(splits.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1, 2]);
    assert!(splits[2].iter().all(|image| image.starts_with("test/")));
}

// VOC

/// The values are those of Python's xml.etree.ElementTree.
#[test]
fn voc_in_other_encodings() {
    let folder = Folder::new();
    let xml = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n<annotation><filename>写真&#29483;.jpg</filename>\
               <object><name>Bär &amp; L&#246;we</name></object></annotation>\n";
    folder.put("Annotations/1.xml", xml.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    folder.put(
        "Annotations/2.xml",
        b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<annotation><filename>\xe9.jpg</filename>\
          <object><name>\xa0B\xe4r\n</name></object></annotation>\n",
    );
    assert_eq!(rows(&folder.read("")), ["写真猫.jpg | Bär & Löwe", "é.jpg | Bär"]);
    folder.put("Annotations/3.xml", "<?xml version='1.0' encoding='latn1'?>\n<annotation/>");
    let error = folder.refused("", json!({}));
    assert_eq!(error.message, "Annotations/3.xml, line 1: the XML declaration names the unknown encoding \"latn1\"");
    assert_eq!(error.help.as_deref(), Some("did you mean \"latin1\"?"));
}

#[test]
fn voc_paths_of_other_machines_and_masked_objects() {
    let xml = |filename: &str, objects: &[(&str, u8)]| {
        let object =
            |(name, hard): &(&str, u8)| format!("<object><name>{name}</name><difficult>{hard}</difficult></object>");
        let objects: String = objects.iter().map(object).collect();
        format!("<annotation><filename>{filename}</filename>{objects}</annotation>")
    };
    let folder = Folder::new();
    folder.put("Annotations/1.xml", xml("C:\\data\\1.jpg", &[("cat", 0), ("dog", 1)]));
    folder.put("Annotations/2.xml", xml("..\\JPEGImages\\2.jpg", &[("dog", 1), ("dog", 0)]));
    folder.put("Annotations/3.xml", xml("3.jpg", &[("owl", 1)]));
    let read = |difficult: &str| rows(&folder.load("", json!({ "difficult": difficult })).unwrap());
    assert_eq!(read("keep"), ["1.jpg | cat | dog", "2.jpg | dog", "3.jpg | owl"]);
    assert_eq!(read("drop"), ["1.jpg | cat", "2.jpg | dog", "3.jpg"]);
    assert_eq!(read("mask"), ["1.jpg | cat | ?dog", "2.jpg | dog", "3.jpg | ?owl"]);
    // Only its last part is its name, so this is the same picture.
    folder.put("Annotations/4.xml", xml("D:\\1.jpg", &[]));
    assert!(folder.message("").ends_with("4.xml are both about picture \"1.jpg\""));
}

#[test]
fn voc_class_lists() {
    let files = [
        ("ImageSets/Main/cat_train.txt", "000012 -1\n000017  1\n000023  0\n"),
        ("ImageSets/Main/potted_plant_train.txt", "000012  1\r\n000017 -1\r\n000023 -1\r\n"),
        ("ImageSets/Main/cat_val.txt", "000030 -1\n"),
        ("ImageSets/Main/potted_plant_val.txt", "000030  0\n"),
        ("ImageSets/Main/cat_trainval.txt", "000012 -1\n000017  1\n000023  0\n000030 -1\n"),
        ("ImageSets/Main/potted_plant_trainval.txt", "000012  1\n000017 -1\n000023 -1\n000030  0\n"),
        ("ImageSets/Main/train.txt", "000012\n000017\n000023\n"),
        ("ImageSets/Main/train_aug.txt", "000012\n"),
    ];
    let folder = Folder::of(&files);
    let read = |options: Value| rows(&folder.load("", options).unwrap());
    let train = ["000012 | potted_plant", "000017 | cat", "000023 | cat"];
    assert_eq!(read(json!({"split": "train"})), train);
    assert_eq!(
        read(json!({"split": "train", "difficult": "drop"})),
        ["000012 | potted_plant", "000017 | cat", "000023"]
    );
    let masked = ["000012 | potted_plant", "000017 | cat", "000023 | ?cat", "000030 | ?potted_plant"];
    assert_eq!(read(json!({"split": "trainval", "difficult": "mask"})), masked);
    assert_eq!(read(json!({"difficult": "mask"})), masked);
    assert_eq!(folder.load("ImageSets/Main", json!({"split": "val"})).unwrap().labels(), ["cat", "potted_plant"]);
    let error = folder.refused("", json!({"split": "trian"}));
    assert_eq!(
        (error.message.as_str(), error.help.as_deref()),
        ("unknown split \"trian\"", Some("did you mean \"train\"?"))
    );
    let floats = Folder::of(&[("cat_train.txt", "1 1.0\n2 -1.0\n3 +1\n4 0.0\n")]);
    assert_eq!(rows(&floats.load("", json!({"difficult": "mask"})).unwrap()), ["1 | cat", "2", "3 | cat", "4 | ?cat"]);
    // A folder with annotations has the labels there, unless the format says otherwise.
    folder.put("Annotations/000012.xml", "<annotation><object><name>fox</name></object></annotation>");
    assert_eq!(folder.read("").labels(), ["fox"]);
    assert_eq!(rows(&folder.load("", json!({"format": "voc-lists", "split": "train"})).unwrap()), train);
}

#[test]
fn voc_class_lists_refuse() {
    let of = |cat: &str, dog: &str| Folder::of(&[("cat_train.txt", cat), ("dog_train.txt", dog)]).message("");
    assert_eq!(of("1 1\n2 2\n", "1 1\n2 1\n"), "cat_train.txt, line 2: expected an image and -1, 0 or 1; got \"2 2\"");
    assert_eq!(of("1 1\n2\n", "1 1\n2 1\n"), "cat_train.txt, line 2: expected an image and -1, 0 or 1; got \"2\"");
    assert_eq!(of("1 1\n1 1\n", "1 1\n"), "cat_train.txt, line 2: image \"1\" appears twice");
    assert_eq!(
        of("1 1\n2 1\n", "1 1\n"),
        ".: no list of class \"dog\" has image \"2\", which other classes' lists have"
    );
    let folder = Folder::of(&[("cat_train.txt", "1 1\n"), ("cat_val.txt", "2 1\n1 -1\n")]);
    assert_eq!(
        folder.message(""),
        "cat_val.txt, line 2: image \"1\" is -1 here, but 1 in ./cat_train.txt".replace("./", "")
    );
    assert_eq!(rows(&folder.load("", json!({"split": "val"})).unwrap()), ["2 | cat", "1"]);
}

// YOLO

#[test]
fn yolo_with_a_description() {
    let folder = Folder::of(&[
        (
            "data.yaml",
            "path: ../datasets/x  # root\ntrain: images/train\nval: images/val\ntest:\nnames:\n  0: cat\n  1: no\n  5: 'sea, lion'\n",
        ),
        ("images/train/a.jpg", ""),
        ("images/train/b.png", ""),
        ("images/train/deep/c.jpg", ""),
        ("images/val/a.jpg", ""),
        ("labels/train/a.txt", "1 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.1 0.1 0.9\n1 0.5 0.5 0.2 0.2\n"),
        ("labels/train/b.txt", ""),
        ("labels/val/a.txt", "5.0 0.1 0.1 0.2 0.1 0.2 0.2\r\n"),
        ("labels/train/none.txt", "0 0.5 0.5 0.2 0.2\n"),
    ]);
    let table = folder.read("");
    assert_eq!(table.labels(), ["cat", "no", "sea, lion"]);
    let train = ["images/train/a.jpg | cat | no", "images/train/b.png", "images/train/deep/c.jpg"];
    let val = ["images/val/a.jpg | sea, lion"];
    assert_eq!(rows(&table), [&train[..], &val[..]].concat());
    assert_eq!(rows(&folder.read("data.yaml")), rows(&table));
    assert_eq!(rows(&folder.load("", json!({"split": "train"})).unwrap()), train);
    assert_eq!(rows(&folder.load("", json!({"split": "valid"})).unwrap()), val);
    assert_eq!(folder.refused("", json!({"split": "test"})).message, "unknown split \"test\"");
    let error = folder.refused("", json!({"labels": ["cat", "owl"]}));
    assert_eq!(error.message, "unknown label \"owl\"");
}

/// The layout of Roboflow's exports, whose paths begin with a `../` too much.
#[test]
fn yolo_with_folders_of_splits() {
    let folder = Folder::of(&[
        ("data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['a b', \"c\"]\n"),
        ("train/images/1.jpg", ""),
        ("train/labels/1.txt", "1 0.5 0.5 0.2 0.2\n"),
        ("valid/images/2.jpg", ""),
        ("valid/labels/2.txt", "0 0.5 0.5 0.2 0.2\n"),
    ]);
    assert_eq!(rows(&folder.read("")), ["train/images/1.jpg | c", "valid/images/2.jpg | a b"]);
    assert_eq!(rows(&folder.load("", json!({"split": "val"})).unwrap()), ["valid/images/2.jpg | a b"]);
}

#[test]
fn yolo_with_lists_of_names_and_of_images() {
    // Darknet: text files beside the images.
    let flat =
        Folder::of(&[("obj.names", "cat\ndog\n"), ("1.jpg", ""), ("1.txt", "1 0.5 0.5 0.2 0.2\n"), ("2.jpg", "")]);
    assert_eq!(rows(&flat.read("")), ["1.jpg | dog", "2.jpg"]);
    let labels = Folder::of(&[("classes.txt", "cat\r\ndog\r\n"), ("labels/x.y.txt", "0 0.5 0.5 0.2 0.2\n")]);
    assert_eq!(rows(&labels.read("")), ["images/x.y | cat"]);
    let listed = Folder::of(&[
        ("x.yaml", "train: train.txt\nnames: [cat, dog]\n"),
        ("train.txt", "./images/1.jpg\n./images/2.jpg\n"),
        ("labels/1.txt", "1 0.5 0.5 0.2 0.2\n"),
        ("labels/3.txt", "0 0.5 0.5 0.2 0.2\n"),
    ]);
    assert_eq!(rows(&listed.read("")), ["images/1.jpg | dog", "images/2.jpg"]);
}

#[test]
fn yolo_refuses() {
    let with =
        |label: &str, names: &str| Folder::of(&[("data.yaml", names), ("images/1.jpg", ""), ("labels/1.txt", label)]);
    let names = "names: [cat, dog]\ntrain: images\n";
    let of = |label: &str| with(label, names).message("");
    let lines = "labels/1.txt, line 2: expected a class number, and a box or polygon of numbers; got ";
    assert_eq!(
        of("0 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n"),
        "labels/1.txt, line 2: class 2 has no name; data.yaml has 2 names, for classes up to 1"
    );
    assert_eq!(of("0 0.5 0.5 0.1 0.1\ncat 0.5 0.5 0.1 0.1\n"), format!("{lines}\"cat 0.5 0.5 0.1 0.1\""));
    assert_eq!(of("\n0 0.5 0.5\n"), format!("{lines}\"0 0.5 0.5\""));
    assert_eq!(of("\n-1 0.5 0.5 0.1 0.1\n"), format!("{lines}\"-1 0.5 0.5 0.1 0.1\""));
    assert_eq!(of("\n0 0.5 0,5 0.1 0.1\n"), format!("{lines}\"0 0.5 0,5 0.1 0.1\""));
    let names = |names: &str| with("0 0.5 0.5 0.1 0.1\n", names).message("");
    assert_eq!(names("names: [cat, cat]\n"), "data.yaml: classes 0 and 1 are both called \"cat\"");
    assert_eq!(names("names: {a: cat}\n"), "data.yaml, line 1: a class number must be a whole number; got \"a\"");
    assert_eq!(names("nc: 3\nnames: [cat, dog]\n"), "data.yaml, line 1: nc is 3, and the list has 2 names");
    assert!(names("names: [cat\nx: 1\n").starts_with("data.yaml, line "));
    let none = Folder::of(&[("images/1.jpg", ""), ("labels/1.txt", "0 0.5 0.5 0.1 0.1\n")]);
    let error = none.refused("", json!({}));
    assert_eq!(error.message, ".: this YOLO folder has no names for its class numbers");
    assert!(error.help.unwrap().contains("classes.txt"));
    let unlabelled = Folder::of(&[("classes.txt", "cat\n"), ("images/1.jpg", ""), ("labels/other.txt", "")]);
    assert_eq!(unlabelled.message(""), ".: no image has a label file");
    let two = Folder::of(&[("a.yaml", "names: [x]\ntrain: a\n"), ("b.yaml", "names: [y]\ntrain: a\n")]);
    assert!(two.refused("", json!({"format": "yolo"})).message.ends_with("b.yaml both name classes"));
}

// ARFF

/// The values are liac-arff 2.5's.
#[test]
fn arff_of_meka_dense() {
    let text = "% comment\n@RELATION 'tiny: -C -3'\n\n@Attribute id string\n@attribute 'size, cm' NUMERIC\n\
                @attribute \"sea lion\" {0,1}\n@attribute 'its' {0, 1}\n@attribute beach {1,0}\n@DATA\n\
                'a, 1.jpg',0.5,1,0,0\nb.jpg,?,0,1,1\n% between\nc.jpg,1e3, 0 ,0,0\n";
    let folder = Folder::of(&[("tiny.arff", text)]);
    let table = folder.read("tiny.arff");
    assert_eq!(table.labels(), ["sea lion", "its", "beach"]);
    assert_eq!(rows(&table), ["a, 1.jpg | sea lion", "b.jpg | its | beach", "c.jpg"]);
    folder.put("first.arff", "@relation 'x: -C 1'\n@attribute y {0,1}\n@attribute f numeric\n@data\n1,2\n0,3\n");
    assert_eq!(rows(&folder.read("first.arff")), ["0 | y", "1"]);
}

/// The values are liac-arff 2.5's: what a sparse row leaves out has the first value.
#[test]
fn arff_of_mulan_sparse() {
    let text = "@relation x\n@attribute a {0,1}\n@attribute f numeric\n@attribute b {0,1}\n@attribute c {1,0}\n@data\n\
                {0 1,1 0.5}\n{2 1, 3 0}\n{}\n{1 7,3 0}\n";
    let xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<labels xmlns=\"http://mulan.sourceforge.net/labels\">\n\
               <label name=\"c\"></label>\n<label name=\"a\"><label name=\"b\"/></label>\n</labels>\n";
    let folder = Folder::of(&[("x-train.arff", text), ("x.xml", xml), ("other.xml", "<labels/>")]);
    let table = folder.read("x-train.arff");
    assert_eq!(table.labels(), ["a", "b", "c"]);
    assert_eq!(rows(&table), ["0 | a | c", "1 | b", "2 | c", "3"]);
}

#[test]
fn arff_refuses() {
    let head = "@relation 'x: -C 2'\n@attribute cat {0,1}\n@attribute dog numeric\n@attribute f numeric\n@data\n";
    let of = |rows: &str| Folder::of(&[("x.arff", format!("{head}{rows}").as_str())]).message("x.arff");
    assert_eq!(of("1,0,3\n1,0\n"), "x.arff, line 7: expected 3 values, one for each attribute; got 2");
    assert_eq!(of("1,0,3\n2,0,1\n"), "x.arff, line 7: label \"cat\" must be 0 or 1; got \"2\"");
    assert_eq!(of("{3 1}\n"), "x.arff, line 6: attribute 3, but there are only 3, counted from 0");
    assert_eq!(of("{1 1,0 1}\n"), "x.arff, line 6: attribute 0 comes behind attribute 1; they must ascend");
    assert_eq!(of("'1,0,3\n"), "x.arff, line 6: a quote is not closed");
    assert_eq!(of(""), "x.arff: there are no rows behind @data");
    let folder = Folder::of(&[("x.arff", format!("{head}?,1,0\n1,-1,0\n").as_str())]);
    let error = folder.refused("x.arff", json!({}));
    assert_eq!(error.message, "x.arff, line 6: label \"cat\" must be 0 or 1; got ?, which is unknown");
    assert!(error.help.unwrap().contains("unknown: \"negative\""));
    let read = |unknown: &str| rows(&folder.load("x.arff", json!({ "unknown": unknown })).unwrap());
    assert_eq!(read("negative"), ["0 | dog", "1 | cat"]);
    // A missing value is never positive by itself.
    assert_eq!(read("positive"), ["0 | dog", "1 | cat | dog"]);
    let options = json!({"unknown": "positive", "empty": "masked"});
    assert_eq!(rows(&folder.load("x.arff", options).unwrap()), ["0 | dog | ?cat", "1 | cat | dog"]);
    let words =
        "@relation 'x: -C 2'\n@attribute a {no,yes}\n@attribute b {-1,1}\n@data\nyes,1.0\nNo,-1\n{}\n{0 yes,1 1}\n";
    let folder = Folder::of(&[("w.arff", words)]);
    let masked = rows(&folder.load("w.arff", json!({"unknown": "masked"})).unwrap());
    assert_eq!(masked, ["0 | a | b", "1 | ?b", "2 | ?b", "3 | a | b"]);
    assert_eq!(read("masked"), ["0 | dog | ?cat", "1 | cat | ?dog"]);
    let header = |text: &str| Folder::of(&[("x.arff", text)]).message("x.arff");
    assert!(
        header("@relation x\n@attribute a {0,1}\n@data\n1\n").contains("does not tell which attributes are labels")
    );
    assert!(
        header("@relation 'x: -C 3'\n@attribute a {0,1}\n@data\n1\n").ends_with("at most the 1 attributes; got \"3\"")
    );
    assert_eq!(
        header("@relation 'x: -C 1'\n@attribute a {x,y}\n@data\nx\n"),
        "x.arff, line 2: label \"a\" must be {0,1} or numeric; it is {x,y}"
    );
    assert_eq!(
        header("@relation x\n@attribute a {0,1}\n"),
        "x.arff, line 2: an ARFF file needs @data behind its attributes; the file ends before"
    );
    let twice = "@relation 'x: -C 1'\n@attribute a {0,1}\n@attribute id string\n@data\n1,p\n0,p\n";
    assert_eq!(header(twice), "x.arff, line 6: image \"p\" has a second row, its first is line 5");
    let folder = Folder::of(&[
        ("x.arff", "@relation x\n@attribute beach {0,1}\n@data\n1\n"),
        ("x.xml", "<labels>\n<label name=\"baech\"/>\n</labels>"),
    ]);
    let error = folder.refused("x.arff", json!({}));
    assert_eq!(error.message, "x.xml, line 2: label \"baech\" is no attribute of x.arff");
    assert_eq!(error.help.as_deref(), Some("did you mean \"beach\"?"));
}

// Hugging Face

#[test]
fn huggingface_json_lines() {
    let text = "\u{feff}{\"file_name\": \"a.jpg\", \"labels\": [\" dog\\u00a0\", \"cat, small\"]}\n\n\
                {\"file_name\": \"./b.jpg\", \"labels\": []}\r\n{\"file_name\": \"c.jpg\", \"labels\": \"cat\", \"x\": [1.5]}\n";
    let folder = Folder::of(&[("metadata.jsonl", text), ("plain.txt", text)]);
    let expected = ["a.jpg | cat, small | dog", "b.jpg", "c.jpg | cat"];
    for path in ["", "metadata.jsonl", "plain.txt"] {
        assert_eq!(rows(&folder.read(path)), expected);
    }
}

#[test]
fn huggingface_objects_numbers_and_flags() {
    let of = |lines: &str, options: Value| {
        rows(&Folder::of(&[("x.jsonl", lines)]).load("x.jsonl", options).unwrap_or_else(|e| panic!("{e}")))
    };
    let object = "{\"file_name\": \"1\", \"objects\": {\"bbox\": [[1, 2, 3, 4], [1, 2, 3, 4]], \"categories\": [\"b\", \"a\"]}}\n";
    let list = "{\"file_name\": \"2\", \"objects\": [{\"category\": \"a\", \"bbox\": []}, {\"category\": \"a\"}]}\n";
    assert_eq!(of(object, json!({})), ["1 | a | b"]);
    assert_eq!(of(list, json!({})), ["2 | a"]);
    assert_eq!(of(list, json!({"label": "objects.category"})), ["2 | a"]);
    let other = "{\"img\": \"1\", \"meta\": {\"kinds\": [3, 1.0]}, \"label\": \"x\"}\n";
    assert_eq!(of(other, json!({"image": "img", "label": "meta.kinds"})), ["1 | 1 | 3"]);
    let flags = "{\"file_name\": \"1\", \"labels\": [0, 0, 1]}\n{\"file_name\": \"2\", \"labels\": [1, 0, 1]}\n";
    assert_eq!(of(flags, json!({})), ["1 | 2", "2 | 0 | 2"]);
    let pipes = "{\"file_name\": \"1\", \"label\": \"a|b c\"}\n{\"file_name\": \"2\", \"label\": \"a\"}\n";
    assert_eq!(of(pipes, json!({})), ["1 | a | b c", "2 | a"]);
    assert_eq!(of(pipes, json!({"separator": ""}))[0], "1 | a|b c");
    let commas = "{\"file_name\": \"1\", \"label\": \"a, b\"}\n";
    assert_eq!(of(commas, json!({})), ["1 | a, b"]);
    assert_eq!(of(commas, json!({"separator": ","})), ["1 | a | b"]);
    let folder =
        Folder::of(&[("x.jsonl", "{\"file_name\": \"1\", \"labels\": [2, 0]}\n"), ("classes.txt", "sky\nsea\nsun\n")]);
    assert_eq!(rows(&folder.read("x.jsonl")), ["1 | sky | sun"]);
}

#[test]
fn numbers_that_lose_digits_are_no_names() {
    // Both are 100000000000000000000 as floats.
    let lines = "{\"image\": 99999999999999999999, \"labels\": [\"a\"]}\n{\"image\": 99999999999999999998, \"labels\": [\"b\"]}\n";
    let message = Folder::of(&[("x.jsonl", lines)]).message("x.jsonl");
    assert_eq!(
        message,
        "x.jsonl, line 1: a name that is a number this large must be an integer of at most 9223372036854775807 or a text; \
         got 100000000000000000000, which may have lost digits"
    );
    let lines = lines.replace("99999999999999999999", "9223372036854775807");
    let lines = lines.replace("99999999999999999998", "9223372036854775806");
    let table = Folder::of(&[("x.jsonl", lines.as_str())]).read("x.jsonl");
    assert_eq!(rows(&table), ["9223372036854775807 | a", "9223372036854775806 | b"]);
}

#[test]
fn a_text_among_lists_that_is_a_list_itself_is_an_error() {
    let first = "{\"file_name\": \"1\", \"labels\": [\"a\"]}\n";
    for (labels, came) in [
        (r#""['a', 'b']""#, "['a', 'b']"),
        (r#"["['a', 'b']"]"#, "['a', 'b']"),
        (r#"["c", "[\"a\"]"]"#, r#"["a"]"#),
        (r#"["{'a'}"]"#, "{'a'}"),
    ] {
        let text = format!("{first}{{\"file_name\": \"2\", \"labels\": {labels}}}\n");
        let folder = Folder::of(&[("x.jsonl", text.as_str())]);
        let message = folder.message("x.jsonl");
        let expected =
            "x.jsonl, line 2: column \"labels\" holds lists of labels, and here a text that is written as a list";
        assert_eq!(message, format!("{expected}; got \"{came}\""));
        let kept = rows(&folder.load("x.jsonl", json!({"separator": ""})).unwrap());
        assert!(kept[1].contains(came), "{kept:?}");
    }
    // Brackets alone make no list of a name.
    let names = format!("{first}{{\"file_name\": \"2\", \"labels\": [\"(rock, pop)\", \"[unknown]\"]}}\n");
    assert_eq!(rows(&Folder::of(&[("x.jsonl", names.as_str())]).read("x.jsonl"))[1], "2 | (rock, pop) | [unknown]");
}

#[test]
fn huggingface_folders_of_splits() {
    let record = |name: &str, label: &str| format!("{{\"file_name\": \"{name}\", \"labels\": [\"{label}\"]}}\n");
    let folder = Folder::new();
    folder.put("train/metadata.jsonl", record("1.jpg", "dog") + record("2.jpg", "owl").as_str());
    folder.put("validation/metadata.jsonl", record("1.jpg", "cat"));
    assert_eq!(folder.read("").labels(), ["cat", "dog", "owl"]);
    assert_eq!(rows(&folder.read("")), ["train/1.jpg | dog", "train/2.jpg | owl", "validation/1.jpg | cat"]);
    assert_eq!(rows(&folder.load("", json!({"split": "val"})).unwrap()), ["validation/1.jpg | cat"]);
    let error = folder.refused("", json!({"split": "trian"}));
    assert_eq!(
        (error.message.as_str(), error.help.as_deref()),
        ("unknown split \"trian\"", Some("did you mean \"train\"?"))
    );
    // One file for all.
    let one = Folder::new();
    one.put("metadata.jsonl", record("train/1.jpg", "dog") + record("test/2.jpg", "cat").as_str());
    assert_eq!(rows(&one.load("", json!({"split": "test"})).unwrap()), ["test/2.jpg | cat"]);
    assert_eq!(one.refused("", json!({"split": "validation"})).message, "unknown split \"validation\"");
    let csv = Folder::of(&[("test/metadata.csv", "file_name,label\n1.jpg,cat\n2.jpg,dog\n")]);
    assert_eq!(rows(&csv.read("")), ["test/1.jpg | cat", "test/2.jpg | dog"]);
}

#[test]
fn huggingface_refuses() {
    let of = |lines: &str| Folder::of(&[("x.jsonl", lines)]).message("x.jsonl");
    let first = "{\"file_name\": \"a.jpg\", \"labels\": [\"x\"]}\n";
    let second = |line: &str| of(&format!("{first}\n{line}\n"));
    assert_eq!(
        second("{\"file_name\": \"b\", \"labels\": ["),
        "x.jsonl, line 3: the JSON ends in the middle, at character 30"
    );
    assert!(second("{\"file_name\": b}").starts_with("x.jsonl, line 3: expected a value: text in double quotes"));
    assert_eq!(second("[1]"), "x.jsonl, line 3: expected a JSON object per line; got a list");
    assert_eq!(second("{\"labels\": [\"x\"]}"), "x.jsonl, line 3: the image has no name");
    assert_eq!(
        second("{\"file_name\": \"b\", \"labels\": {\"a\": 1}}"),
        "x.jsonl, line 3: expected a name; got an object"
    );
    let lists = "x.jsonl, line 3: expected a name; got a list of lists or objects";
    assert_eq!(second("{\"file_name\": \"b\", \"labels\": [[\"a\"]]}"), lists);
    assert!(of("{\"file\": \"\", \"labels\": [\"x\"]}\n").ends_with("line 1: the image has no name"));
    assert!(of("{\"text\": \"a\", \"labels\": [\"x\"]}\n").contains("no column has a usual name for images"));
    assert!(
        of("{\"file_name\": \"a\", \"text\": 1.5, \"x\": \"y\"}\n").contains("no column has a usual name for labels")
    );
    let folder = Folder::of(&[("x.jsonl", first)]);
    let error = folder.refused("x.jsonl", json!({"label": "lables"}));
    assert!(error.message.contains("option label names column \"lables\", which is not there"), "{}", error.message);
    assert_eq!(error.help.as_deref(), Some("did you mean \"labels\"?"));
    assert_eq!(of(&"{\"file_name\":".repeat(2)).split(':').next(), Some("x.jsonl, line 1"));
    assert!(of(&format!("{first}{}", "[".repeat(100_000))).starts_with("x.jsonl, line 2: "));
}

// Names that come back

const PIECES: &[&str] = &[
    "a",
    "B",
    " ",
    "  ",
    ",",
    ";",
    "|",
    "\"",
    "'",
    "é",
    "e\u{301}",
    "猫",
    "🐈",
    "👩\u{200d}🚒",
    "{",
    "}",
    "[",
    "]",
    "%",
    "#",
    ":",
    "&",
    "<",
    ">",
    "$",
    "0",
    "1",
    "-",
    "label",
    "NaN",
    "?",
    "*",
];

/// Label names and which of them each of a few images has. The first image has all.
fn tables() -> impl Strategy<Value = (Vec<String>, Vec<Vec<bool>>)> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 1..6);
    let name = pieces.prop_map(|p| p.concat().trim().to_string()).prop_filter("a name", |name| !name.is_empty());
    let names = prop::collection::btree_set(name, 1..5).prop_map(|names| names.into_iter().collect::<Vec<_>>());
    (names, prop::collection::vec(prop::collection::vec(any::<bool>(), 5), 0..4)).prop_map(|(names, mut rows)| {
        rows.insert(0, vec![true; 5]);
        rows.iter_mut().for_each(|row| row.truncate(names.len()));
        (names, rows)
    })
}

fn held<'a>(names: &'a [String], row: &[bool]) -> Vec<&'a String> {
    names.iter().zip(row).filter(|(_, held)| **held).map(|(name, _)| name).collect()
}

/// The labels of each image, sorted.
fn sorted(t: &LabelTable) -> Vec<Vec<String>> {
    let row = |i: usize| {
        let mut names: Vec<String> = t.row(i).iter().map(|&l| t.labels()[l as usize].clone()).collect();
        names.sort();
        names
    };
    (0..t.num_images()).map(row).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_come_back_from_every_format((names, held_by) in tables()) {
        let expected: Vec<Vec<String>> =
            held_by.iter().map(|row| held(&names, row).into_iter().cloned().collect()).collect();
        let same = |format: &str, table: Result<LabelTable>| {
            let table = table.map_err(|e| TestCaseError::fail(format!("{format}: {e}")))?;
            prop_assert_eq!(&sorted(&table), &expected, "{}", format);
            Ok(())
        };

        let voc = Folder::new();
        for (i, row) in held_by.iter().enumerate() {
            let objects: String =
                held(&names, row).iter().map(|n| format!("<object><name> {}\n</name></object>", escaped(n))).collect();
            voc.put(&format!("Annotations/{i}.xml"), format!("<annotation>{objects}</annotation>"));
        }
        same("voc", voc.load("", json!({})))?;

        let lists = Folder::new();
        for (k, name) in names.iter().enumerate() {
            let lines: String =
                held_by.iter().enumerate().map(|(i, row)| format!("{i} {}\n", if row[k] { " 1" } else { "-1" })).collect();
            lists.put(&format!("{name}_train.txt"), lines);
        }
        same("voc-lists", lists.load("", json!({"format": "voc-lists"})))?;

        let nuswide = Folder::new();
        let images: String = (0..held_by.len()).map(|i| format!("{i}.jpg\n")).collect();
        nuswide.put("ImageList/ImageList/TrainImagelist.txt", images);
        for (k, name) in names.iter().enumerate() {
            let flags: String = held_by.iter().map(|row| format!("{}\n", u8::from(row[k]))).collect();
            nuswide.put(&format!("Groundtruth/TrainTestLabels/Labels_{name}_Train.txt"), flags);
        }
        same("nuswide", nuswide.load("", json!({"split": "train"})))?;

        let coco = Folder::new();
        let of = |i: usize, row: &[bool]| -> Vec<Value> {
            (0..names.len()).filter(|&k| row[k]).map(|k| json!({"image_id": i, "category_id": k})).collect()
        };
        let annotations: Vec<Value> = held_by.iter().enumerate().flat_map(|(i, row)| of(i, row)).collect();
        let images: Vec<Value> = (0..held_by.len()).map(|i| json!({"id": i, "file_name": format!("{i}.jpg")})).collect();
        let categories: Vec<Value> = names.iter().enumerate().map(|(k, name)| json!({"id": k, "name": name})).collect();
        let instances = json!({"images": images, "annotations": annotations, "categories": categories});
        coco.put("x.json", instances.to_string());
        same("coco", coco.load("x.json", json!({})))?;

        let (described, listed) = (Folder::new(), Folder::new());
        let quoted: Vec<String> = names.iter().map(|name| serde_json::to_string(name).unwrap()).collect();
        described.put("data.yaml", format!("train: images\nnames: [{}]\n", quoted.join(", ")));
        listed.put("classes.txt", names.iter().map(|name| format!("{name}\n")).collect::<String>());
        for (i, row) in held_by.iter().enumerate() {
            let lines: String =
                (0..names.len()).filter(|&k| row[k]).map(|k| format!("{k} 0.5 0.5 0.1 0.1\n")).collect();
            for folder in [&described, &listed] {
                folder.put(&format!("images/{i}.jpg"), "");
                folder.put(&format!("labels/{i}.txt"), &lines);
            }
        }
        same("yolo", described.load("", json!({})))?;
        same("yolo with classes.txt", listed.load("", json!({})))?;

        let arff = Folder::new();
        let attributes: String = names
            .iter()
            .map(|name| format!("@attribute '{}' {{0,1}}\n", name.replace('\\', "\\\\").replace('\'', "\\'")))
            .collect();
        let head = format!("@relation x\n@attribute f numeric\n{attributes}@data\n");
        let bits = |row: &Vec<bool>| row.iter().map(|held| format!(",{}", u8::from(*held))).collect::<String>();
        let set = |row: &Vec<bool>| {
            let set = row.iter().enumerate().filter(|(_, held)| **held).map(|(k, _)| format!("{} 1", k + 1));
            set.collect::<Vec<_>>().join(",")
        };
        let dense: String = held_by.iter().map(|row| format!("0.5{}\n", bits(row))).collect();
        let sparse: String = held_by.iter().map(|row| format!("{{{}}}\n", set(row))).collect();
        arff.put("d.arff", format!("{head}{dense}"));
        arff.put("s.arff", format!("{head}{sparse}"));
        let labels: String = names.iter().map(|name| format!("<label name=\"{}\"/>", escaped(name))).collect();
        arff.put("labels.xml", format!("<labels>{labels}</labels>"));
        same("mulan, dense", arff.load("d.arff", json!({})))?;
        same("mulan, sparse", arff.load("s.arff", json!({})))?;

        let json = Folder::new();
        let records: String = held_by
            .iter()
            .enumerate()
            .map(|(i, row)| format!("{}\n", json!({"file_name": format!("{i}.jpg"), "labels": held(&names, row)})))
            .collect();
        json.put("metadata.jsonl", records);
        same("huggingface", json.load("", json!({})))?;
    }

    #[test]
    fn names_come_back_from_lists((names, held_by) in tables()) {
        // Blanks separate the words of a list.
        let names: std::collections::BTreeSet<String> = names.iter().map(|name| name.replace(' ', "_")).collect();
        let names: Vec<String> = names.into_iter().collect();
        let row = |row: &Vec<bool>| held(&names, row).into_iter().cloned().collect::<Vec<String>>();
        let lines: String =
            held_by.iter().enumerate().map(|(i, held)| format!("{i}.jpg {}\n", row(held).join(" "))).collect();
        // Nothing but 0, 1, -1 and signs of missing values are flags.
        let is_flag = |name: &String| {
            name.parse::<f64>().is_ok_and(|x| x.is_nan() || [0.0, 1.0, -1.0].contains(&x)) || name == "?"
        };
        prop_assume!(!held_by.iter().flat_map(&row).all(|name| is_flag(&name)));
        let folder = Folder::new();
        folder.put("x.txt", lines);
        let table = folder.load("x.txt", json!({"separator": ""})).map_err(|e| TestCaseError::fail(e.message))?;
        prop_assert_eq!(sorted(&table), held_by.iter().map(row).collect::<Vec<_>>());
    }
}
