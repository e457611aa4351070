//! Calls that only print something known: they are answered before libtorch is initialised, which would take ten times as long.
//!
//! Nothing here may ask libtorch, not even whether there is a GPU, nor `std::env::args`, which has nothing yet.

use std::ffi::OsString;
use std::panic;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use cpsd::activity::console;
use cpsd::primitives;

use super::{completions, doc, words};
use crate::{Cli, Command, help_of_script, leave, permissions_first};

/// Answers the call and ends the program, or returns: then all goes on as usual.
pub fn answer_or_go_on(given: Vec<OsString>) {
    let is_asked = completions::is_asked();
    let speaks = |word: &OsString| ["help", "--help", "-h", "doc", "completions"].iter().any(|other| word == other);
    if !is_asked && !given.iter().skip(1).any(speaks) {
        return;
    }
    // As the start of every Rust program, which has not come yet: a reader that left is an error of writing, and no signal.
    // SAFETY: no other thread runs, and the handler is one of the system's.
    let pipe = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // A panic would be a fault; the usual way reports it, if it has it too.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let code = panic::catch_unwind(|| if is_asked { completed(&given) } else { printed(given) }).unwrap_or_default();
    panic::set_hook(hook);
    if let Some(code) = code {
        leave(code);
    }
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGPIPE, pipe) };
}

/// The candidates that a shell asks for. Arguments of scripts need a session.
fn completed(given: &[OsString]) -> Option<u8> {
    match completions::is_behind_script(&Cli::command(), given) {
        true => None,
        false => completions::answer(given, Cli::command),
    }
}

/// The help of commands, the documentation of words, the scripts of shells. Errors are left to the usual way.
fn printed(given: Vec<OsString>) -> Option<u8> {
    let called = given.first().cloned();
    let words = words::with_script(&Cli::command(), permissions_first(given.into_iter())).map(help_of_script).ok()?;
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(told) if told.kind() == ErrorKind::DisplayHelp => {
            console::note_output(&told.print());
            return u8::try_from(told.exit_code()).ok();
        }
        Err(_) => return None,
    };
    if cli.version {
        return None;
    }
    match &cli.command {
        Some(Command::Doc(args)) => {
            primitives::install();
            let text = doc::printed(args)?;
            // For its warnings.
            cli.configure().ok()?;
            console::print_line(&text);
            Some(super::exit::DONE)
        }
        Some(Command::Completions(args)) => completions::script(args, called).ok(),
        _ => None,
    }
}
