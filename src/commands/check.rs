//! `cpsd check`: prints what the checker finds, and counts it.

use std::io::IsTerminal;
use std::path::PathBuf;

use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::error::{Error, Result, counted};
use cpsd::files;
use cpsd::repl;
use cpsd::say_error;
use cpsd::script::check::{self, Severity};
use cpsd::script::errors::Failure;
use cpsd::script::library_tests;
use cpsd::script::session::Session;

use super::permissions::Typed;
use super::{exit, script};

/// Look for mistakes in a script without running it
#[derive(clap::Args)]
pub struct Args {
    /// Scripts, and folders: all .rhai files in them. Without one, those of the working folder
    files: Vec<PathBuf>,
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
}

impl Args {
    /// The first file, whose project's libraries count.
    pub fn typed(&self) -> Typed<'_> {
        Typed { script: self.files.first().map(PathBuf::as_path), paths: Vec::new() }
    }
}

/// So many findings of a file are shown with their code: each is looked up in the whole text.
const SHOWN: usize = 100;

/// The files, and those of folders; without any, those of the working folder.
///
/// Errors: a folder that cannot be read, or has no script.
fn scripts(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let here = [PathBuf::from(".")];
    let mut files = Vec::new();
    for path in if given.is_empty() { &here } else { given } {
        let found = library_tests::scripts(path)?;
        if found.is_empty() {
            return Err(Error::data(format!("{}: there is no .rhai file in this folder", path.display())));
        }
        // `./a.rhai` in a folder that nobody named is a.rhai.
        files.extend(found.into_iter().map(|file| file.strip_prefix(".").map_or(file.clone(), PathBuf::from)));
    }
    Ok(files)
}

/// On a terminal each finding has its line of code underlined; in a pipe it is one line.
pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    if let Some(sentence) = args.files.iter().find_map(|file| script::absent(file)) {
        say_error!("cpsd: {sentence}");
        return Ok(exit::BAD_COMMAND_LINE);
    }
    let files = scripts(&args.files).map_err(Failure::plain)?;
    let (mut errors, mut warnings) = (0, 0);
    for file in &files {
        interrupt::check().map_err(Failure::plain)?;
        let name = file.display().to_string();
        let text = files::read_text(file).map_err(Failure::plain)?;
        let findings = check::check_all(session, &text, &name, &|_| None)?;
        for (i, finding) in findings.iter().enumerate() {
            match finding.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            if std::io::stdout().is_terminal() && i < SHOWN {
                let colour = std::env::var_os("NO_COLOR").is_none();
                print_line(Failure::found(finding, &name, &text).render(colour, repl::width()).trim_end());
            } else {
                print_line(&finding.line(&name));
            }
        }
    }
    let files = counted(files.len(), "file");
    match errors + warnings {
        0 => print_line(&format!("{files} without a mistake")),
        _ => print_line(&format!("{}, {} in {files}", counted(errors, "error"), counted(warnings, "warning"))),
    }
    Ok(if errors > 0 || (args.strict && warnings > 0) { exit::FAILED } else { exit::DONE })
}
