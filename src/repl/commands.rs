//! What is typed at the prompt and is not the language: `?word` and `:commands`.

use colored::Colorize;

use crate::script::session::Session;
use crate::script::{docs, show};

#[derive(PartialEq, Eq)]
pub enum Next {
    Stay,
    Leave,
}

/// One line a command: how it is written, and what it does.
const COMMANDS: &[(&str, &str)] = &[
    ("?word", "the documentation of a word, a kind of value or a library"),
    ("?", "all words"),
    (":vars", "the variables and what they hold"),
    (":type EXPR", "the type of an expression's value"),
    (":time EXPR", "evaluate and say how long it took"),
    (":reset", "forget variables and functions"),
    (":help", "this list"),
    (":quit", "leave, as Ctrl-D does"),
];

/// The commands' names, for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next()).filter(|name| name.starts_with(':'))
}

pub fn is_command(line: &str) -> bool {
    line.starts_with('?') || line.starts_with(':')
}

/// Runs the line if it is a command.
pub fn run(session: &mut Session, line: &str) -> Next {
    if let Some(word) = line.strip_prefix('?') {
        let word = word.trim_start_matches('?').trim();
        match docs::doc(if word.is_empty() { None } else { Some(word) }) {
            Ok(text) => println!("{}", text.trim_end()),
            Err(error) => complain(&error.message, error.help.as_deref()),
        }
        return Next::Stay;
    }
    let Some(command) = line.strip_prefix(':') else { return Next::Stay };
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match name {
        "q" | "quit" | "exit" => return Next::Leave,
        "help" | "h" => COMMANDS.iter().for_each(|(usage, what)| println!("  {:<14} {what}", usage.cyan())),
        "vars" => vars(session),
        "reset" => session.reset(),
        "type" => match session.eval(rest, ":type") {
            Ok(value) => println!("{}", show::type_name(&value)),
            Err(failure) => super::report(&failure),
        },
        "time" => {
            let started = std::time::Instant::now();
            super::evaluate(session, rest, ":time");
            println!("{}", format!("{:.3} s", started.elapsed().as_secs_f64()).dimmed());
        }
        _ => {
            let near = crate::error::nearest(line, names());
            complain(&format!("there is no command :{name}"), near.map(|n| format!("did you mean {n}?")).as_deref());
        }
    }
    Next::Stay
}

fn vars(session: &Session) {
    for name in session.variable_names() {
        let Some(value) = session.scope.get(&name) else { continue };
        let text = show::show(value);
        let line = text.lines().next().unwrap_or_default();
        let short: String = line.chars().take(80).collect();
        let more = if short.len() < text.len() { " ..." } else { "" };
        println!("  {:<16} {:<12} {short}{}", name.cyan(), show::type_name(value).dimmed(), more.dimmed());
    }
    for signature in session.function_signatures() {
        println!("  {:<16} {}", signature.cyan(), "function".dimmed());
    }
}

fn complain(message: &str, help: Option<&str>) {
    match help {
        Some(help) => eprintln!("{message}: {help}"),
        None => eprintln!("{message}"),
    }
}
