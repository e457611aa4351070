//! What a run was made with: besides the number of threads, the kind of CPU and libtorch decide the last bits of its result.
//!
//! A run's name has none of them, so a finished run is read wherever it was made. This says so once.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tch::Device;

use super::job::Job;
use crate::activity::console;
use crate::error::counted;
use crate::files::own;
use crate::runs::Run;
use crate::torch;

/// The kind of this machine's CPU, with its widest vectors: `Intel(R) Xeon(R) Processor @ 2.90GHz, AVX-512`. Its architecture where the system
/// says no more.
pub fn cpu() -> &'static str {
    static CPU: OnceLock<String> = OnceLock::new();
    CPU.get_or_init(|| named(&own::of_system(Path::new("/proc/cpuinfo")).unwrap_or_default()))
}

/// The kind of the first CPU in the text of `/proc/cpuinfo`.
fn named(cpuinfo: &str) -> String {
    let field = |wanted: &str| {
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim())
    };
    let name = field("model name").filter(|name| !name.is_empty()).unwrap_or(std::env::consts::ARCH);
    let has = |flag: &str| field("flags").is_some_and(|flags| flags.split(' ').any(|other| other == flag));
    let vectors = [("avx512f", ", AVX-512"), ("avx2", ", AVX2")].into_iter().find(|(flag, _)| has(flag));
    format!("{name}{}", vectors.map_or("", |(_, words)| words))
}

/// The key of a summary with what made the epochs before the last stop, oldest first, each as [`here`] says it.
pub(super) const EARLIER: &str = "earlier";

/// The version of the libtorch that is loaded.
fn libtorch() -> Option<String> {
    torch::version().map(|(version, _)| version)
}

/// Adds the kind of CPU and libtorch's version to a summary, which has threads and cpsd's version.
pub fn note(summary: &mut Value) {
    summary["cpu"] = cpu().into();
    summary["libtorch"] = libtorch().into();
}

/// What this thread computes with on a device: `2 threads of Intel(R) Xeon(R), AVX-512, libtorch 2.13.0`, as checkpoints keep it. On a GPU
/// neither the number of threads nor the CPU decides anything.
pub(super) fn here(device: Device) -> String {
    let made = match device {
        Device::Cpu => json!({ "threads": tch::get_num_threads(), "cpu": cpu(), "libtorch": libtorch() }),
        _ => json!({ "device": "CUDA", "libtorch": libtorch() }),
    };
    in_words(&made).unwrap_or_default()
}

/// What a summary says of that: `2 threads of Intel(R) Xeon(R), AVX-512, libtorch 2.13.0, cpsd 0.1.0`. Of a training that went on elsewhere
/// than it began: `1 thread of …, libtorch 2.13.0, then 2 threads of …`. `None` if it says nothing.
pub fn in_words(summary: &Value) -> Option<String> {
    let last = last_in_words(summary);
    let mut all: Vec<&str> = earlier(summary).collect();
    all.extend(last.as_deref());
    (!all.is_empty()).then(|| all.join(", then "))
}

/// What made the first epochs of a training that went on with something else.
fn earlier(summary: &Value) -> impl Iterator<Item = &str> {
    summary[EARLIER].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn last_in_words(summary: &Value) -> Option<String> {
    let text = |key: &str| summary[key].as_str();
    let threads = summary["threads"].as_u64().map(|n| counted(n as usize, "thread"));
    let computed = match (threads, text("cpu")) {
        (Some(threads), Some(cpu)) => Some(format!("{threads} of {cpu}")),
        (threads, cpu) => threads.or(cpu.map(String::from)),
    };
    let device = text("device").filter(|device| *device != "Cpu").map(str::to_lowercase);
    let version = |name: &str| text(name).map(|version| format!("{name} {version}"));
    let all: Vec<String> = [device, computed, version("libtorch"), version("cpsd")].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Says once in this process that a run which is read in place of a training here was made with something else.
pub(super) fn say_if_elsewhere(run: &Run, job: &Job) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.load(Ordering::Relaxed) {
        return;
    }
    // A damaged summary is an error of those who need it.
    let Ok(summary) = run.summary() else { return };
    if let Some(what) = elsewhere(&summary, job.options.threads, cpu(), libtorch().as_deref())
        && !SAID.swap(true, Ordering::Relaxed)
    {
        console::log(&format!(
            "{} is the stored run {}, made with {what}: trained here, its last digits would be others (said once; run.made_with tells it of each)",
            job.name, run.id
        ));
    }
}

/// How a run was made otherwise than here. Nothing is said of what its summary does not have, nor of threads unless `threads`, a number of
/// them, was asked for: how many a training gets depends on how many run beside it.
fn elsewhere(summary: &Value, threads: usize, cpu: &str, libtorch: Option<&str>) -> Option<String> {
    let on_cpu = summary["device"] == "Cpu";
    let mut found: Vec<String> = earlier(summary).map(|made| format!("{made} before a stop")).collect();
    if let Some(made) = summary["threads"].as_u64().filter(|&made| on_cpu && threads > 0 && made != threads as u64) {
        found.push(format!("{} (asked for: {threads})", counted(made as usize, "thread")));
    }
    if let Some(made) = summary["cpu"].as_str().filter(|&made| on_cpu && made != cpu) {
        found.push(format!("the CPU {made} (here: {cpu})"));
    }
    if let (Some(made), Some(here)) = (summary["libtorch"].as_str(), libtorch)
        && made != here
    {
        found.push(format!("libtorch {made} (here: {here})"));
    }
    (!found.is_empty()).then(|| found.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_by_their_names() {
        let intel = "processor\t: 0\nmodel name\t: Xeon: Gold\nflags\t\t: fpu avx2 avx512f\n\nmodel name\t: other\n";
        assert_eq!(named(intel), "Xeon: Gold, AVX-512");
        assert_eq!(named(&intel.replace(" avx512f", "")), "Xeon: Gold, AVX2");
        assert_eq!(named(""), std::env::consts::ARCH);
    }

    #[test]
    fn a_run_from_elsewhere_is_told() {
        let made = json!({ "threads": 2, "device": "Cpu", "cpu": "Xeon, AVX2", "libtorch": "2.13.0", "cpsd": "0.1.0" });
        let of = |threads, cpu, libtorch| elsewhere(&made, threads, cpu, Some(libtorch));
        assert_eq!(of(0, "Xeon, AVX2", "2.13.0"), None);
        assert_eq!(of(2, "Xeon, AVX2", "2.13.0"), None);
        assert_eq!(of(4, "Xeon, AVX2", "2.13.0").unwrap(), "2 threads (asked for: 4)");
        let alone = json!({ "device": "Cpu", "threads": 1 });
        assert_eq!(elsewhere(&alone, 4, "Xeon", None).unwrap(), "1 thread (asked for: 4)");
        assert_eq!(
            of(0, "EPYC", "2.12.0").unwrap(),
            "the CPU Xeon, AVX2 (here: EPYC) and libtorch 2.13.0 (here: 2.12.0)"
        );
        // On a GPU the CPU decides nothing; earlier versions wrote neither CPU nor libtorch.
        let on_gpu = json!({ "threads": 2, "device": "Cuda(0)", "cpu": "Xeon", "libtorch": "2.13.0" });
        assert_eq!(elsewhere(&on_gpu, 4, "EPYC", Some("2.13.0")), None);
        assert_eq!(elsewhere(&json!({ "device": "Cpu", "threads": 2 }), 0, "EPYC", Some("2.13.0")), None);
        assert_eq!(in_words(&made).unwrap(), "2 threads of Xeon, AVX2, libtorch 2.13.0, cpsd 0.1.0");
        assert_eq!(in_words(&on_gpu).unwrap(), "cuda(0), 2 threads of Xeon, libtorch 2.13.0");
        assert_eq!(in_words(&json!({})), None);
        let resumed = json!({ "threads": 2, "device": "Cpu", "earlier": ["16 threads of Xeon, libtorch 2.13.0"] });
        assert_eq!(in_words(&resumed).unwrap(), "16 threads of Xeon, libtorch 2.13.0, then 2 threads");
        assert_eq!(elsewhere(&resumed, 2, "Xeon", None).unwrap(), "16 threads of Xeon, libtorch 2.13.0 before a stop");
    }
}
