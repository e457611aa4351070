//! Random and mutated scripts and lines of the prompt, over every word, every member of every kind and every option, with
//! wrong kinds and extreme values; and mutated files of every kind that a word reads. No input may cause a panic, an abort
//! or a hang, lose a variable, or take more than 4 GiB.
//!
//! The inputs follow from a seed and a number alone. They run in a child process, because a crash would end this one too;
//! after an input that killed it the child is started again, and all such inputs are reported.
//!
//!     CPSD_FUZZ_COUNT=50000 CPSD_FUZZ_SEED=7 cargo test --release --test fuzz       as many of either (make fuzz)
//!     CPSD_FUZZ_FROM=4711 CPSD_FUZZ_COUNT=1 CPSD_FUZZ_KEEP=found ... no_file        one input again, written to found/4711
//!     CPSD_FUZZ_ONLY=parquet ...                                                    files of one kind

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

#[path = "../common/mod.rs"]
mod common;
mod draw;
mod files;
mod inputs;
mod world;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_that_is_typed_breaks_the_session() {
    fuzz("language", 2500, 40);
}

#[test]
fn every_seed_is_read() {
    let (seeds, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ended = batch("seeds", seeds.path(), folder.path(), (0, 0, 0), &[]);
    let found = std::fs::read_to_string(folder.path().join("findings")).unwrap_or_default();
    assert!(ended.is_none() && found.is_empty(), "{ended:?}\n{}", found.replace('\0', "\n"));
}

/// Every kind of fault is found, also those that end the process.
#[test]
fn faults_made_on_purpose_are_found() {
    let seeds = tempfile::tempdir().unwrap();
    for (fault, ends, said) in [
        ("panic", false, "made on purpose"),
        ("time", false, "time: "),
        ("hang", true, "a hang"),
        ("abort", true, "signal 6"),
        ("size", true, "memory allocation"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let more = [("CPSD_FUZZ_FAULT", format!("!fault {fault}")), ("CPSD_FUZZ_HANG_S", "1".into())];
        let ended = batch("files", seeds.path(), folder.path(), (1, 0, 1), &more);
        let found = std::fs::read_to_string(folder.path().join("findings")).unwrap_or_default();
        assert_eq!(ended.is_some(), ends, "{fault}: {ended:?} {found}");
        assert!(ended.unwrap_or(found).contains(said), "{fault}");
    }
}

#[test]
fn no_file_breaks_the_session() {
    fuzz("files", 1000, 200);
}

/// Runs the inputs of a kind, and fails with all findings. It ends early when as many processes as are `enough` have died.
fn fuzz(kind: &str, count: u64, enough: usize) {
    let (seed, count, from) =
        (setting("CPSD_FUZZ_SEED", 1), setting("CPSD_FUZZ_COUNT", count), setting("CPSD_FUZZ_FROM", 0));
    println!("fuzz: {kind}, seed {seed}, inputs {from}..{}", from + count);
    let started = Instant::now();
    let (mut findings, mut deaths) = (Vec::new(), 0);
    let seeds = tempfile::tempdir().unwrap();
    let mut next = from;
    while next < from + count && deaths < enough {
        let folder = tempfile::tempdir().unwrap();
        let killed = batch(kind, seeds.path(), folder.path(), (seed, next, from + count), &[]);
        let said = std::fs::read(folder.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&said)
            .lines()
            .filter(|line| line.contains("inputs ") || line.starts_with("slowest"))
            .for_each(|line| println!("{line}"));
        let found = std::fs::read_to_string(folder.path().join("findings")).unwrap_or_default();
        findings.extend(found.split_terminator('\0').map(str::to_string));
        let Some(how) = killed else { break };
        let (number, text) = world::current(folder.path()).unwrap_or_else(|| panic!("the child never began: {how}"));
        let first = text.split(':').next().unwrap_or_default();
        findings.push(format!("{first}: the process ended: {}\n  input {number}: {text}", how.replace('\n', " ")));
        deaths += 1;
        next = number + 1;
    }
    println!("fuzz: {kind}: {:.0} s, {} findings, {deaths} deaths", started.elapsed().as_secs_f64(), findings.len());
    assert!(findings.is_empty(), "seed {seed}: {} findings\n\n{}\n", findings.len(), grouped(&findings));
}

/// Findings whose first lines differ in numbers alone, once each, with how many there are and the first three.
fn grouped(findings: &[String]) -> String {
    let mut groups: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for finding in findings {
        let first = finding.lines().next().unwrap_or_default();
        let alike: String = first.chars().filter(|c| !c.is_ascii_digit()).take(150).collect();
        groups.entry(alike).or_default().push(finding);
    }
    let shown = |all: Vec<&String>| {
        let some: Vec<&str> = all.iter().take(3).map(|finding| finding.as_str()).collect();
        format!("{} times:\n{}", all.len(), some.join("\n"))
    };
    groups.into_values().map(shown).collect::<Vec<_>>().join("\n\n")
}

/// Runs the inputs `from..end` in a child. Returns how the child ended, unless it ran all of them.
fn batch(
    kind: &str,
    seeds: &Path,
    folder: &Path,
    (seed, from, end): (u64, u64, u64),
    more: &[(&str, String)],
) -> Option<String> {
    let log = |name: &str| File::create(folder.join(name)).unwrap();
    // Memory that no machine has must be refused, not asked for: 12 GB of addresses are all there is.
    let kept = std::env::var_os("CPSD_FUZZ_KEEP").map(|kept| ("CPSD_FUZZ_KEEP", common::root("").join(kept)));
    let status = Command::new("sh")
        .args(["-c", "ulimit -v 12000000; ulimit -c 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CPSD_FUZZ_KIND", kind)
        .env("CPSD_FUZZ_SEEDS", seeds)
        .env("CPSD_FUZZ_FOLDER", folder)
        .env("HF_HUB_OFFLINE", "1")
        // A damaged run is looked at again after a sixth of it.
        .env("CPSD_CLAIM_BEAT", "0.3")
        .env("CPSD_CLAIM_LIMIT", "3")
        .envs(kept)
        .envs(more.iter().map(|(name, value)| (name, value)))
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
#[ignore = "started by the tests above"]
fn child() {
    let Some(folder) = std::env::var_os("CPSD_FUZZ_FOLDER") else { return };
    let (seed, from, end) = (setting("CPSD_FUZZ_SEED", 1), setting("CPSD_FUZZ_FROM", 0), setting("CPSD_FUZZ_END", 1));
    let kind = std::env::var("CPSD_FUZZ_KIND").unwrap();
    let run = move || match kind.as_str() {
        "files" => files::run(Path::new(&folder), seed, from, end),
        "seeds" => files::run_seeds(Path::new(&folder)),
        _ => world::run(Path::new(&folder), seed, from, end),
    };
    // As deep a stack as the binary has.
    std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap().join().unwrap();
}
