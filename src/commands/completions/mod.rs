//! `cpsd completions`: the script by which a shell completes command lines of cpsd, and the candidates that it then asks for.
//!
//! The shell runs cpsd with a variable set and the words typed so far, and gets candidates by clap_complete's engine: commands and
//! options as clap knows them, and here words of the language, arguments of scripts and runs.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{Arg, Command, ValueEnum};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, PathCompleter, ValueCompleter};
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells};
use cpsd::activity::console::print_bytes;
use cpsd::configuration::{self, Kind, SETTINGS, Start};
use cpsd::error::Error;
use cpsd::files::own;
use cpsd::primitives;
use cpsd::runs::RunStore;
use cpsd::script::arguments;
use cpsd::script::errors::Failure;
use cpsd::script::host::{Declared, Host};
use cpsd::script::{docs, vocabulary};
use cpsd::training::overview::{Listed, Overview, RunFilter, overview};

use super::{examples, exit, words};
use bash::{Bash, unquoted};
use zsh::Zsh;

mod bash;
mod zsh;

/// The variable by which a shell asks for candidates.
const VARIABLE: &str = "CPSD_COMPLETE";

/// Print the script by which a shell completes cpsd's command lines, as in: source <(cpsd completions bash)
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
            Shell::Elvish => &Elvish,
            Shell::Powershell => &Powershell,
        }
    }
}

pub fn run(args: Args) -> Result<u8, Failure> {
    let internal = |e: std::io::Error| Failure::plain(Error::internal(format!("the script cannot be printed: {e}")));
    // By its name it is found wherever it is; by its path, as `make install` calls it, the script asks that one.
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_else(|| "cpsd".into());
    let program = match called.components().count() {
        0 | 1 => called,
        _ => std::path::absolute(&called).map_err(internal)?,
    };
    let mut script = Vec::new();
    let program = program.to_string_lossy();
    args.shell.completer().write_registration(VARIABLE, "cpsd", "cpsd", &program, &mut script).map_err(internal)?;
    // Not for a terminal's eyes: as it is.
    print_bytes(&script);
    Ok(exit::DONE)
}

/// Answers a shell that asks for candidates. Returns the exit code, if one did; `given` are the words that this program was called with.
pub fn answer(given: &[OsString], program: impl Fn() -> Command) -> Option<u8> {
    let shells: [&dyn EnvCompleter; 5] = [&Bash, &Zsh, &Fish, &Elvish, &Powershell];
    let folder = std::env::current_dir().ok();
    let given = &unquoted(given);
    let asked = CompleteEnv::with_factory(|| with_candidates(program(), given))
        .var(VARIABLE)
        .shells(Shells(&shells))
        .try_complete(given.iter().cloned(), folder.as_deref());
    match asked {
        Ok(false) => None,
        Ok(true) => Some(exit::DONE),
        // A sentence would stand in the middle of the line that is typed.
        Err(_) => Some(exit::FAILED),
    }
}

/// The command line with what is known of its values.
fn with_candidates(program: Command, given: &[OsString]) -> Command {
    let given = Given::new(&program, given);
    let scripts = || ArgValueCompleter::new(PathCompleter::file().filter(is_script));
    if given.is_behind_script() {
        // Options of the program are none here; what stands here is the script's.
        let completer = ArgValueCompleter::new(move |begun: &OsStr| given.arguments(begun));
        return Command::new("cpsd").disable_help_flag(true).arg(Arg::new("words").num_args(0..).add(completer));
    }
    let runs = {
        let given = given.clone();
        move || {
            ArgValueCompleter::new({
                let given = given.clone();
                move |begun: &OsStr| given.runs(begun)
            })
        }
    };
    program
        .arg(Arg::new("FILE").value_name("FILE").add(scripts()))
        // `mut_arg` would put the file behind the arguments.
        .mut_subcommand("script", |c| c.mut_args(|a| if a.get_id() == "file" { a.add(scripts()) } else { a }))
        .mut_subcommand("check", |c| c.mut_arg("files", |a| a.add(scripts())))
        .mut_subcommand("doc", |c| c.mut_arg("word", |a| a.add(ArgValueCompleter::new(words_of_language))))
        .mut_subcommand("examples", |c| c.mut_arg("dir", |a| a.add(ArgValueCompleter::new(examples_and_folders))))
        .mut_subcommand("config", |c| {
            let keys = |c: Command| c.mut_arg("key", |a| a.add(ArgValueCompleter::new(keys)));
            let value = ArgValueCompleter::new(move |begun: &OsStr| given.setting(begun));
            c.mut_subcommand("get", keys)
                .mut_subcommand("set", |c| keys(c).mut_arg("value", |a| a.add(value)))
                .mut_subcommand("unset", keys)
        })
        .mut_subcommand("runs", |c| {
            c.mut_subcommand("show", |c| c.mut_arg("id", |a| a.add(runs())))
                .mut_subcommand("diff", |c| c.mut_args(|a| if a.is_positional() { a.add(runs()) } else { a }))
                .mut_subcommand("verify", |c| c.mut_arg("ids", |a| a.add(runs())))
        })
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rhai")
}

/// A candidate with a line about it.
fn candidate(value: impl Into<OsString>, help: &str) -> CompletionCandidate {
    let help = help.lines().next().unwrap_or_default();
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| StyledStr::from(help.to_string())))
}

/// The names that `cpsd doc` knows.
fn words_of_language(begun: &OsStr) -> Vec<CompletionCandidate> {
    primitives::install();
    let begun = begun.to_string_lossy();
    let names: BTreeSet<&str> = docs::names().filter(|name| name.starts_with(&*begun)).collect();
    let line = |name| vocabulary::find(name).map_or("", |word| word.summary);
    names.into_iter().map(|name| candidate(name, line(name))).collect()
}

/// The files that `cpsd examples` prints, and the folders that it may copy them into.
fn examples_and_folders(begun: &OsStr) -> Vec<CompletionCandidate> {
    let text = begun.to_string_lossy();
    let names = examples::names().filter(|(name, _)| name.starts_with(&*text));
    let names = names.map(|(name, about)| candidate(name, &about));
    // All folders would hide the names.
    let folders = if text.is_empty() { vec![] } else { PathCompleter::dir().complete(begun) };
    names.chain(folders).collect()
}

/// The keys of settings.
fn keys(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let found = SETTINGS.iter().filter(|setting| setting.key.starts_with(&*begun));
    found.map(|setting| candidate(setting.key, setting.text)).collect()
}

/// The place of the word at the cursor, from shells that may complete in the middle of a line.
fn place() -> Option<usize> {
    std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|at| at.parse().ok())
}

/// What is typed so far.
#[derive(Clone)]
struct Given {
    words: Vec<OsString>,
    /// The word at the cursor.
    at: usize,
    /// The place of the script's file.
    script: Option<usize>,
}

impl Given {
    fn new(program: &Command, given: &[OsString]) -> Given {
        let words: Vec<OsString> = given.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
        let at = place();
        let script = words::script_file(program, &words);
        Given { at: at.unwrap_or(words.len().saturating_sub(1)), words, script }
    }

    fn is_behind_script(&self) -> bool {
        self.script.is_some_and(|file| file < self.at)
    }

    /// The word `back` places before the cursor.
    fn before(&self, back: usize) -> Option<&str> {
        self.words.get(self.at.checked_sub(back)?)?.to_str()
    }

    /// The arguments that the script declares, or the values of one.
    fn arguments(&self, begun: &OsStr) -> Vec<CompletionCandidate> {
        let (Some(script), Some(begun)) = (self.script, begun.to_str()) else { return vec![] };
        let declared = declared(Path::new(&self.words[script])).unwrap_or_default();
        let is_known = |name: &str| declared.iter().any(|argument| argument.name == name);
        // In bash a sign of equality is a word of its own, and has gone where nothing follows it.
        let name = match (self.before(1), self.before(2)) {
            (Some("="), Some(name)) => Some(name),
            (Some(name), _) if begun.is_empty() && is_known(name) => Some(name),
            _ => None,
        };
        if let Some(name) = name {
            return values(&declared, name, begun);
        }
        if let Some((name, value)) = begun.split_once('=') {
            let found = values(&declared, name, value);
            return found.into_iter().map(|value| value.add_prefix(format!("{name}="))).collect();
        }
        if begun.starts_with('-') {
            let help = candidate("--help", "the script's own help");
            return if "--help".starts_with(begun) { vec![help] } else { vec![] };
        }
        let is_given = |name: &str| {
            self.words.iter().enumerate().any(|(i, word)| match word.to_str() {
                Some(word) if word == name => self.words.get(i + 1).is_some_and(|next| next == "="),
                Some(word) => word.split_once('=').is_some_and(|(n, _)| n == name),
                None => false,
            })
        };
        let open = declared.iter().filter(|argument| argument.name.starts_with(begun) && !is_given(&argument.name));
        open.map(|argument| candidate(format!("{}=", argument.name), &help(argument))).collect()
    }

    /// Values of the setting whose key was typed.
    fn setting(&self, begun: &OsStr) -> Vec<CompletionCandidate> {
        let words: Vec<&str> = self.words.iter().take(self.at).filter_map(|word| word.to_str()).collect();
        let behind = words.iter().rposition(|word| *word == "set").map_or(&[][..], |set| &words[set + 1..]);
        let Some(setting) = SETTINGS.iter().find(|setting| behind.contains(&setting.key)) else { return vec![] };
        let text = begun.to_string_lossy();
        let of = |values: &[&str]| -> Vec<CompletionCandidate> {
            values.iter().filter(|value| value.starts_with(&*text)).map(|value| candidate(*value, "")).collect()
        };
        match setting.kind {
            Kind::Flag => of(&["true", "false"]),
            Kind::Devices => of(&["auto", "cpu", "cuda", "cuda:0"]),
            Kind::Count => vec![],
            Kind::Folders => PathCompleter::dir().complete(begun),
            Kind::Path => PathCompleter::any().complete(begun),
        }
    }

    /// The runs of the store, newest first.
    fn runs(&self, begun: &OsStr) -> Vec<CompletionCandidate> {
        let words: Vec<&str> = self.words.iter().filter_map(|word| word.to_str()).collect();
        let behind = words.windows(2).find(|pair| pair[0] == "--runs").map(|pair| pair[1]);
        let store = behind.or_else(|| words.iter().find_map(|word| word.strip_prefix("--runs=")));
        // That of the settings where they can be read: a shell shows no error.
        let standard = || {
            let folder = std::env::current_dir().unwrap_or_default();
            let _ = configuration::start(&Start { folder, ..Start::default() });
            Host::configured_store()
        };
        let store = RunStore::new(store.map_or_else(standard, PathBuf::from));
        let begun = begun.to_string_lossy();
        let listed = overview(&store, &RunFilter::default(), |_| {}).unwrap_or_default();
        let good = listed.into_iter().rev().filter_map(|listed| match listed {
            Listed::Good(run) if run.id.starts_with(&*begun) => Some(run),
            _ => None,
        });
        let line = |run: &Overview| {
            let date = run.local_date();
            let parts = [Some(date.as_str()), Some(run.name.as_str()), run.data.as_deref(), run.model.as_deref()];
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
        };
        good.map(|run| candidate(run.id.clone(), &line(&run))).collect()
    }
}

/// The arguments of a script, if it can be read.
fn declared(script: &Path) -> Option<Vec<Declared>> {
    let text = own::read_text(script).ok()?;
    arguments::declared(&primitives::session(), &text, &script.display().to_string()).ok().map(|all| all.declared)
}

fn help(argument: &Declared) -> String {
    match argument.help.is_empty() {
        true => format!("default {}", argument.default),
        false => format!("{} (default {})", argument.help, argument.default),
    }
}

/// Values of an argument: the default, the other of two flags, and files.
fn values(declared: &[Declared], name: &str, begun: &str) -> Vec<CompletionCandidate> {
    let Some(argument) = declared.iter().find(|argument| argument.name == name) else { return vec![] };
    let likely = match argument.default.as_str() {
        "true" | "false" => vec!["true", "false"],
        default => vec![default],
    };
    let likely = likely.into_iter().filter(|value| !value.is_empty() && *value != "..." && value.starts_with(begun));
    let files = match begun.is_empty() {
        true => vec![],
        false => PathCompleter::any().complete(OsStr::new(begun)),
    };
    likely.map(|value| candidate(value, &argument.help)).chain(files).collect()
}
