//! COCO JSON as annotation tools write it: ids of other types, NaN, captions, results and panoptic files, shared names.

use cpsd::error::Error;
use cpsd::labels::{LabelTable, LoadOptions, load};

fn read(content: impl AsRef<[u8]>) -> Result<LabelTable, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, content).unwrap();
    let options = LoadOptions { format: Some("coco".into()), ..LoadOptions::default() };
    load(&path, &options).map_err(|e| Error { message: e.message.replace(&path.display().to_string(), "x.json"), ..e })
}

fn refused(content: impl AsRef<[u8]>) -> String {
    let error = read(content).unwrap_err();
    for foreign in ["i64", "missing field", "invalid type", "expected value", "trailing", "recursion", "EOF", "unicode"]
    {
        assert!(!error.message.contains(foreign), "{error}");
    }
    error.message
}

/// Images with the names of their labels.
fn rows(t: &LabelTable) -> Vec<(&str, Vec<&str>)> {
    (0..t.num_images())
        .map(|i| (t.images()[i].as_str(), t.row(i).iter().map(|&l| t.labels()[l as usize].as_str()).collect()))
        .collect()
}

const IMAGES: &str =
    r#"[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}, {"id": 3, "file_name": "c.jpg"}]"#;
const ANNOTATIONS: &str =
    r#"[{"image_id": 1, "category_id": 1}, {"image_id": 1, "category_id": 2}, {"image_id": 2, "category_id": 1}]"#;
const CATEGORIES: &str = r#"[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]"#;

fn file(images: &str, annotations: &str, categories: &str) -> String {
    format!("{{\"images\": {images}, \"annotations\": {annotations}, \"categories\": {categories}}}")
}

/// The labels of this file by pycocotools 2.0.11: `imgToAnns` of each image, names of `cats`.
fn plain(t: &LabelTable) {
    assert_eq!(rows(t), [("a.jpg", vec!["cat", "dog"]), ("b.jpg", vec!["cat"]), ("c.jpg", vec![])]);
}

#[test]
fn an_id_is_the_same_however_it_is_written() {
    plain(&read(file(IMAGES, ANNOTATIONS, CATEGORIES)).unwrap());
    let texts = |list: &str| list.replace("id\": 1", "id\": \"1\"").replace("id\": 2", "id\": \"2\"");
    let floats = |list: &str| list.replace("id\": 1", "id\": 1.0").replace("id\": 2", "id\": \" 2.0 \"");
    plain(&read(file(&texts(IMAGES), &texts(ANNOTATIONS), CATEGORIES)).unwrap());
    plain(&read(file(IMAGES, &texts(ANNOTATIONS), &texts(CATEGORIES))).unwrap());
    plain(&read(file(IMAGES, &floats(ANNOTATIONS), CATEGORIES)).unwrap());
    plain(&read(file(&floats(IMAGES), ANNOTATIONS, &texts(CATEGORIES))).unwrap());
    let named =
        |list: &str| list.replace("id\": 1", "id\": \"img-1\"").replace("id\": 2", "id\": 18446744073709551615");
    plain(&read(file(&named(IMAGES), &named(ANNOTATIONS), &named(CATEGORIES))).unwrap());
    // Negative, and as large as a float holds; pycocotools 2.0.11 gives the same.
    let images = r#"[{"id": 10.0, "file_name": "a.jpg"}, {"id": 9007199254740992, "file_name": "b.jpg"}, {"id": -3, "file_name": "c.jpg"}]"#;
    let annotations = r#"[{"image_id": 10, "category_id": 1.0, "area": NaN}, {"image_id": 9007199254740992.0,
        "category_id": 2, "bbox": [-Infinity, 1]}, {"image_id": -3.0, "category_id": 1}]"#;
    let categories = r#"[{"id": 1, "name": "NaN"}, {"id": 2.0, "name": "a \"Infinity\" \\"}]"#;
    assert_eq!(
        rows(&read(file(images, annotations, categories)).unwrap()),
        [("a.jpg", vec!["NaN"]), ("b.jpg", vec!["a \"Infinity\" \\"]), ("c.jpg", vec!["NaN"])]
    );
}

#[test]
fn ids_that_are_none_name_list_record_and_field() {
    let with = |id: &str| {
        refused(file(IMAGES, &ANNOTATIONS.replace("\"image_id\": 2", &format!("\"image_id\": {id}")), CATEGORIES))
    };
    let begin = "x.json, record 2 of \"annotations\" (counted from 0): field \"image_id\": ";
    for (id, came) in [
        ("1.5", "1.5"),
        ("null", "null"),
        ("true", "true"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("[1]", "a list"),
        ("{\"id\": 1}", "an object"),
    ] {
        assert_eq!(with(id), format!("{begin}an id must be a whole number or a text; got {came}"));
    }
    assert_eq!(with("\"\""), format!("{begin}an id must not be empty"));
    assert!(with("1e20").contains("must be an integer of at most 64 bits or a text"));
    // As a file name has it, and another id than the number.
    let padded = file(&IMAGES.replace("\"id\": 2", "\"id\": \"002\""), ANNOTATIONS, CATEGORIES);
    let error = read(padded).unwrap_err();
    assert_eq!(error.message, "x.json, record 2 of \"annotations\": image_id 2 is not in \"images\"");
    assert_eq!(error.help.as_deref(), Some("the text \"002\" is another id than the number 2"));
    assert_eq!(
        refused(file(&IMAGES.replace("\"id\": 2", "\"id\": 1.0"), ANNOTATIONS, CATEGORIES)),
        "x.json, record 1 of \"images\": image id 1 appears twice, first in record 0"
    );
}

#[test]
fn marks_and_numbers_that_json_does_not_have() {
    let nan = ANNOTATIONS.replace("{\"image", "{\"area\": NaN, \"bbox\": [Infinity, -Infinity, 1], \"image");
    plain(&read(file(IMAGES, &nan, CATEGORIES)).unwrap());
    plain(&read(format!("\u{feff}{}", file(IMAGES, ANNOTATIONS, CATEGORIES))).unwrap());
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(file(IMAGES, ANNOTATIONS, CATEGORIES).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(refused(utf16), "x.json: the text is UTF-16; JSON must be UTF-8");
    // The place is that of the file.
    let broken = file(IMAGES, ANNOTATIONS, CATEGORIES).replacen("[{", "[{\"area\": -Infinity x ", 1);
    let column = broken.find(" x ").unwrap() + 2;
    let said = refused(broken);
    assert!(
        said.contains("expected a comma or the end of the object") && said.ends_with(&format!("column {column}")),
        "{said}"
    );
}

#[test]
fn names_are_texts() {
    let name = |name: &str| file(IMAGES, ANNOTATIONS, &CATEGORIES.replace("\"cat\"", name));
    for (given, came) in [("null", "null"), ("1.5", "1.5"), ("NaN", "NaN"), ("[]", "a list")] {
        let expected =
            format!("x.json, record 0 of \"categories\" (counted from 0): field \"name\": expected a text; got {came}");
        assert_eq!(refused(name(given)), expected);
    }
    assert!(refused(name("\" \"")).ends_with("a name must not be empty"));
    assert_eq!(read(name("17")).unwrap().labels(), ["17", "dog"]);
    assert_eq!(read(name("\" cat\\n\"")).unwrap().labels(), ["cat", "dog"]);
    let picture = |name: &str| file(&IMAGES.replace("\"b.jpg\"", name), ANNOTATIONS, CATEGORIES);
    assert!(
        refused(picture("null")).starts_with("x.json, record 1 of \"images\" (counted from 0): field \"file_name\"")
    );
    assert_eq!(read(picture("\"train\\\\b.jpg\"")).unwrap().images()[1], "train/b.jpg");
    assert_eq!(read(picture("20")).unwrap().images()[1], "20");
    assert_eq!(
        refused(file(&IMAGES.replace("\"id\": 2", "\"id\": 2, \"id\": 5"), ANNOTATIONS, CATEGORIES)),
        "x.json, record 1 of \"images\" (counted from 0): field \"id\" comes twice"
    );
}

#[test]
fn records_of_one_name() {
    let annotations =
        ANNOTATIONS.replace("[{", "[{\"image_id\": 3, \"category_id\": 7}, {\"image_id\": 1, \"category_id\": 7}, {");
    let categories = CATEGORIES.replace("]", ", {\"id\": 7, \"name\": \"cat \"}]");
    let t = read(file(IMAGES, &annotations, &categories)).unwrap();
    assert_eq!(
        rows(&t),
        [
            ("a.jpg", vec!["cat (id 1)", "cat (id 7)", "dog"]),
            ("b.jpg", vec!["cat (id 1)"]),
            ("c.jpg", vec!["cat (id 7)"])
        ]
    );
    let taken = categories.replace("\"dog\"", "\"cat (id 7)\"");
    assert!(refused(file(IMAGES, &annotations, &taken)).contains("category id 7 shares the name \"cat\""));
    let images = IMAGES.replace("]", ", {\"id\": 4, \"file_name\": \"a.jpg\"}]");
    assert_eq!(
        refused(file(&images, ANNOTATIONS, CATEGORIES)),
        "x.json, record 3 of \"images\": file_name \"a.jpg\" appears twice, first in record 0 (ids 1 and 4)"
    );
}

#[test]
fn annotations_without_a_category_are_passed_over_unless_all_are() {
    let captions = ANNOTATIONS.replace("]", ", {\"image_id\": 3, \"id\": 9, \"caption\": \"a cat\"}]");
    plain(&read(file(IMAGES, &captions, CATEGORIES)).unwrap());
    assert_eq!(
        refused(file(IMAGES, &captions.replace("\"id\": 9", "\"category_id\": null"), CATEGORIES)),
        "x.json, record 3 of \"annotations\" (counted from 0): field \"category_id\": an id must be a whole number or a text; got null"
    );
    assert_eq!(
        refused(file(IMAGES, &captions.replace("\"image_id\": 3, \"id\"", "\"category_id\""), CATEGORIES)),
        "x.json, record 3 of \"annotations\" (counted from 0): field \"image_id\" is missing"
    );
    let all = format!("{{\"images\": {IMAGES}, \"annotations\": [{{\"image_id\": 3, \"caption\": \"a\"}}]}}");
    assert!(refused(all).starts_with("x.json: this is a COCO captions file"));
    let panoptic = r#"[{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 5, "category_id": 1}]}]"#;
    assert!(refused(file(IMAGES, panoptic, CATEGORIES)).starts_with("x.json: this is a COCO panoptic file"));
    let keypoints = CATEGORIES.replace("\"dog\"", "\"dog\", \"keypoints\": [\"nose\"]");
    plain(&read(file(IMAGES, ANNOTATIONS, &keypoints)).unwrap());
}

#[test]
fn other_files_are_told_by_name() {
    let results = refused(r#"[{"image_id": 1, "category_id": 1, "score": 0.5}]"#);
    assert!(
        results.starts_with("x.json: this is a results file, a list of records with image_id, category_id, score; "),
        "{results}"
    );
    let list = refused(r#"[{"file": "a.jpg", "tags": []}]"#);
    assert!(list.starts_with("x.json: this is a list of records with file, tags; a COCO instances file is"), "{list}");
    assert!(refused("[]").starts_with("x.json: this is a list; "));
    assert!(
        refused("3").starts_with("x.json: expected an object with the lists images, annotations and categories; got 3")
    );
    let null = refused(file(IMAGES, "null", CATEGORIES));
    assert!(null.starts_with("x.json, list \"annotations\": expected a list of records; got null"), "{null}");
    let numbers = refused(file("[1]", ANNOTATIONS, CATEGORIES));
    assert!(
        numbers.starts_with(
            "x.json, record 0 of \"images\" (counted from 0): expected a record, which is an object; got 1"
        ),
        "{numbers}"
    );
    let twice = file(IMAGES, ANNOTATIONS, CATEGORIES).replacen('{', &format!("{{\"images\": {IMAGES}, "), 1);
    assert_eq!(refused(twice), "x.json: the list \"images\" comes twice");
}

#[test]
fn deeply_nested_fields_are_skipped() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let annotations = ANNOTATIONS.replacen("[{", &format!("[{{\"segmentation\": {deep}, "), 1);
    let whole = file(IMAGES, &annotations, CATEGORIES).replacen('{', &format!("{{\"info\": {deep}, "), 1);
    plain(&read(&whole).unwrap());
    assert!(refused(&whole[..whole.len() / 4]).contains("the JSON ends in the middle, at line 1 column"));
    assert!(
        refused(file(IMAGES, &ANNOTATIONS.replace("\"image_id\": 2", &format!("\"image_id\": {deep}")), CATEGORIES))
            .ends_with("got a list")
    );
}
