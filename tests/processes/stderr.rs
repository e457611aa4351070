//! What trainings write to standard error: our own lines, and nothing with `--quiet`. A warning of libtorch would come several times
//! a step, into the progress line.

use std::process::Command;

use crate::common::{CPSD, err, out};

/// Trainings of every kind: pictures, frozen features, a loss of a script, unknown labels, mixed precision, kept and live teachers, side by
/// side in threads, a head with an input of its own.
const TRAININGS: &str = r#"
let data = dataset("emoji-scenes", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 32});
let small = #{backbone: "small_cnn", image_size: 32};
let o = #{epochs: 2, batch: 16, threads: 1, model: small};
let some = ["person", "dog", "car"];
let all = data.train.names;
let a = train_teacher(data, some, o + #{views: 0});
let b = train_teacher(data, some, o + #{views: 1, model: small + #{freeze: 2}});
let c = train_teacher(data, some, o + #{loss: |l, t| (bce(l, t) + l.index(1, [0]).pow(2).sum() * tensor([0.1]).sum())});
let d = train_teacher(data, some, o + #{known: 0.5, precision: "bfloat16", optimiser: "sgd", clip: 1.0, accumulate: 2});
let whole = merge(train_teachers(data, random_partition(all, 2), o + #{views: 1}));
let kept = distill(data, whole, o + #{views: 1});
let live = distill(data, whole, o + #{views: 0, distillation: |s, t| (s - t).pow(2).sum()});
let q = train_teacher(data, some, o + #{model: small + #{head: "q2l"}});
let n = live.evaluate(data.test).mAP + whole.predict(data.test).len();
print("done");
"#;

fn train(arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(CPSD)
        .args(arguments)
        .args(["eval", TRAININGS])
        .env("CPSD_RUNS", "runs")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", err(&output));
    (out(&output), err(&output))
}

#[test]
fn steps_write_nothing_to_standard_error() {
    let (printed, said) = train(&["--quiet"]);
    assert_eq!(said, "");
    assert!(printed.contains("done"), "{printed}");
}

#[test]
fn in_a_pipe_there_are_our_own_lines_alone() {
    let (_, said) = train(&[]);
    // One line per training, on a slow machine one of its progress, and no line of a library.
    let finished = |line: &&str| line.contains(": 2 epochs in ") && line.ends_with(')');
    let under_way = |line: &&str| line.contains(" images (") && line.contains("/s");
    let others: Vec<&str> = said.lines().filter(|line| !finished(line) && !under_way(line)).collect();
    assert_eq!(others, [""; 0], "{said}");
    assert!(said.lines().count() >= 8, "{said}");
}

#[test]
fn a_warning_of_partitions_is_said_once_for_a_text() {
    let code = r#"
let c = cooccurrence(label_table(tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), ["a", "b", "c"]));
let at = |p| spectral_partition(affinity(c, "co"), 2, #{seed: p.seed}).k;
sweep(#{seed: [0, 1, 2]}, at);
wait(spawn(|| spectral_partition(affinity(c, "co"), 2).k));
"#;
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = Command::new(CPSD).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        err(&output)
    };
    let once = said(&["eval", code]);
    assert_eq!(once.matches("label \"c\" has no neighbour in the graph").count(), 1, "{once}");
    // Each run of a script says it.
    std::fs::write(folder.path().join("x.rhai"), format!("let n = arg(\"n\", 0);\n{code}")).unwrap();
    let twice = said(&["script", "--multirun", "x.rhai", "n=1,2"]);
    assert_eq!(twice.matches("label \"c\" has no neighbour in the graph").count(), 2, "{twice}");
}
