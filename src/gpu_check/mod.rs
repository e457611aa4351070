//! `cpsd gpu-check`: whether this machine's GPU does what the documentation says, as a page for a report.
//!
//! Every check runs in a process of its own, so that one that is killed, hangs or leaves the GPU in a faulty state does not take
//! the others with it. A check is one file and one line of [`CHECKS`].

mod backbones;
mod child;
mod data;
mod environment;
mod heads;
mod optimiser;
mod out_of_memory;
mod page;
mod process_groups;
mod resume;
mod side_by_side;
mod speed;
mod stderr;
mod synchronisation;
mod warnings;

use serde::{Deserialize, Serialize};

pub use child::run;
pub use page::page;

use crate::devices;
use crate::error::{Error, Result};

/// One check.
pub struct Check {
    pub name: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// Seconds after which a part is given up.
    pub limit: u64,
    /// Each has a process of its own.
    pub parts: &'static [&'static str],
    run: fn(part: &str) -> Result<Outcome>,
}

/// The parts of a check that is not divided.
const WHOLE: &[&str] = &[""];

/// All checks, in the order of the page.
pub const CHECKS: &[Check] = &[
    environment::CHECK,
    warnings::CHECK,
    heads::CHECK,
    backbones::CHECK,
    synchronisation::CHECK,
    speed::CHECK,
    optimiser::CHECK,
    out_of_memory::CHECK,
    side_by_side::CHECK,
    process_groups::CHECK,
    resume::CHECK,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    Failed,
    /// It was ended before it had an answer.
    #[serde(rename = "not done in time")]
    Late,
    /// It does not apply to this device.
    Skipped,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
            Verdict::Late => "not done in time",
            Verdict::Skipped => "skipped",
        }
    }
}

/// The result of one check: sentences, and a table if it has rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub verdict: Verdict,
    pub notes: Vec<String>,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Outcome {
    fn new(columns: &[&str]) -> Outcome {
        let columns = columns.iter().map(|name| name.to_string()).collect();
        Outcome { verdict: Verdict::Passed, notes: vec![], columns, rows: vec![] }
    }

    fn skipped(why: &str) -> Outcome {
        Outcome { verdict: Verdict::Skipped, notes: vec![why.into()], ..Outcome::new(&[]) }
    }

    fn failed(why: impl Into<String>) -> Outcome {
        Outcome { verdict: Verdict::Failed, notes: vec![why.into()], ..Outcome::new(&[]) }
    }

    fn late(why: impl Into<String>) -> Outcome {
        Outcome { verdict: Verdict::Late, notes: vec![why.into()], ..Outcome::new(&[]) }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn fail(&mut self, why: impl Into<String>) {
        self.verdict = Verdict::Failed;
        self.notes.push(why.into());
    }

    /// Adds the outcome of another part of the same check.
    fn join(&mut self, other: Outcome) {
        if self.columns.is_empty() {
            self.columns = other.columns;
        }
        self.rows.extend(other.rows);
        let new = other.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>();
        self.notes.extend(new);
        self.verdict = match (self.verdict, other.verdict) {
            (Verdict::Failed, _) | (_, Verdict::Failed) => Verdict::Failed,
            (Verdict::Late, _) | (_, Verdict::Late) => Verdict::Late,
            (Verdict::Passed, _) | (_, Verdict::Passed) => Verdict::Passed,
            (Verdict::Skipped, Verdict::Skipped) => Verdict::Skipped,
        };
    }

    /// Fails with `why` unless `held`.
    fn expect(&mut self, held: bool, why: impl FnOnce() -> String) {
        if !held {
            self.fail(why());
        }
    }
}

/// The check of that name. Errors: an unknown name, with the nearest.
pub fn find(name: &str) -> Result<&'static Check> {
    let names = || CHECKS.iter().map(|check| check.name);
    CHECKS.iter().find(|check| check.name == name).ok_or_else(|| Error::unknown("check", name, names()))
}

impl Check {
    /// Runs a part of the check in this process. One that was asked for on a device that is not there has failed.
    pub fn here(&self, part: &str) -> Outcome {
        let done = match devices::configured() {
            // Its own finding, beside what else is on the machine.
            Err(_) if self.name == environment::CHECK.name => (self.run)(part),
            Err(error) => Err(error),
            Ok(_) => (self.run)(part),
        };
        done.unwrap_or_else(|error| Outcome::failed(said(&error)))
    }
}

/// An error in one line, with its help.
fn said(error: &Error) -> String {
    match &error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message.clone(),
    }
}
