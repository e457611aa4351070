//! How the process ends: exit codes, and failures on standard error.

use colored::Colorize;
use cpsd::repl;
use cpsd::say_error;
use cpsd::script::errors::Failure;

pub const DONE: u8 = 0;
pub const FAILED: u8 = 1;
pub const BAD_COMMAND_LINE: u8 = 2;
pub const INTERRUPTED: u8 = 130;

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
        say_error!("{}", "interrupted; finished work is kept, and the same command goes on from there".yellow());
        return INTERRUPTED;
    }
    say_error!("{}", repl::rendered(failure).trim_end());
    FAILED
}
