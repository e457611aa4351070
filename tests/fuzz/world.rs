//! The child: a session with a value of every kind, into which the inputs go one after the other.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpsd::error::ErrorKind;
use cpsd::script::session::Session;
use rhai::Dynamic;

use crate::inputs::{self, Input};
use crate::setting;

/// A value of every kind, and files to read.
const WORLD: &str = r#"
let data = dataset("emoji-scenes", #{ train: 24, val: 6, test: 6, test_shifted: 4, size: 32 });
let d = data.train;
let lt = synthetic_labels(#{ images: 40, labels: 6, groups: 2 });
let counts = cooccurrence(lt);
let a = affinity(counts, "co");
let p = spectral_partition(a, 2);
let m = model("small_cnn", #{ labels: d.names, image_size: 32 });
let one = model("small_cnn", #{ labels: ["dog"], image_size: 32 });
let e = merge([m]);
let pr = predict(m, data.test);
let r = evaluate(m, data.test);
let t = table([#{ a: 1, b: 0.5, c: "x" }, #{ a: 2, b: (), c: "y" }, #{ a: 2, b: 2.5, c: "x" }]);
let x = col("a");
let g = t.group_by("c");
let sk = suggest_k(a);
let f = heatmap(a, p);
let ten = tensor([[0.1, 0.9, 0.5], [0.2, 0.3, 0.7]]);
let ones = tensor([[0, 1, 1], [1, 0, 0]]);
let l = asl();
let trained = train_teacher(data, ["dog", "person"], #{ model: #{ backbone: "small_cnn", image_size: 32 }, epochs: 1, batch: 8, views: 0 });
let ru = trained.run;
let err = ();
try { cooccurrence(1); } catch (e2) { err = e2; }
lt.write_csv("labels.csv");
t.write_csv("table.csv");
t.write_parquet("table.parquet");
counts.save("counts.csv");
p.save("partition.json");
m.save("model.safetensors");
pr.save("predictions.csv");
save_tensors(#{ a: ten, b: ones }, "tensors.safetensors");
"#;

/// When the running input began, in milliseconds since the start; 0 between inputs.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// The processor time of the process at that moment, in milliseconds.
static COMPUTED: AtomicU64 = AtomicU64::new(0);

/// The processor time of this process, in milliseconds. Unlike wall time it does not grow on a busy machine.
pub fn computed() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the struct it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

/// The input that runs now, as the parent reads it when the child is gone.
pub fn current(folder: &Path) -> Option<(u64, String)> {
    let text = std::fs::read_to_string(folder.join("current")).ok()?;
    let (number, text) = text.split_once('\n')?;
    Some((number.parse().ok()?, text.to_string()))
}

pub fn run(folder: &Path, seed: u64, from: u64, end: u64) {
    let start = Instant::now();
    let budget = Duration::from_millis(setting("CPSD_FUZZ_BUDGET_MS", 250));
    let patience = Duration::from_secs(setting("CPSD_FUZZ_HANG_S", 20));
    cpsd::activity::console::set_quiet(true);
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let work = folder.join("work");
    std::fs::create_dir(&work).unwrap();
    std::env::set_current_dir(&work).unwrap();
    let mut session = cpsd::primitives::session();
    *session.host.runs.borrow_mut() = folder.join("runs");
    if let Err(failure) = session.eval(WORLD, "world") {
        panic!("{}", failure.render(false, 100));
    }
    let kept: Vec<(std::path::PathBuf, Vec<u8>)> =
        std::fs::read_dir(&work).unwrap().flatten().map(|e| (e.path(), std::fs::read(e.path()).unwrap())).collect();
    let scope = session.scope.clone();
    watch(start, budget, patience);
    let mut slow = Vec::new();
    let (mut done, mut failed, mut stopped) = (0, 0, 0);
    for number in from..end {
        let input = inputs::input(seed, number);
        // Whole at any moment: what an earlier input left in the background may end the process here.
        std::fs::write(folder.join("next"), format!("{number}\n{}", input.text())).unwrap();
        std::fs::rename(folder.join("next"), folder.join("current")).unwrap();
        session.reset();
        session.scope = scope.clone();
        let began = Instant::now();
        COMPUTED.store(computed(), Ordering::SeqCst);
        BEGAN.store(start.elapsed().as_millis() as u64 + 1, Ordering::SeqCst);
        let (trouble, ended) = feed(&mut session, &input);
        BEGAN.store(0, Ordering::SeqCst);
        match ended {
            Ended::Done => done += 1,
            Ended::Failed => failed += 1,
            Ended::Stopped => stopped += 1,
        }
        if let Some(trouble) = trouble {
            report(folder, &format!("input {number}: {trouble}\n{}", input.text()));
        }
        // What inputs write must not fill the disk, nor spoil what later ones read.
        if began.elapsed() > budget || number % 64 == 63 {
            tidy(&work, &kept);
        }
        slow.push((began.elapsed(), number));
    }
    eprintln!("{done} inputs did what they say, {failed} ended with an error, {stopped} were stopped");
    slow.sort();
    for (time, number) in slow.iter().rev().take(5) {
        eprintln!("slowest: input {number} {time:?}");
    }
}

/// Asks an input to stop when its time is up, and ends the process when it does not: when it computes on beyond
/// `patience`, or does nothing for ten times as long.
fn watch(start: Instant, budget: Duration, patience: Duration) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let began = BEGAN.load(Ordering::SeqCst);
            if began == 0 {
                continue;
            }
            let ran = start.elapsed().saturating_sub(Duration::from_millis(began));
            let worked = Duration::from_millis(computed().saturating_sub(COMPUTED.load(Ordering::SeqCst)));
            if worked > patience || ran > 10 * patience {
                eprintln!("a hang: no answer to the interrupt within {patience:?}");
                std::process::exit(99);
            }
            if ran > budget {
                cpsd::activity::interrupt::request();
            }
        }
    });
}

/// How an input ended.
#[derive(Clone, Copy, PartialEq)]
pub enum Ended {
    Done,
    Failed,
    Stopped,
}

/// Gives the input to the session. Returns a fault of the session, if there is one, and how the last line ended.
fn feed(session: &mut Session, input: &Input) -> (Option<String>, Ended) {
    match input {
        Input::Script(lines) => {
            let mut ended = Ended::Done;
            for line in lines {
                let (trouble, this) = line_of(session, line);
                ended = this;
                if trouble.is_some() {
                    return (trouble, ended);
                }
            }
            (None, ended)
        }
        Input::Typed(line, pos) => (typed(session, line, *pos), Ended::Done),
    }
}

pub fn line_of(session: &mut Session, line: &str) -> (Option<String>, Ended) {
    let sentinel = Dynamic::from("still here");
    session.scope.set_or_push("sentinel", sentinel);
    let outcome = session.eval(line, "line");
    let kept = session.scope.get_value::<rhai::ImmutableString>("sentinel");
    if kept.as_deref() != Some("still here") && !line.contains("sentinel") {
        return (Some("the variable set before is lost".into()), Ended::Failed);
    }
    match outcome {
        Ok(value) => {
            // As the prompt shows it.
            let _ = cpsd::script::show::show(&value);
            (None, Ended::Done)
        }
        Err(failure) if failure.interrupted() => (None, Ended::Stopped),
        Err(failure) => {
            let shown = failure.render(false, 80);
            let leaks = [
                "Exception raised from",
                "torch/csrc",
                "/aten/",
                "frame #",
                "panicked at",
                "dyn ",
                "::vec::",
                "a Dynamic",
            ];
            let leak = leaks.iter().find(|leak| failure.message.contains(**leak) && !line.contains(**leak));
            let trouble = match leak {
                _ if failure.message.contains("FUZZ: ") => Some(failure.message.clone()),
                Some(leak) => Some(format!("the message holds \"{leak}\": {}", failure.message)),
                None if failure.message.trim().is_empty() => Some("the message is empty".into()),
                None => (failure.kind == ErrorKind::Internal && failure.exit.is_none())
                    .then(|| format!("a fault of cpsd's own\n{shown}")),
            };
            (trouble, Ended::Failed)
        }
    }
}

/// A half-typed line: completion, hints and colours must come without a fault at any place of the cursor.
fn typed(session: &Session, line: &str, pos: usize) -> Option<String> {
    use rustyline::completion::Completer;
    use rustyline::highlight::{CmdKind, Highlighter};
    use rustyline::hint::Hinter;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut helper = cpsd::repl::editor::Helper::default();
        helper.refresh(session);
        let history = rustyline::history::MemHistory::new();
        let context = rustyline::Context::new(&history);
        let _ = helper.complete(line, pos, &context);
        let _ = helper.hint(line, pos, &context);
        let _ = helper.highlight_char(line, pos, CmdKind::Other);
        let _ = helper.highlight(line, pos);
    }));
    outcome.err().map(|_| format!("the editor panicked, cursor at {pos}"))
}

pub fn report(folder: &Path, finding: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("findings")).unwrap();
    write!(file, "{finding}\0").unwrap();
}

fn tidy(work: &Path, kept: &[(std::path::PathBuf, Vec<u8>)]) {
    for entry in std::fs::read_dir(work).unwrap().flatten() {
        let path = entry.path();
        match kept.iter().find(|(name, _)| *name == path) {
            Some((_, bytes)) if std::fs::read(&path).is_ok_and(|now| now == *bytes) => {}
            _ if path.is_dir() => drop(std::fs::remove_dir_all(&path)),
            _ => drop(std::fs::remove_file(&path)),
        }
    }
    for (path, bytes) in kept {
        if !path.exists() {
            std::fs::write(path, bytes).unwrap();
        }
    }
}
