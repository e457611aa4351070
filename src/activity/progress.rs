//! Progress of long work on standard error: a live line on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::message::Message;
use super::sink::Piece;
use super::update::ProgressUpdate;
use super::visible::visible;
use super::{Activity, console, width};
use crate::say_error;

/// Between two lines where there is no terminal, and in a log with dates.
const LINE_EVERY: Duration = Duration::from_secs(10);
const DATED_LINE_EVERY: Duration = Duration::from_secs(30);
/// How often updates are sent to a parent process or recorded with a background activity.
const RELAY_EVERY: Duration = Duration::from_millis(200);

/// In a terminal of fewer columns a live line is short.
const WIDE: usize = 120;

/// Shows the progress of another process or activity.
#[derive(Default)]
pub struct Relayed(HashMap<String, (Progress, u64)>);

impl Relayed {
    /// Shows these pieces of work and no others.
    pub fn show_all(&mut self, updates: Vec<ProgressUpdate>) {
        self.0.retain(|what, _| updates.iter().any(|update| &update.what == what));
        updates.into_iter().for_each(|update| self.show(update));
    }

    pub fn show(&mut self, update: ProgressUpdate) {
        if update.finished {
            // Of a piece that others show, they say how it ended.
            if let Some((line, done)) = self.0.get(&update.what) {
                line.advance(update.done.saturating_sub(*done));
                line.ended(if update.stopped { End::Stopped } else { End::Whole });
            }
            self.0.remove(&update.what);
            return;
        }
        let (line, done) = self.0.entry(update.what.clone()).or_insert_with(|| {
            let line = Progress::new(update.what, update.total, update.unit);
            line.set(update.done);
            line.ended(End::Unknown);
            (line, update.done)
        });
        line.advance(update.done.saturating_sub(*done));
        *done = update.done;
        line.note(update.note);
    }
}

/// The progress of one piece of work: its position, its rate and the time left.
///
/// On a terminal a live line is redrawn in place, several below each other. Elsewhere a line is printed every ten
/// seconds at most, every thirty in a [log with dates](console::date_lines). For a background activity a line is printed above the prompt from time to time.
pub struct Progress {
    what: String,
    unit: String,
    shown: Shown,
    end: Mutex<End>,
}

/// What the end of a piece of work means.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It was stopped, unless all of it is done.
    Unsaid,
    Whole,
    Stopped,
    /// Of another process: its last position may not have come.
    Unknown,
}

/// The display of a piece of work.
enum Shown {
    Nowhere,
    /// A live line.
    Bar(ProgressBar),
    /// Lines from time to time.
    Lines(Mutex<Plain>),
    /// Messages to the parent process.
    Relayed(Mutex<Plain>),
    /// Updates of the sink.
    Sunk(Piece, Mutex<Plain>),
    /// Recorded with its background activity; updates of the sink too, if there is one.
    Background(Arc<Activity>, Mutex<Plain>, Option<Piece>),
}

struct Plain {
    started: Instant,
    last: Instant,
    /// Where it began, of which the rate is none.
    from: u64,
    done: u64,
    total: u64,
    note: String,
}

impl Plain {
    fn new(total: u64) -> Mutex<Plain> {
        let now = Instant::now();
        Mutex::new(Plain { started: now, last: now, from: 0, done: 0, total, note: String::new() })
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
        let rate = self.done.saturating_sub(self.from) as f64 / self.started.elapsed().as_secs_f64();
        let left = match left_of(self.total.saturating_sub(self.done), rate) {
            left if left.is_empty() => left,
            left => format!(", {left}"),
        };
        format!("{what}: {}/{} {unit} ({}/s{left}) {}", self.done, self.total, short(rate), self.note)
    }
}

impl Progress {
    /// Starts the display of `total` units of work ("images", "rows").
    pub fn new(what: impl Into<String>, total: u64, unit: impl Into<String>) -> Self {
        let (what, unit) = (what.into(), unit.into());
        let activity = super::current();
        let shown = if activity.as_background().is_some() {
            Shown::Background(activity, Plain::new(total), Piece::begin().filter(|_| !console::is_quiet()))
        } else if console::is_quiet() {
            Shown::Nowhere
        } else if let Some(piece) = Piece::begin() {
            Shown::Sunk(piece, Plain::new(total))
        } else if console::is_relaying() {
            Shown::Relayed(Plain::new(total))
        } else if console::is_dated() || !std::io::stderr().is_terminal() {
            Shown::Lines(Plain::new(total))
        } else {
            Shown::Bar(bar(&what, total, &unit))
        };
        let progress = Progress { what, unit, shown, end: Mutex::new(End::Unsaid) };
        progress.sink(false);
        progress
    }

    /// Shows the sink where it is.
    fn sink(&self, finished: bool) {
        if let Shown::Sunk(piece, plain) | Shown::Background(_, plain, Some(piece)) = &self.shown {
            let update = self.update(&plain.lock(), finished);
            piece.show(update);
        }
    }

    /// Adds `n` finished units.
    pub fn advance(&self, n: u64) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.inc(n),
            Shown::Lines(plain) => {
                let mut plain = plain.lock();
                plain.done += n;
                match console::is_dated() {
                    true if plain.due(DATED_LINE_EVERY) => console::warn(&plain.line(&self.what, &self.unit)),
                    false if plain.due(LINE_EVERY) => say_error!("{}", plain.line(&self.what, &self.unit)),
                    _ => {}
                }
            }
            Shown::Relayed(plain) => {
                let mut plain = plain.lock();
                plain.done += n;
                if plain.due(RELAY_EVERY) {
                    Message::Progress(self.update(&plain, false)).send();
                }
            }
            Shown::Sunk(piece, plain) => {
                let mut plain = plain.lock();
                plain.done += n;
                if plain.due(RELAY_EVERY) {
                    piece.show(self.update(&plain, false));
                }
            }
            Shown::Background(activity, plain, piece) => {
                let mut plain = plain.lock();
                plain.done += n;
                if !plain.due(RELAY_EVERY) {
                    return;
                }
                let is_due = activity.as_background().is_some_and(|b| b.note(self.update(&plain, false)));
                match piece {
                    Some(piece) => piece.show(self.update(&plain, false)),
                    None if is_due => console::log(&plain.line(&self.what, &self.unit)),
                    None => {}
                }
            }
        }
    }

    /// Sets the position (a resumed training starts in the middle).
    pub fn set(&self, done: u64) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.reset_eta();
            }
            Shown::Lines(plain) | Shown::Relayed(plain) | Shown::Sunk(_, plain) | Shown::Background(_, plain, _) => {
                let mut plain = plain.lock();
                if plain.done == 0 {
                    plain.from = done;
                }
                plain.done = done;
            }
        }
        self.sink(false);
    }

    /// Sets the text behind the numbers: `epoch 3/12 loss 41.2 lr 1.2e-3`.
    pub fn note(&self, note: impl Into<String>) {
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Bar(bar) => bar.set_message(visible(&note.into()).into_owned()),
            Shown::Lines(plain) | Shown::Relayed(plain) | Shown::Sunk(_, plain) | Shown::Background(_, plain, _) => {
                plain.lock().note = note.into()
            }
        }
    }

    fn update(&self, plain: &Plain, finished: bool) -> ProgressUpdate {
        ProgressUpdate {
            what: self.what.clone(),
            unit: self.unit.clone(),
            done: plain.done,
            total: plain.total,
            note: plain.note.clone(),
            finished,
            stopped: finished && self.is_stopped(plain),
        }
    }

    fn is_stopped(&self, plain: &Plain) -> bool {
        match *self.end.lock() {
            End::Unsaid => plain.done < plain.total,
            End::Stopped => true,
            End::Whole => false,
            End::Unknown => plain.done > 0 && plain.done < plain.total,
        }
    }

    fn ended(&self, end: End) {
        *self.end.lock() = end;
    }

    /// Removes the live line. The work is done, whatever its position.
    pub fn finish(self) {
        self.ended(End::Whole);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.sink(true);
        match &self.shown {
            Shown::Nowhere | Shown::Lines(_) | Shown::Sunk(..) => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Relayed(plain) => Message::Progress(self.update(&plain.lock(), true)).send(),
            Shown::Background(activity, plain, _) => {
                let last = self.update(&plain.lock(), true);
                let _ = activity.as_background().map(|background| background.note(last));
            }
        }
    }
}

fn bar(what: &str, total: u64, unit: &str) -> ProgressBar {
    let bar = console::live_lines(|lines| lines.add(ProgressBar::new(total)));
    // A line that is wider than the terminal would leave its rest behind.
    let template = match width::of_errors().is_some_and(|columns| columns < WIDE) {
        true => "{prefix:.cyan} {bar:10.green/black} {percent:>3}% {left} {wide_msg}".to_string(),
        false => {
            format!("{{prefix:>24.cyan}} {{bar:20.green/black}} {{percent:>3}}% {{rate}} {unit} {{left}} {{wide_msg}}")
        }
    };
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{:>6}/s", short(state.per_sec()));
        })
        .with_key("left", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            let units = state.len().unwrap_or(0).saturating_sub(state.pos());
            let _ = write!(w, "{:>11}", left_of(units, state.per_sec()));
        })
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(visible(what).into_owned());
    bar
}

/// The time left of so many units, as a live line says it. Nothing while no rate is known, and at the end, which may take its time.
fn left_of(units: u64, rate: f64) -> String {
    if units > 0 && rate > 0.0 { format!("{} left", time(units as f64 / rate)) } else { String::new() }
}

/// A time in the unit that leaves at least two of it: `<1 s`, `90 s`, `25 min`, `30 h`, `4 d`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "<1 s".into(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// Three significant digits: 7.25, 72.5, 725, 7.3k.
pub fn short(x: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_said_where_it_is_known() {
        assert_eq!(left_of(1, 50.0), "<1 s left");
        assert_eq!(left_of(300, 10.0), "30 s left");
        assert_eq!(left_of(3_600, 2.0), "30 min left");
        assert_eq!(left_of(36_000, 2.0), "5 h left");
        assert_eq!(left_of(864_000, 2.0), "5 d left");
        // At the end, and before the first unit is done.
        assert_eq!((left_of(0, 50.0), left_of(10, 0.0)), (String::new(), String::new()));
        let mut plain = Plain::new(100).into_inner();
        assert!(!plain.line("a", "images").contains("left"), "{}", plain.line("a", "images"));
        plain.started -= Duration::from_secs(10);
        plain.done = 99;
        assert!(plain.line("a", "images").contains("/s, <1 s left)"), "{}", plain.line("a", "images"));
        plain.done = 100;
        assert!(!plain.line("a", "images").contains("left"), "{}", plain.line("a", "images"));
    }
}
