//! One training in several processes: the result of one process, deaths, stops, refusals.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tch::Tensor;

use super::robustness::workers;
use crate::common::{CPSD, err, out};

/// Begins every script. SGD, since Adam turns the rounding of a gradient near 0 into a step of full length.
const VALUES: &str = r#"
let data = dataset("emoji-scenes", #{train: 60, val: 12, test: 8, test_shifted: 1, size: 32});
let some = ["person", "car", "dog", "cat"];
let o = #{model: #{backbone: "small_cnn", head: "gap", stages: 2, image_size: 32, frozen_norms: true}, epochs: 3, batch: 9,
    threads: 1, views: 2, optimiser: "sgd", lr: 0.01};
for split in data.keys() { data[split] = data[split].take_labels(some); }
"#;

fn command(folder: &Path, runs: &str, code: &str) -> Command {
    let mut command = Command::new(CPSD);
    command
        .args(["eval", &format!("{VALUES}{code}")])
        .env("CPSD_RUNS", runs)
        .env("CPSD_DEVICE", "cpu")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn done(folder: &Path, runs: &str, code: &str) -> String {
    let output = command(folder, runs, code).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    out(&output)
}

/// The folders of the finished trainings of a store, by id.
fn trainings(runs: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(runs).unwrap().flatten();
    let named = entries.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()));
    named.filter(|(name, _)| name.starts_with("train-")).collect()
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The largest difference between two files of tensors, and the largest number.
fn apart(a: &Path, b: &Path) -> (f64, f64) {
    let (a, b) = (Tensor::read_safetensors(a).unwrap(), Tensor::read_safetensors(b).unwrap());
    let b: BTreeMap<String, Tensor> = b.into_iter().collect();
    let mut most = (0.0, 0.0);
    for (name, tensor) in a.iter().filter(|(_, tensor)| tensor.kind() == tch::Kind::Float) {
        let gap = f64::try_from((tensor - &b[name]).abs().max()).unwrap();
        let size = f64::try_from(tensor.abs().max()).unwrap();
        most = (f64::max(most.0, gap), f64::max(most.1, size));
    }
    most
}

/// Trainings that differ in what n processes must get right: dropout by position, an uneven last batch, accumulated
/// gradients, means over known labels, a head with dropout of its own and one with a term of its own, teachers that are kept and
/// that see each batch, synchronised batch norms (at a small rate: rounding grows along kinks of ReLU).
const SAME: &str = r#"
let drop = o + #{drop_last: false, accumulate: 2, clip: 1.0, epochs: 4};
drop.model.dropout = 0.3;
let a = train_teacher(data, some, drop + more);
let mean = o + #{known: 0.5, loss: asl(#{reduction: "mean", scale: 10.0})};
mean.model.head = "q2l"; mean.model.head_options = #{heads: 2, width: 16, feed_forward: 16, dropout: 0.2};
train_teacher(data, some, mean + more);
let tied = o; tied.model.head = "csra"; tied.model.head_options = #{heads: 2};
let b = train_teacher(data, some, tied + more);
let student = o + #{distillation: mse(#{reduction: "mean"}), label_weight: 0.5};
distill(data, [merge([a]), merge([b])], student + more);
distill(data, merge([a]), student + #{views: 0, teacher_mode: "train"} + more);
let own = o + #{lr: 0.0001, epochs: 2}; own.model.frozen_norms = false;
train_teacher(data, some, own + more + norm);
"#;

#[test]
fn two_and_three_processes_train_what_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    done(f, "one", &format!("let more = #{{}}; let norm = #{{}};{SAME}"));
    let one = trainings(&f.join("one"));
    assert_eq!(one.len(), 6);
    for n in [2, 3] {
        let runs = n.to_string();
        done(f, &runs, &format!("let more = #{{nproc: {n}}}; let norm = #{{sync_batchnorm: true}};{SAME}"));
        let several = trainings(&f.join(&runs));
        // What is equal to rounding has the same name.
        assert_eq!(several.keys().collect::<Vec<_>>(), one.keys().collect::<Vec<_>>());
        for (id, folder) in &one {
            let (gap, size) = apart(&folder.join("model.safetensors"), &several[id].join("model.safetensors"));
            assert!(gap < 1e-5 * size && size > 0.1, "{n} processes, {id}: {gap} of {size}");
            let summary = json(several[id].join("summary.json"));
            assert_eq!((&summary["nproc"], &summary["backend"]), (&Value::from(n), &Value::from("gloo")));
            let loss = |folder: &Path| json(folder.join("summary.json"))["loss"].as_f64().unwrap();
            assert!((loss(folder) / loss(&several[id]) - 1.0).abs() < 1e-4);
        }
    }
    // Batch norms of each process's own images are another training.
    done(f, "2", "let own = o; own.model.frozen_norms = false; train_teacher(data, some, own + #{nproc: 2});");
    let others = trainings(&f.join("2"));
    let new: Vec<_> = others.iter().filter(|(id, _)| !one.contains_key(*id)).collect();
    assert_eq!(new.len(), 1);
    assert_eq!(json(new[0].1.join("spec.json"))["options"]["nproc"], 2);
}

fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The worker of that rank.
fn rank(parent: &Child, rank: usize) -> Option<u32> {
    let variable = format!("RANK={rank}");
    let is = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
    };
    workers(parent.id()).into_iter().find(is)
}

/// The checkpoint of the training that is under way, and its time.
fn checkpoint(runs: &Path) -> Option<(PathBuf, SystemTime)> {
    let entries = std::fs::read_dir(runs.join(".work")).into_iter().flatten().flatten();
    entries
        .filter_map(|e| {
            let path = e.path().join("checkpoint.safetensors");
            let time = path.metadata().ok()?.modified().ok()?;
            Some((path, time))
        })
        .next()
}

#[test]
fn a_process_that_dies_ends_the_others_and_the_checkpoint_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "let m = train_teacher(data, some, o + #{nproc: 2, epochs: 150, ema: 0.9}); print(m.run.id)";
    let whole = done(f, "whole", code);
    for (signal, dying) in [("-KILL", 1), ("-KILL", 0), ("-INT", 1)] {
        // Often, so that the training does not end before its checkpoint is seen.
        let child = command(f, "killed", code).env("CPSD_CHECKPOINT_EVERY", "0.02").spawn().unwrap();
        let before = checkpoint(&f.join("killed"));
        wait_for("two processes", || workers(child.id()).len() == 2);
        let all = workers(child.id());
        wait_for("another checkpoint", || {
            let now = checkpoint(&f.join("killed"));
            now.is_some() && now != before
        });
        let Some(pid) = rank(&child, dying) else { panic!("no rank {dying}") };
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let text = err(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        match signal {
            "-KILL" => {
                assert_eq!(output.status.code(), Some(1), "{text}");
                assert!(
                    text.contains(&format!("rank {dying} of 2 (process {pid}) died (signal: 9 (SIGKILL))")),
                    "{text}"
                );
            }
            _ => assert_eq!(output.status.code(), Some(130), "{text}"),
        }
        assert!(all.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "processes are left");
        assert!(checkpoint(&f.join("killed")).is_some());
    }
    let resumed = command(f, "killed", code).output().unwrap();
    assert!(err(&resumed).contains("resumed at epoch"), "{}", err(&resumed));
    assert_eq!(out(&resumed), whole);
    let id = whole.trim();
    let read = |runs: &str| std::fs::read(f.join(runs).join(id).join("model.safetensors")).unwrap();
    assert!(read("whole") == read("killed"), "the resumed training differs");
}

#[test]
fn processes_that_torchrun_starts_train_together() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code =
        "let m = train_teacher(data, some, o + #{nproc: 2, on_epoch: |line| print(line.epoch)}); print(m.run.id)";
    let one = done(f, "one", "let m = train_teacher(data, some, o); print(m.run.id)");
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = free();
    let start = |rank: usize, size: usize, port: u16, code: &str| {
        let mut command = command(f, "two", code);
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", size.to_string()).env("LOCAL_RANK", rank.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string()).env("GLOO_SOCKET_IFNAME", "lo");
        command.spawn().unwrap()
    };
    let outputs = [start(0, 2, port, code), start(1, 2, port, code)].map(|child| child.wait_with_output().unwrap());
    for output in &outputs {
        assert!(output.status.success(), "{}", err(output));
        assert_eq!(out(output), format!("1\n2\n3\n{one}"));
    }
    let wrong = start(0, 3, port, code).wait_with_output().unwrap();
    let text = err(&wrong).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("\"nproc\" must be the number of processes that were started together, 3; got 2"), "{text}");
    // A second training inside the first would wait for itself.
    let nested = "train_teacher(data, some, o + #{nproc: 2, seed: 1,
        on_epoch: |line| { train_teacher(data, some, o + #{nproc: 2, seed: 2}); }})";
    let port = free();
    let [first, second] = [start(0, 2, port, nested), start(1, 2, port, nested)].map(|c| c.wait_with_output().unwrap());
    let text = err(&first).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("these processes already train a model together"), "{text}");
    assert!(!second.status.success());
}

#[test]
fn what_several_processes_cannot_do_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    for (code, what) in [
        ("o + #{nproc: 2, loss: |a, b| (a - b).square().sum()}", "of the script's own belongs to this process"),
        ("o + #{nproc: 2, schedule: |now| 1.0}", "of the script's own belongs to this process"),
        (
            "o + #{nproc: 2, model: o.model + #{head: |m, p| p.linear(\"fc\", m.mean([2, 3]), 3)}}",
            "a head of the script's own",
        ),
        ("o + #{nproc: 2, sampler: |epoch| [0, 1]}", "a sampler of the script's own belongs to this process"),
        ("o + #{nproc: 2, on_batch: |line| print(line)}", "a callback per batch of the script's own belongs"),
        ("o + #{nproc: 10}", "must be at most batch, 9; got 10"),
        ("o + #{nproc: 7, drop_last: false}", "has 6 images, fewer than nproc, 7"),
        ("o + #{sync_batchnorm: true}", "has no effect beside the others: it needs nproc above 1"),
    ] {
        let output = command(f, "runs", &format!("train_teacher(data, some, {code})")).output().unwrap();
        let text = err(&output).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!output.status.success() && text.contains(what), "{code}: {text}");
    }
}

#[test]
fn a_rank_that_waits_for_rank_0_is_silent_and_hears_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    // Free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut child = command(f, "runs", "print(\"begun\"); train_teacher(data, some, o + #{nproc: 2})")
        .envs([("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", &port)])
        .spawn()
        .unwrap();
    let (mut said, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    // Long enough for several attempts.
    std::thread::sleep(Duration::from_secs(4));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = err(&output);
    assert_eq!(output.status.code(), Some(130), "{text}");
    for noise in ["c10d", "Exception", "socket", "frame #"] {
        assert!(!text.contains(noise), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_rank_that_was_stopped_ends_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let mut child = command(f, "runs", "train_teacher(data, some, o + #{nproc: 2, epochs: 10000})").spawn().unwrap();
    wait_for("two processes", || workers(child.id()).len() == 2);
    wait_for("a checkpoint", || checkpoint(&f.join("runs")).is_some());
    let all = workers(child.id());
    let Some(pid) = rank(&child, 1) else { panic!("no rank 1") };
    assert!(Command::new("kill").args(["-STOP", &pid.to_string()]).status().unwrap().success());
    child.kill().unwrap();
    child.wait().unwrap();
    let runs = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // One that has ended stays until its new parent asks.
        !status.is_empty() && !status.contains("State:\tZ")
    };
    wait_for("their ends", || !all.iter().any(runs));
}
