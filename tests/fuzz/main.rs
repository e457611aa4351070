//! Random and mutated scripts and lines of the prompt, over every word, every member of every kind and every option, with
//! wrong kinds and extreme values. No input may cause a panic, an abort or a hang, or lose a variable.
//!
//! The inputs follow from a seed and a number alone. They run in a child process, because a crash would end this one too;
//! after an input that killed it the child is started again, and all such inputs are reported.
//!
//!     CPSD_FUZZ_COUNT=100000 CPSD_FUZZ_SEED=7 cargo test --release --test fuzz     (make fuzz)
//!     CPSD_FUZZ_FROM=4711 CPSD_FUZZ_COUNT=1 ...                                     one input again

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod inputs;
mod world;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The run ends after this many findings.
const ENOUGH: usize = 40;

#[test]
fn nothing_that_is_typed_breaks_the_session() {
    let (seed, count, from) =
        (setting("CPSD_FUZZ_SEED", 1), setting("CPSD_FUZZ_COUNT", 2500), setting("CPSD_FUZZ_FROM", 0));
    println!("fuzz: seed {seed}, inputs {from}..{}", from + count);
    let started = Instant::now();
    let mut findings = Vec::new();
    let mut next = from;
    while next < from + count && findings.len() < ENOUGH {
        let folder = tempfile::tempdir().unwrap();
        let killed = batch(folder.path(), seed, next, from + count);
        let said = std::fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
        said.lines()
            .filter(|line| line.contains("inputs did") || line.starts_with("slowest"))
            .for_each(|line| println!("{line}"));
        let found = std::fs::read_to_string(folder.path().join("findings")).unwrap_or_default();
        findings.extend(found.split_terminator('\0').map(str::to_string));
        let Some(how) = killed else { break };
        let (number, text) = world::current(folder.path()).unwrap_or_else(|| panic!("the child never began: {how}"));
        findings.push(format!("input {number} ended the process ({how}):\n{text}"));
        next = number + 1;
    }
    println!("fuzz: {:.0} s", started.elapsed().as_secs_f64());
    assert!(findings.is_empty(), "seed {seed}: {} findings\n\n{}\n", findings.len(), findings.join("\n\n"));
}

/// Runs the inputs `from..end` in a child. Returns how the child ended, unless it ran all of them.
fn batch(folder: &Path, seed: u64, from: u64, end: u64) -> Option<String> {
    let log = |name: &str| File::create(folder.join(name)).unwrap();
    // Memory that no machine has must be refused, not asked for: 12 GB of addresses are all there is.
    let status = Command::new("sh")
        .args(["-c", "ulimit -v 12000000; ulimit -c 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CPSD_FUZZ_FOLDER", folder)
        .env("HF_HUB_OFFLINE", "1")
        .env("CPSD_FUZZ_SEED", seed.to_string())
        .env("CPSD_FUZZ_FROM", from.to_string())
        .env("CPSD_FUZZ_END", end.to_string())
        .stdout(log("stdout"))
        .stderr(log("stderr"))
        .status()
        .unwrap();
    if status.success() {
        return None;
    }
    let said = std::fs::read(folder.join("stderr")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(600)..]).into_owned();
    Some(format!("{}; {}", status.signal().map_or_else(|| status.to_string(), |s| format!("signal {s}")), said.trim()))
}

#[test]
#[ignore = "started by the test above"]
fn child() {
    let Some(folder) = std::env::var_os("CPSD_FUZZ_FOLDER") else { return };
    let (seed, from, end) = (setting("CPSD_FUZZ_SEED", 1), setting("CPSD_FUZZ_FROM", 0), setting("CPSD_FUZZ_END", 1));
    // As deep a stack as the binary has.
    let run = move || world::run(Path::new(&folder), seed, from, end);
    std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap().join().unwrap();
}
