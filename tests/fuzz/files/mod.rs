//! Files of every kind that a word reads, changed, and read by the lines that a user would type.
//!
//! The changes are drawn, not guided by coverage: the guided engines need either nightly Rust (`cargo-fuzz`) or the whole
//! program built with instrumentation, libtorch's glue and polars included, for each of the kinds; changes that know the
//! format, and keep lengths and checksums right, reach the inner layers without.

mod archive;
mod mutate;
mod seeds;
mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpsd::activity::interrupt;
use cpsd::files::policy::{self, Policy};
use cpsd::script::check;
use cpsd::script::session::Session;
use cpsd::training::job_file;
use serde_json::json;

use crate::draw::Source;
use crate::setting;
use crate::world::{self, computed};
use seeds::Case;

/// The most memory that an input may take, in KiB.
const MEMORY: u64 = 4 << 20;

/// One input: files of a working folder, and the line that reads them.
struct Input<'a> {
    kind: &'a str,
    files: Vec<(&'a str, Vec<u8>)>,
    code: String,
    /// What was changed.
    what: String,
}

impl Input<'_> {
    fn text(&self) -> String {
        format!("{}: {}\n{}", self.kind, self.what, self.code)
    }

    fn write(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// A case as it is, with its first line.
fn unchanged(case: &Case) -> Input<'_> {
    let files = case.files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect();
    Input { kind: &case.kind, files, code: case.codes[0].replace("BYTES", "1000000"), what: "unchanged".into() }
}

/// The input of that number. None when the environment asks for another kind (CPSD_FUZZ_ONLY).
fn input<'a>(cases: &'a [Case], seed: u64, number: u64) -> Option<Input<'a>> {
    let mut s = Source::new(seed, number);
    let kinds: Vec<&str> = BTreeSet::from_iter(cases.iter().map(|case| case.kind.as_str())).into_iter().collect();
    let kind = s.of(&kinds);
    if std::env::var("CPSD_FUZZ_ONLY").is_ok_and(|only| only != kind) {
        return None;
    }
    let alike: Vec<&Case> = cases.iter().filter(|case| case.kind == kind).collect();
    let case = alike[s.below(alike.len())];
    let mut files: Vec<(&str, Vec<u8>)> =
        case.files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect();
    let mut what = Vec::new();
    let mut size = 0;
    for _ in 0..if case.targets.len() > 1 && s.chance(20) { 2 } else { 1 } {
        let other = alike[s.below(alike.len())];
        let other = &other.files[other.targets[s.below(other.targets.len())]].1;
        let (path, bytes) = &mut files[case.targets[s.below(case.targets.len())]];
        let done = mutate::change(&mut s, path, bytes, other);
        what.push(format!("{path} ({done})"));
        size = bytes.len();
    }
    if files.len() > 1 && s.chance(4) {
        let gone = files.swap_remove(s.below(files.len()));
        what.push(format!("{} (gone)", gone.0));
    }
    let code = case.codes[s.below(case.codes.len())].replace("BYTES", &size.to_string());
    let code = std::env::var("CPSD_FUZZ_FAULT").unwrap_or(code);
    Some(Input { kind, files, code, what: what.join("; ") })
}

/// The cases, as an earlier child left them in the folder, or made there.
fn cases(folder: &Path) -> Vec<Case> {
    let whole = folder.join("whole.json");
    if !whole.exists() {
        let making = folder.join("making");
        std::fs::create_dir_all(&making).unwrap();
        std::env::set_current_dir(&making).unwrap();
        let mut list = Vec::new();
        for (i, case) in seeds::make(&making).iter().enumerate() {
            for (j, (_, bytes)) in case.files.iter().enumerate() {
                std::fs::write(folder.join(format!("{i}-{j}")), bytes).unwrap();
            }
            let paths: Vec<&str> = case.files.iter().map(|(path, _)| path.as_str()).collect();
            list.push(json!({"kind": case.kind, "paths": paths, "targets": case.targets, "codes": case.codes}));
        }
        std::fs::write(&whole, serde_json::to_vec(&list).unwrap()).unwrap();
    }
    let list: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&whole).unwrap()).unwrap();
    let case = |(i, case): (usize, &serde_json::Value)| {
        let paths: Vec<String> = serde_json::from_value(case["paths"].clone()).unwrap();
        let read = |j: usize| std::fs::read(folder.join(format!("{i}-{j}"))).unwrap();
        Case {
            kind: case["kind"].as_str().unwrap().into(),
            files: paths.into_iter().enumerate().map(|(j, path)| (path, read(j))).collect(),
            targets: serde_json::from_value(case["targets"].clone()).unwrap(),
            codes: serde_json::from_value(case["codes"].clone()).unwrap(),
        }
    };
    list.iter().enumerate().map(case).collect()
}

/// When the running input began, in milliseconds since the start; 0 between inputs.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// The processor time of the process at that moment, in milliseconds.
static COMPUTED: AtomicU64 = AtomicU64::new(0);
/// Whether the running input was asked to stop.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Where the last panic was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// A number of /proc/self/status, in KiB.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

/// Leaves as many addresses as an input may take memory, and some for stacks.
fn limit_memory() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or fill the struct that they are given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_AS, &mut limit);
        limit.rlim_cur = limit.rlim_max.min((status("VmSize:") + MEMORY + MEMORY / 8) << 10);
        libc::setrlimit(libc::RLIMIT_AS, &limit);
    }
}

/// A session in an empty working folder, and the variables that inputs may use.
fn session(work: &Path) -> Session {
    std::fs::create_dir(work).unwrap();
    std::env::set_current_dir(work).unwrap();
    let mut session = cpsd::primitives::session();
    *session.host.runs.borrow_mut() = PathBuf::from("runs");
    // A changed path must not lead out of the folder, and TorchScript must not run.
    policy::set(Policy::fenced(&[]));
    if let Err(failure) = session.eval(seeds::VALUES, "values") {
        panic!("{}", failure.render(false, 100));
    }
    session
}

fn empty(work: &Path) {
    for entry in std::fs::read_dir(work).unwrap().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// Reads every case unchanged: a seed that is refused at once would test little.
pub fn run_seeds(folder: &Path) {
    cpsd::activity::console::set_quiet(true);
    let cases = cases(&PathBuf::from(std::env::var_os("CPSD_FUZZ_SEEDS").unwrap()));
    let work = folder.join("work");
    let mut session = session(&work);
    let scope = session.scope.clone();
    // Some of PyTorch's files hold no weights of this model, or code.
    for case in cases.iter().filter(|case| !["pth", "pickle", "torchscript"].contains(&case.kind.as_str())) {
        let input = unchanged(case);
        empty(&work);
        input.write(&work);
        session.reset();
        session.scope = scope.clone();
        if !input.code.starts_with('!')
            && let Err(failure) = session.eval(&input.code, "seed")
        {
            world::report(folder, &format!("{}: {}", input.text(), failure.render(false, 100)));
        }
    }
}

pub fn run(folder: &Path, seed: u64, from: u64, end: u64) {
    cpsd::activity::console::set_quiet(true);
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        *PANIC.lock().unwrap_or_else(|e| e.into_inner()) = panic.to_string().replace('\n', " ");
    }));
    let cases = cases(&PathBuf::from(std::env::var_os("CPSD_FUZZ_SEEDS").unwrap()));
    let work = folder.join("work");
    let mut session = session(&work);
    let scope = session.scope.clone();
    limit_memory();
    let patience = setting("CPSD_FUZZ_HANG_S", 10) * 1000;
    watch(patience);
    let (mut slowest, mut largest) = ((0, 0), (0, 0));
    let mut by_kind: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for number in from..end {
        let Some(input) = input(&cases, seed, number) else { continue };
        std::fs::write(folder.join("next"), format!("{number}\n{}", input.text())).unwrap();
        std::fs::rename(folder.join("next"), folder.join("current")).unwrap();
        empty(&work);
        input.write(&work);
        let kept = keep(&input, number);
        session.reset();
        session.scope = scope.clone();
        let before = (status("VmRSS:"), computed());
        // From here on the peak counts anew.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        PANIC.lock().unwrap_or_else(|e| e.into_inner()).clear();
        ASKED.store(false, Ordering::SeqCst);
        COMPUTED.store(before.1, Ordering::SeqCst);
        BEGAN.store(now(), Ordering::SeqCst);
        let outcome = catch_unwind(AssertUnwindSafe(|| feed(&mut session, &input)));
        BEGAN.store(0, Ordering::SeqCst);
        let (memory, time) = (status("VmHWM:").saturating_sub(before.0), computed() - before.1);
        let panic = PANIC.lock().unwrap_or_else(|e| e.into_inner()).clone();
        let mut troubles = Vec::new();
        match outcome {
            Err(_) => troubles.push(format!("a panic that nothing caught: {panic}")),
            Ok(Fed { trouble: Some(trouble), .. }) => {
                troubles.push(format!("{trouble} {panic}").trim().replace('\n', " "));
            }
            Ok(fed) => by_kind.entry(input.kind).or_default().1 += u64::from(fed.done),
        }
        let of_kind = by_kind.entry(input.kind).or_default();
        (of_kind.0, of_kind.2) = (of_kind.0 + 1, of_kind.2 + time);
        if memory > MEMORY {
            troubles.push(format!("memory: {} MB", memory >> 10));
        }
        if time > patience {
            troubles.push(format!("time: {} s", time / 1000));
        }
        for trouble in &troubles {
            world::report(folder, &format!("{}: {trouble}\n  input {number}: {}", input.kind, input.text()));
        }
        if let Some(kept) = kept.filter(|_| troubles.is_empty() && end - from > 1) {
            let _ = std::fs::remove_dir_all(kept);
        }
        slowest = slowest.max((time, number));
        largest = largest.max((memory >> 10, number));
    }
    for (kind, (tried, read, time)) in by_kind {
        eprintln!("{kind}: {tried} inputs tried, {read} read without an error, {time} ms of processor time");
    }
    eprintln!(
        "slowest: input {} {} ms of processor time; largest: input {} {} MB",
        slowest.1, slowest.0, largest.1, largest.0
    );
}

/// Writes the input to the folder that CPSD_FUZZ_KEEP names, with a script that reads it. It stays there if something was found.
fn keep(input: &Input, number: u64) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("CPSD_FUZZ_KEEP")?).join(number.to_string());
    let _ = std::fs::remove_dir_all(&folder);
    input.write(&folder);
    let script = match input.code.strip_prefix('!') {
        Some(command) => format!("// {}\n", command.replace("job ", "cpsd worker ").replace("check ", "cpsd check ")),
        None => format!("// CPSD_RUNS=runs cpsd script script.rhai\n{}{}\n", seeds::VALUES, input.code),
    };
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("script.rhai"), script).unwrap();
    Some(folder)
}

/// Milliseconds since the first call, and one.
fn now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

/// Asks an input to stop when it has computed for `patience` milliseconds, or done nothing for ten times as long, and ends
/// the process when it has not stopped after as much again.
fn watch(patience: u64) {
    now();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let began = BEGAN.load(Ordering::SeqCst);
            if began == 0 {
                continue;
            }
            let worked = computed().saturating_sub(COMPUTED.load(Ordering::SeqCst));
            let share = (worked as f64 / patience as f64).max((now() - began) as f64 / (10 * patience) as f64);
            if share > 2.0 {
                eprintln!("a hang: no answer to the interrupt after {} s of processor time", worked / 1000);
                std::process::exit(99);
            }
            if share > 1.0 && !ASKED.swap(true, Ordering::SeqCst) {
                interrupt::request();
            }
        }
    });
}

/// A fault of each kind that is looked for, to see that it is found.
fn fault(kind: &str) -> bool {
    match kind {
        "panic" => panic!("made on purpose"),
        "abort" => std::process::abort(),
        "time" => while !interrupt::requested() {},
        "hang" => loop {
            std::hint::black_box(0);
        },
        "size" => drop(std::hint::black_box(Vec::<u8>::with_capacity(8 << 30))),
        _ => {}
    }
    true
}

struct Fed {
    /// Whether it ended without an error.
    done: bool,
    trouble: Option<String>,
}

/// Runs `work` and asks it to stop after two seconds: a job of a thousand epochs is long, and no fault.
fn stopped_soon<R>(work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while !done.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if !done.load(Ordering::SeqCst) {
                interrupt::request();
            }
        });
        let result = work();
        done.store(true, Ordering::SeqCst);
        result
    })
}

fn feed(session: &mut Session, input: &Input) -> Fed {
    let Some(command) = input.code.strip_prefix('!') else {
        let (trouble, ended) = world::line_of(session, &input.code);
        return Fed { done: ended == world::Ended::Done, trouble };
    };
    interrupt::clear();
    let (command, path) = command.split_once(' ').unwrap();
    let done = match command {
        "fault" => fault(path),
        "job" => stopped_soon(|| job_file::work(Path::new(path)).is_ok()),
        _ => std::fs::read_to_string(path).is_ok_and(|text| check::check(session, &text, path).is_ok()),
    };
    Fed { done, trouble: None }
}
