//! The prompt: reading lines, completing, highlighting, and showing values.
//!
//! - `prompt`: evaluates inputs, shows and numbers their values
//! - `commands`: `?word`, `:vars` and the other commands beyond the language
//! - `editor`: rustyline's helper, made of `completion`, `hints` (signatures) and `highlighting`
//! - `context`: the call, map and array that the cursor is in; `texts`: labels and columns of the values in scope
//! - `variable_docs`: `?x` of a variable, `?m` of an imported library
//! - `infer`: the kind of the expression being typed, for completion
//! - `input`: words, strings and brackets up to the cursor
//! - `last_values`: `_` and `_3`
//! - `history`: the history's file, and Ctrl-R
//! - `figures`, `pager`, `terminal`: figures, long output and failures in the terminal

mod commands;
mod completion;
mod context;
pub mod editor;
mod figures;
mod highlighting;
mod hints;
mod history;
mod infer;
mod input;
mod last_values;
mod pager;
mod prompt;
mod terminal;
mod texts;
mod variable_docs;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use colored::Colorize;
use parking_lot::Mutex;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, EventHandler, ExternalPrinter, KeyEvent};

use crate::activity::{console, interrupt};
use crate::cluster::code;
use crate::configuration;
use crate::error::{Error, Result};
use crate::files::{self, policy};
use crate::script::errors::Failure;
use crate::script::session::Session;
use crate::script::tokens;
use crate::{say, say_error};
use editor::Helper;
use prompt::{Prompt, report};
pub use terminal::{rendered, width};

/// The completions at the end of `line`.
pub fn completions(session: &Session, line: &str) -> Vec<String> {
    let mut helper = Helper::default();
    helper.refresh(session);
    let history = rustyline::history::DefaultHistory::new();
    let found = helper.complete(line, line.len(), &rustyline::Context::new(&history));
    found.map(|(_, pairs)| pairs.into_iter().map(|pair| pair.replacement).collect()).unwrap_or_default()
}

/// Runs the prompt until the user leaves it with Ctrl-D or `:quit`. Without a terminal, runs standard input as a script.
///
/// Returns the exit code.
pub fn run(session: &mut Session) -> u8 {
    if !std::io::stdin().is_terminal() {
        return run_piped(session);
    }
    let config =
        Config::builder().completion_type(CompletionType::List).auto_add_history(false).bracketed_paste(true).build();
    let mut editor: Editor<Helper, FileHistory> = match Editor::with_config(config) {
        Ok(editor) => editor,
        Err(error) => {
            say_error!("cpsd: the terminal cannot be used: {error}");
            return 1;
        }
    };
    editor.set_helper(Some(Helper::default()));
    editor.bind_sequence(KeyEvent::from('\r'), EventHandler::Conditional(Box::new(editor::Indent)));
    let history = history::file();
    if let Some(path) = &history {
        let _ = editor.load_history(path);
    }
    let inputs = history::Inputs::default();
    editor.history().iter().for_each(|input| inputs.add(input));
    editor.bind_sequence(KeyEvent::ctrl('R'), EventHandler::Conditional(Box::new(history::Search(inputs.clone()))));
    say!(
        "{} {}  {}",
        "cpsd".bold(),
        env!("CARGO_PKG_VERSION"),
        "?word for help, Tab completes, :help for more, Ctrl-D leaves".dimmed()
    );
    console::set_asker(Some(Box::new(ask)));
    let mut prompt = Prompt::new(session);
    if let Some(file) = startup_file()
        && let Ok(text) = files::read_text(&file)
    {
        // The user's own file.
        tokens::texts(&text).iter().for_each(|text| code::typed(text));
        prompt.evaluate(&text, &file.display().to_string());
        prompt.kept.clear();
        prompt.startup = format!("{}\n", text.trim_end());
        prompt.note_inputs();
    }
    let printer = editor.create_external_printer().ok().map(|printer| Arc::new(Mutex::new(printer)));
    let lock = prompt.session.host.background.lock.clone();
    let mut line_number = 0;
    // Whether the user was told that jobs are running.
    let mut warned = false;
    loop {
        if let Some(helper) = editor.helper_mut() {
            helper.refresh(prompt.session);
        }
        // Background jobs run while a line is typed, and print above it.
        console::set_printer(printer.clone().map(|printer| -> console::Printer {
            Box::new(move |line| {
                let _ = printer.lock().print(format!("{line}\n"));
            })
        }));
        let read = lock.released(|| editor.readline("cpsd> "));
        console::set_printer(None);
        match read {
            Ok(line) => {
                if line.trim().is_empty() {
                    continue;
                }
                let _ = editor.add_history_entry(line.trim_end());
                inputs.add(line.trim_end());
                if let Some(path) = &history {
                    let _ = editor.append_history(path);
                }
                line_number += 1;
                allow_typed(line.trim());
                if commands::run(&mut prompt, line.trim()) == commands::Next::Leave
                    && may_leave(prompt.session, &mut warned)
                {
                    return 0;
                }
                if !commands::is_command(line.trim()) {
                    prompt.evaluate(&line, &format!("line {line_number}"));
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => {
                if may_leave(prompt.session, &mut warned) {
                    return 0;
                }
            }
            Err(error) => {
                // A byte that is not UTF-8, or a resize during the read: reported, and the prompt goes on.
                say_error!("cpsd: {error}");
                if !std::io::stdin().is_terminal() {
                    return 1;
                }
            }
        }
    }
}

/// Asks until the answer is yes or no. Ctrl-C and Ctrl-D mean no.
fn ask(question: &str) -> bool {
    let Ok(mut editor) = rustyline::DefaultEditor::new() else { return false };
    say!("{question}");
    loop {
        match editor.readline("y/n> ").map(|answer| answer.trim().to_lowercase()) {
            Ok(answer) if ["y", "yes"].contains(&answer.as_str()) => return true,
            Ok(answer) if ["n", "no"].contains(&answer.as_str()) => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Scripts may read and write the paths in a line that was typed, and its texts may be shell for a queue.
fn allow_typed(line: &str) {
    let file = [":save ", ":load "].iter().find_map(|command| line.strip_prefix(command));
    let file = file.map(|file| commands::typed_path(file.trim()).to_string_lossy().into_owned());
    let texts = tokens::texts(line);
    texts.iter().for_each(|text| code::typed(text));
    texts.into_iter().chain(file).for_each(|path| policy::allow_typed(&path));
}

/// Whether the prompt may be left. While jobs run, only the second request is granted.
fn may_leave(session: &Session, warned: &mut bool) -> bool {
    let running = session.host.background.running().len();
    if running == 0 || std::mem::replace(warned, true) {
        return true;
    }
    let (they, leave) =
        if running == 1 { ("1 job is", "stops it") } else { (&*format!("{running} jobs are"), "stops them") };
    say_error!("{}", format!("{they} still running; leaving {leave}, with checkpoints. Once more to leave.").yellow());
    false
}

/// That of the setting `startup`, or `cpsd/startup.rhai` under the user's configuration folder: run before the first prompt.
fn startup_file() -> Option<PathBuf> {
    if let Some(path) = configuration::path("startup") {
        return Some(path);
    }
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("cpsd/startup.rhai"))
}

/// So many bytes of script are read from standard input.
const LONGEST_INPUT: u64 = 256 << 20;

/// All of standard input, which may come late or never. Errors: not UTF-8; too long; Interrupted.
fn standard_input() -> Result<String> {
    let (send, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = std::io::stdin().take(LONGEST_INPUT + 1).read_to_string(&mut text);
        let _ = send.send(read.map(|_| text));
    });
    loop {
        match read.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(text)) if text.len() as u64 > LONGEST_INPUT => {
                return Err(Error::data(format!("standard input has more than {} MB", LONGEST_INPUT >> 20)));
            }
            Ok(read) => return read.map_err(|e| Error::data(format!("standard input cannot be read: {e}"))),
            Err(mpsc::RecvTimeoutError::Timeout) => interrupt::check()?,
            Err(_) => return Err(Error::internal("the thread that read standard input ended")),
        }
    }
}

fn run_piped(session: &mut Session) -> u8 {
    let outcome = standard_input().map_err(Failure::plain);
    match outcome.and_then(|text| session.eval(files::without_mark(&text), "standard input")) {
        Ok(_) => 0,
        Err(failure) => {
            report(&failure);
            if failure.interrupted() { 130 } else { failure.exit.map_or(1, |c| c as u8) }
        }
    }
}
