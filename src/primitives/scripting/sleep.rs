//! `sleep`: a wait that Ctrl-C ends.

use std::time::{Duration, Instant};

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "sleep",
    chapter: Chapter::Scripting,
    signatures: &["sleep(seconds)"],
    summary: "Waits so many seconds; Ctrl-C ends it.",
    details: "A tenth of a second is 0.1. Background jobs run meanwhile.",
    options: None,
    examples: &[Example { code: "sleep(0.01); \"awake\"", prints: "awake" }],
    register: |word| {
        // Rhai's own takes i64 and f64, cannot be interrupted, and panics on durations that no clock can count.
        word.form(|call: &Call, seconds: i64| sleep(call, seconds as f64)).form(sleep);
    },
};

/// The longest wait: a year.
const MOST: f64 = 31_536_000.0;

fn sleep(call: &Call, seconds: f64) -> Result<()> {
    let whole = Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= MOST);
    let Some(whole) = whole else {
        return Err(Error::argument(format!("sleep: seconds must be from 0 to {MOST}; got {seconds}")));
    };
    let started = Instant::now();
    call.unlocked(|| {
        while let Some(left) = whole.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            interrupt::check()?;
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
        Ok(())
    })
}
