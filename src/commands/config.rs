//! `cpsd config`: every setting with its value and where that came from, and the files that say them.

use std::path::PathBuf;

use clap::Subcommand;
use cpsd::activity::console::print_line;
use cpsd::configuration::{self, FILE, Listed, SETTINGS, Setting, Source, Start, Whose, shown};
use cpsd::error::{Error, Result};
use cpsd::executors::pool;
use cpsd::files::own;
use cpsd::script::errors::Failure;

use super::exit;

/// Show every setting with where it came from, or write one into a cpsd.toml
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Every setting, its value, and where that came from
    List,
    /// The value of one setting; folders are one per line, in the order in which they are looked through
    Get { key: String },
    /// Write a setting; comments in the file stay
    Set {
        key: String,
        /// Its value; folders may be several
        #[arg(required = true)]
        value: Vec<String>,
        #[command(flatten)]
        whose: File,
    },
    /// Take a setting out of a file
    Unset {
        key: String,
        #[command(flatten)]
        whose: File,
    },
}

/// Which file is written: without an option the project's, if there is one, else the user's.
#[derive(clap::Args)]
#[group(multiple = false)]
struct File {
    /// In your own cpsd.toml, for all folders
    #[arg(long)]
    user: bool,
    /// In the cpsd.toml of the project, or a new one in the working folder
    #[arg(long)]
    project: bool,
}

impl Args {
    /// Whether it only shows settings.
    pub fn shows(&self) -> bool {
        matches!(self.action, None | Some(Action::List | Action::Get { .. }))
    }
}

pub fn run(args: Args) -> Result<u8, Failure> {
    match args.action {
        None | Some(Action::List) => list(),
        Some(Action::Get { key }) => get(&key),
        Some(Action::Set { key, value, whose }) => set(&key, &value, &whose),
        Some(Action::Unset { key, whose }) => unset(&key, &whose),
    }
    .map_err(Failure::plain)
}

fn list() -> Result<u8> {
    let rows: Vec<(&str, Listed)> = SETTINGS
        .iter()
        .flat_map(|setting| {
            let listed = configuration::list(setting).into_iter().enumerate();
            listed.map(|(i, listed)| (if i == 0 { setting.key } else { "" }, listed))
        })
        .collect();
    let width = rows.iter().map(|(_, listed)| listed.value.chars().count()).max().unwrap_or(0).min(60);
    for (key, Listed { value, source }) in rows {
        print_line(&format!("{key:<10} {value:<width$}  {source}"));
    }
    print_line("");
    for place in configuration::places() {
        let whose = match place.whose {
            Whose::Project => "project",
            Whose::User => "user",
            Whose::Program => "program",
        };
        // One that is absent shows where it would count.
        let there = if own::is_absent(&place.path) { " (absent)" } else { "" };
        print_line(&format!("{whose:<10} {}{there}", shown(&place.path)));
    }
    Ok(exit::DONE)
}

fn get(key: &str) -> Result<u8> {
    for Listed { value, source } in configuration::list(configuration::find(key)?) {
        match source {
            Source::Default => default(key).iter().for_each(|value| print_line(value)),
            _ => print_line(&value),
        }
    }
    Ok(exit::DONE)
}

/// The value that holds by default, for a program to read: no folder where there is none.
fn default(key: &str) -> Option<String> {
    match key {
        "threads" => Some(pool::cores().to_string()),
        "device" => Some("auto".into()),
        "download" => Some(false.to_string()),
        _ => configuration::default_path(key).map(|path| path.display().to_string()),
    }
}

fn set(key: &str, words: &[String], whose: &File) -> Result<u8> {
    let setting = configuration::find(key)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let value = setting.typed(&words, &here()?)?;
    let (path, whose) = file(whose, setting)?;
    let line = configuration::set(&path, whose, setting, &value)?;
    print_line(&format!("{key} = {} in {}:{line}", value.lines().join(", "), shown(&path)));
    // What goes before it is read anew with it.
    configuration::start(&Start { folder: here()?, ..Start::default() })?;
    if let Some(found) = configuration::value(key)
        && found.source != (Source::File { path, line })
    {
        print_line(&format!("{} goes before it: {}", found.source, found.value.lines().join(", ")));
    }
    Ok(exit::DONE)
}

fn unset(key: &str, whose: &File) -> Result<u8> {
    let setting = configuration::find(key)?;
    let (path, _) = file(whose, setting)?;
    match configuration::unset(&path, setting)? {
        true => print_line(&format!("{key} is no more in {}", shown(&path))),
        false => print_line(&format!("{key} was not in {}", shown(&path))),
    }
    Ok(exit::DONE)
}

/// The file that is written.
fn file(whose: &File, setting: &Setting) -> Result<(PathBuf, Whose)> {
    let user = || {
        configuration::user_file().ok_or_else(|| {
            Error::argument("there is no configuration folder of the user: neither HOME nor XDG_CONFIG_HOME is set")
        })
    };
    let project = configuration::project_above(&here()?);
    // In the user's own configuration folder there is no project.
    let project = project.filter(|path| Some(path) != configuration::user_file().as_ref());
    match (whose.user, whose.project, project) {
        (true, _, _) => Ok((user()?, Whose::User)),
        (_, true, project) => Ok((project.unwrap_or(here()?.join(FILE)), Whose::Project)),
        (_, _, Some(project)) if !setting.personal => Ok((project, Whose::Project)),
        _ => Ok((user()?, Whose::User)),
    }
}

fn here() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| Error::io(".", e))
}
