//! Damaged and hostile files of tables, labels and counts: an error that names the file, never a panic, an abort or
//! memory without a bound.

use std::path::{Path, PathBuf};

use cpsd::graph::Cooccurrence;
use cpsd::labels::{LabelTable, LoadOptions, load, stratified_split};
use cpsd::tables::Table;

use crate::common::root;

/// Valid files of pyarrow and polars; `write.py` beside them made them.
const SEEDS: &[&str] =
    &["labels", "labels_v2", "prefixes", "lengths", "kinds", "differences", "split", "nested", "polars"];

fn seed(name: &str) -> Vec<u8> {
    std::fs::read(root("tests/data/parquet").join(format!("{name}.parquet"))).unwrap()
}

/// Reads a file as a table, prints it and writes it; then as labels. What is damaged may still be a table.
fn read(path: &Path) -> Result<Table, String> {
    cpsd::activity::console::set_quiet(true);
    let table = Table::read_parquet(path).map_err(|e| e.message);
    if let Ok(table) = &table {
        let _ = (table.to_string(), table.to_csv(), table.rows());
    }
    let labels = load(path, &LoadOptions::default());
    for error in [table.as_ref().err().cloned(), labels.err().map(|e| e.message)].into_iter().flatten() {
        assert!(error.contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
        assert!(!error.contains("internal error") && !error.contains("panicked"), "{error}");
    }
    table
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("x.parquet");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_seeds_are_read() {
    let table = |name: &str| Table::read_parquet(root("tests/data/parquet").join(format!("{name}.parquet"))).unwrap();
    for name in SEEDS {
        assert_eq!(table(name).height(), 24, "{name}");
    }
    // Each encoding gives the same values.
    let labels = table("labels");
    for name in ["labels_v2", "prefixes", "lengths"] {
        assert_eq!(table(name).rows(), labels.rows(), "{name}");
    }
    assert_eq!(table("polars").column("category").unwrap(), labels.column("label").unwrap());
    let kinds = table("kinds");
    for (name, column) in [("differences", "i"), ("differences", "at"), ("split", "x")] {
        assert_eq!(table(name).column(column).unwrap(), kinds.column(column).unwrap(), "{name}");
    }
    let text = |name: &str, column: &str, row: usize| table(name).column(column).unwrap()[row].to_string();
    assert_eq!(text("kinds", "day", 1), "2020-01-02");
    assert_eq!(text("nested", "both", 1), "{1,\"1\"}");
}

#[test]
fn every_byte_of_a_footer_may_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for name in SEEDS {
        let bytes = seed(name);
        let length = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
        let (start, mut refused) = (bytes.len() - 8 - length, 0);
        for at in start..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = match at % 4 {
                0 => !damaged[at],
                1 => 0xff,
                2 => damaged[at] ^ 0x80,
                _ => damaged[at].wrapping_add(1),
            };
            refused += usize::from(read(&written(folder.path(), &damaged)).is_err());
        }
        assert!(refused > length / 8, "{name}: {refused} of {length} were refused");
    }
}

#[test]
fn every_byte_of_a_page_may_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for name in SEEDS {
        let bytes = seed(name);
        let length = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
        for at in 4..bytes.len() - 8 - length {
            let mut damaged = bytes.clone();
            damaged[at] = if at % 2 == 0 { !damaged[at] } else { damaged[at] ^ 0x81 };
            let _ = read(&written(folder.path(), &damaged));
        }
    }
}

#[test]
fn a_parquet_file_that_is_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = seed("labels");
    for length in (0..bytes.len()).step_by(7) {
        let error = read(&written(folder.path(), &bytes[..length])).unwrap_err();
        let said = if length == 0 { "the file is empty" } else { "is not a complete Parquet file" };
        assert!(error.contains(said), "{error}");
    }
    // A piece is missing in the middle: the footer names places that are no more.
    let mut cut = bytes.clone();
    cut.drain(10..200);
    assert!(read(&written(folder.path(), &cut)).unwrap_err().contains("x.parquet: a damaged Parquet file ("));
}

#[test]
fn rows_without_bytes_take_no_memory() {
    let path = root("tests/data/parquet/many_rows.parquet");
    assert!(std::fs::metadata(&path).unwrap().len() < 200);
    let error = Table::read_parquet(&path).unwrap_err().message;
    assert!(error.contains("column \"n\": its values would take more than"), "{error}");
}

#[test]
fn known_samples_are_errors() {
    let folder = root("../shared/cases/90-hostile-files");
    if !folder.is_dir() {
        println!("skipped: ../shared/cases is absent");
        return;
    }
    for name in ["pqc_1_96", "pqt_1_246", "pqt_1_30"] {
        let error = read(&folder.join(format!("{name}.parquet"))).unwrap_err();
        assert!(error.contains("a damaged Parquet file ("), "{error}");
    }
}

#[test]
fn counts_have_as_many_numbers_as_pairs_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.csv");
    let names: Vec<String> = (0..100_000).map(|i| format!("l{i}")).collect();
    std::fs::write(&path, format!("label,{}\n{}\n", names.join(","), names.join("\n"))).unwrap();
    let error = Cooccurrence::load_csv(&path, None).unwrap_err().message;
    assert!(error.ends_with("counts.csv, line 2: expected 100001 fields as in the header; got 1"), "{error}");
}

#[test]
fn sparse_rows_cost_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arff");
    let arff = |n: usize, first: &str, rows: usize| {
        let attributes: String = (0..n).map(|i| format!("@attribute a{i} {{{first}}}\n")).collect();
        let rows = "{0 1}\n".repeat(rows);
        std::fs::write(&path, format!("@relation 'x: -C {n}'\n{attributes}@data\n{rows}")).unwrap();
        load(&path, &LoadOptions::default())
    };
    let table = arff(50_000, "0,1", 50_000).unwrap();
    assert_eq!((table.num_images(), table.row(49_999)), (50_000, &[0][..]));
    // A label that is declared with 1 first is present where a row leaves it out.
    assert_eq!(arff(3, "1,0", 2).unwrap().row(1), [0, 1, 2]);
    let error = arff(50_000, "1,0", 50_000).unwrap_err().message;
    assert!(error.contains("50000 labels are declared with 1 first, so 50000 sparse rows have more than"), "{error}");
}

#[test]
fn many_labels_are_looked_up_and_split() {
    let n = 100_000;
    let names = |what: &str| (0..n).map(|i| format!("{what}{i}")).collect::<Vec<String>>();
    let lists: Vec<Vec<u32>> = (0..n as u32).map(|i| vec![i]).collect();
    let table = LabelTable::from_lists(names("l"), names("i"), &lists).unwrap();
    let reversed: Vec<String> = names("l").into_iter().rev().collect();
    assert_eq!(table.take_labels(&reversed).unwrap().row(0), [n as u32 - 1]);
    assert_eq!(stratified_split(&table, &[0.5, 0.5], 1).unwrap()[0].len(), n / 2);
}

#[test]
fn matrices_are_refused_where_they_do_not_fit() {
    let n = 1_000_000;
    let names = || (0..n).map(|i| i.to_string()).collect::<Vec<String>>();
    let table = LabelTable::from_lists(names(), names(), &vec![Vec::new(); n]).unwrap();
    for error in [table.dense().map(drop), table.targets().map(drop), table.to_frame_wide().map(drop)] {
        let message = error.unwrap_err().message;
        assert!(message.contains("a matrix of 1000000 images and 1000000 labels would take"), "{message}");
    }
}

#[test]
fn deep_and_long_texts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        load(&path, &LoadOptions::default()).unwrap_err().message
    };
    let deep = "[".repeat(1_000_000);
    assert!(error("x.jsonl", format!("{{\"image\":\"a\",\"labels\":{deep}")).contains("nested more than 128 deep"));
    error("x.json", format!("{{\"images\":{deep}"));
    error("x.csv", format!("image,label\n{}\n", "\"".repeat(1_000_001)));
    let name = "x".repeat(1_000_000);
    let table = LabelTable::from_lists(vec![name.clone(), "cat".into()], vec!["a".into()], &[vec![0]]).unwrap();
    assert!(table.label_index(&format!("{name}y")).is_err());
    assert_eq!(table.label_index("cta").unwrap_err().help.as_deref(), Some("did you mean \"cat\"?"));
}
