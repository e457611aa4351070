//! Every label format: it is recognised by its content, and each malformed file gives one clear error.

use std::path::{Path, PathBuf};

use cpsd::error::Error;
use cpsd::labels::{Choice, LabelTable, LoadOptions, load};
use cpsd::tables::Table;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn read(path: &Path) -> LabelTable {
    load(path, &LoadOptions::default()).unwrap_or_else(|e| panic!("{e} ({:?})", e.help))
}

fn refused(path: &Path) -> Error {
    load(path, &LoadOptions::default()).unwrap_err()
}

/// The error of a file with this content, without the folder's name.
fn error_of(name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    let path = folder.put(name, content);
    refused(&path).message.replace(&format!("{}/", folder.0.path().display()), "")
}

fn options(json: serde_json::Value) -> LoadOptions {
    serde_json::from_value(json).unwrap()
}

fn rows(t: &LabelTable) -> Vec<(String, Vec<String>)> {
    (0..t.num_images())
        .map(|i| (t.images()[i].clone(), t.row(i).iter().map(|&l| t.labels()[l as usize].clone()).collect()))
        .collect()
}

fn expect(t: &LabelTable, labels: &[&str], expected: &[(&str, &[&str])]) {
    assert_eq!(t.labels(), labels);
    let expected: Vec<(String, Vec<String>)> =
        expected.iter().map(|(i, l)| (i.to_string(), l.iter().map(|l| l.to_string()).collect())).collect();
    assert_eq!(rows(t), expected);
}

const LONG: &str = "image,label\nb.jpg,dog\na.jpg,cat\nb.jpg,\"ant, red\"\nc.jpg,\n";
const WIDE: &str = "image,dog,cat\nb.jpg,1,0\na.jpg,0,1.0\nc.jpg,0,0\n";

#[test]
fn csv_long() {
    let folder = Folder::new();
    let path = folder.put("x.txt", LONG);
    let expected: &[(&str, &[&str])] = &[("b.jpg", &["ant, red", "dog"]), ("a.jpg", &["cat"]), ("c.jpg", &[])];
    expect(&read(&path), &["ant, red", "cat", "dog"], expected);
    let kept = load(&path, &options(serde_json::json!({ "labels": ["dog", "cat"], "unlabelled": "drop" }))).unwrap();
    expect(&kept, &["dog", "cat"], &[("b.jpg", &["dog"]), ("a.jpg", &["cat"])]);
    // Other names, other columns, another order, another separator.
    let path = folder.put("y.csv", "split;Class;File_Name\r\ntrain;cat;1\r\ntest;dog;2\r\n");
    expect(&read(&path), &["cat", "dog"], &[("1", &["cat"]), ("2", &["dog"])]);
}

#[test]
fn csv_in_the_form_of_open_images() {
    let folder = Folder::new();
    let path = folder.put("x.csv", "ImageID,Source,LabelName,Confidence\n1,verification,/m/a,1\n1,verification,/m/b,0\n2,verification,/m/b,0\n3,machine,/m/a,0.7\n");
    expect(&read(&path), &["/m/a"], &[("1", &["/m/a"]), ("2", &[]), ("3", &["/m/a"])]);
    assert_eq!(
        error_of("x.csv", "ImageID,LabelName,Confidence\n1,/m/a,high\n"),
        "x.csv, line 2: confidence must be a number from 0 to 1; got \"high\""
    );
}

#[test]
fn csv_long_refuses() {
    assert_eq!(error_of("x.csv", ""), "x.csv: the file is empty");
    assert_eq!(error_of("x.csv", "image,label\n"), "x.csv: there is a header, but no rows");
    assert_eq!(error_of("x.csv", "image,label\n1,\n2,\n"), "x.csv has 2 images, but none has a label");
    assert_eq!(error_of("x.csv", "image,label\n1,cat\n2\n"), "x.csv, line 3: expected 2 fields; got 1");
    assert_eq!(error_of("x.csv", "image,label\n1,cat\n,cat\n"), "x.csv, line 3: the image has no name");
    assert_eq!(error_of("x.csv", "image,label\n1,\"cat\n"), "x.csv, line 2: a quote is not closed");
    assert_eq!(error_of("x.csv", b"image,label\n1,cat\n2,d\xe9j\xe0\n"), "x.csv, line 3: not UTF-8 text");
    let folder = Folder::new();
    let path = folder.put("x.csv", "image,lable,size\n1,cat,big\n");
    let error = load(&path, &options(serde_json::json!({ "format": "csv-long" }))).unwrap_err();
    assert!(error.message.contains("no column has a usual name for labels"), "{error}");
    assert_eq!(error.help.as_deref(), Some("option label names the column: label: \"lable\"?"));
}

#[test]
fn a_repeated_pair_counts_once() {
    let folder = Folder::new();
    let path = folder.put("x.csv", "image,label\n1,cat\n2,cat\n1,cat\n1,dog\n");
    expect(&read(&path), &["cat", "dog"], &[("1", &["cat", "dog"]), ("2", &["cat"])]);
}

#[test]
fn csv_wide() {
    let folder = Folder::new();
    let path = folder.put("x.csv", WIDE);
    expect(&read(&path), &["dog", "cat"], &[("b.jpg", &["dog"]), ("a.jpg", &["cat"]), ("c.jpg", &[])]);
    let path = folder.put("y.csv", "id,cat,note\n1,1,x\n2,0,y\n");
    expect(
        &load(&path, &options(serde_json::json!({ "labels": ["cat"] }))).unwrap(),
        &["cat"],
        &[("1", &["cat"]), ("2", &[])],
    );
}

#[test]
fn csv_wide_refuses() {
    assert_eq!(
        error_of("x.csv", "image,cat,dog\n1,1,0\n2,0,2\n"),
        "x.csv, line 3: column \"dog\" must be 0 or 1; got \"2\""
    );
    assert_eq!(
        error_of("x.csv", "image,cat\n1,\n2,1\n"),
        "x.csv, line 2: column \"cat\" is empty, which can be read in several ways"
    );
    assert_eq!(
        error_of("x.csv", "image,cat\n1,1\n2, nan\n"),
        "x.csv, line 3: column \"cat\" holds nan, which can be read in several ways"
    );
    assert_eq!(error_of("x.csv", "image,cat\n1,yes\n"), "x.csv, line 2: column \"cat\" must be 0 or 1; got \"yes\"");
    assert_eq!(
        error_of("x.csv", "image,cat\n1,1\n1,0\n"),
        "x.csv, line 3: image \"1\" has a second row, its first is line 2"
    );
    assert_eq!(error_of("x.csv", "image,cat,cat\n1,1,0\n"), "x.csv: column \"cat\" appears twice");
    assert_eq!(error_of("x.csv", "image,cat,\n1,1,0\n"), "x.csv: column 3 has no name");
    assert_eq!(error_of("x.csv", "image,cat\n"), "x.csv: there is a header, but no rows");
    assert_eq!(error_of("x.csv", b"image,cat\n\xff,1\n"), "x.csv, line 2: not UTF-8 text");
    let folder = Folder::new();
    let error = load(&folder.put("x.csv", WIDE), &options(serde_json::json!({ "labels": ["dgo"] }))).unwrap_err();
    assert_eq!(error.message, "unknown label \"dgo\"");
}

#[test]
fn parquet_long_and_wide() {
    let folder = Folder::new();
    let csv = folder.put("x.csv", LONG);
    let path = folder.0.path().join("long.parquet");
    Table::read_csv(&csv).unwrap().write_parquet(&path).unwrap();
    assert_eq!(rows(&read(&path)), rows(&read(&csv)));
    let frame = read(&csv).to_frame_wide().unwrap();
    let path = folder.0.path().join("wide.bin");
    Table::of(frame).write_parquet(&path).unwrap();
    assert_eq!(rows(&read(&path)), rows(&read(&csv)));
    let csv = folder.put("y.csv", "image,cat\n1,true\n2,false\n");
    Table::read_csv(&csv).unwrap().write_parquet(&path).unwrap();
    expect(&read(&path), &["cat"], &[("1", &["cat"]), ("2", &[])]);
}

#[test]
fn parquet_refuses() {
    let folder = Folder::new();
    let message = |csv: &str, format: Option<&str>| {
        let path = folder.0.path().join("x.parquet");
        Table::read_csv(folder.put("x.csv", csv)).unwrap().write_parquet(&path).unwrap();
        let options = LoadOptions { format: format.map(String::from), ..Default::default() };
        load(&path, &options).unwrap_err().message.replace(&format!("{}/", folder.0.path().display()), "")
    };
    assert_eq!(
        message("image,cat\n1,1\n2,3\n", None),
        "x.parquet, row 1 (counted from 0): column \"cat\" must be 0 or 1; got 3"
    );
    assert_eq!(
        message("image,cat\n1,1\n2,\n", None),
        "x.parquet, row 1 (counted from 0): column \"cat\" is empty, which can be read in several ways"
    );
    assert_eq!(
        message("image,cat\n1,1\n1,0\n", None),
        "x.parquet, row 1 (counted from 0): image \"1\" has a second row, its first is row 0"
    );
    assert_eq!(
        message("image,cat\n1,yes\n", None),
        "x.parquet, row 0 (counted from 0): column \"cat\" must be 0 or 1; got \"yes\""
    );
    assert_eq!(message("image,label\n,cat\n", None), "x.parquet, row 0 (counted from 0): the image has no name");
    assert!(message("image,cat,dog\n1,1,0\n", Some("parquet-long")).contains("no column has a usual name for labels"));
    assert!(message("image,cat\n1,1\n", Some("csv")).contains("not UTF-8"));
    let whole = std::fs::read(folder.0.path().join("x.parquet")).unwrap();
    let cut = error_of("cut.parquet", &whole[..whole.len() / 2]);
    assert!(cut.starts_with("cut.parquet is not a complete Parquet file: "), "{cut}");
    assert_eq!(error_of("x.parquet", ""), "x.parquet: the file is empty");
    let message = Table::read_parquet(folder.put("x.parquet", "")).unwrap_err().message;
    assert!(message.ends_with("x.parquet: the file is empty"), "{message}");
}

const COCO: &str = r#"{"info": {"year": 2014}, "annotations": [
  {"segmentation": [[1.5, 2, 3, 4]], "area": 3.5, "iscrowd": 0, "image_id": 9, "bbox": [1, 2, 3, 4], "category_id": 18, "id": 1},
  {"segmentation": {"counts": [1, 2], "size": [3, 4]}, "iscrowd": 1, "image_id": 9, "category_id": 18, "id": 2},
  {"image_id": 9, "category_id": 3}, {"image_id": 25, "category_id": 90}],
 "images": [{"id": 25, "file_name": "25.jpg", "license": 5}, {"file_name": "9.jpg", "id": 9}, {"id": 30, "file_name": "30.jpg"}],
 "categories": [{"supercategory": "animal", "id": 18, "name": "dog"}, {"id": 3, "name": "car"}, {"id": 90, "name": "toothbrush"}, {"id": 91, "name": "boat"}]}"#;

#[test]
fn coco() {
    let folder = Folder::new();
    let path = folder.put("instances", COCO);
    let expected: &[(&str, &[&str])] = &[("25.jpg", &["toothbrush"]), ("9.jpg", &["car", "dog"]), ("30.jpg", &[])];
    expect(&read(&path), &["boat", "car", "dog", "toothbrush"], expected);
    let dropped = load(&path, &LoadOptions { unlabelled: Choice::Drop, ..Default::default() }).unwrap();
    assert_eq!(dropped.images(), ["25.jpg", "9.jpg"]);
    let error = load(&path, &options(serde_json::json!({ "labels": ["car", "bus"] }))).unwrap_err();
    assert_eq!(error.message, "unknown label \"bus\"");
}

#[test]
fn coco_refuses() {
    let with = |from: &str, to: &str| {
        assert!(COCO.contains(from));
        error_of("x.json", COCO.replacen(from, to, 1))
    };
    assert_eq!(
        with("\"category_id\": 90", "\"category_id\": 12"),
        "x.json, record 3 of \"annotations\": category_id 12 is not in \"categories\""
    );
    assert_eq!(
        with("\"image_id\": 25", "\"image_id\": 26"),
        "x.json, record 3 of \"annotations\": image_id 26 is not in \"images\""
    );
    assert_eq!(
        with("\"id\": 30", "\"id\": 9"),
        "x.json, record 2 of \"images\": image id 9 appears twice, first in record 1"
    );
    assert_eq!(with("\"id\": 91", "\"id\": 3"), "x.json: category id 3 appears twice");
    assert_eq!(
        with("\"categories\"", "\"classes\""),
        "x.json has no list \"categories\"; a COCO instances file is an object with the lists images, annotations and categories"
    );
    let missing = with("\"file_name\": \"9.jpg\", ", "");
    assert_eq!(missing, "x.json, record 1 of \"images\" (counted from 0): field \"file_name\" is missing");
    assert_eq!(
        with("\"image_id\": 25", "\"image_id\": \"x\""),
        "x.json, record 3 of \"annotations\": image_id x is not in \"images\""
    );
    let cut = error_of("x.json", &COCO[..COCO.find("\"category_id\": 3}").unwrap()]);
    assert!(
        cut.starts_with(
            "x.json, record 2 of \"annotations\" (counted from 0): the JSON ends in the middle, at line 4 column"
        ),
        "{cut}"
    );
    let behind = error_of("x.json", format!("{COCO} x"));
    assert!(behind.starts_with("x.json: there is more behind the end of the JSON, at line 6"), "{behind}");
    assert!(error_of("x.json", "{").starts_with("x.json: the JSON ends in the middle"));
    let bytes = COCO.replacen("9.jpg", "9\u{e9}.jpg", 1).into_bytes();
    let latin: Vec<u8> = bytes.into_iter().filter(|&b| b != 0xc3).collect();
    let latin = error_of("x.json", latin);
    assert!(latin.contains("record 1 of \"images\"") && latin.contains("a text is not UTF-8"), "{latin}");
    assert!(error_of("x.json", "[1, 2]").contains("looks like no known format"));
}

fn voc(folder: &Folder) -> PathBuf {
    let object = |name: &str, difficult: &str| {
        format!("<object><name>{name}</name><difficult>{difficult}</difficult><part><name>head</name></part></object>")
    };
    let picture =
        |name: &str, objects: &str| format!("<annotation>\n<filename>{name}.jpg</filename>\n{objects}</annotation>\n");
    folder
        .put("VOC2007/Annotations/000002.xml", picture("000002", &(object("dog", "0") + object("dog", "0").as_str())));
    folder.put(
        "VOC2007/Annotations/000001.xml",
        picture("000001", &(object("person", "0") + object("cat", "1").as_str())),
    );
    folder.put("VOC2007/Annotations/000003.xml", picture("000003", ""));
    folder.put("VOC2007/ImageSets/Main/trainval.txt", "000003\n000001\n");
    folder.put("VOC2007/ImageSets/Main/test.txt", "000002\n");
    folder.put("VOC2007/ImageSets/Main/dog_test.txt", "000002 1\n");
    folder.0.path().join("VOC2007")
}

#[test]
fn voc_folder() {
    let folder = Folder::new();
    let root = voc(&folder);
    let all: &[(&str, &[&str])] = &[("000001.jpg", &["cat", "person"]), ("000002.jpg", &["dog"]), ("000003.jpg", &[])];
    for path in [root.clone(), root.join("Annotations"), folder.0.path().to_path_buf()] {
        expect(&read(&path), &["cat", "dog", "person"], all);
    }
    let trainval = load(&root, &options(serde_json::json!({ "split": "trainval", "difficult": "drop" }))).unwrap();
    expect(&trainval, &["person"], &[("000003.jpg", &[]), ("000001.jpg", &["person"])]);
    // A label that this split does not have is kept, as one that no image has.
    let labels =
        load(&root, &options(serde_json::json!({ "split": "test", "labels": ["cat", "dog", "person"] }))).unwrap();
    expect(&labels, &["cat", "dog", "person"], &[("000002.jpg", &["dog"])]);
}

#[test]
fn voc_refuses() {
    let folder = Folder::new();
    let root = voc(&folder);
    let message = || refused(&root).message.replace(&format!("{}/", root.join("Annotations").display()), "");
    let error = load(&root, &options(serde_json::json!({ "split": "trainvall" }))).unwrap_err();
    assert!(error.message.ends_with("trainvall.txt is not there, so split \"trainvall\" cannot be read"), "{error}");
    assert_eq!(error.help.as_deref(), Some("did you mean \"trainval\"?"));
    folder.put("VOC2007/ImageSets/Main/test.txt", "000002\n000009\n");
    let error = load(&root, &options(serde_json::json!({ "split": "test" }))).unwrap_err();
    assert!(
        error.message.contains("test.txt, line 2: ") && error.message.ends_with("000009.xml is not there"),
        "{error}"
    );
    let error = load(&root, &options(serde_json::json!({ "labels": ["person", "dgo"] }))).unwrap_err();
    assert_eq!(error.message, "unknown label \"dgo\"");
    folder.put("VOC2007/Annotations/000003.xml", "<annotation>\n<object>\n</object>\n</annotation>");
    assert_eq!(message(), "000003.xml, line 2: an object has no <name>");
    let twice = "<annotation>\n<object>\n<name>dog</name>\n<name>cat</name>\n</object>\n</annotation>";
    folder.put("VOC2007/Annotations/000003.xml", twice);
    assert_eq!(
        message(),
        "000003.xml, line 4: the <object> of line 2 has a second <name>, \"cat\"; its first is \"dog\""
    );
    let twice = "<annotation>\n<filename>a.jpg</filename>\n<filename>b.jpg</filename>\n</annotation>";
    folder.put("VOC2007/Annotations/000003.xml", twice);
    assert!(message().starts_with("000003.xml, line 3: the <annotation> of line 1 has a second <filename>"));
    let twice =
        "<annotation><object><name>dog</name><difficult>0</difficult><difficult>1</difficult></object></annotation>";
    folder.put("VOC2007/Annotations/000003.xml", twice);
    assert!(message().starts_with("000003.xml, line 1: the <object> of line 1 has a second <difficult>, \"1\""));
    folder.put("VOC2007/Annotations/000003.xml", "<annotation>\n<object>\n<name>dog</na");
    assert_eq!(message(), "000003.xml, line 3: a tag is not closed: the file ends in the middle");
    folder.put("VOC2007/Annotations/000003.xml", b"<annotation>\n<filename>\xff</filename></annotation>");
    assert_eq!(message(), "000003.xml, line 2: not UTF-8 text");
    folder.put("VOC2007/Annotations/000003.xml", "<annotation><filename>000001.jpg</filename></annotation>");
    assert!(
        message().ends_with("000003.xml are both about picture \"000001.jpg\"")
            || message().contains("are both about picture")
    );
    folder.put(
        "VOC2007/Annotations/000003.xml",
        "<annotation><object><name>dog</name><difficult>x</difficult></object></annotation>",
    );
    assert_eq!(message(), "000003.xml, line 1: <difficult> must be 0 or 1; got \"x\"");
    folder.put("VOC2007/Annotations/000003.xml", "");
    assert_eq!(message(), "000003.xml, line 1: expected one root element; got 0");
    folder.put("VOC2007/Annotations/000003.xml", "<html></html>");
    assert_eq!(message(), "000003.xml, line 1: expected <annotation>; got <html>");
}

fn nuswide(folder: &Folder) -> PathBuf {
    folder.put("NUS/ImageList/ImageList/TrainImagelist.txt", "actor\\0001.jpg\r\nzoo\\0002.jpg\r\n\r\n");
    folder.put("NUS/ImageList/ImageList/TestImagelist.txt", "sky\\0003.jpg\n");
    for (concept, train, test) in [("water", "1 \n0 \n", "1\n"), ("animal", "0\n0\n", "0\n")] {
        folder.put(&format!("NUS/Groundtruth/TrainTestLabels/Labels_{concept}_Train.txt"), train);
        folder.put(&format!("NUS/Groundtruth/TrainTestLabels/Labels_{concept}_Test.txt"), test);
    }
    folder.0.path().join("NUS")
}

#[test]
fn nuswide_lists() {
    let folder = Folder::new();
    let root = nuswide(&folder);
    let all: &[(&str, &[&str])] =
        &[("actor/0001.jpg", &["water"]), ("zoo/0002.jpg", &[]), ("sky/0003.jpg", &["water"])];
    expect(&read(&root), &["animal", "water"], all);
    expect(&read(&root.join("Groundtruth/TrainTestLabels")), &["animal", "water"], all);
    let train = load(&root, &options(serde_json::json!({ "split": "train", "unlabelled": "drop" }))).unwrap();
    expect(&train, &["animal", "water"], &[("actor/0001.jpg", &["water"])]);
}

#[test]
fn nuswide_refuses() {
    let folder = Folder::new();
    let root = nuswide(&folder);
    let message = || refused(&root).message.replace(&format!("{}/", root.display()), "");
    let label = |content: &[u8]| folder.put("NUS/Groundtruth/TrainTestLabels/Labels_water_Train.txt", content);
    label(b"1\n2\n");
    assert_eq!(message(), "Groundtruth/TrainTestLabels/Labels_water_Train.txt, line 2: expected 0 or 1; got \"2\"");
    label(b"1\n");
    assert_eq!(
        message(),
        "Groundtruth/TrainTestLabels/Labels_water_Train.txt has 1 line, but the image list has 2 images"
    );
    label(b"");
    assert_eq!(
        message(),
        "Groundtruth/TrainTestLabels/Labels_water_Train.txt has 0 lines, but the image list has 2 images"
    );
    label(b"1\n\xff\n");
    assert_eq!(message(), "Groundtruth/TrainTestLabels/Labels_water_Train.txt, line 2: not UTF-8 text");
    std::fs::remove_file(label(b"")).unwrap();
    assert_eq!(message(), "Groundtruth/TrainTestLabels/Labels_water_Train.txt is not there");
    label(b"1\n0\n");
    folder.put("NUS/ImageList/ImageList/TestImagelist.txt", "zoo/0002.jpg\n");
    assert_eq!(
        message(),
        "ImageList/ImageList/TestImagelist.txt, line 1: image \"zoo/0002.jpg\" appears twice, first on line 2 of the train list"
    );
    std::fs::remove_file(root.join("ImageList/ImageList/TestImagelist.txt")).unwrap();
    assert_eq!(message(), "ImageList/ImageList/TestImagelist.txt is not there");
    let error = load(&root, &options(serde_json::json!({ "split": "trian" }))).unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.help.as_deref()),
        ("unknown split \"trian\"", Some("did you mean \"train\"?"))
    );
}

#[test]
fn what_cannot_be_told_names_the_formats() {
    let folder = Folder::new();
    let error = refused(&folder.put("x.bin", [0, 1, 2, 3]));
    assert!(error.message.ends_with("x.bin: this file looks like no known format"), "{error}");
    assert!(error.help.unwrap().contains("option format names one of "));
    let message = |folder: &Path| refused(folder).message;
    let (empty, pictures, other) = (Folder::new(), Folder::new(), Folder::new());
    assert!(message(empty.0.path()).ends_with("; got an empty folder"), "{}", message(empty.0.path()));
    pictures.put("train/1.jpg", "");
    pictures.put("2.jpg", "");
    assert!(message(pictures.0.path()).ends_with("; got none among 1 file and 1 folder"));
    assert!(refused(pictures.0.path()).help.unwrap().contains("Annotations/*.xml"));
    // The only label file is none of labels.
    other.put("settings.json", "{\"a\": 1}");
    let error = refused(other.0.path());
    assert!(error.message.contains("settings.json has no list \"images\""), "{error}");
    let help = error.help.unwrap();
    assert!(
        help.contains("has no known layout, so its label file ") && help.contains("settings.json was read"),
        "{help}"
    );
    let none = load(
        &folder.put("x.csv", "image,label\n1,cat\n"),
        &options(serde_json::json!({ "labels": ["zebra"], "unlabelled": "drop" })),
    );
    assert!(none.unwrap_err().message.ends_with("no image has a label, so none is left without the unlabelled ones"));
    let twice =
        load(&folder.put("x.csv", "image,label\n1,cat\n"), &options(serde_json::json!({ "labels": ["cat", "cat"] })));
    assert_eq!(twice.unwrap_err().message, "option labels names \"cat\" twice");
}

#[test]
fn a_folder_of_pictures_with_one_csv() {
    let folder = Folder::new();
    folder.put("1.jpg", "not looked at");
    let path = folder.put("labels.csv", "image,label\n1.jpg,cat\n");
    expect(&read(path.parent().unwrap()), &["cat"], &[("1.jpg", &["cat"])]);
    // labels.csv is the usual name; two files of other names leave the choice open.
    folder.put("more.csv", "image,label\n1.jpg,dog\n");
    expect(&read(path.parent().unwrap()), &["cat"], &[("1.jpg", &["cat"])]);
    std::fs::rename(&path, path.with_file_name("other.csv")).unwrap();
    assert!(load(path.parent().unwrap(), &LoadOptions::default()).is_err());
}

#[test]
fn a_text_that_is_called_parquet_is_refused() {
    let expected = "labels.parquet: its name ends in .parquet, and its content does not begin as Parquet";
    assert_eq!(error_of("labels.parquet", LONG), expected);
    let folder = Folder::new();
    let path = folder.put("labels.parquet", LONG);
    // Whoever names the format has chosen.
    let table = load(&path, &options(serde_json::json!({"format": "csv"}))).unwrap();
    assert_eq!(rows(&table), rows(&read(&folder.put("labels.csv", LONG))));
}
