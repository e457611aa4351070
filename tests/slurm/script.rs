//! A script of trainings, run with a queue and without, and what it leaves in the run store.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use crate::cluster::{Cluster, Worker, has_caught, signal};
use crate::common::process::{Process, wait_for};
use crate::common::{CPSD, ON_THE_CPU};

/// A data set and options; each script puts its own behind.
const VALUES: &str = r#"
let data = dataset("emoji-scenes", #{train: 32, val: 8, test: 4, test_shifted: 4, size: 32});
let o = #{model: #{backbone: "small_cnn", head: "gap", stages: 2, image_size: 32}, epochs: 3, batch: 8, threads: 1, views: 2};
let some = ["person", "car", "dog", "cat", "bird", "boat"];
for split in data.keys() { data[split] = data[split].take_labels(some); }
"#;

/// Each node is a host of its own to claims, and none has a GPU.
const SETUP: &str = r#"["export CPSD_CLAIM_HOST=$SLURMD_NODENAME", "export CUDA_VISIBLE_DEVICES="]"#;

/// One training, long enough to be met in the middle.
pub const ONE: &str = r#"train_teacher(data, some, q + #{epochs: 16});"#;
/// Two of these side by side.
pub const TWO: &str = r#"train_teachers(data, random_partition(some, 2), q + #{epochs: 16});"#;

/// A script to run.
#[derive(Clone)]
pub struct Script<'a> {
    /// Options of the queue, as "time: \"1\"".
    pub cluster: &'a str,
    /// What it does; `q` are the options `o` with those of the queue, `e`.
    pub code: &'a str,
    /// Further variables of its environment.
    pub environment: &'a [(&'a str, String)],
    /// Its run store.
    pub runs: &'a str,
}

impl<'a> Script<'a> {
    pub fn new(cluster: &'a str, code: &'a str) -> Script<'a> {
        Script { cluster, code, environment: &[], runs: "runs" }
    }

    fn begin(&self, on: &Cluster, values: &str) -> Process {
        let count = std::fs::read_dir(on.at("work")).unwrap().count();
        let mut command = on.program(CPSD);
        let output = std::fs::File::create(on.at(&format!("work/{count}.out"))).unwrap();
        command
            .arg("--runs")
            .arg(if self.runs == "runs" { on.store() } else { on.at(self.runs) })
            // The commands of an engine are those of the working folder's cpsd.toml.
            .args(["--allow-code", "eval", &format!("{VALUES}{values}{}", self.code)])
            .envs(ON_THE_CPU)
            .envs(self.environment.iter().cloned())
            .current_dir(on.at("work"))
            .stdout(Stdio::from(output));
        Process::begin(&mut command, &on.at(&format!("work/{count}.txt")))
    }

    /// Runs it in the queue.
    pub fn queued(&self, on: &Cluster) -> Process {
        self.begin(
            on,
            &format!(
                "let cluster = slurm(#{{setup: {SETUP}}} + #{{{}}}); let e = #{{executor: cluster}}; let q = o + e;",
                self.cluster
            ),
        )
    }

    /// Runs it in the engine of that name of `cpsd.toml`.
    pub fn queued_by(&self, on: &Cluster, engine: &str) -> Process {
        self.begin(on, &format!("let e = #{{executor: \"{engine}\"}}; let q = o + e;"))
    }

    /// Runs it in the queue and returns what it said.
    pub fn is_done(&self, on: &Cluster) -> String {
        self.queued(on).ends_with(0)
    }

    /// The runs in the store are those that threads of one process make, bit by bit, and nothing of work is left.
    pub fn check(&self, on: &Cluster) {
        let there = Script { runs: "work/threads", ..self.clone() };
        there.begin(on, "let e = #{}; let q = o;").ends_with(0);
        let (queued, threads) = (runs(&on.at(self.runs)), runs(&on.at(there.runs)));
        assert!(!threads.is_empty());
        assert_eq!(queued.keys().collect::<Vec<_>>(), threads.keys().collect::<Vec<_>>());
        for (file, bytes) in &threads {
            assert!(queued[file] == *bytes, "{file} differs from that of threads");
        }
        let mut left = unfinished(&on.at(self.runs));
        if left.iter().all(|name| name.starts_with("batches/cpsd-")) && !left.is_empty() {
            // A task may end later than its run is there, and a controller that was killed may start or hold one that is done; the next
            // call tidies up.
            wait_for("the end of the tasks", || {
                let live = ["RUNNING", "COMPLETING"];
                if live.iter().all(|state| on.tasks_in(state).is_empty()) {
                    match on.at("work/cpsd.toml").exists() {
                        true => self.queued_by(on, "torque").ends_with(0),
                        false => self.is_done(on),
                    };
                    left = unfinished(&on.at(self.runs));
                }
                left.is_empty()
            });
        }
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What two makings of the same runs have in common: files by run and name, but for those with times in them.
fn runs(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in
        std::fs::read_dir(store).unwrap().flatten().filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
    {
        let id = entry.file_name().to_string_lossy().into_owned();
        for name in ["model.safetensors", "data.f16", "spec.json"] {
            if let Ok(bytes) = std::fs::read(entry.path().join(name)) {
                all.insert(format!("{id}/{name}"), bytes);
            }
        }
        if let Ok(text) = std::fs::read_to_string(entry.path().join("metrics.jsonl")) {
            let epochs =
                text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"].clone());
            all.insert(format!("{id}/epochs"), serde_json::to_vec(&epochs.collect::<Vec<_>>()).unwrap());
        }
    }
    all
}

/// What makers have left in the store, and the folders of batches.
pub fn unfinished(store: &Path) -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(store.join(folder)).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let made = names(".work").into_iter().filter(|name| name != "batches");
    made.chain(names(".work/batches").into_iter().map(|name| format!("batches/{name}"))).collect()
}

/// Bytes of metrics of unfinished runs.
fn metrics(on: &Cluster) -> u64 {
    let entries = std::fs::read_dir(on.at("runs/.work")).into_iter().flatten().flatten();
    entries.filter_map(|e| e.path().join("metrics.jsonl").metadata().ok()).map(|m| m.len()).sum()
}

/// Waits for workers of so many tasks that have begun to train, and pauses them.
pub fn paused(on: &Cluster, tasks: usize) -> Vec<Worker> {
    let mut held = Vec::new();
    wait_for("tasks that train", || {
        // Both must be true of each: a training has begun, and a signal would be heard.
        let workers = on.workers();
        if workers.len() == tasks && metrics(on) > 0 && workers.iter().all(|worker| has_caught(worker.pid, USR1)) {
            workers.iter().for_each(|worker| signal(worker.pid, "-STOP"));
            held = workers;
        }
        !held.is_empty()
    });
    held
}

pub const USR1: u32 = 10;
pub const TERM: u32 = 15;

pub fn resume(workers: &[Worker]) {
    workers.iter().for_each(|worker| signal(worker.pid, "-CONT"));
}

/// What all tasks have written to their logs, in all their starts. Gone with their batch once all of it is done.
pub fn logs(on: &Cluster) -> String {
    on.of_batches(|name| name.ends_with(".log")).into_iter().map(|(_, text)| text).collect()
}

/// Waits for an end with exit code 0, and returns what was last in the logs.
pub fn logged(mut parent: Process, on: &Cluster) -> String {
    let mut last = String::new();
    while parent.is_running() {
        last = Some(logs(on)).filter(|text| !text.is_empty()).unwrap_or(last);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    parent.ends_with(0);
    last
}

/// Puts a program of tests/slurm/fake before those of Slurm. Returns the variables for it; `state` is a folder of its own.
pub fn with_fake(on: &Cluster, name: &str) -> Vec<(&'static str, String)> {
    let (program, _) = name.split_once('-').unwrap();
    let (folder, state) = (on.at("work/fake"), on.at("work/state"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&state).unwrap();
    symlink(crate::common::root("tests/slurm/fake").join(name), folder.join(program)).unwrap();
    let path = std::env::var("PATH").unwrap();
    vec![
        ("PATH", format!("{}:{path}", folder.display())),
        ("FAKE_REST", path),
        ("FAKE_STATE", state.display().to_string()),
    ]
}
