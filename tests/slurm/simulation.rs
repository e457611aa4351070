//! Many queued trainings against a queue of files (fake/queue): what the controller is asked, and what the store bears.
//!
//!     cargo test --release --test slurm ten_thousand -- --ignored --nocapture
//!
//! Nothing is trained: whoever plays the cluster makes runs of one small file. `CPSD_SIMULATED` (10000) tasks, of which
//! `CPSD_SIMULATED_AT_ONCE` (100) run, each for `CPSD_SIMULATED_SECONDS` (3). With strace, the system calls of the waiting process are counted.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cpsd::cluster::batch::{Record, Task, Work};
use cpsd::cluster::{Cluster, ClusterOptions, waiting};
use cpsd::runs::{self, Begun, RunStore};
use serde_json::json;

use crate::common::root;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The run of a task.
fn run_id(i: usize) -> String {
    format!("train-{i:012x}")
}

/// Calls of the queue's programs, by program: how many in all, and how many in each minute.
type Calls = BTreeMap<String, (usize, Vec<usize>)>;

/// What a simulation has shown.
struct Seen {
    seconds: f64,
    calls: Calls,
    /// Files of the batches' folders and their bytes.
    files: (usize, u64),
    /// What the waiting process says of itself.
    said: String,
    /// strace's table, where there is strace.
    system_calls: Option<String>,
}

/// Has a process wait for so many tasks, of which so many run at once.
fn simulate(tasks: usize, at_once: usize, each: Duration, max_array: usize) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let (programs, state, store) = (folder.path().join("bin"), folder.path().join("state"), folder.path().join("runs"));
    for path in [&programs, &state, &store, &state.join("jobs")] {
        std::fs::create_dir(path).unwrap();
    }
    for name in ["sbatch", "squeue", "scancel", "scontrol", "sinfo"] {
        symlink(root("tests/slurm/fake/queue"), programs.join(name)).unwrap();
    }
    let table = folder.path().join("strace.txt");
    let traced = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let program = std::env::current_exe().unwrap();
    let mut command = match traced {
        true => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-c", "-o"]).arg(&table).arg(program);
            strace
        }
        false => Command::new(program),
    };
    let begun = Instant::now();
    let child = command
        .args(["--exact", "simulation::waits", "--ignored", "--nocapture"])
        .env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()))
        .env("FAKE_STATE", &state)
        .env("FAKE_MAX_ARRAY", max_array.to_string())
        .env("CPSD_SIMULATED", tasks.to_string())
        .env("CPSD_RUNS", &store)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let child = play(child, &state, &RunStore::new(&store), at_once, each);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let batches = crate::common::files(&store.join(".work/batches"));
    Seen {
        seconds: begun.elapsed().as_secs_f64(),
        calls: calls(&state),
        files: (batches.len(), batches.iter().map(|path| path.metadata().unwrap().len()).sum()),
        said,
        system_calls: std::fs::read_to_string(&table).ok(),
    }
}

/// A task of the pretended queue.
struct Played {
    job: u32,
    index: usize,
    run: String,
    state: &'static str,
    begun: Instant,
    work: Option<runs::Work>,
}

/// Plays the cluster until the process has ended: starts tasks in order, writes their metrics, makes their runs.
fn play(mut child: Child, state: &Path, store: &RunStore, at_once: usize, each: Duration) -> Child {
    let (mut tasks, mut known): (Vec<Played>, Vec<u32>) = (vec![], vec![]);
    let mut next = VecDeque::new();
    let mut running: Vec<usize> = vec![];
    let mut said = Instant::now();
    while child.try_wait().unwrap().is_none() {
        for (job, played) in submitted(state, store, &known) {
            known.push(job);
            next.extend(tasks.len()..tasks.len() + played.len());
            tasks.extend(played);
        }
        running.retain(|&i| {
            let task = &mut tasks[i];
            let over = task.begun.elapsed() >= each;
            // On a slow machine it may be over at the first look.
            if let Some(work) = &task.work {
                let line = json!({"epoch": 1 + task.begun.elapsed().as_secs(), "loss": 0.1, "seconds": 1.0});
                let path = work.dir.join("metrics.jsonl");
                let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
                writeln!(file, "{line}").unwrap();
            }
            if let Some(work) = task.work.take_if(|_| over) {
                work.finish(&json!({"epochs": 1})).unwrap();
                task.state = "COMPLETED";
            }
            !over
        });
        while running.len() < at_once {
            let Some(i) = next.pop_front() else { break };
            let Begun::Work(work) = store.begin(&tasks[i].run, &json!({})).unwrap() else { panic!("it is made twice") };
            (tasks[i].state, tasks[i].begun, tasks[i].work) = ("RUNNING", Instant::now(), Some(work));
            running.push(i);
        }
        let lines = tasks.iter().map(|task| {
            let node = if task.state == "PENDING" { "-".into() } else { format!("n{}", task.index % 100) };
            format!(
                "{} {} {} {} {node}\n",
                task.job,
                task.index,
                task.state,
                if node == "-" { "Resources" } else { "None" }
            )
        });
        std::fs::write(state.join("queue.new"), lines.collect::<String>()).unwrap();
        std::fs::rename(state.join("queue.new"), state.join("queue")).unwrap();
        if said.elapsed() > Duration::from_secs(30) {
            let done = tasks.iter().filter(|task| task.state == "COMPLETED").count();
            eprintln!("{done} of {} tasks are done, {} run", tasks.len(), running.len());
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    child
}

/// Arrays that are not known yet, with their tasks by what their batch says of them.
fn submitted(state: &Path, store: &RunStore, known: &[u32]) -> Vec<(u32, Vec<Played>)> {
    let entries = std::fs::read_dir(state.join("jobs")).unwrap().flatten();
    let mut jobs: Vec<u32> = entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    jobs.retain(|job| !known.contains(job));
    jobs.sort();
    if jobs.is_empty() {
        return vec![];
    }
    let batches = std::fs::read_dir(store.root().join(".work/batches")).unwrap().flatten();
    let texts = batches.filter_map(|e| std::fs::read(e.path().join("batch.json")).ok());
    let records: Vec<Record> = texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect();
    let tasks = |job: u32| -> Option<Vec<Played>> {
        let of_it = |record: &Record| {
            Some((record.clone(), record.jobs.iter().find(|(id, _)| id.0 == job.to_string())?.1.clone()))
        };
        // It is noted when sbatch has answered.
        let (record, indices) = records.iter().find_map(of_it)?;
        let text = std::fs::read_to_string(state.join(format!("jobs/{job}"))).unwrap();
        let lines = text.lines().skip(1).map(|line| line.parse().unwrap());
        let played = lines.zip(indices).map(|(index, task)| Played {
            job,
            index,
            run: record.tasks[task].runs[0].clone(),
            state: "PENDING",
            begun: Instant::now(),
            work: None,
        });
        Some(played.collect())
    };
    jobs.into_iter().filter_map(|job| Some((job, tasks(job)?))).collect()
}

fn calls(state: &Path) -> Calls {
    let text = std::fs::read_to_string(state.join("calls")).unwrap_or_default();
    let line = |line: &str| -> (f64, String) {
        let mut words = line.split(' ');
        (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_string())
    };
    let lines: Vec<(f64, String)> = text.lines().map(line).collect();
    let first = lines.first().map_or(0.0, |(time, _)| *time);
    let mut calls = Calls::new();
    for (time, program) in lines {
        let (all, minutes) = calls.entry(program).or_default();
        let minute = ((time - first) / 60.0) as usize;
        minutes.resize(minutes.len().max(minute + 1), 0);
        (*all, minutes[minute]) = (*all + 1, minutes[minute] + 1);
    }
    calls
}

/// The process that waits.
#[test]
#[ignore = "begun by another test"]
fn waits() {
    let tasks = (0..setting("CPSD_SIMULATED", 1)).map(|i| Task {
        runs: vec![run_id(i)],
        name: format!("training {}", i + 1),
        job: json!({"task": "train", "options": {"epochs": 40}, "data": {"file": "data-0.json"}}),
    });
    let work =
        Work { stages: vec![tasks.collect()], data: vec![("data-0.json".into(), vec![b'x'; 1000])], ..Work::default() };
    let store = RunStore::new(std::env::var("CPSD_RUNS").unwrap());
    let mut epochs = 0;
    let mut epoch = |_: &serde_json::Value| {
        epochs += 1;
        Ok(())
    };
    let outcomes = waiting::run(&store, &Cluster::slurm(ClusterOptions::default()), work, &mut epoch).unwrap();
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    println!("{} outcomes, {failed} failed, {epochs} lines of metrics", outcomes.len());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
    assert_eq!(failed, 0, "{:?}", outcomes.into_iter().find_map(Result::err));
}

#[test]
fn many_tasks_are_waited_for_by_few_questions() {
    let seen = simulate(250, 50, Duration::from_secs(1), 101);
    assert!(seen.said.contains("250 outcomes, 0 failed"), "{}", seen.said);
    let all = |program: &str| seen.calls.get(program).map_or(0, |(all, _)| *all);
    assert_eq!(all("sbatch"), 3, "{:?}", seen.calls);
    assert!(all("squeue") <= 12, "{:?}", seen.calls);
    assert_eq!(all("scancel"), 0);
    // A job's file each, and what a batch has besides.
    assert!(seen.files.0 <= 250 + 3 * 4, "{:?}", seen.files);
}

#[test]
#[ignore = "five minutes"]
fn ten_thousand() {
    let (tasks, at_once) = (setting("CPSD_SIMULATED", 10_000), setting("CPSD_SIMULATED_AT_ONCE", 100));
    let each = Duration::from_secs(setting("CPSD_SIMULATED_SECONDS", 3) as u64);
    let seen = simulate(tasks, at_once, each, 1001);
    println!("{tasks} tasks, {at_once} at once, {each:?} each: {:.0} s", seen.seconds);
    for (program, (all, minutes)) in &seen.calls {
        println!("{program}: {all} calls; by minutes {minutes:?}");
    }
    println!("batches: {} files, {:.1} MB", seen.files.0, seen.files.1 as f64 / 1e6);
    println!("{}", seen.said);
    println!("{}", seen.system_calls.unwrap_or("no strace here".into()));
}
