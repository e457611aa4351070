//! The prompt: reading lines, completing, highlighting, and showing values.
//!
//! - `prompt`: evaluates inputs, shows and numbers their values
//! - `commands`: `?word`, `:vars` and the other commands beyond the language
//! - `editor`: rustyline's helper, made of `completion`, `hints` (signatures) and `highlighting`
//! - `context`: the call, map and array that the cursor is in; `texts`: labels and columns of the values in scope
//! - `variable_docs`: `?x` of a variable, `?m` of an imported library
//! - `infer`: the kind of the expression being typed, for completion; `local_names`: parameters of closures and variables inside of it
//! - `input`: words, strings and brackets up to the cursor
//! - `last_values`: `_` and `_3`
//! - `history`: the history's file, Up and Down, and Ctrl-R
//! - `piped`: standard input that is no terminal
//! - `programs`: the user's editor; `shell`: commands of the shell
//! - `figures`, `pager`, `terminal`: figures, long output and failures in the terminal

pub(crate) mod commands;
pub(crate) mod completion;
pub(crate) mod context;
pub mod editor;
mod figures;
pub(crate) mod highlighting;
pub(crate) mod hints;
pub(crate) mod history;
pub(crate) mod infer;
pub(crate) mod input;
mod last_values;
mod local_names;
mod pager;
pub(crate) mod piped;
mod programs;
pub(crate) mod prompt;
mod shell;
mod terminal;
mod texts;
mod variable_docs;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use colored::Colorize;
use parking_lot::Mutex;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, EventHandler, ExternalPrinter, KeyCode, KeyEvent, Modifiers};

use crate::activity::console;
use crate::cluster::code;
use crate::configuration;
use crate::error::Result;
use crate::files::{self, policy};
use crate::script::errors::Failure;
use crate::script::session::Session;
use crate::script::tokens;
use crate::torch::library;
use crate::{say, say_error};
use completion::Names;
use editor::Helper;
pub use piped::{STANDARD_INPUT, standard_input, stream};
use prompt::Prompt;
pub use terminal::{rendered, width};

/// What stands before an input.
const PROMPT: &str = "cpsd> ";

/// The completions at the end of `line`.
pub fn completions(session: &Session, line: &str) -> Vec<String> {
    let mut names = Names::default();
    names.refresh(session);
    completions_at(&names, line, line.len()).1
}

/// The completions at a byte of a text, and the byte that they begin at.
pub(crate) fn completions_at(names: &Names, text: &str, at: usize) -> (usize, Vec<String>) {
    let history = rustyline::history::DefaultHistory::new();
    let found = names.complete(text, at, &rustyline::Context::new(&history));
    let found = found.map(|(begin, pairs)| (begin, pairs.into_iter().map(|pair| pair.replacement).collect()));
    found.unwrap_or((at, vec![]))
}

/// Runs the prompt until the user leaves it with Ctrl-D or `exit`. Without a terminal, runs standard input. Returns the exit code.
///
/// Errors: standard input cannot be read, or fails.
pub fn run(session: &mut Session) -> Result<u8, Failure> {
    if !std::io::stdin().is_terminal() {
        return piped::run(session);
    }
    Ok(run_in_terminal(session))
}

/// Inputs that the history keeps.
const HISTORY: usize = 10_000;

fn run_in_terminal(session: &mut Session) -> u8 {
    // Most lines need it, and it is there before one is typed.
    library::load_meanwhile();
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .auto_add_history(false)
        .bracketed_paste(true);
    let config = config.clone().max_history_size(HISTORY).unwrap_or(config).build();
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
    inputs.load(editor.history().iter());
    for (key, step) in [(KeyCode::Up, history::Step::Back), (KeyCode::Down, history::Step::Forward)] {
        let walk = history::Walk(inputs.clone(), step);
        editor.bind_sequence(KeyEvent(key, Modifiers::NONE), EventHandler::Conditional(Box::new(walk)));
    }
    editor.bind_sequence(KeyEvent::ctrl('R'), EventHandler::Conditional(Box::new(history::Search(inputs.clone()))));
    say!(
        "{} {}  {}",
        "cpsd".bold(),
        env!("CARGO_PKG_VERSION"),
        "?word for help, Tab completes, :help for more, Ctrl-D leaves".dimmed()
    );
    console::set_asker(Some(Box::new(ask)));
    let mut prompt = Prompt::new(session);
    start(&mut prompt);
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
        let read = lock.released(|| editor.readline(PROMPT));
        console::set_printer(None);
        match read {
            Ok(line) => {
                if line.trim().is_empty() {
                    continue;
                }
                line_number += 1;
                allow_typed(line.trim());
                // A text of the user's editor comes into the history too.
                let mut keep = |input: &str| {
                    let _ = editor.add_history_entry(input);
                    inputs.add(input);
                    if let Some(path) = &history {
                        let _ = editor.append_history(path);
                    }
                };
                keep(line.trim_end());
                match commands::run(&mut prompt, line.trim()) {
                    commands::Next::Leave if may_leave(prompt.session, &mut warned) => return 0,
                    commands::Next::Leave | commands::Next::Stay => {}
                    commands::Next::Evaluate => {
                        prompt.last = line.trim_end().to_string();
                        prompt.evaluate(&line, &format!("input {line_number}"));
                    }
                }
                if let Some(text) = prompt.edited.take() {
                    keep(text.trim_end());
                    prompt.last = text;
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

/// Runs the user's startup file.
pub(crate) fn start(prompt: &mut Prompt) {
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
pub(crate) fn allow_typed(line: &str) {
    let file = [":save ", ":load ", ":edit "].iter().find_map(|command| line.strip_prefix(command));
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
    configuration::path("startup").or_else(|| configuration::default_path("startup"))
}
