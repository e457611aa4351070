//! Tables and label tables in scripts: polars' verbs, label edits, strategies of partition, and scripts/label_graph.rhai
//! on a file.

use std::process::Command;

use cpsd::script::show;

use crate::common::{CPSD, err, eval, out, root, session};

/// The value of a script, as `print` shows it.
fn shown(code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    show::plain(&eval(&mut session, &code.replace("FOLDER", folder.path().to_str().unwrap())))
}

fn message(code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path()).eval(code, "test").map(|v| show::plain(&v)).expect_err(code).message
}

const TABLE: &str = "let t = table([
    #{model: \"a\", k: 2, mAP: 80.0}, #{model: \"b\", k: 2, mAP: 82.5},
    #{model: \"a\", k: 3, mAP: 84.0}, #{model: \"b\", k: 3, mAP: ()}
], [\"model\", \"k\", \"mAP\"]);\n";

#[test]
fn a_table_is_read_by_its_content() {
    assert_eq!(shown(&format!("{TABLE}t.write_parquet(\"FOLDER/t.csv\"); load_table(\"FOLDER/t.csv\").len()")), "4");
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        message(&format!("load_table({path:?})"))
    };
    assert!(of("text.parquet", "größe,k\n1,2\n".as_bytes()).ends_with("text.parquet is no Parquet file: it is a text"));
    // One whose end is missing is none by its content.
    for (name, bytes) in [("cut.parquet", &b"PAR1 and no more"[..]), ("other.parquet", b"\0\xff")] {
        let said = of(name, bytes);
        assert!(said.contains("is not a complete Parquet file"), "{said}");
    }
    assert!(of("empty.parquet", b"").ends_with("empty.parquet: the file is empty"));
    let said = of("cut.csv", b"PAR1 and no more");
    assert!(said.contains("cut.csv is not a complete Parquet file"), "{said}");
}

#[test]
fn verbs_of_polars() {
    let of = |code: &str| shown(&format!("{TABLE}{code}"));
    assert_eq!(of("t.filter((col(\"mAP\") > 81) & (col(\"k\") == 2)).column(\"model\")"), "[\"b\"]");
    assert_eq!(of("t.filter(!(col(\"model\") == \"a\")).len()"), "2");
    assert_eq!(of("t.filter(col(\"mAP\").is_null()).column(\"k\")"), "[3]");
    assert_eq!(
        of("t.group_by(\"model\").agg([col(\"mAP\").mean().alias(\"mean\"), col(\"k\").count()]).column(\"mean\")"),
        "[82.0, 82.5]"
    );
    assert_eq!(of("t.group_by([\"k\"]).len().column(\"len\")"), "[2, 2]");
    assert_eq!(of("t.select([\"k\", (col(\"mAP\") - 80).alias(\"gain\")]).columns"), "[\"k\", \"gain\"]");
    assert_eq!(of("t.with_columns([(1 / col(\"k\")).alias(\"x\")]).column(\"x\")[0]"), "0.5");
    assert_eq!(
        of("t.with_columns(col(\"mAP\").max().over(\"model\").alias(\"best\")).column(\"best\")"),
        "[84.0, 82.5, 84.0, 82.5]"
    );
    assert_eq!(of("t.sort([\"model\", \"k\"], [true, false]).column(\"k\")"), "[2, 3, 2, 3]");
    assert_eq!(of("t.sort(\"mAP\", true).column(\"mAP\")[0]"), "84.0");
    assert_eq!(
        of("t.join(table([#{model: \"a\", year: 2020}]), \"model\", \"left\").column(\"year\")"),
        "[2020, (), 2020, ()]"
    );
    assert_eq!(of("t.rename(#{mAP: \"score\"}).drop(\"k\").columns"), "[\"model\", \"score\"]");
    assert_eq!(of("t.drop_nulls().len() + t.unique(\"k\").len() * 10 + t.vstack(t).len() * 100"), "823");
    assert_eq!(of("t.filter(col(\"model\").is_in([\"b\", \"c\"])).len()"), "2");
    assert_eq!(of("t.filter(col(\"model\").contains(\"a\")).len()"), "2");
    assert_eq!(of("t.select([col(\"mAP\").fill_null(0.0).min().alias(\"x\")]).column(\"x\")"), "[0.0]");
    assert_eq!(of("t.select([(col(\"k\").cast(\"number\").log()).alias(\"x\")]).column(\"x\")[0] - 2.0.ln()"), "0.0");
    assert_eq!(of("t.select([(col(\"k\") ** 2).sum().alias(\"x\")]).column(\"x\")"), "[26.0]");
    assert_eq!(of("t.describe().column(\"column\")"), "[\"k\", \"mAP\"]");
    assert_eq!(of("t.write_parquet(\"FOLDER/t.parquet\"); load_table(\"FOLDER/t.parquet\").tail(1).rows[0].k"), "3");
    assert!(message(&format!("{TABLE}t.filter(col(\"map\") > 1)")).contains("filter: the table has no column \"map\""));
    assert!(
        message(&format!("{TABLE}t.filter(col(\"mAP\") > [1])"))
            .contains("takes an Expr, a number, a string or a boolean")
    );
    assert!(message(&format!("{TABLE}t.join(t, \"k\", \"outer\")")).contains("unknown join \"outer\""));
    assert!(message(&format!("{TABLE}t.sample(9)")).contains("9 rows cannot be drawn out of 4"));
    assert!(message(&format!("{TABLE}t.filter(col(\"model\") + 1)")).contains("filter"));
}

const LABELS: &str = "
table([#{image: \"1\", label: \"car\"}, #{image: \"1\", label: \"bus\"}, #{image: \"2\", label: \"cat\"}, #{image: \"2\", label: \"bus\"},
       #{image: \"3\", label: \"cat\"}, #{image: \"3\", label: \"dog\"}, #{image: \"4\", label: ()}]).write_csv(\"FOLDER/l.csv\");
let l = load_labels(\"FOLDER/l.csv\");\n";

#[test]
fn label_tables_are_edited() {
    let of = |code: &str| shown(&format!("{LABELS}{code}"));
    assert_eq!(of("l.merge(#{vehicle: [\"car\", \"bus\"]}).labels"), "[\"vehicle\", \"cat\", \"dog\"]");
    assert_eq!(of("l.rename(#{cat: \"kitten\"}).row(2)"), "[\"kitten\", \"dog\"]");
    assert_eq!(of("l.filter((col(\"cat\") == 1) & (col(\"bus\") == 0)).images"), "[\"3\"]");
    assert_eq!(of("l.with_any([\"dog\", \"car\"]).images"), "[\"1\", \"3\"]");
    assert_eq!(of("l.drop_rare(2).drop_unlabelled().len()"), "3");
    assert_eq!(of("l.statistics().unlabelled"), "1");
    assert_eq!(of("l.split([0.5, 0.5], #{seed: 3}).map(|t| t.len())"), "[2, 2]");
    assert_eq!(of("(l.head(2) + l.take_images([2, 3])).len()"), "4");
    assert_eq!(of("l.to_wide_table().columns.len()"), "5");
    assert_eq!(
        of("l.write_parquet(\"FOLDER/l.parquet\"); cooccurrence(\"FOLDER/l.parquet\").pair(\"bus\", \"cat\")"),
        "1"
    );
    assert_eq!(of("l.write_parquet(\"FOLDER/l.parquet\"); cooccurrence([\"FOLDER/l.parquet\"]).num_images"), "4");
    assert_eq!(
        of("(cooccurrence(l.head(2)) + cooccurrence(l.take_images([2, 3]).drop([\"car\"]))).count(\"cat\")"),
        "2"
    );
    assert_eq!(of("random_partition(l, 2).k + single_label_partition(cooccurrence(l)).k * 10"), "42");
    assert_eq!(of("cooccurrence(l).never_pairs(1).rows[0].a"), "bus");
    assert!(message("synthetic_labels(#{labels: 0})").contains("The labels option must be"));
}

/// The script that people try first on their own data.
#[test]
fn the_label_graph_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let cpsd = |arguments: &[&str]| {
        let output = Command::new(CPSD).args(arguments).current_dir(f).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    cpsd(&["eval", "synthetic_labels(#{images: 2000, labels: 24, groups: 3}).write_csv(\"mine.csv\")"]);
    let script = root("scripts/label_graph.rhai");
    let printed = cpsd(&["script", script.to_str().unwrap(), "file=mine.csv", "out=graph", "k=3", "shown=20"]);
    assert!(
        printed.contains("LabelTable: 2,000 images, 24 labels")
            && printed.contains("Partition of 24 labels into 3 tasks"),
        "{printed}"
    );
    for name in [
        "statistics.csv",
        "labels.csv",
        "cooccurrence.csv",
        "pairs_together.csv",
        "pairs_never.csv",
        "partitions.csv",
        "eigenvalues_co.png",
        "eigenvalues_dis.png",
        "partition_co_k3.json",
        "affinity_co_k3.png",
        "affinity_dis_k3.svg",
        "label_graph_co_k3.png",
        "label_graph_dis_k3.svg",
    ] {
        assert!(f.join("graph").join(name).metadata().is_ok_and(|m| m.len() > 0), "{name} is missing");
    }
    // The groups that the table was made with come out: label i is in group i mod 3.
    let code = "let p = load_partition(\"graph/partition_co_k3.json\", cooccurrence(load_labels(\"mine.csv\")).labels); p.assignment";
    let assignment: Vec<usize> = serde_json::from_str(cpsd(&["eval", code]).trim()).unwrap();
    assert_eq!(assignment.len(), 24);
    let first = &assignment[..3];
    assert!(assignment.iter().enumerate().filter(|(i, t)| **t == first[i % 3]).count() >= 20, "{assignment:?}");
}
