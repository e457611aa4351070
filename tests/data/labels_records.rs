//! CSV, Parquet and tables: files as people have them, held to pandas; names that come back as they were written; choices
//! that are said and refusals that tell the way on.

use std::collections::BTreeSet;
use std::path::Path;

use cpsd::labels::{LabelTable, LoadOptions, count_files, load};
use cpsd::tables::Table;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::common::golden;

fn options(json: Value) -> LoadOptions {
    serde_json::from_value(json).unwrap()
}

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// The labels of each image, sorted; of row `row` of `row(table, image)`.
fn rows<'a>(t: &'a LabelTable, row: impl Fn(&'a LabelTable, usize) -> &'a [u32]) -> Vec<(String, Vec<String>)> {
    let names = |i| {
        let mut names: Vec<String> = row(t, i).iter().map(|&l| t.labels()[l as usize].clone()).collect();
        names.sort();
        names
    };
    (0..t.num_images()).map(|i| (t.images()[i].clone(), names(i))).collect()
}

#[test]
fn tables_as_pandas_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let golden = golden("labels/tables.json");
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let content = match case["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => {
                let hex = case["hex"].as_str().unwrap();
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
            }
        };
        let path = put(folder.path(), case["file"].as_str().unwrap(), content);
        let name = &case["name"];
        let table =
            load(&path, &options(case["options"].clone())).unwrap_or_else(|e| panic!("{name}: {e} ({:?})", e.help));
        let expected = |key: &str| serde_json::from_value::<Vec<(String, Vec<String>)>>(case[key].clone()).unwrap();
        assert_eq!(rows(&table, LabelTable::row), expected("rows"), "{name}");
        if case["unknown"].is_array() {
            assert_eq!(rows(&table, LabelTable::unknown_row), expected("unknown"), "{name}, unknown");
        } else {
            assert_eq!(table.num_unknown(), 0, "{name}");
        }
    }
}

/// Names that formats have trouble with, and any others.
fn name() -> impl Strategy<Value = String> {
    let hard = [
        "label",
        "labels",
        "class",
        "value",
        "confidence",
        "id",
        "0",
        "1",
        "-1",
        "0.0",
        "NaN",
        "null",
        "None",
        "True",
        "?",
        "[]",
        "['a']",
        "a|b",
        "a;b",
        "a, b",
        "bear, brown",
        "say \"hi\"",
        "\"",
        "'",
        "two\nlines",
        "cr\rlf\r\n",
        " blanks ",
        "tab\t",
        "ünïcödé",
        "🦊",
        "é",
        "#hash",
        "sep=;",
        "=1+1",
        "x.jpg",
        "\u{a0}no-break",
        "{",
        "<a>",
        ";",
        "|",
        ",",
        "a b",
        "clear primary",
        "primary",
    ];
    prop_oneof![3 => proptest::sample::select(hard.to_vec()).prop_map(String::from), 1 => "[ -~]{1,8}", 1 => "\\PC{1,4}"]
        .prop_filter("names are not empty", |name| !name.is_empty())
}

/// A table with labels of no image and images without labels, with entries of unknown truth or without.
fn any_table() -> impl Strategy<Value = LabelTable> {
    let labels = proptest::collection::btree_set(name(), 1..6);
    (labels, proptest::collection::btree_set(name(), 1..7), any::<u64>(), 0..3_u32).prop_map(
        |(labels, images, seed, kind)| {
            let labels: Vec<String> = labels.into_iter().collect();
            let (m, n) = (labels.len() as u32, images.len());
            let bit = |i: usize, l: u32, of: u64| {
                (seed.rotate_left(i as u32 * 7 + l * 13) ^ of).count_ones().is_multiple_of(3)
            };
            // Kind 0: at most one label per image.
            let mut lists: Vec<Vec<u32>> = (0..n)
                .map(|i| match kind {
                    0 => {
                        if bit(i, 0, 1) {
                            vec![]
                        } else {
                            vec![(seed.wrapping_add(i as u64) % u64::from(m)) as u32]
                        }
                    }
                    _ => (0..m).filter(|&l| bit(i, l, 2)).collect(),
                })
                .collect();
            let lacking: Vec<u32> = (0..m).filter(|l| !lists.iter().flatten().any(|x| x == l)).collect();
            let images: Vec<String> = images.into_iter().chain(lacking.iter().map(|l| format!("more {l}"))).collect();
            lists.extend(lacking.iter().map(|&l| vec![l]));
            let table = LabelTable::from_lists(labels, images, &lists).unwrap();
            if kind < 2 {
                return table;
            }
            let unknown: Vec<Vec<u32>> = lists
                .iter()
                .enumerate()
                .map(|(i, row)| (0..m).filter(|l| !row.contains(l) && bit(i, *l, 9)).collect())
                .collect();
            table.with_unknown(&unknown).unwrap()
        },
    )
}

fn same(a: &LabelTable, b: &LabelTable) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.labels(), b.labels());
    prop_assert_eq!(a.images(), b.images());
    prop_assert_eq!(rows(a, LabelTable::row), rows(b, LabelTable::row));
    prop_assert_eq!(rows(a, LabelTable::unknown_row), rows(b, LabelTable::unknown_row));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn long_tables_come_back(table in any_table()) {
        let folder = tempfile::tempdir().unwrap();
        let long = Table::of(table.to_frame_for_files().unwrap());
        let (csv, parquet) = (folder.path().join("x.csv"), folder.path().join("x.parquet"));
        long.write_csv(&csv).unwrap();
        long.write_parquet(&parquet).unwrap();
        let default = LoadOptions::default();
        same(&load(&csv, &default).map_err(|e| TestCaseError::fail(format!("{e}: {}", std::fs::read_to_string(&csv).unwrap())))?, &table)?;
        same(&load(&parquet, &default).unwrap(), &table)?;
        same(&LabelTable::from_frame(&long.frame, &default).unwrap(), &table)?;
        let counted = count_files(&[parquet]).unwrap();
        prop_assert_eq!(&counted.labels()[..], table.labels());
    }

    #[test]
    fn wide_tables_come_back(table in any_table()) {
        let folder = tempfile::tempdir().unwrap();
        let wide = Table::of(table.to_frame_wide().unwrap());
        let (csv, parquet) = (folder.path().join("x.csv"), folder.path().join("x.parquet"));
        wide.write_csv(&csv).unwrap();
        wide.write_parquet(&parquet).unwrap();
        let masked = options(json!({"unknown": "masked"}));
        same(&load(&csv, &masked).map_err(|e| TestCaseError::fail(format!("{e}: {}", std::fs::read_to_string(&csv).unwrap())))?, &table)?;
        same(&load(&parquet, &masked).unwrap(), &table)?;
        same(&LabelTable::from_frame(&wide.frame, &masked).unwrap(), &table)?;
    }
}

/// The error of a CSV file with this content, and its help.
fn refused(content: &str, given: Value) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "x.csv", content);
    let error = load(&path, &options(given)).map(|t| t.to_string()).unwrap_err();
    (error.message.replace(&format!("{}/", folder.path().display()), ""), error.help.unwrap_or_default())
}

#[test]
fn refusals_name_the_option_that_helps() {
    let (message, help) = refused("image,cat,dog\na,1,-1\n", json!({}));
    assert_eq!(message, "x.csv, line 2: column \"dog\" is -1, which can be read in several ways");
    assert!(help.contains("unknown: \"masked\"") && help.contains("empty: \"negative\""), "{help}");
    assert!(refused("image,cat,dog\na,1,\n", json!({})).0.contains("column \"dog\" is empty"));
    let (message, help) = refused("Path,Sex,Edema,Lesion\na,F,1,0\nb,M,0,1\n", json!({}));
    assert_eq!(message, "x.csv, line 2: column \"Sex\" must be 0 or 1; got \"F\"");
    assert_eq!(help, "option labels names the columns that are labels: \"Edema\", \"Lesion\"");
    let (message, help) = refused("bild,wort\na,cat\nb,dog\n", json!({}));
    assert_eq!(
        message,
        "x.csv: no column has a usual name for images (image, file_name, path); the columns are \"bild\", \"wort\""
    );
    assert!(help.contains("option image") && help.contains("header: false"), "{help}");
    let (message, help) = refused("image,size,wort\na,big,cat\nb,small,dog\n", json!({}));
    assert!(message.contains("no column has a usual name for labels"), "{message}");
    assert!(help.contains("option label"), "{help}");
    let (message, help) = refused("image,label\na,b\n", json!({"label": "labels"}));
    assert!(message.contains("option label names column \"labels\", which is not there"), "{message}");
    assert_eq!(help, "did you mean \"label\"?");
    let (message, help) = refused("a.jpg,1,0\nb.jpg,0,1\n", json!({}));
    assert!(message.starts_with("x.csv, line 1: the header is missing"), "{message}");
    assert!(help.contains("header: false"), "{help}");
    assert!(refused("image,cat\na,0.5\n", json!({})).0.contains("column \"cat\" must be 0 or 1; got \"0.5\""));
    assert!(
        refused("image,cat\na,1\na,0\n", json!({}))
            .0
            .contains("line 3: image \"a\" has a second row, its first is line 2")
    );
}

#[test]
fn half_a_list_is_no_label() {
    let (message, help) = refused("image,labels\na,\"[1, 2\"\nb,3\n", json!({}));
    assert_eq!(message, "x.csv, line 2: the list of labels in column \"labels\" lacks its \"]\"; got \"[1, 2\"");
    assert!(help.contains("separator: \"\""), "{help}");
    let (message, _) = refused("image,labels\na,3\nb,\"1, 2]\"\n", json!({}));
    assert_eq!(message, "x.csv, line 3: the list of labels in column \"labels\" lacks its \"[\"; got \"1, 2]\"");
    // Beside whole lists, and behind the rows that decide.
    let (message, _) = refused("image,labels\na,\"[1, 2]\"\nb,3]\n", json!({}));
    assert!(message.starts_with("x.csv, line 3: the list of labels"), "{message}");
    for (cell, said) in [("[1, 2", "lacks its \"]\""), ("[1, 2]", "holds a list of labels here")] {
        let many: String = (0..2_500).map(|i| format!("{i},\"1, 2\"\n")).collect();
        let (message, _) = refused(&format!("image,labels\n{many}x,\"{cell}\"\n"), json!({}));
        assert!(message.starts_with("x.csv, line 2502: ") && message.contains(said), "{message}");
    }
    // Names of labels with brackets, and an option that keeps cells whole.
    let folder = tempfile::tempdir().unwrap();
    let of = |content: &str, given: Value| {
        load(&put(folder.path(), "x.csv", content), &options(given)).unwrap().labels().to_vec()
    };
    assert_eq!(of("image,label\na,cat [wild]\nb,[wild] dog\n", json!({})), ["[wild] dog", "cat [wild]"]);
    assert_eq!(of("image,label\na,[\nb,]\n", json!({})), ["[", "]"]);
    assert_eq!(of("image,labels\na,\"[1, 2\"\n", json!({"separator": ""})), ["[1, 2"]);
}

#[test]
fn sets_and_tuples_are_read_as_lists_are() {
    let folder = tempfile::tempdir().unwrap();
    let of = |content: &str, given: Value| {
        load(&put(folder.path(), "x.csv", content), &options(given)).unwrap().labels().to_vec()
    };
    // Beside labels without brackets, and in all cells.
    for list in ["{'cat', 'dog'}", "('cat', 'dog')", "(cat, dog)", "{cat, dog}", "['cat', 'dog']"] {
        for column in ["label", "labels"] {
            let mixed = format!("image,{column}\na,\"{list}\"\nb,bird\nc,cat\n");
            assert_eq!(of(&mixed, json!({})), ["bird", "cat", "dog"], "{list}");
            assert_eq!(of(&format!("image,{column}\na,\"{list}\"\n"), json!({})), ["cat", "dog"], "{list}");
        }
    }
    for none in ["set()", "()", "{}", "[]"] {
        let path = put(folder.path(), "x.csv", format!("image,labels\na,{none}\nb,cat\n"));
        let table = load(&path, &LoadOptions::default()).unwrap();
        assert_eq!((table.labels(), table.num_unlabelled()), (&["cat".to_string()][..], 1), "{none}");
    }
    // Brackets inside a text, and around one without a comma or quotes.
    let inside = "image,label\na,person (adult)\nb,dog {small}\nc,(cat)\nd,[bird]\n";
    assert_eq!(of(inside, json!({})), ["(cat)", "[bird]", "dog {small}", "person (adult)"]);
    assert_eq!(of("image,labels\na,\"{'cat'\"\n", json!({"separator": ""})), ["{'cat'"]);
    // Halves, and items that no comma separates.
    for (cell, lacks) in [("{'cat'", "}"), ("('cat', 'd", ")"), ("(cat, dog", ")"), ("'cat'}", "{"), ("cat, dog)", "(")]
    {
        let (message, help) = refused(&format!("image,labels\na,bird\nb,\"{cell}\"\n"), json!({}));
        let expected =
            format!("x.csv, line 3: the list of labels in column \"labels\" lacks its \"{lacks}\"; got \"{cell}\"");
        assert_eq!(message, expected);
        assert!(help.contains("separator: \"\""), "{help}");
    }
    for (cell, sign) in [("[cat|dog]", "|"), ("[cat;dog]", ";"), ("(cat|dog)", "|"), ("{cat;dog}", ";")] {
        let (message, _) = refused(&format!("image,labels\na,cat\nb,{cell}\nc,dog\n"), json!({}));
        let expected = format!(
            "x.csv, line 3: the list of labels in column \"labels\" must have commas between its items, not \"{sign}\"; got \"{cell}\""
        );
        assert_eq!(message, expected);
    }
    // Behind the rows that decide.
    let many = |cells: &str| (1..2_500).map(|i| format!("{i},\"{cells}\"\n")).collect::<String>();
    let wrong = [
        ("bird, cat", "{'cat', 'dog'}", "holds a list of labels here"),
        ("bird, cat", "(cat, dog)", "holds a list of labels here"),
        ("bird, cat", "set()", "holds a list of labels here"),
        ("bird, cat", "{'cat'", "lacks its \"}\""),
        ("bird, cat", "[cat|dog]", "must have commas"),
        ("bird cat", "[cat dog]", "holds a list of labels here"),
    ];
    for (cells, cell, said) in wrong {
        let (message, _) = refused(&format!("image,labels\n0,bird\n{}x,\"{cell}\"\n", many(cells)), json!({}));
        assert!(message.starts_with("x.csv, line 2502: ") && message.contains(said), "{cell}: {message}");
    }
}

#[test]
fn parquet_lists_and_types() {
    use polars::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let write = |frame: DataFrame| {
        let path = folder.path().join("x.parquet");
        Table::of(frame).write_parquet(&path).unwrap();
        path
    };
    let list = |items: &[&str]| Series::new("".into(), items);
    let lists = Series::new("labels".into(), [list(&["cat", "dog"]), list(&["cat"]), list(&[])]);
    let frame = DataFrame::new(3, vec![Series::new("image_id".into(), [7_i64, 8, 9]).into(), lists.into()]).unwrap();
    let table = load(&write(frame.clone()), &LoadOptions::default()).unwrap();
    let expected = |rows: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
        rows.iter().map(|(i, l)| (i.to_string(), l.iter().map(|l| l.to_string()).collect())).collect()
    };
    assert_eq!(rows(&table, LabelTable::row), expected(&[("7", &["cat", "dog"]), ("8", &["cat"]), ("9", &[])]));
    let counts = count_files(&[write(frame)]).unwrap();
    assert_eq!(counts.labels()[..], ["cat", "dog"]);
    // Numbers of labels, floats beside a missing value.
    let frame = df!("image" => ["a", "b", "c"], "label" => [Some(3.0), Some(11.0), None]).unwrap();
    assert_eq!(load(&write(frame), &LoadOptions::default()).unwrap().labels(), ["11", "3"]);
    let frame = df!("image" => ["a", "b"], "cat" => [Some(true), None], "dog" => [Some(false), Some(true)]).unwrap();
    let table = load(&write(frame), &options(json!({"unknown": "masked"}))).unwrap();
    assert_eq!(
        (rows(&table, LabelTable::row), table.num_unknown()),
        (expected(&[("a", &["cat"]), ("b", &["dog"])]), 1)
    );
}

#[test]
fn names_of_several_meanings_are_decided_by_options() {
    let folder = tempfile::tempdir().unwrap();
    let of = |content: &str, given: Value| {
        let table = load(&put(folder.path(), "x.csv", content), &options(given)).unwrap();
        table.labels().iter().cloned().collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<BTreeSet<_>>();
    let flags = "image,label,cat\na,1,0\nb,0,1\n";
    assert_eq!(of(flags, json!({})), set(&["label", "cat"]));
    assert_eq!(of(flags, json!({"label": "label"})), set(&["0", "1"]));
    assert_eq!(of(flags, json!({"format": "csv-long"})), set(&["0", "1"]));
    let cells = "image,tags\na,cat|dog\nb,cat\n";
    assert_eq!(of(cells, json!({})), set(&["cat", "dog"]));
    assert_eq!(of(cells, json!({"separator": ""})), set(&["cat|dog", "cat"]));
    // An image with several rows: a cell is one label.
    assert_eq!(of("image,label\na,x|y\na,x\nb,y\n", json!({})), set(&["x|y", "x", "y"]));
    assert_eq!(of("a;b;c\nx;1;0\n", json!({"image": "a"})), set(&["b", "c"]));
    assert_eq!(of("image,label\n1,cat\n2,dog\n", json!({"delimiter": ","})), set(&["cat", "dog"]));
    // The sample does not decide for the rows behind it.
    let many: String = (0..10_050).map(|i| format!("{i},{}\n", if i < 10_001 { "cat" } else { "cat|dog" })).collect();
    assert_eq!(of(&format!("image,label\n{many}"), json!({})), set(&["cat", "dog"]));
    // An exact repetition is no sign of one label per row.
    assert_eq!(of("image,tags\n1,a|b\n2,b\n2,b\n3,a\n", json!({})), set(&["a", "b"]));
    // Names of files and classes come before their numbers.
    let numbers = "image_id,file_name,class,class_name\n1,a.jpg,3,cat\n2,b.jpg,4,dog\n";
    assert_eq!(of(numbers, json!({})), set(&["cat", "dog"]));
    assert_eq!(of(numbers, json!({"label": "class"})), set(&["3", "4"]));
    assert_eq!(of("image,label,present\na,cat,0\na,dog,1\n", json!({})), set(&["cat", "dog"]));
    // Flags.
    assert_eq!(of("image,tags\na,\"[0, 1, 1]\"\nb,\"[1, 0, 0]\"\n", json!({})), set(&["0", "1", "2"]));
    let flags = "image,labels\na,0 1 1 0\nb,1 0 0 0\n";
    assert_eq!(of(flags, json!({"labels": ["p", "q", "r", "s"]})), set(&["p", "q", "r", "s"]));
    // A frame without a part of its rows, as pandas writes it.
    assert_eq!(of(",image,cat,dog\n5,a.jpg,1,0\n2,b.jpg,0,1\n", json!({})), set(&["cat", "dog"]));
    assert_eq!(of("image,label,confidence\na,cat,97.5\n", json!({})), set(&["cat"]));
}
