//! Progress of long work on standard error: a live line on a terminal, a plain line now and then elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use colored::Colorize;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::executors::worker::Message;
use crate::task::{self, Task};

/// How often a worker says how far it is.
const RELAY_EVERY: Duration = Duration::from_millis(200);

static QUIET: AtomicBool = AtomicBool::new(false);
static RELAYING: AtomicBool = AtomicBool::new(false);
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);
static PRINTER: Mutex<Option<Printer>> = Mutex::new(None);

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

/// The lines of another process's or task's work, shown here.
#[derive(Default)]
pub struct Relayed(HashMap<String, (Progress, u64)>);

impl Relayed {
    /// Shows these pieces of work and no others.
    pub fn show_all(&mut self, states: Vec<State>) {
        self.0.retain(|what, _| states.iter().any(|state| &state.what == what));
        states.into_iter().for_each(|state| self.show(state));
    }

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
/// printed at most every ten seconds, and none at all for work that takes less than a second. Of a background task now
/// and then a line is printed above the prompt.
pub struct Progress {
    what: String,
    unit: String,
    shown: Shown,
}

/// Where a piece of work is shown.
enum Shown {
    Nowhere,
    /// A live line.
    Bar(ProgressBar),
    /// Lines now and then.
    Lines(Mutex<Plain>),
    /// Messages to the process that began this one.
    Relayed(Mutex<Plain>),
    /// With the background task that it is a part of.
    Task(Arc<Task>, Mutex<Plain>),
}

struct Plain {
    started: Instant,
    last: Instant,
    done: u64,
    total: u64,
    note: String,
}

impl Plain {
    fn new(total: u64) -> Mutex<Plain> {
        let now = Instant::now();
        Mutex::new(Plain { started: now, last: now, done: 0, total, note: String::new() })
    }

    /// Whether `pause` has passed since this was last true.
    fn due(&mut self, pause: Duration) -> bool {
        let due = self.last.elapsed() > pause;
        if due {
            self.last = Instant::now();
        }
        due
    }

    fn line(&self, what: &str, unit: &str) -> String {
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64();
        let left = (self.total.saturating_sub(self.done)) as f64 / rate.max(1e-9);
        format!("{what}: {}/{} {unit} ({}/s, {left:.0} s left) {}", self.done, self.total, short(rate), self.note)
    }
}

impl Progress {
    /// Starts a line for `total` pieces of work, counted in `unit` ("images", "rows").
    pub fn new(what: impl Into<String>, total: u64, unit: impl Into<String>) -> Self {
        let (what, unit) = (what.into(), unit.into());
        let task = task::current();
        let shown = if task.as_background().is_some() {
            Shown::Task(task, Plain::new(total))
        } else if QUIET.load(Ordering::Relaxed) {
            Shown::Nowhere
        } else if RELAYING.load(Ordering::Relaxed) {
            Shown::Relayed(Plain::new(total))
        } else if !std::io::stderr().is_terminal() {
            Shown::Lines(Plain::new(total))
        } else {
            Shown::Bar(bar(&what, total, &unit))
        };
        Progress { what, unit, shown }
    }

    /// `n` more pieces are done.
    pub fn advance(&self, n: u64) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.inc(n),
            Shown::Lines(plain) => {
                let mut plain = locked(plain);
                plain.done += n;
                if plain.due(Duration::from_secs(10)) {
                    eprintln!("{}", plain.line(&self.what, &self.unit));
                }
            }
            Shown::Relayed(plain) => {
                let mut plain = locked(plain);
                plain.done += n;
                if plain.due(RELAY_EVERY) {
                    Message::Progress(self.state(&plain, false)).say();
                }
            }
            Shown::Task(task, plain) => {
                let mut plain = locked(plain);
                plain.done += n;
                if plain.due(RELAY_EVERY) && task.as_background().is_some_and(|b| b.note(self.state(&plain, false))) {
                    log(&plain.line(&self.what, &self.unit));
                }
            }
        }
    }

    /// Sets the position outright (a resumed training starts in the middle).
    pub fn set(&self, done: u64) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.reset_eta();
            }
            Shown::Lines(plain) | Shown::Relayed(plain) | Shown::Task(_, plain) => locked(plain).done = done,
        }
    }

    /// What stands behind the numbers: `epoch 3/12 loss 41.2 lr 1.2e-3`.
    pub fn note(&self, note: impl Into<String>) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.set_message(note.into()),
            Shown::Lines(plain) | Shown::Relayed(plain) | Shown::Task(_, plain) => locked(plain).note = note.into(),
        }
    }

    fn state(&self, plain: &Plain, finished: bool) -> State {
        State {
            what: self.what.clone(),
            unit: self.unit.clone(),
            done: plain.done,
            total: plain.total,
            note: plain.note.clone(),
            finished,
        }
    }

    /// Removes the live line; the caller prints what should stay.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.shown {
            Shown::Nowhere | Shown::Lines(_) => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Relayed(plain) => Message::Progress(self.state(&locked(plain), true)).say(),
            Shown::Task(task, plain) => {
                let last = self.state(&locked(plain), true);
                let _ = task.as_background().map(|background| background.note(last));
            }
        }
    }
}

fn bar(what: &str, total: u64, unit: &str) -> ProgressBar {
    let mut bars = BARS.lock().unwrap_or_else(|e| e.into_inner());
    let bars = bars.get_or_insert_with(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
    let bar = bars.add(ProgressBar::new(total));
    let template =
        format!("{{prefix:>24.cyan}} {{bar:20.green/black}} {{percent:>3}}% {{rate}} {unit} {{eta:>4}} left {{msg}}");
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{:>6}/s", short(state.per_sec()));
        })
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(what.to_string());
    bar
}

fn locked(plain: &Mutex<Plain>) -> MutexGuard<'_, Plain> {
    plain.lock().unwrap_or_else(|e| e.into_inner())
}

/// A line that stays, on standard error, above any live progress lines or the line that is being typed. One of a
/// background task begins with its name.
pub fn log(line: &str) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    if RELAYING.load(Ordering::Relaxed) {
        return Message::Log(line.to_string()).say();
    }
    match task::current().as_background() {
        Some(background) => above(&format!("{} {line}", background.name.dimmed()), Stream::Error),
        None => above(line, Stream::Error),
    }
}

/// What a script prints: on standard output. While a line is being typed it appears above it, with its task's name.
pub fn print(text: &str) {
    match task::current().as_background() {
        Some(background) if locked_printer().is_some() => {
            above(&format!("{} {text}", background.name.dimmed()), Stream::Output)
        }
        _ => above(text, Stream::Output),
    }
}

/// Where lines go while a line is being typed.
pub type Printer = Box<dyn FnMut(&str) + Send>;

/// Gives what prints above the line that is being typed; `None` once it was read.
pub fn set_printer(printer: Option<Printer>) {
    *locked_printer() = printer;
}

fn locked_printer() -> MutexGuard<'static, Option<Printer>> {
    PRINTER.lock().unwrap_or_else(|e| e.into_inner())
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

fn above(line: &str, stream: Stream) {
    // A closed pipe (`cpsd script ... | head`) must not panic.
    let write = || {
        let _ = match stream {
            Stream::Output => writeln!(std::io::stdout(), "{line}").and_then(|()| std::io::stdout().flush()),
            Stream::Error => writeln!(std::io::stderr(), "{line}"),
        };
    };
    if let Some(printer) = locked_printer().as_mut() {
        return printer(line);
    }
    let bars = BARS.lock().unwrap_or_else(|e| e.into_inner());
    match bars.as_ref() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// A line on standard output; a closed pipe (`cpsd doc | head`) must not panic.
pub fn print_line(text: &str) {
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
