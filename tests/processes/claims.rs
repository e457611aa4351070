//! Two hosts on one run store: both want one training, one dies, one is paused for long, one sees files late.
//!
//! A host is imitated by its name (`CPSD_CLAIM_HOST`), so that its processes cannot be looked up from the other, and by a
//! mount of its own of one folder, with its own locks and caches as on a shared file system.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cpsd::runs::{Begun, Published, RunStore};
use serde_json::json;

use crate::common::process::{Process, wait_for};
use crate::common::{CPSD, ON_THE_CPU};

/// A folder as two hosts see it, and as it is.
struct Hosts {
    folder: tempfile::TempDir,
    mounted: bool,
}

impl Hosts {
    fn new() -> Hosts {
        let folder = tempfile::tempdir().unwrap();
        for name in ["real", "a", "b"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mount = |name: &str| {
            let mut command = Command::new("bindfs");
            command.args(["--no-allow-other", "-o", "attr_timeout=5,entry_timeout=5,negative_timeout=5"]);
            command.arg(folder.path().join("real")).arg(folder.path().join(name));
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let mounted = Path::new("/dev/fuse").exists() && mount("a") && mount("b");
        if !mounted {
            eprintln!("skipped: two mounts of one folder (bindfs or /dev/fuse is absent)");
        }
        Hosts { folder, mounted }
    }

    fn real(&self) -> PathBuf {
        self.folder.path().join("real")
    }

    /// The folder as host `name` sees it; without mounts as it is.
    fn seen_by(&self, name: &str) -> PathBuf {
        self.folder.path().join(if self.mounted { name } else { "real" })
    }

    /// Begins a training of so many epochs on a host, which takes a maker for gone after `limit` seconds.
    fn train(&self, host: &str, epochs: u32, limit: u32) -> Process {
        let text = self.folder.path().join(format!("{host}-{limit}.txt"));
        let code = format!(
            "let data = dataset(\"emoji-scenes\", #{{train: 96, val: 24, test: 1, test_shifted: 1, size: 32}}); \
             let o = #{{model: #{{backbone: \"small_cnn\", image_size: 32}}, epochs: {epochs}, batch: 16, threads: 1, views: 2}}; \
             train_teacher(data, [\"person\", \"car\"], o).save(\"{host}.safetensors\")"
        );
        let mut command = Command::new(CPSD);
        command
            .args(["eval", &code])
            .env("CPSD_RUNS", self.seen_by(host))
            .env("CPSD_CLAIM_HOST", format!("host-{host}"))
            .env("CPSD_CLAIM_BEAT", "0.2")
            .envs(ON_THE_CPU)
            .env("CPSD_CLAIM_LIMIT", limit.to_string())
            .current_dir(self.folder.path())
            .stdout(Stdio::null());
        Process::begin(&mut command, &text)
    }

    /// Bytes of metrics that the makers of unfinished runs have written.
    fn metrics(&self) -> u64 {
        let entries = std::fs::read_dir(self.real().join(".work")).into_iter().flatten().flatten();
        entries.filter_map(|e| e.path().join("metrics.jsonl").metadata().ok()).map(|m| m.len()).sum()
    }

    /// The model of the one training that is finished, and the epochs of its metrics.
    fn result(&self) -> (Vec<u8>, Vec<u64>) {
        let entries = std::fs::read_dir(self.real()).unwrap().flatten().map(|e| e.path());
        let runs: Vec<PathBuf> =
            entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("train-")).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        let metrics = std::fs::read_to_string(runs[0].join("metrics.jsonl")).unwrap();
        let epochs =
            metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"].as_u64());
        (std::fs::read(runs[0].join("model.safetensors")).unwrap(), epochs.map(Option::unwrap).collect())
    }

    /// The one training is what an undisturbed one of so many epochs makes, and nothing of work is left.
    fn check(&self, epochs: u32) {
        let alone = Hosts { folder: tempfile::tempdir().unwrap(), mounted: false };
        std::fs::create_dir(alone.real()).unwrap();
        alone.train("alone", epochs, 300).ends_with(0);
        let ((model, lines), (expected, _)) = (self.result(), alone.result());
        assert!(model == expected, "the model differs from that of an undisturbed training");
        assert_eq!(lines, (1..=u64::from(epochs)).collect::<Vec<_>>());
        let left: Vec<_> = std::fs::read_dir(self.real().join(".work")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in ["a", "b"].iter().filter(|_| self.mounted) {
            let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(self.folder.path().join(name)).status();
        }
    }
}

#[test]
fn two_hosts_that_want_one_training_make_it_once() {
    let hosts = Hosts::new();
    let a = hosts.train("a", 16, 300);
    wait_for("an epoch", || hosts.metrics() > 0);
    // Held until the others have seen it.
    a.signal("-STOP");
    let waits = format!("is being made by process {} on host-a; waiting for it", a.id());
    let mut b = hosts.train("b", 16, 300);
    let mut stopped = hosts.train("b", 16, 301);
    b.says(&waits);
    stopped.says(&waits);
    stopped.signal("-INT");
    stopped.ends_with(130);
    a.signal("-CONT");
    a.ends_with(0);
    b.ends_with(0);
    hosts.check(16);
    let saved = |name: &str| std::fs::read(hosts.folder.path().join(name)).unwrap();
    assert!(saved("a.safetensors") == saved("b.safetensors"));
}

#[test]
fn a_maker_that_died_on_another_host_is_succeeded() {
    let hosts = Hosts::new();
    // One that was stopped leaves a checkpoint and no claim.
    let first = hosts.train("a", 16, 300);
    wait_for("an epoch", || hosts.metrics() > 0);
    first.signal("-INT");
    first.ends_with(130);
    let left = std::fs::read_dir(hosts.real().join(".work")).unwrap().flatten().map(|e| e.path());
    assert!(left.into_iter().all(|path| path.join("checkpoint.safetensors").exists()));
    let before = hosts.metrics();
    let mut second = hosts.train("a", 16, 300);
    second.says("resumed at epoch");
    wait_for("another epoch", || hosts.metrics() > before);
    second.kill();
    let said = hosts.train("b", 16, 1).ends_with(0);
    assert!(said.contains("on host-a gives no sign of life") && said.contains("resumed at epoch"), "{said}");
    hosts.check(16);
}

#[test]
fn a_paused_maker_finds_itself_succeeded_and_uses_the_run() {
    let hosts = Hosts::new();
    let a = hosts.train("a", 16, 30);
    wait_for("an epoch", || hosts.metrics() > 0);
    a.signal("-STOP");
    let mut b = hosts.train("b", 16, 1);
    b.says("gives no sign of life");
    // Both run now.
    a.signal("-CONT");
    let said = a.ends_with(0);
    assert!(said.contains("was taken over by another process"), "{said}");
    b.ends_with(0);
    hosts.check(16);
}

#[test]
fn a_run_that_another_host_has_just_finished_is_found_though_it_is_seen_late() {
    let hosts = Hosts::new();
    if !hosts.mounted {
        return;
    }
    let (a, b) = (RunStore::new(hosts.seen_by("a")), RunStore::new(hosts.seen_by("b")));
    let id = "train-0123456789ab";
    let Begun::Work(work) = a.begin(id, &json!({})).unwrap() else { panic!("nothing was made yet") };
    // From here on, host b knows for five seconds that there is no such folder.
    assert!(std::fs::metadata(b.root().join(id)).is_err());
    work.finish(&json!({"by": "a"})).unwrap();
    assert!(std::fs::metadata(b.root().join(id)).is_err(), "the mount shows everything at once");
    let Begun::Finished(run) = b.begin(id, &json!({})).unwrap() else { panic!("it is made twice") };
    assert_eq!(run.summary().unwrap()["by"], "a");
}

#[test]
fn of_two_finished_makers_the_first_one_is_believed() {
    let hosts = Hosts::new();
    if !hosts.mounted {
        return;
    }
    let (a, b) = (RunStore::new(hosts.seen_by("a")), RunStore::new(hosts.seen_by("b")));
    let id = "train-0123456789ab";
    let Begun::Work(first) = a.begin(id, &json!({})).unwrap() else { panic!("nothing was made yet") };
    // As if it had been quiet for long.
    std::fs::remove_file(hosts.real().join(format!(".work/{id}.claim"))).unwrap();
    let Begun::Work(second) = b.begin(id, &json!({})).unwrap() else { panic!("nothing was made yet") };
    let Published::Own(_) = second.publish(&json!({"by": "b"})).unwrap() else { panic!("it was the first") };
    // Its folder was removed by the second one: it is there again, with all that it had made.
    let folder = hosts.real().join(".work").join(first.dir.file_name().unwrap());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("spec.json"), "{}").unwrap();
    let Published::Other(run) = first.publish(&json!({"by": "a"})).unwrap() else { panic!("it was the second") };
    assert_eq!(run.summary().unwrap()["by"], "b");
    assert_eq!(std::fs::read_dir(hosts.real().join(".work")).unwrap().count(), 0);
}
