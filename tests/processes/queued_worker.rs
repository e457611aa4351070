//! `cpsd worker --queued` as a queue starts it: signals, its end, its log, and work that a stop does not lose. `scontrol` is a script.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cpsd::cluster::{Cluster, ClusterOptions, task};
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::losses::LossSpec;
use cpsd::models::ModelSpec;
use cpsd::runs::RunStore;
use cpsd::training::job_file::{self, DataFiles, Task};
use cpsd::training::options::{DistillScale, TeacherMode, TeacherWeights, Workers};
use cpsd::training::{Distillation, Ensemble, Job, TrainOptions};
use serde_json::{Value, json};

use crate::common::pretended_gpu::library;
use crate::common::process::{Process, wait_for};
use crate::common::{CPSD, ON_THE_CPU};

/// A run store with the folder of a batch, and a queue's program.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(place.batch()).unwrap();
        place.record(None);
        place.scontrol("exit 0");
        place
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn batch(&self) -> PathBuf {
        self.runs().join(".work/batches/cpsd-x")
    }

    /// Writes `batch.json`.
    fn record(&self, local: Option<&str>) {
        let (time, local) = (Some("1:00:00".into()), local.map(String::from));
        let options = ClusterOptions { requeues: 5, time, local, ..ClusterOptions::default() };
        let record =
            json!({ "name": "cpsd-x", "cluster": Cluster::slurm(options), "tasks": [], "jobs": [], "from": "here:1" });
        std::fs::write(self.batch().join("batch.json"), record.to_string()).unwrap();
    }

    /// Puts a `scontrol` on the path that notes its arguments and does `then`.
    fn scontrol(&self, then: &str) {
        let bin = self.folder.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let calls = self.folder.path().join("calls");
        // A squeue that knows nothing, in place of one that this machine may have.
        for (name, text) in
            [("scontrol", format!("echo \"$@\" >> {}\n{then}", calls.display())), ("squeue", "exit 0".into())]
        {
            std::fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// What `scontrol` was asked.
    fn calls(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    /// The description of a job as cpsd itself would write it, with its data sets beside the place of its file.
    fn described(&self, job: &Job, task: Task) -> Value {
        let mut data = DataFiles::default();
        let mut value = job_file::for_queue(&RunStore::new(self.runs()), job, task, &mut data).unwrap();
        for (name, content) in data.files {
            std::fs::write(self.batch().join(name), content).unwrap();
        }
        value["build"] = json!(build());
        value
    }

    fn write(&self, value: &Value) {
        std::fs::write(self.batch().join("7.json"), value.to_string()).unwrap();
    }

    /// Starts the task as the last one of array 4711, which has the array's id.
    fn start(&self, restarts: u32, more: &[(&str, &str)]) -> Process {
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(CPSD);
        command
            .args(["worker", "--queued"])
            .arg(self.batch().join("7.json"))
            .current_dir(self.folder.path())
            .env("PATH", path)
            .envs(ON_THE_CPU)
            .envs([("SLURM_JOB_ID", "4711"), ("SLURM_ARRAY_JOB_ID", "4711"), ("SLURM_ARRAY_TASK_ID", "7")])
            .envs([("SLURMD_NODENAME", "n1"), ("SLURM_CPUS_PER_TASK", "1"), ("SLURM_CPUS_ON_NODE", "2")])
            .env("SLURM_RESTART_COUNT", restarts.to_string())
            .envs(more.iter().copied())
            .stdout(File::create(self.folder.path().join("out")).unwrap());
        Process::begin(&mut command, &self.folder.path().join("log"))
    }

    /// `<index>.end.json`.
    fn end(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.batch().join("7.end.json")).unwrap()).unwrap()
    }

    /// A file of all runs of a kind, in order.
    fn files(&self, kind: &str, name: &str) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.runs()).unwrap().flatten();
        let mut ids: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        ids.retain(|id| id.starts_with(kind));
        ids.sort();
        ids.into_iter().map(|id| (id.clone(), std::fs::read(self.runs().join(id).join(name)).unwrap())).collect()
    }

    /// The files of that name in the work folder.
    fn at_work(&self, name: &str) -> Vec<Vec<u8>> {
        let folders = std::fs::read_dir(self.runs().join(".work")).unwrap().flatten();
        folders.filter_map(|folder| std::fs::read(folder.path().join(name)).ok()).collect()
    }

    /// Epochs that unfinished trainings have.
    fn epochs(&self) -> usize {
        let lines = |file: &Vec<u8>| file.iter().filter(|byte| **byte == b'\n').count();
        self.at_work("metrics.jsonl").iter().map(lines).max().unwrap_or(0)
    }

    /// Rows that unfinished features are known to have.
    fn rows(&self) -> u64 {
        let rows = |file: &Vec<u8>| serde_json::from_slice::<Value>(file).unwrap()["rows"].as_u64().unwrap();
        self.at_work("growing.json").iter().map(rows).max().unwrap_or(0)
    }
}

/// The build of cpsd. That of this test's program is another one.
fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let hash = &blake3::hash(&std::fs::read(CPSD).unwrap()).to_hex()[..12];
        let (before, rest) = task::build().split_once('(').unwrap();
        format!("{before}({hash}{}", &rest[12..])
    })
}

fn job(images: usize, seed: u64, model: ModelSpec, epochs: u64) -> Job {
    let scenes = SceneOptions { train: images, val: 24, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    let mut splits = splits(&scenes).unwrap();
    let (_, val) = splits.remove(1);
    let (_, train) = splits.remove(0);
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..model };
    let options = TrainOptions { model, seed, epochs, batch: 16, threads: 1, views: 2, ..TrainOptions::default() };
    let labels = train.labels.labels()[..2].to_vec();
    Job { name: "teacher 1".into(), train, val: Some(val), labels, options, distillation: None }
}

/// Every line has date and time, and the first and the last say what they must.
fn check_log(log: &str, last: &str) {
    for line in log.lines() {
        let pattern: String = line.chars().take(20).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(pattern, "0000-00-00 00:00:00 ", "{line}");
    }
    let first = log.lines().next().unwrap();
    for words in ["node n1, job 4711_7, restart ", " of 5, 1 core, no GPU, cpsd ", ", libtorch "] {
        assert!(first.contains(words), "{first}");
    }
    let ended = log.lines().last().unwrap();
    assert!(ended.contains(" ended after ") && ended.contains(last), "{ended}");
}

#[test]
fn a_training_is_warned_put_back_and_ends_as_if_nothing_had_been() {
    let place = Place::new();
    let job = job(96, 0, ModelSpec::default(), 24);
    place.write(&place.described(&job, Task::Train));
    let stopped = |restarts: u32, signal: &str, code: i32, last: &str| {
        let before = place.epochs();
        let started = place.start(restarts, &[]);
        wait_for("an epoch", || place.epochs() > before);
        started.signal(signal);
        let log = started.ends_with(code);
        check_log(&log, last);
        assert_eq!(place.at_work("checkpoint.safetensors").len(), 1);
        (log, place.end())
    };
    // Warned: back into the queue, once and by the array's name.
    let (_, end) = stopped(0, "-USR1", 75, "put back into the queue as 4711_7, restart 1 of 5");
    assert_eq!(place.calls(), "requeue 4711_7\n");
    assert_eq!((end["exit"].as_u64(), end["node"].as_str(), end["restarts"].as_u64()), (Some(75), Some("n1"), Some(0)));
    // Somebody ends it: it never puts itself back.
    let (log, end) = stopped(4, "-TERM", 130, "stopped from outside");
    assert!(log.contains("teacher 1: resumed at epoch"), "{log}");
    assert_eq!((end["exit"].as_u64(), end["error"].is_null()), (Some(130), true));
    // Too often.
    let (_, end) = stopped(
        5,
        "-USR1",
        1,
        "failed: cpsd::argument: task 7: the time limit (time: \"1:00:00\") comes before the end",
    );
    let (message, help) = (end["error"]["message"].as_str().unwrap(), end["error"]["help"].as_str().unwrap());
    assert!(message.ends_with("it was put back 5 times, and requeues allows no more"), "{message}");
    assert!(help.contains("a longer time, or more requeues"), "{help}");
    assert_eq!(place.calls(), "requeue 4711_7\n");
    // The queue refuses.
    place.scontrol("echo 'Requested operation is presently disabled for job 4711' >&2; exit 1");
    let (_, end) = stopped(1, "-USR1", 1, "4711_7 could not be put back into the queue");
    let message = end["error"]["message"].as_str().unwrap();
    assert!(message.contains("Requested operation is presently disabled"), "{message}");
    assert_eq!((end["exit"].as_u64(), place.calls().lines().count()), (Some(1), 2));
    // To the end, with the end of the start before removed.
    let log = place.start(2, &[]).ends_with(0);
    let runs = place.files("train-", "model.safetensors");
    check_log(&log, &format!("done: {}", runs[0].0));
    assert_eq!(place.end()["exit"], 0);
    assert_eq!(std::fs::read(place.folder.path().join("out")).unwrap(), b"");
    let other = Place::new();
    other.write(&other.described(&job, Task::Train));
    other.start(0, &[]).ends_with(0);
    assert!(
        other.files("train-", "model.safetensors") == runs,
        "the model differs from that of an undisturbed training"
    );
}

#[test]
fn features_that_were_stopped_and_killed_go_on_and_are_the_same_bytes() {
    let place = Place::new();
    let model = ModelSpec { freeze: 2, ..ModelSpec::default() };
    let job = job(800, 0, model, 1);
    let value = place.described(&job, Task::Features);
    place.write(&value);
    // A marker with each batch.
    let often = [("CPSD_CHECKPOINT_EVERY", "0")];
    let mut kept = 0;
    for (i, signal) in ["-KILL", "-USR1", "-KILL", "-TERM"].into_iter().enumerate() {
        let started = place.start(i as u32, &often);
        wait_for("a row", || place.rows() > kept);
        started.signal(signal);
        let (code, log) = started.ended();
        assert_eq!(code, [None, Some(75), None, Some(130)][i], "{log}");
        let goes_on = format!("{kept} of 1600 rows were made before; it goes on behind them");
        assert_eq!(log.contains(&goes_on), i > 0, "{kept}: {log}");
        assert!(place.files("features-", "data.f16").is_empty());
        kept = place.rows();
    }
    check_log(&place.start(3, &[]).ends_with(0), "done");
    let other = Place::new();
    other.write(&other.described(&job, Task::Features));
    other.start(0, &[]).ends_with(0);
    let (came, expected) = (place.files("features-", "data.f16"), other.files("features-", "data.f16"));
    assert_eq!((came.len(), expected.len()), (2, 2));
    assert!(came == expected, "the rows differ from those of an undisturbed maker");
    let left: Vec<_> = std::fs::read_dir(place.runs().join(".work")).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(left, [place.runs().join(".work/batches")]);
}

#[test]
fn features_are_read_from_the_nodes_own_disk_and_leave_nothing_there() {
    let model = ModelSpec { freeze: 2, ..ModelSpec::default() };
    let job = job(48, 0, model, 2);
    let trained = |local: Option<&str>| {
        let place = Place::new();
        place.record(local);
        place.write(&place.described(&job, Task::Train));
        let log = place.start(0, &[]).ends_with(0);
        (log, place.files("train-", "model.safetensors"))
    };
    let node = tempfile::tempdir().unwrap();
    let (log, near) = trained(node.path().to_str());
    assert!(near == trained(None).1 && !log.contains("read from the store"), "{log}");
    let own: Vec<PathBuf> = std::fs::read_dir(node.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!((own.len(), std::fs::read_dir(&own[0]).unwrap().count()), (1, 0));
    // A disk that is not there.
    let (log, far) = trained(Some("/proc/no"));
    assert!(near == far && log.contains("kept features are read from the store"), "{log}");
}

/// A copy of a run's file in the folder of copies of a node, as a task makes it.
fn put_near(run: &Path, name: &str, place: &Path) -> File {
    let digests: Value = serde_json::from_slice(&std::fs::read(run.join("digests.json")).unwrap()).unwrap();
    let digest = &digests["files"][name]["blake3"].as_str().unwrap()[..16];
    let copy = place.join(format!("{}-{digest}-{name}", run.file_name().unwrap().to_str().unwrap()));
    std::fs::copy(run.join(name), &copy).unwrap();
    File::open(copy).unwrap()
}

#[test]
fn the_worker_processes_of_a_task_read_from_the_nodes_own_disk_too() {
    let place = Place::new();
    let node = tempfile::tempdir().unwrap();
    place.record(node.path().to_str());
    let one = job(48, 0, ModelSpec { freeze: 2, ..ModelSpec::default() }, 1);
    // So many trainings, of these labels each.
    let several = |labels: &[&[usize]]| {
        let of = |labels: &&[usize]| {
            let labels = labels.iter().map(|i| one.train.labels.labels()[*i].clone()).collect();
            let options = TrainOptions { workers: Workers::Processes, ..one.options.clone() };
            place.described(&Job { labels, options, ..one.clone() }, Task::Train)
        };
        job_file::several(labels.iter().map(of).collect())
    };
    place.write(&place.described(&one, Task::Features));
    place.start(0, &[]).ends_with(0);
    let own = std::fs::read_dir(node.path()).unwrap().next().unwrap().unwrap().path();
    let near = || std::fs::read_dir(&own).unwrap().count();
    assert_eq!(near(), 0);
    // What a killed task has left, and copies that somebody reads while those of the store are damaged.
    std::fs::write(own.join("features-0123456789ab-0123456789abcdef-data.f16"), "left").unwrap();
    let features = place.files("features-", "data.f16");
    let held: Vec<File> = features.iter().map(|(id, _)| put_near(&place.runs().join(id), "data.f16", &own)).collect();
    held.iter().for_each(|file| file.lock_shared().unwrap());
    for (id, data) in &features {
        std::fs::write(place.runs().join(id).join("data.f16"), vec![1; data.len()]).unwrap();
    }
    place.write(&several(&[&[0], &[1]]));
    let log = place.start(0, &[]).ends_with(0);
    assert_eq!((place.files("train-", "model.safetensors").len(), held.len(), near()), (2, 2, 2), "{log}");
    assert!(!log.contains("read from the store"), "{log}");
    // Nobody reads them any more.
    drop(held);
    for (id, data) in &features {
        std::fs::write(place.runs().join(id).join("data.f16"), data).unwrap();
    }
    place.write(&several(&[&[0, 1], &[2]]));
    let log = place.start(0, &[]).ends_with(0);
    assert_eq!((place.files("train-", "model.safetensors").len(), near()), (4, 0), "{log}");
}

#[test]
fn teachers_outputs_are_what_the_student_reads() {
    let place = Place::new();
    let teacher_job = job(96, 0, ModelSpec::default(), 1);
    let store = RunStore::new(place.runs());
    cpsd::activity::console::set_quiet(true);
    let teacher = cpsd::training::run(&store, &teacher_job).unwrap();
    let ensemble = Ensemble::merge(vec![teacher], Some(teacher_job.labels.clone())).unwrap();
    let distillation = Distillation {
        ensembles: vec![ensemble],
        weights: vec![1.0],
        loss: LossSpec::default_distillation(),
        label_weight: 1.0,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    };
    let student = Job { distillation: Some(distillation), ..job(96, 1, ModelSpec::default(), 1) };
    place.write(&place.described(&student, Task::Outputs));
    place.start(0, &[]).ends_with(0);
    let outputs = place.files("outputs-", "data.f16");
    assert_eq!((outputs.len(), outputs[0].1.len()), (1, 2 * 96 * 2 * 2));
    // The student finds them.
    place.write(&place.described(&student, Task::Train));
    place.start(0, &[]).ends_with(0);
    assert!(place.files("outputs-", "data.f16") == outputs && place.files("train-", "model.safetensors").len() == 2);
}

#[test]
fn several_trainings_of_a_task_share_its_cores_or_have_a_gpu_each() {
    let jobs: Vec<Job> = (0..2).map(|seed| job(48, seed, ModelSpec::default(), 1)).collect();
    let made = |more: &[(&str, &str)]| {
        let place = Place::new();
        let values = jobs.iter().map(|job| place.described(job, Task::Train)).collect();
        place.write(&job_file::several(values));
        let log = place.start(0, more).ends_with(0);
        let ids = place.files("train-", "model.safetensors");
        assert_eq!(ids.len(), 2);
        assert!(ids.iter().all(|(id, _)| log.lines().last().unwrap().contains(id)), "{log}");
        (log, place.files("train-", "summary.json"))
    };
    made(&[]);
    let Some(library) = library() else { return };
    // The second and the third GPU of a node.
    let more = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("CPSD_DEVICE", "cuda:0,cuda:1"),
        ("CUDA_VISIBLE_DEVICES", "1,2"),
        ("OMP_NUM_THREADS", "1"),
    ];
    let (log, summaries) = made(&more);
    assert!(log.lines().next().unwrap().contains("cuda:0, cuda:1 (CUDA_VISIBLE_DEVICES 1,2)"), "{log}");
    for (_, summary) in summaries {
        // The only one that its process sees.
        assert_eq!(serde_json::from_slice::<Value>(&summary).unwrap()["device"], "Cuda(0)");
    }
}

#[test]
fn another_build_and_what_is_no_task_are_refused() {
    let place = Place::new();
    let mut value = place.described(&job(48, 0, ModelSpec::default(), 1), Task::Train);
    value["build"] = json!(task::build());
    place.write(&value);
    let log = place.start(0, &[]).ends_with(1);
    assert!(log.contains("this task was written by cpsd ") && log.contains("which could make other bits"), "{log}");
    assert_eq!((place.end()["exit"].as_u64(), place.end()["error"]["kind"].as_str()), (Some(1), Some("Data")));
    std::fs::write(place.batch().join("7.json"), "{").unwrap();
    let log = place.start(0, &[]).ends_with(1);
    assert!(log.contains("not a job that cpsd wrote: the JSON ends in the middle"), "{log}");
    std::fs::remove_file(place.batch().join("batch.json")).unwrap();
    let log = place.start(0, &[]).ends_with(1);
    assert!(log.contains("batch.json: there is no such file"), "{log}");
}
