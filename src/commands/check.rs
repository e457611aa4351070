//! `cpsd check`: prints what the checker finds, and counts it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::error::{Error, ErrorKind, Result, counted};
use cpsd::files::own;
use cpsd::repl;
use cpsd::say_error;
use cpsd::script::check::{self, Severity};
use cpsd::script::errors::Failure;
use cpsd::script::library_tests::{self, Scripts};
use cpsd::script::session::Session;

use super::permissions::Typed;
use super::{exit, script};

/// Look for mistakes in a script without running it
#[derive(clap::Args)]
pub struct Args {
    /// Scripts, and folders: all .rhai files in them; - reads standard input. Without one, those of the working folder
    files: Vec<PathBuf>,
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
}

impl Args {
    /// The first file, whose project's libraries count.
    pub fn typed(&self) -> Typed<'_> {
        let first = self.files.first().map(PathBuf::as_path);
        Typed { script: first.filter(|file| !script::is_standard_input(file)), paths: Vec::new() }
    }
}

/// So many findings of a file are shown with their code: each is looked up in the whole text.
const SHOWN: usize = 100;

/// The files, and those of folders; without any, those of the working folder.
///
/// Errors: a folder that has no script; Interrupted.
fn scripts(given: &[PathBuf]) -> Result<Scripts> {
    let given: Vec<&Path> = match given {
        [] => vec![Path::new(".")],
        _ => given.iter().map(PathBuf::as_path).collect(),
    };
    let mut found = library_tests::scripts(&given)?;
    for file in &mut found.files {
        // `./a.rhai` in a folder that nobody named is a.rhai. (A file that is called - is not standard input.)
        let short = file.strip_prefix(".").ok().filter(|short| !script::is_standard_input(short));
        *file = short.map_or(file.clone(), PathBuf::from);
    }
    Ok(found)
}

/// What cannot be read, as a line like that of a finding.
fn unreadable(path: &Path, error: &Error) -> String {
    let message = match own::link_target(path) {
        Ok(to) if own::is_absent(&path.with_file_name(&to)) => {
            format!("this link leads to \"{}\", which is not there", library_tests::shown(&to))
        }
        _ => error.message.clone(),
    };
    let message = message.strip_prefix(&path.display().to_string()).unwrap_or(&message);
    let in_line = message.strip_prefix(", line ").and_then(|rest| rest.split_once(": "));
    let (line, what) = in_line.unwrap_or(("1", message.strip_prefix(": ").unwrap_or(message)));
    let path = path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path);
    format!("{}:{line}:1: {}: {what}", library_tests::shown(path), Severity::Error.name())
}

/// On a terminal each finding has its line of code underlined; in a pipe it is one line.
pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let mut files = args.files.iter().filter(|file| !script::is_standard_input(file));
    if let Some(sentence) = files.find_map(|file| script::absent("file", file)) {
        say_error!("cpsd: {sentence}");
        return Ok(exit::BAD_COMMAND_LINE);
    }
    let found = scripts(&args.files).map_err(Failure::plain)?;
    let (mut errors, mut warnings) = (found.unreadable.len(), 0);
    for (folder, error) in &found.unreadable {
        print_line(&unreadable(folder, error));
    }
    for file in &found.files {
        interrupt::check().map_err(Failure::plain)?;
        let is_piped = script::is_standard_input(file);
        let file = if is_piped { Path::new(repl::STANDARD_INPUT) } else { file.as_path() };
        let read = if is_piped { repl::standard_input() } else { library_tests::read(file) };
        let text = match read {
            Ok(text) => text,
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(Failure::plain(error)),
            Err(error) => {
                errors += 1;
                print_line(&unreadable(file, &error));
                continue;
            }
        };
        let (name, shown) = (file.display().to_string(), library_tests::shown(file));
        let findings = check::check_all(session, &text, &name, &|_| None)?;
        for (i, finding) in findings.iter().enumerate() {
            match finding.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            if std::io::stdout().is_terminal() && i < SHOWN {
                let colour = std::env::var_os("NO_COLOR").is_none();
                print_line(Failure::found(finding, &shown, &text).render(colour, repl::width()).trim_end());
            } else {
                print_line(&finding.line(&shown));
            }
        }
    }
    let files = counted(found.files.len(), "file");
    match errors + warnings {
        0 => print_line(&format!("{files} without a mistake")),
        _ => print_line(&format!("{}, {} in {files}", counted(errors, "error"), counted(warnings, "warning"))),
    }
    Ok(if errors > 0 || (args.strict && warnings > 0) { exit::FAILED } else { exit::DONE })
}
