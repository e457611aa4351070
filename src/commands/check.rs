//! `cpsd check`: prints what the checker finds, and counts it.

use std::io::IsTerminal;
use std::path::PathBuf;

use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::files;
use cpsd::repl;
use cpsd::script::check::{self, Severity};
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;

use super::exit;
use super::permissions::Typed;

/// Look for mistakes in a script without running it
#[derive(clap::Args)]
pub struct Args {
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

/// On a terminal each finding has its line of code underlined; in a pipe it is one line.
pub fn run(args: Args, session: &mut Session) -> Result<u8, Failure> {
    let (mut errors, mut warnings) = (0, 0);
    for file in &args.files {
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
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let files = counted(args.files.len(), "file");
    match errors + warnings {
        0 => print_line(&format!("{files} without a mistake")),
        _ => print_line(&format!("{}, {} in {files}", counted(errors, "error"), counted(warnings, "warning"))),
    }
    Ok(if errors > 0 || (args.strict && warnings > 0) { exit::FAILED } else { exit::DONE })
}
