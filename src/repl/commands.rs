//! The prompt's commands beyond the language: `?word`, `:vars` and the rest of `COMMANDS`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use colored::Colorize;

use super::highlighting::highlight;
use super::prompt::Prompt;
use super::variable_docs::Held;
use super::{figures, last_values, pager, programs, shell, variable_docs};
use crate::activity::{console, interrupt, sink, width};
use crate::configuration::{self, Kind, Listed, SETTINGS, Value};
use crate::error::{Error, Result, cut_names};
use crate::executors::pool;
use crate::files::{self, policy};
use crate::script::errors::Failure;
use crate::script::library_docs::function_source;
use crate::script::modules::STDLIB;
use crate::script::tokens::is_word;
use crate::script::{docs, show, vocabulary};
use crate::{devices, say, say_error};

#[derive(PartialEq, Eq)]
pub enum Next {
    Stay,
    Leave,
    /// It is no command but a text of the language.
    Evaluate,
}

/// One line per command: its usage and its effect.
const COMMANDS: &[(&str, &str)] = &[
    (
        "?word",
        "(also word?) the documentation of a word, a kind of value, a keyword, an option or a member; of a variable its kind, value and members (?x.member: of one); of an imported library its functions (?m::f: of one)",
    ),
    ("??word", "(also word??) the source of a function, a closure or a library, of cpsd or one's own"),
    (
        "?*part*",
        "everything with that part in its name or its line, options too; ?part* and ?*part look at names alone",
    ),
    ("?", "all words"),
    (":doc TOPIC", "as ?word: models, heads, recipes, readings, losses, datasets"),
    (":vars", "the variables and their values"),
    (":type EXPR", "the type of an expression's value"),
    (":time EXPR", "evaluate and show how long it took"),
    (":profile EXPR", "evaluate and show where the time went, line by line, through functions and libraries"),
    (":why", "the last error once more, whole"),
    (":save FILE", "the inputs that worked here, as a script that runs"),
    (":load FILE", "run a script here: its variables and functions stay"),
    (
        ":set NAME VALUE",
        "a setting, for this session: runs DIR, weights DIR, data DIR, libraries DIR, device cpu, threads 2, download on; progress on|off; paging on|off; figures auto|blocks|kitty|iterm|sixel|off; :set alone shows all",
    ),
    (":allow write DIR", "scripts may also write in DIR; :allow read DIR, :allow code; :allow shows what they may do"),
    (
        "!COMMAND",
        "run a command of the shell, as !ls -l; what the session knows, as !done, is of the language. :sh COMMAND is the same",
    ),
    (
        ":edit",
        "open the last input in $VISUAL or $EDITOR, and run what is saved; :edit f: the function f, :edit FILE.rhai: that file",
    ),
    (":reset", "forget variables, functions and imports"),
    ("_, _3", "the last value that was shown, and the third"),
    ("Up, Down", "earlier and later inputs; behind what is typed, those that begin with it"),
    ("Ctrl-R", "find an earlier input by parts of it"),
    (":help", "this list"),
    ("exit, quit", "leave, as Ctrl-D does; also :quit"),
];

/// The commands' names, for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    let listed = COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next()).filter(|name| name.starts_with(':'));
    listed.chain([":sh", ":quit"])
}

pub fn is_command(line: &str) -> bool {
    line.starts_with(['?', ':', '%']) || asked_behind(line).is_some()
}

/// `word?` and `word??`, of IPython, as `?word` and `??word`.
fn asked_behind(line: &str) -> Option<String> {
    let name = line.trim_end_matches('?');
    let marks = &line[name.len()..];
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| is_word(c) || c == '.' || c == ':');
    (is_name && ["?", "??"].contains(&marks)).then(|| format!("{marks}{name}"))
}

/// Commands of IPython, and ours for the same.
const MAGICS: &[(&str, &str)] = &[
    ("time", ":time"),
    ("timeit", ":time"),
    ("prun", ":profile"),
    ("lprun", ":profile"),
    ("run", ":load"),
    ("load", ":load"),
    ("save", ":save"),
    ("history", ":save"),
    ("edit", ":edit"),
    ("who", ":vars"),
    ("whos", ":vars"),
    ("reset", ":reset"),
    ("tb", ":why"),
    ("config", ":set"),
    ("env", ":set"),
    ("pinfo", "?"),
    ("pinfo2", "??"),
    ("sx", "!"),
    ("system", "!"),
    ("bash", "!"),
    ("sh", "!"),
];

/// Commands that evaluate what stands behind them.
const TAKING_CODE: [&str; 3] = [":time", ":profile", ":type"];

/// Why `%time x` does nothing here, with the command that does.
fn no_magic(line: &str) -> Error {
    let magic = line.trim_start_matches('%').trim_start();
    let (name, rest) = magic.split_once(char::is_whitespace).unwrap_or((magic, ""));
    let marks = &line[..line.len() - line.trim_start_matches('%').len()];
    let error = Error::argument(format!("{marks}{name} is no command here"));
    match MAGICS.iter().find(|(magic, _)| *magic == name) {
        // Of a cell, which is timed whole elsewhere, the other lines are not at hand.
        Some((_, ours)) if TAKING_CODE.contains(ours) && (rest.trim().is_empty() || rest.trim().contains('\n')) => {
            error.with_help(format!("{ours} takes one line, as in {ours} f(x)"))
        }
        Some((_, ours)) => {
            let first = rest.trim().lines().next().unwrap_or_default();
            let blank = if ours.starts_with(':') && !first.is_empty() { " " } else { "" };
            error.with_help(format!("write {ours}{blank}{first}"))
        }
        None if ["cd", "pwd"].contains(&name) => error.with_help(stays_here().message),
        None => error.with_help(":help lists the commands, which begin with a colon"),
    }
}

/// Whether a command of the shell does nothing but change the folder: that of the shell, which ends with it.
fn is_change_of_folder(command: &str) -> bool {
    command.split_whitespace().next() == Some("cd") && !command.contains([';', '&', '|', '\n'])
}

fn stays_here() -> Error {
    let folder = std::env::current_dir().unwrap_or_default();
    let text =
        format!("the working folder stays {}: start cpsd in another one, or write paths from here", folder.display());
    Error::argument(text)
}

/// The command of the shell in `!ls -l`. Where the session knows the first word, as in `!done` and `!is_good(x)`, the line is of the
/// language.
pub fn of_shell(line: &str, knows: impl Fn(&str) -> bool) -> Option<&str> {
    let command = line.strip_prefix('!')?.trim();
    let end = command.find(|c| !is_word(c)).unwrap_or(command.len());
    let (word, behind) = command.split_at(end);
    let is_call = behind.starts_with('(') || behind.starts_with("::");
    let begins = |c: char| c.is_alphabetic() || "/.~$_".contains(c);
    (command.starts_with(begins) && !is_call && !["true", "false"].contains(&word) && !knows(word)).then_some(command)
}

/// Whether the line leaves the prompt. A variable or a function of the user's may have such a name.
fn leaves(prompt: &Prompt, line: &str) -> bool {
    let word = line.trim_end_matches(';').trim_end();
    let name = word.strip_suffix("()").unwrap_or(word);
    let is_own = || match word == name {
        true => prompt.session.scope.contains(name),
        false => prompt.session.function_signatures().contains(&word.to_string()),
    };
    ["exit", "quit"].contains(&name) && !is_own()
}

/// Runs the line if it is a command, and says why it failed.
pub fn run(prompt: &mut Prompt, line: &str) -> Next {
    match perform(prompt, line) {
        Ok(next) => next,
        Err(Trouble::Command(error)) => {
            if prompt.piped {
                prompt.code = Some(1);
            }
            complain(&error);
            Next::Stay
        }
        Err(Trouble::Code(failure)) => {
            prompt.report(&failure);
            Next::Stay
        }
    }
}

/// Runs the line if it is a command, for who reports failures himself. Errors: the command's, and those of code that it evaluates.
pub fn attempt(prompt: &mut Prompt, line: &str) -> Result<Next, Failure> {
    perform(prompt, line).map_err(|trouble| match trouble {
        Trouble::Command(error) => Failure::plain(error),
        Trouble::Code(failure) => failure,
    })
}

/// Why a command failed.
enum Trouble {
    /// What it says of itself, in a line.
    Command(Error),
    /// The code that it evaluated, with its place.
    Code(Failure),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Command(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Code(failure)
    }
}

fn perform(prompt: &mut Prompt, line: &str) -> Result<Next, Trouble> {
    if leaves(prompt, line) {
        return Ok(Next::Leave);
    }
    if let Some(command) = of_shell(line, |word| prompt.session.scope.contains(word)) {
        interrupt::clear();
        match prompt.piped {
            true => return Err(refusal("!COMMAND").into()),
            false if is_change_of_folder(command) => return Err(stays_here().into()),
            false => shell::run(command)?,
        }
        return Ok(Next::Stay);
    }
    let turned = asked_behind(line);
    let line = turned.as_deref().unwrap_or(line);
    if line.starts_with('%') {
        return Err(no_magic(line).into());
    }
    if let Some(word) = line.strip_prefix('?') {
        help(prompt, word.trim())?;
        return Ok(Next::Stay);
    }
    let Some(command) = line.strip_prefix(':') else { return Ok(Next::Evaluate) };
    // A stop of the line before does not concern this one.
    interrupt::clear();
    let (name, rest) = command.split_once(' ').map_or((command, ""), |(name, rest)| (name, rest.trim()));
    match name {
        "sh" | "allow" | "edit" if prompt.piped => return Err(refusal(&format!(":{name}")).into()),
        "set" if prompt.piped && rest.starts_with("runs ") => return Err(refusal(":set runs").into()),
        "q" | "quit" | "exit" => return Ok(Next::Leave),
        "help" | "h" => {
            for (usage, what) in COMMANDS {
                say!("  {:<16} {}", usage.cyan(), docs::wrap(what, 19));
            }
        }
        "doc" => print(&document(prompt, rest)?),
        "vars" => vars(prompt),
        "reset" => prompt.reset(),
        "type" | "time" | "profile" if rest.is_empty() => {
            return Err(Error::argument(format!(":{name} needs an expression, as in :{name} f(x)")).into());
        }
        "type" => say!("{}", show::type_name(&prompt.session.eval(rest, ":type")?)),
        "time" => {
            let started = std::time::Instant::now();
            let outcome = prompt.run(rest, ":time");
            say!("{}", format!("{:.3} s", started.elapsed().as_secs_f64()).dimmed());
            outcome?;
        }
        "profile" => time_lines(prompt, rest)?,
        "why" => match &prompt.failure {
            Some(text) => say_error!("{}", text.trim_end()),
            None => say!("nothing has failed yet"),
        },
        "save" => save(prompt, rest)?,
        "load" => load(prompt, rest)?,
        "set" => set(prompt, rest)?,
        "allow" => allow(rest)?,
        "sh" if is_change_of_folder(rest) => return Err(stays_here().into()),
        "sh" => shell::run(rest)?,
        "edit" => edit(prompt, rest)?,
        _ => {
            let near = crate::error::nearest(&format!(":{name}"), names());
            return Err(with_near(format!("there is no command :{name}"), near).into());
        }
    }
    Ok(Next::Stay)
}

/// An error with the nearest right name.
fn with_near(message: String, near: Option<&str>) -> Error {
    let error = Error::argument(message);
    match near {
        Some(near) => error.with_help(format!("did you mean {near}?")),
        None => error,
    }
}

/// What only a person may ask for: a text that is piped may be anybody's.
fn refusal(command: &str) -> Error {
    Error::argument(format!("{command} works at the prompt in a terminal alone, not in what is piped"))
}

/// `?word`, with the first question mark taken off. Errors: an unknown name, with the nearest.
fn help(prompt: &Prompt, word: &str) -> Result<()> {
    match word.strip_prefix('?').filter(|function| !function.is_empty()) {
        Some(function) => print(&source(prompt, function.trim())?),
        None => print(&explained(prompt, word)?),
    }
    Ok(())
}

fn print(text: &str) {
    pager::print(text.trim_end());
}

/// What `?word` shows. Errors: an unknown name, with the nearest.
pub(crate) fn explained(prompt: &Prompt, word: &str) -> Result<String> {
    // A call or a text may stand for its name: ?print(), ?"string".
    let word = word.trim_end_matches(';').trim_end_matches("()").trim_matches('"');
    let variable = variable_docs::variable_text(prompt.session, word);
    let library = || variable_docs::library_text(prompt.session, word);
    if let Some(mut text) = variable.or_else(library) {
        if vocabulary::find(word).is_some() {
            text.push_str(&format!("\n{word} is a word of the language too: :doc {word}\n"));
        }
        return Ok(text);
    }
    if let Some(member) = variable_docs::member(prompt.session, word) {
        return member;
    }
    if let Some(text) = variable_docs::library_function(prompt.session, word) {
        return Ok(signature_and_comment(&text));
    }
    document(prompt, word)
}

/// `:doc word`: the documentation, whatever variable has that name.
fn document(prompt: &Prompt, word: &str) -> Result<String> {
    // A function of the user's, or of an imported library, has its comment.
    let own = || find_source(prompt, word).map(|text| signature_and_comment(&text));
    docs::doc(if word.is_empty() { None } else { Some(word) }).or_else(|error| own().ok_or(error))
}

/// What `??word` shows.
pub(crate) fn source(prompt: &Prompt, word: &str) -> Result<String> {
    if let Some(text) = variable_docs::library_source(prompt.session, word) {
        return Ok(text);
    }
    let held = variable_docs::held_function(prompt.session, word);
    let word = match &held {
        Some(Held::Closure(text)) => return Ok(highlight(text)),
        Some(Held::Function(function)) => function.as_str(),
        None => word,
    };
    let embedded = || STDLIB.iter().find(|(name, _)| *name == word).map(|(_, text)| text.to_string());
    match find_source(prompt, word).or_else(embedded) {
        Some(text) => Ok(highlight(&text)),
        None => match vocabulary::find(word) {
            Some(built_in) => {
                let chapter = format!("{:?}", built_in.chapter).to_lowercase();
                Ok(format!(
                    "{word} is built in: its source is in src/primitives/{chapter}. ?{word} shows its documentation."
                ))
            }
            None => Err(Error::argument(format!("there is no function or library {word} whose source could be shown"))),
        },
    }
}

/// The text of a function: the newest typed here, else of an embedded library, else of a loaded script or library.
fn find_source(prompt: &Prompt, word: &str) -> Option<String> {
    let (library, function) = word.rsplit_once("::").unwrap_or(("", word));
    let texts = prompt.session.sources.all();
    let typed = prompt.kept.iter().rev().map(|entry| entry.code.as_str());
    let of_library = |name: &str| {
        library.is_empty() || name == library || Path::new(name).file_stem().is_some_and(|stem| stem == library)
    };
    let kept = texts.iter().filter(|(name, _)| of_library(name)).map(|(_, text)| text.as_str());
    let embedded = STDLIB.iter().filter(|(name, _)| of_library(name)).map(|(_, text)| *text);
    let own: Vec<&str> = if library.is_empty() { typed.collect() } else { vec![] };
    own.into_iter().chain(embedded).chain(kept).find_map(|text| function_source(text, function))
}

fn signature_and_comment(text: &str) -> String {
    let comment: Vec<&str> = text.lines().filter_map(|l| l.trim_start().strip_prefix("///")).map(str::trim).collect();
    let signature = text.lines().find_map(|l| l.trim_start().strip_prefix("fn ")).unwrap_or_default();
    let signature = signature.split('{').next().unwrap_or_default().trim();
    width::folded(&format!("{}\n    {}", signature.cyan().bold(), comment.join("\n    ")), width::of_text(), 0)
}

fn vars(prompt: &Prompt) {
    // The numbered values would make the list long.
    for name in prompt.session.variable_names().into_iter().filter(|name| !last_values::is_numbered(name)) {
        let Some(value) = prompt.session.scope.get(&name) else { continue };
        say!(
            "  {:<16} {:<12} {}",
            name.cyan(),
            show::type_name(value).dimmed(),
            variable_docs::short(prompt.session, value, 80)
        );
    }
    for signature in prompt.session.function_signatures() {
        say!("  {:<16} {}", signature.cyan(), "function".dimmed());
    }
}

/// Writes the inputs that worked. Errors: no file's name; Io.
fn save(prompt: &Prompt, file: &str) -> Result<()> {
    if file.is_empty() {
        return Err(Error::argument(":save needs a file's name, as in :save session.rhai"));
    }
    let text = format!("// A session of cpsd {}.\n{}", env!("CARGO_PKG_VERSION"), prompt.text());
    files::write(&typed_path(file), text.as_bytes())?;
    say!("{} inputs in {file}", prompt.kept.len());
    Ok(())
}

/// A path as a person types it: as in a shell, `~` at its beginning is the home folder.
pub fn typed_path(path: &str) -> PathBuf {
    match path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) if let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) => {
            PathBuf::from(home).join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(path),
    }
}

/// Errors: Io; those of the file's code.
fn load(prompt: &mut Prompt, file: &str) -> Result<(), Trouble> {
    let text = files::read_text(&typed_path(file))?;
    Ok(prompt.run(&text, file)?)
}

/// `:profile`: a table of the slowest lines. Errors: those of the code, which is shown until there.
fn time_lines(prompt: &mut Prompt, text: &str) -> Result<(), Failure> {
    const MOST: usize = 12;
    let code = last_values::with_ans(text);
    let (outcome, lines) = crate::script::profile::profile(prompt.session, &code, ":profile");
    let outcome = prompt.take(code, outcome);
    let all: f64 = lines.iter().map(|line| line.spent.as_secs_f64()).sum();
    say!("{}", format!("{:>9} {:>6} {:>8}  {:<24} code", "seconds", "share", "begun", "line").dimmed());
    for line in lines.iter().take(MOST) {
        let (seconds, (source, number)) = (line.spent.as_secs_f64(), &line.place);
        let code: String = line.code.chars().take(60).collect();
        let share = 100.0 * seconds / all.max(1e-12);
        say!(
            "{seconds:>9.4} {share:>5.1}% {:>8}  {:<24} {}",
            line.hits,
            format!("{source}:{number}"),
            highlight(&code)
        );
    }
    if lines.len() > MOST {
        say!("{}", format!("... {} more lines", lines.len() - MOST).dimmed());
    }
    outcome
}

/// Errors: an unknown name; a value that it cannot have.
fn set(prompt: &mut Prompt, rest: &str) -> Result<()> {
    match rest.split_once(' ').map(|(name, value)| (name, value.trim())) {
        Some(("progress", value @ ("on" | "off"))) => console::set_quiet(value == "off"),
        Some(("paging", value @ ("on" | "off"))) => pager::set(value == "on"),
        Some(("figures", name)) => prompt.figures = figures::Mode::named(name)?,
        Some((key, value)) => set_setting(prompt, key, value)?,
        None if rest.is_empty() => list_settings(prompt),
        None => match SETTINGS.iter().find(|setting| setting.key == rest) {
            Some(setting) => {
                for Listed { value, source } in configuration::list(setting) {
                    say!("  {value}  {}", source.to_string().dimmed());
                }
            }
            None => {
                let text = format!("expected a name and a value, as in :set device cpu; got :set {rest}");
                return Err(Error::argument(text));
            }
        },
    }
    Ok(())
}

/// Every setting with its value, and where that came from.
fn list_settings(prompt: &Prompt) {
    let mut rows = Vec::new();
    for setting in SETTINGS {
        for (i, Listed { value, source }) in configuration::list(setting).into_iter().enumerate() {
            rows.push((if i == 0 { setting.key } else { "" }, value, source.to_string()));
        }
    }
    let switch = |on: bool| if on { "on" } else { "off" }.to_string();
    let own = [
        ("figures", prompt.figures.name().to_string()),
        ("paging", switch(pager::on())),
        ("progress", switch(!console::is_quiet())),
    ];
    rows.extend(own.map(|(name, value)| (name, value, String::new())));
    // A very long path does not push the others' sources out of sight.
    let width = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0).min(60);
    for (name, value, source) in rows {
        match source.is_empty() {
            true => say!("  {:<16} {value}", name.cyan()),
            false => say!("  {:<16} {value:<width$}  {}", name.cyan(), source.dimmed()),
        }
    }
}

/// Sets one of the settings that `cpsd.toml` has, for this session.
///
/// Errors: an unknown key, with the nearest; a value that it cannot have; one that is no longer to be changed.
fn set_setting(prompt: &Prompt, key: &str, value: &str) -> Result<()> {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
        return Err(Error::unknown("setting", key, set_names()));
    };
    if setting.personal {
        let text = format!("{key} is read when the prompt begins");
        return Err(
            Error::argument(text).with_help(format!("`cpsd config set {key} {value}` sets it for the next one"))
        );
    }
    if policy::current().untrusted && !matches!(setting.kind, Kind::Count | Kind::Devices) {
        let text = match key {
            "runs" => "with --untrusted, the run store is that of the command line: --runs=DIR".to_string(),
            key => format!("with --untrusted, {key} cannot be changed"),
        };
        return Err(Error::argument(text));
    }
    if let Kind::Devices = setting.kind {
        let names: Vec<String> = value.split(',').map(|name| name.trim().to_string()).collect();
        let _ = devices::choose(&names)?;
    }
    let words: Vec<&str> = match setting.kind {
        Kind::Folders => value.split_whitespace().collect(),
        _ => vec![value],
    };
    match configuration::set_for_session(setting, &words)? {
        Value::Path(folder) => {
            policy::allow_write(&folder);
            *prompt.session.host.runs.borrow_mut() = folder;
        }
        Value::Count(n) => {
            pool::set_cores(n);
            pool::say_if_fewer();
        }
        _ => {}
    }
    Ok(())
}

/// The names that `:set` takes, for completion.
pub fn set_names() -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().filter(|setting| !setting.personal).map(|setting| setting.key);
    settings.chain(["figures", "paging", "progress"])
}

/// The values that `:set` takes for a name that takes few, for completion.
pub fn set_values(name: &str) -> &'static [&'static str] {
    match name {
        "download" | "paging" | "progress" => &["on", "off"],
        "device" => &["auto", "cpu", "cuda", "cuda:0"],
        "figures" => &["auto", "blocks", "kitty", "iterm", "sixel", "off"],
        _ => &[],
    }
}

/// Widens what scripts may do, or shows it. Errors: no such permission; `--untrusted`.
fn allow(rest: &str) -> Result<()> {
    if policy::current().untrusted && !rest.is_empty() {
        return Err(Error::argument("with --untrusted, permissions are those of the command line"));
    }
    match rest.split_once(' ').map_or((rest, ""), |(what, path)| (what, path.trim())) {
        ("write", path) if !path.is_empty() => policy::allow_write(&typed_path(path)),
        ("read", path) if !path.is_empty() => policy::allow_read(&typed_path(path)),
        ("code", "") => policy::allow_code(),
        ("", "") => say!("{}", policy::current().to_string().trim_end()),
        _ => {
            let text = format!("expected :allow write DIR, :allow read DIR or :allow code; got :allow {rest}");
            return Err(Error::argument(text));
        }
    }
    Ok(())
}

/// `:edit`: the last input, a function or a file in the user's editor; what was saved is run.
///
/// Errors: a notebook; no terminal; no such function; those of the editor; those of the code.
fn edit(prompt: &mut Prompt, what: &str) -> Result<(), Trouble> {
    if sink::is_set() {
        let text = "the notebook is the editor: :edit works at the prompt alone";
        return Err(Error::argument(text).with_help("change the cell and run it again").into());
    }
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Error::argument("an editor needs a terminal, and there is none here").into());
    }
    // A function's name has neither a dot nor a slash.
    let is_file = what.contains(['.', '/', '~']);
    let text = match what {
        "" => prompt.last.clone(),
        _ if is_file => String::new(),
        function => match find_source(prompt, function) {
            Some(text) => text,
            None => {
                let signatures = prompt.session.function_signatures();
                let known = signatures.iter().filter_map(|signature| signature.split('(').next());
                let text = format!("there is no function {function} here; a file's name ends in .rhai");
                return Err(with_near(text, crate::error::nearest(function, known)).into());
            }
        },
    };
    let file = is_file.then(|| typed_path(what));
    let name = file.as_ref().map_or_else(|| "edited".to_string(), |file| file.display().to_string());
    match programs::edited(file.as_deref(), &text)? {
        Some(text) if !text.trim().is_empty() => {
            if file.is_none() {
                say!("{}", highlight(text.trim_end()));
                prompt.edited = Some(text.clone());
            }
            // What was typed before stays so; the text of a function may be a stranger's.
            if what.is_empty() {
                super::allow_typed(&text);
            }
            prompt.run(&text, &name)?;
        }
        _ => say!("nothing was saved, so nothing runs"),
    }
    Ok(())
}

/// Says why a command failed, in a line.
fn complain(error: &Error) {
    let message = cut_names(&error.message);
    let text =
        error.help.as_deref().map(cut_names).map_or_else(|| message.to_string(), |help| format!("{message}: {help}"));
    say_error!("{}", width::of_errors().map_or_else(|| text.clone(), |columns| width::folded(&text, columns, 2)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_shell_are_told_from_the_language() {
        let of = |line| of_shell(line, |word| word == "done");
        assert_eq!(of("!ls -l"), Some("ls -l"));
        assert_eq!(of("! ls"), Some("ls"));
        assert_eq!(of("!./run x"), Some("./run x"));
        assert_eq!(of("!done_it"), Some("done_it"));
        for line in
            ["!done", "!done && x", "!f(x)", "!m::f(x)", "!(a || b)", "!!a", "!true", "!", "ls", ":sh ls", "?ls"]
        {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn commands_of_ipython_are_known() {
        assert_eq!(asked_behind("train_teacher?").as_deref(), Some("?train_teacher"));
        assert_eq!(asked_behind("method::baseline??").as_deref(), Some("??method::baseline"));
        for line in ["a ?? b", "a???", "?", "??", "f(x)?", "1?", "a ?"] {
            assert_eq!(asked_behind(line), None, "{line}");
        }
        let help = |line| no_magic(line).help.unwrap();
        assert_eq!(help("%time 1 + 2"), "write :time 1 + 2");
        assert_eq!(help("%%timeit\nf(x)"), "write :time f(x)");
        assert_eq!(help("%%time"), ":time takes one line, as in :time f(x)");
        assert_eq!(help("%%prun\nlet x = 1;\nf(x)"), ":profile takes one line, as in :profile f(x)");
        assert_eq!((help("%sx ls").as_str(), help("%whos").as_str()), ("write !ls", "write :vars"));
        assert!(help("%matplotlib inline").contains(":help") && help("%cd ..").contains("the working folder stays"));
        assert!(is_change_of_folder("cd ..") && is_change_of_folder("cd"));
        assert!(!is_change_of_folder("cd .. && ls") && !is_change_of_folder("cdrecord"));
    }
}
