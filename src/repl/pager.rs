//! Long output through a pager.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::activity::visible::visible;
use crate::activity::{console as lines, signals, sink};

static PAGING: AtomicBool = AtomicBool::new(true);

/// Turns paging on or off.
pub fn set(on: bool) {
    PAGING.store(on, Ordering::Relaxed);
}

/// Whether long output is paged.
pub fn on() -> bool {
    PAGING.load(Ordering::Relaxed)
}

/// Prints a text. On a terminal, one longer than the screen goes through `$PAGER`, or less.
pub fn print(text: &str) {
    if sink::is_set() {
        return lines::print_line(text);
    }
    let text = &*if std::io::stdout().is_terminal() { visible(text) } else { text.into() };
    let rows = usize::from(console::Term::stdout().size().0);
    let long = text.lines().count() + 2 > rows;
    let able = std::env::var("TERM").is_ok_and(|term| term != "dumb");
    if !(on() && long && able && rows > 0 && std::io::stdout().is_terminal() && signals::lend_terminal(|| page(text))) {
        lines::print_line(text);
    }
}

/// Shows a text in the pager. Returns whether that worked.
fn page(text: &str) -> bool {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty()).unwrap_or_else(|| "less".into());
    // As git does: colours pass, and a text that fits stays on the screen.
    let less = std::env::var("LESS").unwrap_or_else(|_| "FRX".into());
    let child = Command::new("sh").args(["-c", &pager]).env("LESS", less).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut input) = child.stdin.take() {
        // A pager that is left early closes its end: no failure.
        let _ = input.write_all(text.as_bytes());
    }
    // The shell exits with 127 where there is no such program.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}
