//! The prompt: reading lines, completing, highlighting, and showing values.
//!
//! - `editor`: rustyline's helper: completion, highlighting, when input is complete
//! - `receivers`: of what kind an expression is that is being typed; `hints`: the signature behind the cursor
//! - `scan`: words, strings and brackets of a line that is being typed
//! - `history`: Ctrl-R
//! - `figures`, `paging`: figures and long output in the terminal
//! - `commands`: `:vars`, `?word` and the other things that are not the language

mod commands;
pub mod editor;
mod figures;
mod hints;
mod history;
mod paging;
mod receivers;
mod scan;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use colored::Colorize;
use rhai::Dynamic;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, EventHandler, ExternalPrinter, KeyEvent};

use crate::activity::console;
use crate::plots::Figure;
use crate::script::errors::Failure;
use crate::script::session::Session;
use crate::script::show;
use editor::Helper;

/// Columns of the terminal, 100 where there is none.
pub fn width() -> usize {
    // A pseudo-terminal that nobody gave a size says 0.
    comfy_table::Table::new()
        .width()
        .map(usize::from)
        .filter(|width| *width > 0)
        .map_or(100, |width| width.clamp(40, 200))
}

/// What Tab offers at the end of `line`, as it would be put there.
pub fn completions(session: &Session, line: &str) -> Vec<String> {
    let mut helper = Helper::new();
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
            eprintln!("cpsd: the terminal cannot be used: {error}");
            return 1;
        }
    };
    editor.set_helper(Some(Helper::new()));
    editor.bind_sequence(KeyEvent::from('\r'), EventHandler::Conditional(Box::new(editor::Indent)));
    let history = history_file();
    if let Some(path) = &history {
        let _ = editor.load_history(path);
    }
    let inputs = history::Inputs::default();
    editor.history().iter().for_each(|input| inputs.add(input));
    editor.bind_sequence(KeyEvent::ctrl('R'), EventHandler::Conditional(Box::new(history::Search(inputs.clone()))));
    println!(
        "{} {}  {}",
        "cpsd".bold(),
        env!("CARGO_PKG_VERSION"),
        "?word for help, Tab completes, :help for more, Ctrl-D leaves".dimmed()
    );
    let mut prompt = Prompt { session, kept: vec![], failure: None, numbered: 0, figures: figures::Mode::Auto };
    if let Some(file) = startup_file() {
        if let Ok(text) = std::fs::read_to_string(&file) {
            prompt.evaluate(&text, &file.display().to_string());
            prompt.kept.clear();
        }
    }
    let printer = editor.create_external_printer().ok().map(|printer| Arc::new(Mutex::new(printer)));
    let lock = prompt.session.host.background.lock.clone();
    let mut line_number = 0;
    // The user was told that jobs are running, and asked to leave all the same.
    let mut warned = false;
    loop {
        if let Some(helper) = editor.helper_mut() {
            helper.refresh(prompt.session);
        }
        // Background jobs have their turns while a line is typed, and print above it.
        console::set_printer(printer.clone().map(|printer| -> console::Printer {
            Box::new(move |line| {
                let _ = printer.lock().unwrap_or_else(|e| e.into_inner()).print(format!("{line}\n"));
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
                // A byte that is not UTF-8, a resize in mid-read: say it, and go on.
                eprintln!("cpsd: {error}");
                if !std::io::stdin().is_terminal() {
                    return 1;
                }
            }
        }
    }
}

/// Whether the prompt may be left: with jobs under way only when asked twice.
fn may_leave(session: &Session, warned: &mut bool) -> bool {
    let running = session.host.background.running().len();
    if running == 0 || std::mem::replace(warned, true) {
        return true;
    }
    let (they, leave) =
        if running == 1 { ("1 job is", "stops it") } else { (&*format!("{running} jobs are"), "stops them") };
    eprintln!("{}", format!("{they} still running; leaving {leave}, with checkpoints. Once more to leave.").yellow());
    false
}

/// An input that worked.
struct Entry {
    code: String,
    /// The number that its value was shown under, if it was: it became `ans`, and `ans_3`.
    shown: Option<usize>,
}

/// What the prompt knows beyond the session.
struct Prompt<'s> {
    session: &'s mut Session,
    /// Inputs that worked, in order.
    kept: Vec<Entry>,
    /// The last failure, rendered.
    failure: Option<String>,
    /// How many values were shown.
    numbered: usize,
    figures: figures::Mode,
}

impl Prompt<'_> {
    /// Evaluates one input and shows its value, which `ans` (also written `_`) and `ans_3` (`_3`) then hold; a `;` at the
    /// end silences it.
    fn evaluate(&mut self, line: &str, name: &str) {
        let line = editor::with_ans(line);
        let outcome = self.session.eval(&line, name);
        self.take(line, outcome);
    }

    /// Shows what an input gave.
    fn take(&mut self, line: String, outcome: Result<Dynamic, Failure>) {
        match outcome {
            Ok(value) => {
                let silent = value.is_unit() || line.trim_end().ends_with(';');
                let shown = (!silent).then(|| self.show(value));
                self.kept.push(Entry { code: line, shown });
            }
            Err(failure) => self.report(&failure),
        }
    }

    /// Shows a value under the next number.
    fn show(&mut self, value: Dynamic) -> usize {
        self.numbered += 1;
        let mark = format!("_{}", self.numbered).dimmed();
        let text = show::show(&value);
        match text.contains('\n') {
            false => paging::print(&format!("{mark} {text}")),
            true => paging::print(&format!("{mark}\n{text}")),
        }
        if let Some(figure) = value.read_lock::<Figure>() {
            match figures::show(&figure, self.figures, width()) {
                Ok(line) => println!("{}", line.dimmed()),
                Err(error) => eprintln!("{error}"),
            }
        }
        self.session.scope.set_or_push(format!("ans_{}", self.numbered), value.clone());
        self.session.scope.set_or_push("ans", value);
        self.numbered
    }

    fn report(&mut self, failure: &Failure) {
        // A stop is no error to look at again.
        if !failure.interrupted() && failure.exit.is_none() {
            self.failure = Some(rendered(failure));
        }
        report(failure);
    }
}

/// `$CPSD_STARTUP`, or `cpsd/startup.rhai` under the user's configuration folder: run before the first prompt.
fn startup_file() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CPSD_STARTUP") {
        return Some(PathBuf::from(path));
    }
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("cpsd/startup.rhai"))
}

fn report(failure: &Failure) {
    if failure.interrupted() {
        eprintln!("{}", "interrupted; variables are kept, and the same call goes on from there".yellow());
    } else if let Some(code) = failure.exit {
        eprintln!("exit({code}) ends a script; Ctrl-D leaves the prompt");
    } else {
        eprint!("{}", rendered(failure));
    }
}

fn rendered(failure: &Failure) -> String {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    failure.render(colour, width())
}

fn run_piped(session: &mut Session) -> u8 {
    let mut text = String::new();
    if let Err(error) = std::io::Read::read_to_string(&mut std::io::stdin(), &mut text) {
        eprintln!("cpsd: standard input cannot be read: {error}");
        return 1;
    }
    match session.eval(&text, "standard input") {
        Ok(_) => 0,
        Err(failure) => {
            report(&failure);
            if failure.interrupted() { 130 } else { failure.exit.map_or(1, |c| c as u8) }
        }
    }
}

/// `$CPSD_HISTORY`, or `cpsd/history` under the user's data folder.
fn history_file() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CPSD_HISTORY") {
        return Some(PathBuf::from(path));
    }
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))?;
    let folder = data.join("cpsd");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
