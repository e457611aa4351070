//! How the process ends: exit codes, and failures on standard error.

use colored::Colorize;
use cpsd::error::ErrorKind;
use cpsd::repl;
use cpsd::say_error;
use cpsd::script::errors::Failure;

pub const DONE: u8 = 0;
pub const FAILED: u8 = 1;
pub const BAD_COMMAND_LINE: u8 = 2;
/// The work is in a cluster's queue, and the same command later takes its results: EX_TEMPFAIL of sysexits.h.
pub const QUEUED: u8 = 75;
pub const INTERRUPTED: u8 = 130;

/// Every code and what it means. `cpsd --help` and the manual page have this list, and docs/command-line.md the same.
pub const CODES: [(u8, &str); 5] = [
    (DONE, "done"),
    (FAILED, "failed: standard error says why; a check or a test that finds something fails too"),
    (BAD_COMMAND_LINE, "the command line is wrong; nothing was run"),
    (QUEUED, "the work is in a cluster's queue; the same command later takes its results"),
    (INTERRUPTED, "interrupted; finished trainings are kept, and the same command goes on from there"),
];

/// The end of `cpsd --help`.
pub fn help() -> String {
    let lines = CODES.iter().map(|(code, meaning)| format!("{code:>5}  {meaning}\n"));
    format!("Exit codes:\n{}\nA script chooses its own with exit(CODE).", lines.collect::<String>())
}

/// The exit code of an outcome. A failure is printed.
pub fn code(outcome: Result<u8, Failure>) -> u8 {
    outcome.unwrap_or_else(|failure| fail(&failure))
}

/// Prints the failure on standard error and returns its exit code.
pub fn fail(failure: &Failure) -> u8 {
    if let Some(code) = failure.exit {
        return code as u8;
    }
    if failure.interrupted() {
        let kept = "finished work is kept, and the same command goes on from there";
        say_error!("{}", failure.interruption(kept, "").yellow());
        return INTERRUPTED;
    }
    say_error!("{}", repl::rendered(failure).trim_end());
    if failure.kind == ErrorKind::Queued { QUEUED } else { FAILED }
}
