//! The experiments of `scripts/`, at toy size: each runs to its end and leaves a complete table or figure.

use std::path::Path;
use std::process::Command;

use crate::common::{CPSD, err, out, root};

/// Runs a script in `folder` and gives what it printed.
fn script(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = Command::new(CPSD)
        .args(["script", "-q"])
        .arg(root("scripts").join(name))
        .args(arguments)
        .current_dir(folder)
        .env("CPSD_RUNS", folder.join("runs"))
        .output()
        .unwrap();
    let printed = out(&output);
    assert!(output.status.success(), "{name}: {}\n{printed}{}", output.status, err(&output));
    printed
}

/// The rows of a CSV, without its header, and how many of their cells are empty.
fn rows(path: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(path).unwrap();
    let cells = text.lines().skip(1).flat_map(|line| line.split(','));
    (text.lines().count() - 1, cells.filter(|cell| cell.is_empty()).count())
}

#[test]
fn every_experiment_runs_to_its_end() {
    let weights = root("weights");
    if !weights.is_dir() {
        println!("skipped: weights/ is absent (setup/weights.sh brings it)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::os::unix::fs::symlink(&weights, f.join("weights")).unwrap();
    let toy = ["train=48", "epochs=1", "teacher_epochs=1"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { toy.iter().chain(more).copied().collect() };

    let printed = script(f, "ablation_components.rhai", &with(&["seeds=0,1", "k=2"]));
    assert!(printed.contains("+ CPSD") && printed.contains("paired bootstrap"), "{printed}");
    assert_eq!(rows(&f.join("out/ablation_components.csv")), (10, 0));
    // One row per method, seed and label of emoji-scenes.
    assert_eq!(rows(&f.join("out/context_probe.csv")).0 % 10, 0);

    script(f, "ablation_k.rhai", &with(&["seeds=0,1", "k=1,2"]));
    assert_eq!(rows(&f.join("out/ablation_k.csv")), (2 * 2 * 4, 0));
    for split in ["test", "test_shifted"] {
        assert!(f.join(format!("out/ablation_k_{split}.png")).metadata().unwrap().len() > 5000);
    }
    script(f, "departures.rhai", &with(&["seeds=0", "k=2"]));
    assert_eq!(rows(&f.join("out/departures.csv")), (11, 0));
    script(f, "ablation_weight.rhai", &with(&["seeds=0,1", "k=2", "weights=0.02,0.5"]));
    assert_eq!(rows(&f.join("out/ablation_weight.csv")), (2 * 2 * 5, 0));
    assert_eq!(rows(&f.join("out/ablation_weight_epochs.csv")), (2 * 2 * 5, 0));
    for figure in ["0.02", "0.5", "test", "test_shifted"] {
        assert!(f.join(format!("out/ablation_weight_{figure}.png")).metadata().unwrap().len() > 5000);
    }
    script(f, "beyond.rhai", &with(&["seeds=0", "k=2", "share=0.5"]));
    assert_eq!(rows(&f.join("out/beyond.csv")), (11, 0));
    script(f, "cam.rhai", &with(&["k=2", "pictures=2"]));
    assert!(f.join("out/cam_methods.png").metadata().unwrap().len() > 5000);
    script(f, "partition_stability.rhai", &["k=2,3", "seeds=2", "train=200"]);
    assert_eq!(rows(&f.join("out/partition_stability.csv")), (2 * 2 * 11, 0));
}
