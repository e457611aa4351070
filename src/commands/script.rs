//! `cpsd script`: runs a script, once or for every combination of its arguments, or lists its arguments.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use colored::Colorize;
use cpsd::activity::console::print_line;
use cpsd::error::{Error, nearest};
use cpsd::files::{self, own};
use cpsd::repl;
use cpsd::script::arguments::{self, Arguments};
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;

use super::exit;
use super::permissions::Typed;
use cpsd::say_error;

/// Run a script, as `cpsd FILE` does too; `cpsd script FILE --help` lists its arguments
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// Once for every combination of arguments that are lists: k=2,3 seed=0,1 makes four, xs=[1,2],[3] two
    #[arg(long)]
    multirun: bool,
    /// The script; - reads it from standard input
    file: PathBuf,
    /// key=value arguments of the script, or --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Args {
    /// What the person typed: the script, and arguments whose values may be paths.
    pub fn typed(&self) -> Typed<'_> {
        let values = self.arguments.iter().filter_map(|word| word.split_once('=')).map(|(_, value)| value);
        // A list of values, for --multirun or the script.
        let paths = values.flat_map(|value| std::iter::once(value).chain(arguments::parts(value))).map(str::to_string);
        let script = (!is_standard_input(&self.file)).then_some(&*self.file);
        Typed { script, paths: paths.collect() }
    }
}

pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let run = if args.multirun { multiple } else { once };
    if !is_standard_input(&args.file)
        && let Some(sentence) = absent("file", &args.file)
    {
        say_error!("cpsd: {sentence}");
        return Ok(exit::BAD_COMMAND_LINE);
    }
    let script = Script::new(&args.file)?;
    run(session, &script, &args.arguments)
}

/// Whether a file of the command line means standard input.
pub fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

/// A sentence about a script that is not there, with the nearest file of its folder; `what` is what could be there.
pub fn absent(what: &str, file: &Path) -> Option<String> {
    if std::fs::symlink_metadata(file).is_ok() || file.try_exists().is_err() {
        return None;
    }
    let name = file.file_name()?.to_string_lossy();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside: Vec<String> =
        own::entries(folder).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let near = nearest(&name, beside.iter().map(String::as_str)).map(|near| file.with_file_name(near));
    let near = near.map(|near| format!("; did you mean \"{}\"?", near.display()));
    Some(format!("there is no {what} \"{}\"{}", file.display(), near.unwrap_or_default()))
}

/// What is no file but can be read once: a pipe, as `<(...)` of a shell makes one, or a device.
fn is_stream(file: &Path) -> bool {
    let kind = std::fs::metadata(file).map(|meta| meta.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device() || kind.is_socket())
}

/// A file, or the text of standard input or another stream, which can be read once.
struct Script<'a> {
    file: &'a Path,
    piped: Option<String>,
}

impl<'a> Script<'a> {
    fn new(file: &'a Path) -> Result<Self, Failure> {
        let piped = if is_standard_input(file) {
            Some(repl::standard_input())
        } else if is_stream(file) {
            files::policy::check_read(file).map_err(Failure::plain)?;
            let path = file.to_path_buf();
            Some(repl::stream(&file.display().to_string(), move || own::open_any(&path)))
        } else {
            None
        };
        Ok(Script { file, piped: piped.transpose().map_err(Failure::plain)? })
    }

    fn name(&self) -> String {
        match is_standard_input(self.file) {
            true => repl::STANDARD_INPUT.into(),
            false => self.file.display().to_string(),
        }
    }

    /// The text, and the `arg("name", default, "help")` calls in it.
    fn declared(&self, session: &Session) -> Result<(String, Arguments), Failure> {
        let text = match &self.piped {
            Some(text) => text.clone(),
            None => files::read_text(self.file).map_err(Failure::plain)?,
        };
        let known = arguments::declared(session, &text, &self.name())?;
        Ok((text, known))
    }
}

fn once(session: &mut Session, script: &Script, words: &[String]) -> Result<u8, Failure> {
    if words.iter().any(|w| w == "--help" || w == "-h") {
        return help(session, script);
    }
    let mut arguments: Vec<(String, String)> = Vec::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            say_error!("cpsd: arguments of a script are key=value; got \"{word}\"");
            return Ok(exit::BAD_COMMAND_LINE);
        };
        let key = key.trim_start_matches('-').to_string();
        if let Some(sentence) = given_twice(&arguments, &key, value) {
            say_error!("cpsd: {sentence}");
            return Ok(exit::BAD_COMMAND_LINE);
        }
        arguments.push((key, value.to_string()));
    }
    // Checked before the script runs, so that a misspelt argument costs no time.
    let known = script.declared(session).ok().map(|(_, known)| known);
    if let Some(unknown) = known.as_ref().and_then(|known| unknown_argument(script, known, &arguments)) {
        say_error!("cpsd: {unknown}");
        return Ok(exit::BAD_COMMAND_LINE);
    }
    let _ = match &script.piped {
        Some(text) => session.run_text(text, &script.name(), &arguments)?,
        None => session.run_file(script.file, &arguments)?,
    };
    let is_literal = |key: &str| known.as_ref().is_some_and(|known| known.declared.iter().any(|d| d.name == key));
    let asked = session.host.asked.borrow();
    for (key, _) in arguments.iter().filter(|(key, _)| !asked.contains(key) && !is_literal(key)) {
        say_error!("cpsd: {} never asked for the argument \"{key}\"", script.name());
    }
    Ok(exit::DONE)
}

/// A sentence about an argument that is among the earlier ones.
pub fn given_twice(earlier: &[(String, String)], key: &str, value: &str) -> Option<String> {
    let (_, before) = earlier.iter().find(|(known, _)| known == key)?;
    Some(format!(
        "argument \"{key}\" is given twice: {key}={before} and {key}={value}; a list is {key}={before},{value}"
    ))
}

/// Runs the script once for each combination of the arguments' values; the last argument changes fastest. The others
/// run on when one fails; an interrupt stops all.
fn multiple(session: &mut Session, script: &Script, words: &[String]) -> Result<u8, Failure> {
    let mut combinations: Vec<Vec<String>> = vec![vec![]];
    for word in words {
        let choices: Vec<String> = match word.split_once('=') {
            Some((key, values)) => arguments::parts(values).into_iter().map(|v| format!("{key}={v}")).collect(),
            None => vec![word.clone()],
        };
        combinations = combinations
            .iter()
            .flat_map(|c| choices.iter().map(|w| [c.as_slice(), std::slice::from_ref(w)].concat()))
            .collect();
    }
    let mut failed = 0;
    for (i, combination) in combinations.iter().enumerate() {
        print_line(&format!("{}", format!("== {}/{} {}", i + 1, combinations.len(), combination.join(" ")).bold()));
        session.reset();
        match exit::code(once(session, script, combination)) {
            exit::DONE => {}
            code @ (exit::INTERRUPTED | exit::BAD_COMMAND_LINE) => return Ok(code),
            _ => failed += 1,
        }
    }
    if failed > 0 {
        say_error!("cpsd: {failed} of {} runs failed", combinations.len());
        return Ok(exit::FAILED);
    }
    Ok(exit::DONE)
}

/// Prints the comment that the script begins with, and its arguments.
fn help(session: &Session, script: &Script) -> Result<u8, Failure> {
    let (text, Arguments { declared, computed }) = script.declared(session)?;
    for line in text.lines().skip_while(|l| l.starts_with("#!")).take_while(|l| l.starts_with("//")) {
        print_line(line.trim_start_matches('/').trim_start_matches('!').trim());
    }
    print_line(&format!("\nUsage: cpsd script {} [key=value ...]", script.file.display()));
    match (computed, declared.is_empty()) {
        (true, true) => print_line("It computes the names of its arguments."),
        (true, false) => print_line("It computes the names of further arguments."),
        (false, true) => print_line("It takes no arguments."),
        (false, false) => {}
    }
    for argument in declared {
        print_line(&format!("  {:<28} {}", format!("{}={}", argument.name.cyan(), argument.default), argument.help));
    }
    Ok(exit::DONE)
}

fn unknown_argument(script: &Script, known: &Arguments, arguments: &[(String, String)]) -> Option<String> {
    // It may be one whose name is not known before the script runs.
    if known.computed {
        return None;
    }
    let (key, _) = arguments.iter().find(|(key, _)| !known.declared.iter().any(|d| &d.name == key))?;
    let error = Error::unknown("argument", key, known.declared.iter().map(|d| d.name.as_str()));
    Some(match error.help {
        Some(help) => format!("{} has no argument \"{key}\"; {help}", script.name()),
        None => format!("{} takes no arguments; got \"{key}\"", script.name()),
    })
}
