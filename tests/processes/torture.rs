//! Processes killed at random moments, begun again until they end, and their results held against an undisturbed run's.
//!
//!     CPSD_TORTURE_KILLS=1000 CPSD_TORTURE_SEED=7 cargo test --release --test processes torture -- --nocapture   (make torture)
//!
//! Every scenario is one command. After each kill (SIGKILL to the process, to one of its workers, or to all of them) the same
//! command begins again in the same folder. When it has ended, every file of the run store and every file that it wrote must be
//! that of a run that nobody killed, times excepted, and nothing else may be left. Half of the moments are spread over the
//! run's time, half follow soon on a change of a file.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use cpsd::tables::Table;
use polars::prelude::{Column, DataFrame};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::robustness::workers;
use crate::common::{CPSD, ON_THE_CPU};

/// Begins every scenario.
const VALUES: &str = r#"
let data = dataset("emoji-scenes", #{train: 48, val: 12, test: 8, test_shifted: 1, size: 32});
let o = #{model: #{backbone: "small_cnn", head: "gap", stages: 2, image_size: 32}, epochs: 5, batch: 8, threads: 1, views: 2};
let some = ["person", "car", "dog", "cat"];
for split in data.keys() { data[split] = data[split].take_labels(some); }
"#;

/// Names and commands.
const SCENARIOS: &[(&str, &str)] = &[
    ("training", r#"train_teacher(data, some, o + #{epochs: 8, eval_every: 1}).save("a.safetensors");"#),
    ("frozen features", r#"o.model.freeze = 1; train_teacher(data, some, o + #{views: 6}).save("a.safetensors");"#),
    (
        "distillation",
        r#"let a = train_teacher(data, ["person", "car"], o); let b = train_teacher(data, ["dog", "cat"], o);
           distill(data, merge([a, b]), o).save("a.safetensors");"#,
    ),
    (
        "workers",
        r#"let t = train_teachers(data, random_partition(some, 2), o + #{workers: "processes"});
           for (m, i) in t { m.save(`${i}.safetensors`) }"#,
    ),
    (
        "cache of pictures",
        r#"let data = dataset("emoji-scenes", #{train: 400, val: 8, test: 8, test_shifted: 1, size: 48, cache: 32});
           train_teacher(data, some, o + #{epochs: 1, views: 1}).save("a.safetensors");"#,
    ),
    (
        "report",
        r#"let a = train_teacher(data, some, o + #{epochs: 1}); let b = train_teacher(data, some, o + #{epochs: 1, seed: 1});
           report([a, b], "report.html"); heatmap(affinity(cooccurrence(data.train), "co")).save("heatmap.svg");"#,
    ),
    ("counting by shards", r#"cooccurrence("table", #{shards: 4}).save("c.csv");"#),
    (
        "saving",
        r#"let m = model("small_cnn", #{labels: some, image_size: 32}); let l = synthetic_labels(#{images: 5000, labels: 40}); let ones = []; ones.pad(100000, 0.5);
           for i in 0..3 {
               m.save("m.safetensors"); l.write_csv("l.csv"); l.write_parquet("l.parquet");
               cooccurrence(l).save("c.csv"); predict(m, data.test).save("p.csv"); save_tensors(#{a: tensor(ones)}, "t.safetensors")
           }"#,
    ),
];

/// Puts a table in four files there, for the scenario that counts it. The times of files are part of the names of its runs.
fn put_table(folder: &Path) {
    const ROWS: usize = 20_000;
    std::fs::create_dir(folder.join("table")).unwrap();
    for file in 0..4 {
        let images = (0..ROWS).map(|row| format!("{file}-{}", row / 4)).collect::<Vec<_>>();
        let labels = (0..ROWS).map(|row| format!("label {}", (row * 7919 + file) % 61)).collect::<Vec<_>>();
        let columns = vec![Column::new("image".into(), images), Column::new("label".into(), labels)];
        let path = folder.join(format!("table/{file}.parquet"));
        Table::of(DataFrame::new(ROWS, columns).unwrap()).write_parquet(&path).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    }
}

/// What is counted.
#[derive(Default, Debug)]
struct Counts {
    kills: usize,
    /// What killed processes left in the system's folder for temporary files, which the system empties.
    temporary: usize,
    /// Scenarios that ended after one kill or more.
    compared: usize,
    failed: Vec<String>,
    other_bits: Vec<String>,
    left: Vec<String>,
    stuck: Vec<String>,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.kills += other.kills;
        self.temporary += other.temporary;
        self.compared += other.compared;
        self.failed.extend(other.failed);
        self.other_bits.extend(other.other_bits);
        self.left.extend(other.left);
        self.stuck.extend(other.stuck);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A number of [0, 1).
fn share(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The command of a scenario, in a process group of its own.
fn begin(folder: &Path, code: &str) -> Child {
    let log = |name: &str| std::fs::File::create(folder.join("..").join(name)).unwrap();
    std::fs::create_dir_all(folder.join("../tmp")).unwrap();
    Command::new(CPSD)
        .args(["eval", &format!("{VALUES}{code}")])
        .env("CPSD_RUNS", "runs")
        .envs(ON_THE_CPU)
        .env("TMPDIR", folder.join("../tmp"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log("stdout"))
        .stderr(log("stderr"))
        .process_group(0)
        .spawn()
        .unwrap()
}

fn kill(target: &str) {
    // One that ended by itself is no failure.
    let _ = Command::new("kill").args(["-KILL", "--", target]).stderr(Stdio::null()).status();
}

/// Sizes and times of all files, to see a change.
fn state(folder: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    fn walk(folder: &Path, all: &mut Vec<(PathBuf, u64, Option<SystemTime>)>) {
        // Files come and go while this looks.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            match meta.is_dir() {
                true => walk(&entry.path(), all),
                false => all.push((entry.path(), meta.len(), meta.modified().ok())),
            }
        }
    }
    let mut all = Vec::new();
    walk(folder, &mut all);
    all.sort();
    all
}

/// Waits for the moment of a kill. False when the process ended before.
fn moment(random: &mut ChaCha8Rng, child: &mut Child, folder: &Path, whole: Duration) -> bool {
    let begun = Instant::now();
    let (after, lag) = (whole.mul_f64(share(random)), Duration::from_millis(random.next_u64() % 25));
    let on_change = random.next_u64().is_multiple_of(2);
    while begun.elapsed() < after {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if on_change {
        let before = state(folder);
        while begun.elapsed() < after + whole && state(folder) == before {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(lag);
    }
    child.try_wait().unwrap().is_none()
}

/// The contents of all files, times taken out; empty folders by their name. What holds nothing but times is left out.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        let entries: Vec<PathBuf> = std::fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().path()).collect();
        let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
        if entries.is_empty() {
            all.insert(format!("{}/", name(&inner)), vec![]);
        }
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if !name(&path).contains("tfevents") && !path.ends_with("digests.json") {
                all.insert(name(&path), content(&path));
            }
        }
    }
    all
}

fn content(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "json" => serde_json::from_slice(&bytes).map_or(bytes, |v| timeless(v).to_string().into_bytes()),
        "jsonl" => {
            let lines = String::from_utf8(bytes).unwrap();
            let line = |line: &str| serde_json::from_str(line).map_or(line.into(), |v| timeless(v).to_string());
            lines.lines().map(line).collect::<Vec<_>>().join("\n").into_bytes()
        }
        // When it was made is in it; that it is whole can be seen.
        "html" => bytes[bytes.len().saturating_sub(8)..].to_vec(),
        _ => bytes,
    }
}

fn timeless(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        ["seconds", "images_per_second", "date"].iter().for_each(|time| drop(map.shift_remove(*time)));
    }
    value
}

/// An undisturbed run of a scenario: its results and its time.
fn undisturbed(code: &str) -> (BTreeMap<String, Vec<u8>>, Duration) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("work");
    std::fs::create_dir(&folder).unwrap();
    put_table(&folder);
    let begun = Instant::now();
    let status = begin(&folder, code).wait().unwrap();
    let said = std::fs::read_to_string(outer.path().join("stderr")).unwrap();
    assert!(status.success(), "{code}\n{said}");
    (results(&folder), begun.elapsed())
}

/// One scenario, killed one to four times and then run to its end.
fn one(
    random: &mut ChaCha8Rng,
    name: &str,
    code: &str,
    expected: &BTreeMap<String, Vec<u8>>,
    whole: Duration,
) -> Counts {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("work");
    std::fs::create_dir(&folder).unwrap();
    put_table(&folder);
    let mut counts = Counts::default();
    let mut history = Vec::new();
    for _ in 0..1 + random.next_u64() % 4 {
        let mut child = begin(&folder, code);
        let ended = !moment(random, &mut child, &folder, whole);
        let (id, of) = (child.id(), workers(child.id()));
        let one_worker = !of.is_empty() && random.next_u64().is_multiple_of(3);
        if !ended {
            counts.kills += 1;
            history.push(format!(
                "{:?}",
                state(&folder).last().map(|(path, size, _)| (path.file_name().map(PathBuf::from), *size))
            ));
        }
        match (ended, one_worker) {
            (true, _) => {}
            // Its parent begins it again.
            (false, true) => kill(&of[random.next_u64() as usize % of.len()].to_string()),
            (false, false) if random.next_u64().is_multiple_of(2) => kill(&format!("-{id}")),
            (false, false) => kill(&id.to_string()),
        }
        let finished = if one_worker || ended { wait(&mut child, whole) } else { child.wait().ok() };
        if finished.is_none() {
            counts.stuck.push(format!("{name} after {history:?}"));
            kill(&format!("-{id}"));
            let _ = child.wait();
            return counts;
        }
        if ended {
            break;
        }
    }
    let mut child = begin(&folder, code);
    let Some(status) = wait(&mut child, whole) else {
        counts.stuck.push(format!("{name} after {history:?}"));
        kill(&format!("-{}", child.id()));
        let _ = child.wait();
        return counts;
    };
    if !status.success() {
        let said = std::fs::read_to_string(outer.path().join("stderr")).unwrap_or_default();
        counts.failed.push(format!("{name} after {history:?}: {said}"));
        return counts;
    }
    counts.compared += 1;
    counts.temporary += std::fs::read_dir(outer.path().join("tmp")).unwrap().count();
    let came = results(&folder);
    for (path, content) in expected {
        if !path.ends_with('/') && came.get(path) != Some(content) {
            // Of short files all is said, to see the difference.
            let said = |bytes: &[u8]| match bytes.len() < 2_000 {
                true => String::from_utf8_lossy(bytes).into_owned(),
                false => format!("{} bytes", bytes.len()),
            };
            let (had, has) = (said(content), came.get(path).map_or("nothing".into(), |bytes| said(bytes)));
            counts.other_bits.push(format!("{name}: {path} after {history:?}: expected {had}; got {has}"));
        }
    }
    let left: Vec<&String> = came.keys().filter(|path| !expected.contains_key(*path)).collect();
    if !left.is_empty() {
        counts.left.push(format!("{name}: {left:?} after {history:?}"));
    }
    counts
}

/// Waits for a process. None when it takes longer than anything that is not stuck.
fn wait(child: &mut Child, whole: Duration) -> Option<std::process::ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < 20 * whole + Duration::from_secs(60) {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[test]
fn kills_at_random_moments_change_no_result() {
    let (kills, seed) = (setting("CPSD_TORTURE_KILLS", 30) as usize, setting("CPSD_TORTURE_SEED", 1));
    let only = std::env::var("CPSD_TORTURE_ONLY").ok();
    let chosen: Vec<_> = SCENARIOS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)).collect();
    let begun = Instant::now();
    let expected: Vec<_> = chosen.iter().map(|(_, code)| undisturbed(code)).collect();
    let total = Mutex::new(Counts::default());
    std::thread::scope(|scope| {
        for stream in 0..2 {
            let (total, chosen, expected) = (&total, &chosen, &expected);
            scope.spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(seed * 2 + stream);
                for round in stream as usize.. {
                    if total.lock().unwrap().kills >= kills {
                        return;
                    }
                    let at = round % chosen.len();
                    let (name, code) = chosen[at];
                    let (files, whole) = &expected[at];
                    let counts = one(&mut random, name, code, files, *whole);
                    total.lock().unwrap().add(counts);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!(
        "torture: seed {seed}, {} kills, {} results compared, {} with other bits, {} with leftovers, {} stuck, {} failed, {} temporary files, {:.0} s",
        total.kills,
        total.compared,
        total.other_bits.len(),
        total.left.len(),
        total.stuck.len(),
        total.failed.len(),
        total.temporary,
        begun.elapsed().as_secs_f64()
    );
    let bad = [&total.other_bits, &total.left, &total.stuck, &total.failed];
    assert!(bad.iter().all(|list| list.is_empty()), "{total:#?}");
}
