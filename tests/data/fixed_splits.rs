//! The option `splits` of data set "folder": tables of splits in each form, columns of label files, folders, and mistakes.

use std::path::Path;
use std::process::Command;

use cpsd::error::Error;
use cpsd::images::{Dataset, Picture, open};
use cpsd::tables::Table;
use serde_json::{Value, json};

use crate::common::{CPSD, err, out};

/// Ten rows. pandas: `pd.read_csv("split.csv").groupby("split").image.apply(list)` gives the lists of [`PANDAS`].
const SPLIT: &str = "image,split
images/0.png,train
images/1.png,test
images/2.png,train
images/3.png,val
images/4.png,train
images/5.png,test
images/6.png,train
images/7.png,train
images/8.png,val
images/9.png,test
";
const PANDAS: [(&str, &[usize]); 3] = [("train", &[0, 2, 4, 6, 7]), ("val", &[3, 8]), ("test", &[1, 5, 9])];

/// Ten pictures in `images/` and a wide table of them.
fn photos(root: &Path) {
    let mut labels = "image,cat,dog\n".to_string();
    std::fs::create_dir_all(root.join("images")).unwrap();
    for i in 0..10 {
        let picture = Picture::new(8, 8, vec![20 * i as u8; 8 * 8 * 3]).unwrap();
        std::fs::write(root.join(format!("images/{i}.png")), picture.to_png().unwrap()).unwrap();
        labels += &format!("images/{i}.png,{},{}\n", i % 2, usize::from(i > 4));
    }
    std::fs::write(root.join("labels.csv"), labels).unwrap();
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    photos(place.path());
    place
}

fn opened(root: &Path, options: Value) -> Result<Vec<(String, Dataset)>, Error> {
    cpsd::activity::console::set_quiet(true);
    open("folder", Some(root), &options)
}

/// Splits and the numbers of their pictures.
fn divided(root: &Path, options: Value) -> Vec<(String, Vec<usize>)> {
    let all = opened(root, options).unwrap_or_else(|e| panic!("{e} ({:?})", e.help));
    let numbers = |dataset: &Dataset| {
        let images = dataset.labels.images().iter().enumerate();
        let number = |(i, name): (usize, &String)| {
            let number: usize = name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
            assert_eq!(usize::from(dataset.picture(i).unwrap().rgb[0]), 20 * number, "{name}");
            number
        };
        images.map(number).collect::<Vec<_>>()
    };
    all.iter()
        .map(|(split, dataset)| {
            assert_eq!((split, &dataset.labels.labels().to_vec()), (&dataset.split, &vec!["cat".into(), "dog".into()]));
            (split.clone(), numbers(dataset))
        })
        .collect()
}

fn expected(splits: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>)> {
    splits.iter().map(|(split, of)| (split.to_string(), of.to_vec())).collect()
}

fn refused(root: &Path, options: Value) -> (String, String) {
    let error = opened(root, options).map(|_| ()).unwrap_err();
    let message = error.message.replace(&format!("{}/", root.display()), "").replace(&root.display().to_string(), ".");
    (message, error.help.unwrap_or_default())
}

#[test]
fn a_table_divides_the_pictures_in_each_form() {
    let place = place();
    let root = place.path();
    std::fs::write(root.join("split.csv"), SPLIT).unwrap();
    let by_csv = divided(root, json!({"splits": "split.csv"}));
    assert_eq!(by_csv, expected(&PANDAS));
    // Shares and the seed decide nothing then.
    assert_eq!(divided(root, json!({"splits": "split.csv", "val": 0.5, "test": 0.3, "seed": 7})), by_csv);
    let table = Table::read_csv(root.join("split.csv")).unwrap();
    table.write_parquet(root.join("split.parquet")).unwrap();
    assert_eq!(divided(root, json!({"splits": "split.parquet"})), by_csv);
    let lines: Vec<String> = SPLIT
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(image, split)| json!({"set": split, "file_name": image}).to_string())
        .collect();
    std::fs::write(root.join("split.jsonl"), lines.join("\n")).unwrap();
    assert_eq!(divided(root, json!({"splits": "split.jsonl"})), by_csv);
    // Other names of columns and splits, more columns, another delimiter and order, rows that come twice, gaps.
    let mut rows: Vec<String> = SPLIT.lines().skip(1).map(|line| line.replace(',', ";3;")).collect();
    rows.reverse();
    let other = format!("path;n;Subset\n{}\n{}\n", rows.join("\n"), rows[3])
        .replace(";val", ";Validation")
        .replace(";train", ";training")
        .replace("images/", "./images/");
    std::fs::write(root.join("other.csv"), other).unwrap();
    assert_eq!(divided(root, json!({"splits": "other.csv"})), by_csv);
}

#[test]
fn what_decides_counts_in_the_fingerprint_and_options_do_not() {
    let place = place();
    let root = place.path();
    let fingerprints = |options: Value| -> Vec<String> {
        opened(root, options).unwrap().iter().map(|(_, split)| split.fingerprint()).collect()
    };
    std::fs::write(root.join("split.csv"), SPLIT).unwrap();
    std::fs::write(root.join("again.csv"), SPLIT.replace("val", "dev").replace(",split", ",fold")).unwrap();
    let one = fingerprints(json!({"splits": "split.csv"}));
    assert_eq!(one, fingerprints(json!({"splits": "again.csv", "val": 0.3})));
    std::fs::write(root.join("again.csv"), SPLIT.replace("0.png,train", "0.png,val")).unwrap();
    let other = fingerprints(json!({"splits": "again.csv"}));
    assert!(one[0] != other[0] && one[1] != other[1] && one[2] == other[2]);
}

#[test]
fn a_column_of_the_label_file_divides_them() {
    let place = place();
    let root = place.path();
    let split_of: Vec<&str> = SPLIT.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
    let labels = std::fs::read_to_string(root.join("labels.csv")).unwrap();
    let with = |column: &str| -> String {
        let rows = labels.lines().enumerate();
        rows.map(|(i, row)| format!("{row},{}\n", if i == 0 { column } else { split_of[i - 1] })).collect()
    };
    for column in ["split", "phase of it"] {
        std::fs::write(root.join("labels.csv"), with(column)).unwrap();
        assert_eq!(divided(root, json!({"splits": column})), expected(&PANDAS));
        Table::read_csv(root.join("labels.csv")).unwrap().write_parquet(root.join("labels.parquet")).unwrap();
        assert_eq!(divided(root, json!({"splits": column, "file": "labels.parquet"})), expected(&PANDAS));
    }
    // Long: several rows of a picture, all of one split.
    let mut long = "image,label,split\n".to_string();
    let mut lines = String::new();
    for (i, split) in split_of.iter().enumerate() {
        let of = [("cat", i % 2 == 1), ("dog", i > 4)].map(|(label, there)| if there { label } else { "" });
        of.iter().for_each(|label| long += &format!("images/{i}.png,{label},{split}\n"));
        let of: Vec<&&str> = of.iter().filter(|label| !label.is_empty()).collect();
        lines += &format!("{}\n", json!({"file_name": format!("images/{i}.png"), "labels": of, "split": split}));
    }
    std::fs::write(root.join("labels.csv"), &long).unwrap();
    assert_eq!(divided(root, json!({"splits": "split"})), expected(&PANDAS));
    std::fs::write(root.join("labels.jsonl"), lines).unwrap();
    assert_eq!(divided(root, json!({"splits": "split", "file": "labels.jsonl"})), expected(&PANDAS));
    std::fs::write(root.join("labels.csv"), long.replace("3.png,cat,val", "3.png,cat,test")).unwrap();
    let (message, _) = refused(root, json!({"splits": "split"}));
    assert_eq!(message, "labels.csv, line 9: image \"images/3.png\" is in split \"val\", and in \"test\" by line 8");
    // A file of that name comes before a column.
    std::fs::write(root.join("split"), SPLIT.replace("val", "test")).unwrap();
    assert_eq!(divided(root, json!({"splits": "split", "val": 0.0}))[2].1, [1, 3, 5, 8, 9]);
}

#[test]
fn folders_divide_them() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let mut labels = "image,label\n".to_string();
    for i in 0..10 {
        let folder = ["data/train", "data/train/test", "valid", "Test"][i % 4];
        let path = root.join(folder).join(format!("{i}.png"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, Picture::new(8, 8, vec![20 * i as u8; 192]).unwrap().to_png().unwrap()).unwrap();
        labels += &format!("{folder}/{i}.png,cat\n{folder}/{i}.png,dog\n");
    }
    std::fs::write(root.join("labels.csv"), labels).unwrap();
    let folders: [(&str, &[usize]); 3] = [("train", &[0, 1, 4, 5, 8, 9]), ("val", &[2, 6]), ("test", &[3, 7])];
    assert_eq!(divided(root, json!({"splits": "folders"})), expected(&folders));
    let flat = self::place();
    let (message, help) = refused(flat.path(), json!({"splits": "folders"}));
    assert!(message.ends_with("no picture lies in a folder train, val or test"), "{message}");
    assert_eq!(help, "the first picture is images/0.png");
}

#[test]
fn further_test_sets_and_pictures_of_no_split() {
    let place = place();
    let root = place.path();
    let some: String = SPLIT.lines().filter(|line| !line.contains("/4.")).map(|line| format!("{line}\n")).collect();
    let some = some
        .replace("5.png,test", "5.png,test_shifted")
        .replace("9.png,test", "9.png,Test2")
        .replace("7.png,train", "7.png,");
    std::fs::write(root.join("split.csv"), some).unwrap();
    let splits: [(&str, &[usize]); 5] =
        [("train", &[0, 2, 6]), ("val", &[3, 8]), ("test", &[1]), ("test2", &[9]), ("test_shifted", &[5])];
    assert_eq!(divided(root, json!({"splits": "split.csv"})), expected(&splits));
    // Without a split train, what is in no other split is trained on; without val and test, shares of it are.
    std::fs::write(root.join("split.csv"), "image,split\nimages/3.png,test\nimages/8.png,test\n").unwrap();
    let of_test = divided(root, json!({"splits": "split.csv", "val": 0.25}));
    assert_eq!(of_test.iter().map(|(_, of)| of.len()).collect::<Vec<_>>(), [6, 2, 2]);
    assert_eq!(of_test[2].1, [3, 8]);
}

#[test]
fn names_need_no_folder_and_no_ending() {
    let place = place();
    let root = place.path();
    std::fs::write(root.join("split.csv"), SPLIT.replace("images/", "").replace(".png", "")).unwrap();
    assert_eq!(divided(root, json!({"splits": "split.csv"})), expected(&PANDAS));
    // The label file names them so, and the table as they lie.
    let labels = std::fs::read_to_string(root.join("labels.csv")).unwrap();
    std::fs::write(root.join("labels.csv"), labels.replace("images/", "").replace(".png", "")).unwrap();
    std::fs::write(root.join("split.csv"), SPLIT).unwrap();
    assert_eq!(divided(root, json!({"splits": "split.csv"})), expected(&PANDAS));
    // One picture by two names.
    std::fs::write(root.join("split.csv"), format!("{SPLIT}./images/3.png,test\n")).unwrap();
    assert_eq!(
        refused(root, json!({"splits": "split.csv"})).0,
        "dataset \"folder\": split.csv has the picture images/3.png in two splits: as \"images/3.png\" in \"val\", as \
         \"./images/3.png\" in \"test\""
    );
}

#[test]
fn mistakes_are_named() {
    let place = place();
    let root = place.path();
    std::fs::write(root.join("split.csv"), SPLIT).unwrap();
    let (message, help) = refused(root, json!({"splits": "spilt.csv"}));
    assert_eq!(
        message,
        "option \"splits\" of dataset \"folder\": \"spilt.csv\" is neither a file in . nor a column of labels.csv; did you \
         mean \"split.csv\"?"
    );
    assert!(help.contains("splits: \"folders\""), "{help}");
    assert!(refused(root, json!({"splits": "split.csv", "split": "train"})).0.contains("give one of the two"));
    let of = |text: &str| {
        std::fs::write(root.join("split.csv"), text).unwrap();
        refused(root, json!({"splits": "split.csv"}))
    };
    let (message, help) = of(&SPLIT.replace("3.png,val", "3.png,vall"));
    assert!(message.starts_with("split.csv, line 5: unknown split \"vall\"; expected train, val or test"), "{message}");
    assert_eq!(help, "did you mean \"val\"?");
    // It would be a key of the script's map, and stand on the terminal.
    let (message, _) = of(&SPLIT.replace("3.png,val", "3.png,test_/../x"));
    assert!(message.contains("unknown split \"test_/../x\""), "{message}");
    let (message, _) = of(&SPLIT.replace("3.png,val", "3.png,test_\u{1b}[31m"));
    assert!(message.contains("unknown split \"test_\\u{1b}[31m\""), "{message}");
    let (message, _) = of("image,split,split\na.png,train,test\n");
    assert!(message.contains("column \"split\" is there twice"), "{message}");
    let (message, _) = of(&format!("{SPLIT}images/0.png,test\n"));
    assert_eq!(message, "split.csv, line 12: image \"images/0.png\" is in split \"test\", and in \"train\" by line 2");
    let (message, _) = of(&SPLIT.replace("images/", "photos/x"));
    assert_eq!(
        message,
        "dataset \"folder\": none of the 10 names that split.csv divides is that of a picture: photos/x0.png, \
         photos/x1.png, photos/x2.png, ...; the pictures are images/0.png, images/1.png, images/2.png, ..."
    );
    let (message, _) = of("image,n,kind\nimages/0.png,1,train\n");
    assert_eq!(
        message,
        "split.csv: no column has a usual name for splits (split, subset, set); the columns are \"image\", \"n\", \"kind\""
    );
    let (_, help) = of("images/0.png,train\n");
    assert_eq!(help, "a table of splits begins with the names of its columns: image,split");
    assert!(of("").0.ends_with("split.csv: the file is empty"));
    assert!(of("image,split\nimages/0.png,\n").0.ends_with("split.csv gives no picture a split"));
}

#[test]
fn choices_and_pictures_that_are_left_out_are_said() {
    let place = place();
    let root = place.path();
    let said = |text: &str| {
        std::fs::write(root.join("split.csv"), text).unwrap();
        let script = root.join("x.rhai");
        let code = format!("print(dataset(\"folder\", #{{ root: {:?}, splits: \"split.csv\" }}).keys());", root);
        std::fs::write(&script, code).unwrap();
        let output = Command::new(CPSD).arg("script").arg(&script).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        assert!(out(&output).contains("\"test\""), "{}", out(&output));
        err(&output)
    };
    let few: Vec<&str> = SPLIT.lines().filter(|line| !line.contains("/4.") && !line.contains("/6.")).collect();
    let text = said(&format!("{}\nimages/12.png,val\n", few.join("\n")));
    assert!(
        text.contains("splits train, val, test as split.csv divides the pictures; 2 pictures of no split are left out"),
        "{text}"
    );
    assert!(text.contains("1 of the 9 names that split.csv divides match no picture: images/12.png"), "{text}");
    let text = said(&SPLIT.replace(',', ",1,").replace("image,1,split", "image,subset,split"));
    assert!(text.contains("splits are named by column \"split\", not \"subset\""), "{text}");
    let text = said(&SPLIT.replace("images/", "").replace("image,split", "photo_id,where"));
    assert!(text.contains("column \"where\" is used as the column of splits"), "{text}");
    assert!(text.contains("names of split.csv are matched without folders and endings"), "{text}");
}

#[test]
fn a_division_that_nobody_asked_for_is_said() {
    let place = place();
    let root = place.path();
    std::fs::write(root.join("split.csv"), SPLIT).unwrap();
    let said = |options: &str| {
        let code = format!("print(dataset(\"folder\", #{{ root: {root:?}{options} }}).train.len());");
        let output = Command::new(CPSD).args(["eval", &code]).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        err(&output)
    };
    let text = said("");
    assert!(text.contains("split.csv, beside the labels, divides them where that is asked for"), "{text}");
    assert!(text.contains("splits: \"split.csv\", of an experiment split=split.csv"), "{text}");
    assert!(!said(", splits: \"split.csv\"").contains("asked for"));
    std::fs::remove_file(root.join("split.csv")).unwrap();
    assert!(!said("").contains("asked for"));
    // Folders that are called so, once there are two of them.
    let labels = std::fs::read_to_string(root.join("labels.csv")).unwrap();
    std::fs::write(root.join("labels.csv"), labels.replace("images/", "train/")).unwrap();
    std::fs::rename(root.join("images"), root.join("train")).unwrap();
    assert!(!said("").contains("asked for"));
    let labels = std::fs::read_to_string(root.join("labels.csv")).unwrap();
    std::fs::write(root.join("labels.csv"), labels.replace("train/9", "test/9")).unwrap();
    std::fs::create_dir(root.join("test")).unwrap();
    std::fs::rename(root.join("train/9.png"), root.join("test/9.png")).unwrap();
    let text = said("");
    assert!(text.contains("the pictures' folders test, train divide them") && text.contains("split=folders"), "{text}");
}

#[test]
fn a_name_that_fits_two_pictures_is_told_with_both() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let mut labels = "image,cat\n".to_string();
    for name in ["a/1.png", "a/2.png", "a/3.png", "b/1.png", "b/4.png"] {
        std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        std::fs::write(root.join(name), Picture::new(8, 8, vec![9; 8 * 8 * 3]).unwrap().to_png().unwrap()).unwrap();
        labels += &format!("{name},1\n");
    }
    std::fs::write(root.join("labels.csv"), labels).unwrap();
    std::fs::write(root.join("split.csv"), "image,split\n2,train\n1,val\n3,test\n").unwrap();
    let (message, help) = refused(root, json!({"splits": "split.csv"}));
    assert_eq!(message, "dataset \"folder\": the name \"1\" of split.csv fits two pictures, a/1.png and b/1.png");
    assert!(help.contains("a/1.png"), "{help}");
    // Names that the table does not have may fit as many as they like.
    std::fs::write(root.join("split.csv"), "image,split\n2,train\n4,val\n3,test\n").unwrap();
    let splits: Vec<usize> =
        opened(root, json!({"splits": "split.csv"})).unwrap().iter().map(|(_, split)| split.len()).collect();
    assert_eq!(splits, [1, 1, 1]);
}
