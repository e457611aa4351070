//! Progress of long work on standard error: a live line on a terminal, a plain line now and then elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::executors::worker::Message;

/// How often a worker says how far it is.
const RELAY_EVERY: Duration = Duration::from_millis(200);

static QUIET: AtomicBool = AtomicBool::new(false);
static RELAYING: AtomicBool = AtomicBool::new(false);
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Turns all progress off (tests, `--quiet`).
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Makes this process say its progress as messages for the process that began it.
pub fn relay() {
    RELAYING.store(true, Ordering::Relaxed);
}

/// How far a piece of work is, as one process tells another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub what: String,
    pub unit: String,
    pub done: u64,
    pub total: u64,
    pub note: String,
    pub finished: bool,
}

/// The lines of another process's work, shown here.
#[derive(Default)]
pub struct Relayed(HashMap<String, (Progress, u64)>);

impl Relayed {
    pub fn show(&mut self, state: State) {
        if state.finished {
            self.0.remove(&state.what);
            return;
        }
        let (line, done) = self.0.entry(state.what.clone()).or_insert_with(|| {
            let line = Progress::new(state.what, state.total, state.unit);
            line.set(state.done);
            (line, state.done)
        });
        line.advance(state.done.saturating_sub(*done));
        *done = state.done;
        line.note(state.note);
    }
}

/// How far a piece of work is, how fast it goes and how long it still takes.
///
/// On a terminal the line is redrawn in place, several at once one below the other; in a pipe a line is
/// printed at most every ten seconds, and none at all for work that takes less than a second.
pub struct Progress {
    what: String,
    unit: String,
    bar: Option<ProgressBar>,
    plain: Option<Mutex<Plain>>,
}

struct Plain {
    started: Instant,
    last: Instant,
    done: u64,
    total: u64,
    note: String,
}

impl Progress {
    /// Starts a line for `total` pieces of work, counted in `unit` ("images", "rows").
    pub fn new(what: impl Into<String>, total: u64, unit: impl Into<String>) -> Self {
        let (what, unit) = (what.into(), unit.into());
        if QUIET.load(Ordering::Relaxed) {
            return Progress { what, unit, bar: None, plain: None };
        }
        if RELAYING.load(Ordering::Relaxed) || !std::io::stderr().is_terminal() {
            let now = Instant::now();
            let plain = Plain { started: now, last: now, done: 0, total, note: String::new() };
            return Progress { what, unit, bar: None, plain: Some(Mutex::new(plain)) };
        }
        let mut bars = BARS.lock().unwrap_or_else(|e| e.into_inner());
        let bars = bars.get_or_insert_with(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        let bar = bars.add(ProgressBar::new(total));
        let template = format!("{{prefix:>24.cyan}} {{bar:20.green/black}} {{percent:>3}}% {{per_sec:>12}} {unit} {{eta:>4}} left {{msg}}")
            .replace("{per_sec:>12}", "{rate}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{:>6}/s", short(state.per_sec()));
            })
            .progress_chars("━╸─");
        bar.set_style(style);
        bar.set_prefix(what.clone());
        Progress { what, unit, bar: Some(bar), plain: None }
    }

    /// `n` more pieces are done.
    pub fn advance(&self, n: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(n);
        }
        if let Some(plain) = &self.plain {
            let mut p = plain.lock().unwrap_or_else(|e| e.into_inner());
            p.done += n;
            if RELAYING.load(Ordering::Relaxed) {
                if p.last.elapsed() > RELAY_EVERY {
                    p.last = Instant::now();
                    self.say(&p, false);
                }
            } else if p.last.elapsed() > Duration::from_secs(10) {
                p.last = Instant::now();
                let elapsed = p.started.elapsed().as_secs_f64();
                let rate = p.done as f64 / elapsed;
                let left = (p.total.saturating_sub(p.done)) as f64 / rate.max(1e-9);
                eprintln!(
                    "{}: {}/{} {} ({}/s, {:.0} s left) {}",
                    self.what, p.done, p.total, self.unit, short(rate), left, p.note
                );
            }
        }
    }

    /// Sets the position outright (a resumed training starts in the middle).
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.reset_eta();
        }
        if let Some(plain) = &self.plain {
            plain.lock().unwrap_or_else(|e| e.into_inner()).done = done;
        }
    }

    /// What stands behind the numbers: `epoch 3/12 loss 41.2 lr 1.2e-3`.
    pub fn note(&self, note: impl Into<String>) {
        let note = note.into();
        if let Some(bar) = &self.bar {
            bar.set_message(note.clone());
        }
        if let Some(plain) = &self.plain {
            plain.lock().unwrap_or_else(|e| e.into_inner()).note = note;
        }
    }

    fn say(&self, plain: &Plain, finished: bool) {
        let (what, unit, note) = (self.what.clone(), self.unit.clone(), plain.note.clone());
        Message::Progress(State { what, unit, done: plain.done, total: plain.total, note, finished }).say();
    }

    /// Removes the live line; the caller prints what should stay.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if RELAYING.load(Ordering::Relaxed) && let Some(plain) = &self.plain {
            self.say(&plain.lock().unwrap_or_else(|e| e.into_inner()), true);
        }
    }
}

/// A line that stays, on standard error, above any live progress lines.
pub fn log(line: &str) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    if RELAYING.load(Ordering::Relaxed) {
        return Message::Log(line.to_string()).say();
    }
    let bars = BARS.lock().unwrap_or_else(|e| e.into_inner());
    match bars.as_ref() {
        Some(bars) => bars.suspend(|| eprintln!("{line}")),
        None => eprintln!("{line}"),
    }
}

/// A line on standard output; a closed pipe (`cpsd doc | head`) must not panic.
pub fn print_line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Three significant digits: 7.25, 72.5, 725, 7.3k.
fn short(x: f64) -> String {
    match x {
        x if !x.is_finite() => "-".into(),
        x if x >= 1e6 => format!("{:.1}M", x / 1e6),
        x if x >= 1e4 => format!("{:.0}k", x / 1e3),
        x if x >= 1e3 => format!("{:.1}k", x / 1e3),
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}
