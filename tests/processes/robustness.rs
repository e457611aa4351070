//! Trainings whose process is asked to stop, is killed or cannot write: each ends clearly and loses nothing.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{CPSD, ON_THE_CPU, err};

const DATA: &str = "let data = dataset(\"emoji-scenes\", #{train: 96, val: 24, test: 1, test_shifted: 1, size: 32});
let o = #{model: #{backbone: \"small_cnn\", image_size: 32}, epochs: EPOCHS, batch: 16, threads: 1, views: 2};
";

/// A call of cpsd that trains and saves what it made.
fn call(folder: &Path, epochs: u32, runs: &str, code: &str) -> Command {
    let mut command = Command::new(CPSD);
    command.args(["eval", &format!("{}{code}", DATA.replace("EPOCHS", &epochs.to_string()))]);
    command
        .env("CPSD_RUNS", runs)
        .envs(ON_THE_CPU)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn wait_for(what: &str, mut found: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !found() {
        assert!(begun.elapsed() < Duration::from_secs(100), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many bytes of metrics unfinished trainings have written.
fn written(runs: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(runs.join(".work")) else { return 0 };
    entries.flatten().filter_map(|e| e.path().join("metrics.jsonl").metadata().ok()).map(|m| m.len()).sum()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn terminate_and_user_signals_stop_like_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = |out: &str| format!("train_teacher(data, [\"person\", \"car\"], o).save(\"{out}\")");
    assert!(call(f, 40, "whole", &code("whole.safetensors")).output().unwrap().status.success());
    for name in ["-TERM", "-USR1", "-INT"] {
        let before = written(&f.join("pieces"));
        let child = call(f, 40, "pieces", &code("pieces.safetensors")).spawn().unwrap();
        wait_for("another epoch", || written(&f.join("pieces")) > before);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {}", err(&output));
        assert!(err(&output).contains("interrupted"), "{name}: {}", err(&output));
    }
    assert!(call(f, 40, "pieces", &code("pieces.safetensors")).output().unwrap().status.success());
    let read = |name: &str| std::fs::read(f.join(name)).unwrap();
    assert!(read("whole.safetensors") == read("pieces.safetensors"), "in pieces it ends otherwise");
}

#[test]
fn without_room_it_says_so_and_goes_on_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = "train_teacher(data, [\"person\", \"car\"], o).save(\"out.safetensors\")";
    let whole = call(f, 12, "whole", code).output().unwrap();
    assert!(whole.status.success(), "{}", err(&whole));
    let expected = std::fs::read(f.join("out.safetensors")).unwrap();
    std::fs::remove_file(f.join("out.safetensors")).unwrap();
    // No file may grow beyond 1 MB, as on a full disk; the model alone is larger.
    let limited = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2000; exec \"$@\"",
            "sh",
            CPSD,
            "eval",
            &format!("{}{code}", DATA.replace("EPOCHS", "12")),
        ])
        .env("CPSD_RUNS", "full")
        .envs(ON_THE_CPU)
        .current_dir(f)
        .output()
        .unwrap();
    assert_eq!(limited.status.code(), Some(1), "{}", err(&limited));
    assert!(err(&limited).contains("cpsd::io") && err(&limited).contains(".safetensors"), "{}", err(&limited));
    assert!(!f.join("out.safetensors").exists());
    let again = call(f, 12, "full", code).output().unwrap();
    assert!(again.status.success(), "{}", err(&again));
    assert!(expected == std::fs::read(f.join("out.safetensors")).unwrap());
    // A run store that cannot be a folder.
    std::fs::write(f.join("file"), "x").unwrap();
    let nowhere = call(f, 2, "file/runs", code).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(err(&nowhere).contains("file/runs"), "{}", err(&nowhere));
}

/// Processes that `parent` began as workers.
pub fn workers(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![] };
    let is_worker = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        status.contains(&format!("PPid:\t{parent}\n")) && String::from_utf8_lossy(&line).contains("--supervised")
    };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(is_worker).collect()
}

#[test]
fn teachers_in_processes_are_those_of_threads_also_when_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let code = |workers: &str, out: &str| {
        format!(
            "let t = train_teachers(data, random_partition([\"person\", \"car\", \"dog\"], 3), o + #{{workers: \"{workers}\"}}); \
             for (m, i) in t {{ m.save(`{out}-${{i}}.safetensors`) }} print(t.map(|m| m.labels.len()))"
        )
    };
    let threads = call(f, 12, "threads", &code("threads", "a")).output().unwrap();
    assert!(threads.status.success(), "{}", err(&threads));
    let child = call(f, 12, "processes", &code("processes", "b")).spawn().unwrap();
    let id = child.id();
    wait_for("an epoch of a worker", || written(&f.join("processes")) > 0 && !workers(id).is_empty());
    assert!(Command::new("kill").args(["-KILL", &workers(id)[0].to_string()]).status().unwrap().success());
    let processes = child.wait_with_output().unwrap();
    assert!(processes.status.success(), "{}", err(&processes));
    assert!(err(&processes).contains("tried once more"), "{}", err(&processes));
    for i in 0..3 {
        let read = |name: &str| std::fs::read(f.join(format!("{name}-{i}.safetensors"))).unwrap();
        assert!(read("a") == read("b"), "teacher {i} differs");
    }

    // Killed again and again: the one is reported, the others are finished.
    let child = call(f, 12, "dying", &code("processes", "c")).spawn().unwrap();
    let id = child.id();
    let mut kills = 0;
    let mut first = None;
    wait_for("two deaths of one job", || {
        for pid in workers(id) {
            let line = String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
                .into_owned();
            let job = line.split('\0').find(|word| word.ends_with(".json")).map(str::to_string);
            if job.is_some() && (first.is_none() || first == job) {
                first = job;
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
                kills += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        kills >= 2
    });
    let dying = child.wait_with_output().unwrap();
    assert_eq!(dying.status.code(), Some(1), "{}", err(&dying));
    assert!(err(&dying).contains("died twice"), "{}", err(&dying));
    let finished = std::fs::read_dir(f.join("dying"))
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("train-"))
        .count();
    assert_eq!(finished, 2);

    // Stopped from outside: the workers stop with their last update kept, and nobody is left behind.
    let child = call(f, 200, "stopped", &code("processes", "d")).spawn().unwrap();
    let id = child.id();
    wait_for("an epoch of a worker", || written(&f.join("stopped")) > 0 && !workers(id).is_empty());
    let left = workers(id);
    signal(&child, "-TERM");
    let stopped = child.wait_with_output().unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{}", err(&stopped));
    wait_for("the workers' end", || left.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    let kept = std::fs::read_dir(f.join("stopped/.work"))
        .unwrap()
        .flatten()
        .any(|e| e.path().join("checkpoint.safetensors").exists());
    assert!(kept);
}
