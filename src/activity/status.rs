//! Lines about work that goes on elsewhere: redrawn in place on a terminal, printed when they change elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::sink::Piece;
use super::update::ProgressUpdate;
use super::visible::visible;
use super::{Activity, console};

/// The least time between two printed lines.
const PRINT_EVERY: Duration = Duration::from_secs(30);

/// A line of text, and further ones on a terminal.
pub struct Status {
    what: String,
    shown: Shown,
}

enum Shown {
    Nowhere,
    Live(Mutex<Vec<ProgressBar>>),
    /// Printed when it changes.
    Lines(Mutex<Printed>),
    /// Updates of the sink.
    Sunk(Piece),
    /// Recorded with its background activity, and printed when it changes, or shown by the sink.
    Background(Arc<Activity>, Mutex<Printed>, Option<Piece>),
}

#[derive(Default)]
struct Printed {
    line: String,
    at: Option<Instant>,
}

impl Printed {
    /// Whether `line` is to be printed now.
    fn is_due(&mut self, line: &str) -> bool {
        let due = line != self.line && self.at.is_none_or(|at| at.elapsed() >= PRINT_EVERY);
        if due {
            *self = Printed { line: line.to_string(), at: Some(Instant::now()) };
        }
        due
    }
}

impl Status {
    /// Begins the display of a piece of work.
    pub fn new(what: impl Into<String>) -> Status {
        let activity = super::current();
        let shown = if activity.as_background().is_some() {
            Shown::Background(activity, Mutex::default(), Piece::begin().filter(|_| !console::is_quiet()))
        } else if console::is_quiet() {
            Shown::Nowhere
        } else if let Some(piece) = Piece::begin() {
            Shown::Sunk(piece)
        } else if console::is_relaying() || !std::io::stderr().is_terminal() {
            Shown::Lines(Mutex::default())
        } else {
            Shown::Live(Mutex::default())
        };
        Status { what: what.into(), shown }
    }

    /// Whether further lines are shown.
    pub fn is_live(&self) -> bool {
        matches!(self.shown, Shown::Live(_))
    }

    /// Shows that `done` of `total` are done, `line`, and on a terminal `more` lines.
    pub fn show(&self, done: usize, total: usize, line: &str, more: &[String]) {
        let printed = || format!("{}: {line}", self.what);
        match &self.shown {
            Shown::Nowhere => {}
            Shown::Live(bars) => {
                let mut bars = bars.lock();
                while bars.len() < 1 + more.len() {
                    let prefix = if bars.is_empty() { visible(&self.what).into_owned() } else { String::new() };
                    bars.push(bar(prefix));
                }
                bars.drain(1 + more.len()..).for_each(|bar| bar.finish_and_clear());
                for (bar, line) in bars.iter().zip(std::iter::once(line).chain(more.iter().map(String::as_str))) {
                    bar.set_message(visible(line).into_owned());
                }
            }
            Shown::Lines(last) => {
                if last.lock().is_due(line) {
                    console::log(&printed());
                }
            }
            Shown::Sunk(piece) => piece.show(self.update(done, total, line, false)),
            Shown::Background(activity, last, piece) => {
                if let Some(background) = activity.as_background() {
                    background.note(self.update(done, total, line, false));
                    if let Some(piece) = piece {
                        piece.show(self.update(done, total, line, false));
                    } else if !background.is_watched() && last.lock().is_due(line) {
                        console::log(&printed());
                    }
                }
            }
        }
    }

    fn update(&self, done: usize, total: usize, line: &str, finished: bool) -> ProgressUpdate {
        let (what, unit, note) = (self.what.clone(), "tasks".to_string(), line.to_string());
        ProgressUpdate { what, unit, done: done as u64, total: total as u64, note, finished, stopped: false }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        match &self.shown {
            Shown::Nowhere | Shown::Lines(_) => {}
            Shown::Live(bars) => bars.lock().iter().for_each(ProgressBar::finish_and_clear),
            Shown::Sunk(piece) => piece.show(self.update(0, 0, "", true)),
            Shown::Background(activity, _, piece) => {
                let last = self.update(0, 0, "", true);
                if let Some(piece) = piece {
                    piece.show(last.clone());
                }
                let _ = activity.as_background().map(|background| background.note(last));
            }
        }
    }
}

fn bar(prefix: String) -> ProgressBar {
    let bar = console::live_lines(|lines| lines.add(ProgressBar::new(0)));
    bar.set_style(
        ProgressStyle::with_template("{prefix:>24.cyan} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_prefix(prefix);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_when_it_changes_and_not_often() {
        let mut printed = Printed::default();
        assert!(printed.is_due("1 of 3"));
        assert!(!printed.is_due("2 of 3"));
        printed.at = Instant::now().checked_sub(PRINT_EVERY);
        if printed.at.is_some() {
            assert!(!printed.is_due("1 of 3"));
            assert!(printed.is_due("3 of 3"));
        }
    }
}
