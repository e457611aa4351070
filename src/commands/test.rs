//! `cpsd test`: runs the tests of script libraries and counts them.

use std::path::PathBuf;

use colored::Colorize;
use cpsd::activity::console::print_line;
use cpsd::activity::interrupt;
use cpsd::say_error;
use cpsd::script::errors::Failure;
use cpsd::script::library_tests;

use super::permissions::Typed;
use super::{exit, script};

/// Run the test_... functions of the scripts in a folder, or of one file
#[derive(clap::Args)]
pub struct Args {
    path: PathBuf,
}

impl Args {
    /// The folder or file of the tests.
    pub fn typed(&self) -> Typed<'_> {
        Typed { script: Some(&self.path), paths: Vec::new() }
    }
}

pub fn run(args: Args) -> Result<u8, Failure> {
    if let Some(sentence) = script::absent("file or folder", &args.path) {
        say_error!("cpsd: {sentence}");
        return Ok(exit::BAD_COMMAND_LINE);
    }
    let (mut passed, mut failed) = (0, 0);
    for file in library_tests::find(&args.path).map_err(Failure::plain)? {
        let mut report = |outcome: &library_tests::Outcome| match &outcome.failure {
            None => {
                passed += 1;
                print_line(&format!("{} {}", "pass".green(), outcome.name));
            }
            Some(failure) => {
                failed += 1;
                print_line(&format!("{} {}", "FAIL".red().bold(), outcome.name));
                exit::fail(failure);
            }
        };
        library_tests::run(&file, &mut report).map_err(Failure::plain)?;
        if interrupt::requested() {
            return Ok(exit::INTERRUPTED);
        }
    }
    print_line(&format!("{passed} passed, {failed} failed"));
    Ok(if failed > 0 { exit::FAILED } else { exit::DONE })
}
